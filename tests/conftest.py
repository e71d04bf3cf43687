"""What the rooms' tests share: one small network of every combination, and a strategy over the whole grid.

A test that asks for `combination` runs once for every ordering x shortcut x transform x squeeze-and-excitation x
widening; one that draws from `architectures` gets networks with free depths, widths, strides and ratios as well.
Both read the axes themselves, so that a new member of an enum is tested without a line here.
"""

import itertools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ressearch.arch import AXES, Architecture, Axis, InfeasibleError, Stage, plan

# The networks of the tests are so small that threads only wait for each other; read when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No timed assertions, and no examples left behind.
settings.register_profile("ressearch", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ressearch")

SMALL_NUMBERS: dict[str, tuple[float, ...]] = {
    "stem_width": (4, 8),
    "alpha": (0.0, 1.0, 2.0, 4.5, 16.0),
    "depth": (1, 2, 3),
    "width": (8, 12, 16, 24),
    "stride": (1, 2),
    "bottleneck_ratio": (0.25, 0.5, 1.0, 2.0),
    "cardinality": (1, 2, 4),
    "se_ratio": (1, 3, 4, 8),
}
GRID = ("ordering", "shortcut", "transform", "se", "widening")


def combinations() -> dict[str, Architecture]:
    """One small network for every combination of the grid's members; activations take turns."""
    activations = itertools.cycle(AXES["activation"].kind)
    networks = {}
    for members in itertools.product(*(AXES[name].kind for name in GRID)):
        chosen = dict(zip(GRID, members, strict=True))
        whole = {name: chosen[name] for name in chosen if not AXES[name].per_stage}
        per_stage = {name: chosen[name] for name in chosen if AXES[name].per_stage}
        stages = tuple(
            Stage(depth=2, width=width, stride=stride, bottleneck_ratio=0.5, cardinality=2, se_ratio=4, **per_stage)
            for width, stride in ((8, 1), (16, 2))
        )
        key = "-".join(member.name.lower() for member in members)
        networks[key] = Architecture(stages=stages, stem_width=4, alpha=16, activation=next(activations), **whole)
    return networks


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "combination" in metafunc.fixturenames:
        networks = combinations()
        metafunc.parametrize("combination", networks.values(), ids=networks)


@pytest.fixture(scope="session")
def every_combination() -> dict[str, Architecture]:
    """What `combination` runs through, at once."""
    return combinations()


@pytest.fixture(scope="session")
def architectures() -> st.SearchStrategy[Architecture]:
    """Feasible architectures of one to three stages over every axis."""
    return _architectures()


def _values(axis: Axis) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(axis.kind) if axis.names else SMALL_NUMBERS[axis.name])


@st.composite
def _architectures(draw: st.DrawFn) -> Architecture:
    stage = st.builds(Stage, **{name: _values(axis) for name, axis in AXES.items() if axis.per_stage})
    whole = {name: _values(axis) for name, axis in AXES.items() if not axis.per_stage}
    network = st.builds(_feasible, st.lists(stage, min_size=1, max_size=3).map(tuple), **whole)
    return draw(network.filter(lambda found: found is not None))


def _feasible(stages: tuple[Stage, ...], **whole: Any) -> Architecture | None:
    """Return the architecture, or None where its values make no network."""
    if whole["widening"].is_pyramid:
        whole["alpha"] = max(whole["alpha"], whole["widening"].value.least_alpha)
    try:
        architecture = Architecture(stages=stages, **whole)
        plan(architecture, in_channels=3, num_classes=10)
    except InfeasibleError:
        return None
    return architecture
