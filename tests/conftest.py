"""What the rooms' tests share: small networks in which all members of all axes meet, and a strategy over the space.

A test that asks for `combination` runs once for each of a set of networks in which every two members of every two enum
axes stand together at least once, where they make a network at all; one that draws from `architectures` gets any
network. Both read the axes themselves, so that a new member of an enum is tested without a line here.
"""

import functools
import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ressearch.arch import AXES, Architecture, Axis, InfeasibleError, Stage, cost, plan
from ressearch.arch.shortcuts import Shortcut

# The networks of the tests are so small that threads only wait for each other; read when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No timed assertions, no examples left behind, the same ones in every run; --hypothesis-profile=explore draws others.
settings.register_profile("explore", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ressearch", settings.get_profile("explore"), derandomize=True)
settings.load_profile("ressearch")

SMALL_NUMBERS: dict[str, tuple[float, ...]] = {
    "stem_width": (4, 8),
    "alpha": (0.0, 1.0, 2.0, 4.5, 16.0),
    "widen_factor": (1.0, 2.0),
    "levels": (1, 2, 3, 4),
    "drop_path_rate": (0.0, 0.5),
    "norm_groups": (1, 2, 4),
    "init_c": (0.5, 1.0),
    "depth": (1, 2, 3),
    "width": (8, 12, 16, 24),
    "stride": (1, 2),
    "bottleneck_ratio": (0.25, 0.5, 1.0, 2.0),
    "cardinality": (1, 2, 4),
    "dropout": (0.0, 0.3),
    "shortcut_scale": (0.0, 0.5, 1.0),
    "branch_scale": (0.5, 1.0),
    "gate_bias": (-6.0, 0.0),
    "shortcut_dropout": (0.0, 0.5),
    "se_ratio": (1, 3, 4, 8),
}
WAY_OUT: dict[str, Any] = {"shortcut": Shortcut.PROJECTION, "bottleneck_ratio": 1.0, "norm_groups": 1, "se_ratio": 1}
"""Values that meet a rule which some values break, where the default may not."""


def _values(axis: Axis) -> list[Any]:
    if axis.kind is bool:
        return [False, True]
    return list(axis.kind) if axis.names else list(SMALL_NUMBERS[axis.name])


VALUES = {name: _values(axis) for name, axis in AXES.items()}


def network(values: dict[str, Any], stages: list[dict[str, Any]]) -> Architecture:
    """Return the architecture; an axis that makes it no network takes the value that always does."""
    while True:
        if values["widening"].is_pyramid:
            values["alpha"] = max(values["alpha"], values["widening"].least_alpha)
        try:
            architecture = Architecture(stages=tuple(Stage(**stage) for stage in stages), **values)
            plan(architecture, in_channels=3, num_classes=10)
        except InfeasibleError as error:
            axis = AXES[error.rule]
            way_out = WAY_OUT.get(axis.name, axis.default)
            holders = stages if axis.per_stage else [values]
            if all(holder[axis.name] == way_out for holder in holders):
                raise AssertionError("the value that always makes a network did not") from error
            for holder in holders:
                holder[axis.name] = way_out
        else:
            return architecture


def combinations() -> dict[str, Architecture]:
    """Networks of two stages in which all pairs of members of enum axes meet that can; the same in every run."""
    rng = random.Random(0)
    enums = [name for name, values in VALUES.items() if name not in SMALL_NUMBERS]
    uncovered = {
        ((first, one), (second, other))
        for first, second in itertools.combinations(enums, 2)
        for one, other in itertools.product(VALUES[first], VALUES[second])
    }
    networks: dict[str, Architecture] = {}
    fruitless = 0
    while uncovered and fruitless < 60:
        wanted = dict(rng.choice(sorted(uncovered, key=str)))
        chosen = {name: wanted.get(name, rng.choice(values)) for name, values in VALUES.items()}
        chosen |= {"depth": 2, "stem_width": 4, "bottleneck_ratio": 0.5, "cardinality": 2, "se_ratio": 4, "alpha": 16}
        whole = {name: value for name, value in chosen.items() if not AXES[name].per_stage}
        stage = {name: value for name, value in chosen.items() if AXES[name].per_stage}
        made = network(whole, [stage | {"width": 8, "stride": 1}, stage | {"width": 16, "stride": 2}])
        found = {name: getattr(made.stages[0] if AXES[name].per_stage else made, name) for name in enums}
        covered = set(itertools.combinations(found.items(), 2))
        fruitless = 0 if covered & uncovered else fruitless + 1
        if covered & uncovered:
            networks[str(len(networks))] = made
        uncovered -= covered
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
    """Feasible architectures of one to four stages over every axis."""
    return _architectures()


@st.composite
def _architectures(draw: st.DrawFn) -> Architecture:
    def drawn(per_stage: bool) -> dict[str, Any]:
        return {name: draw(st.sampled_from(VALUES[name])) for name, axis in AXES.items() if axis.per_stage is per_stage}

    return network(drawn(per_stage=False), [drawn(per_stage=True) for _ in range(draw(st.integers(1, 4)))])


@pytest.fixture
def search_scripted(tmp_path: Path) -> Callable[..., Any]:
    """Run a real search in this process whose trainings only follow a script.

    Returns:
        A function of the YAML text and of the accuracy by (spec, epoch), which returns the trials of the study.
        It adds the version and the images.
    """
    from ressearch.experiment.loader import parse_experiment
    from ressearch.search.contract import Progress, TrialResult, TrialSpec
    from ressearch.search.local_backend import run_in_process
    from ressearch.search.session import run_session
    from ressearch.store.study_record import open_study
    from ressearch.training.loop import EpochResult

    def search(text: str, accuracy: Callable[[TrialSpec, int], float], *, trials: int, name: str = "study") -> Any:
        def train(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
            kept = spec.checkpoint.read_text().split() if spec.resumes and spec.checkpoint else ("0", "0.0")
            done, value = int(kept[0]), float(kept[1])
            for epoch in range(done + 1, spec.recipe.epochs + 1):
                value = accuracy(spec, epoch)
                if epoch in spec.checkpoint_epochs and spec.checkpoint:
                    spec.checkpoint.parent.mkdir(parents=True, exist_ok=True)
                    spec.checkpoint.write_text(f"{epoch} {value!r}")
                result = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=value, lr=0.1, seconds=0.0)
                yield Progress(epoch=result, seconds=0.5 * epoch)
            counted = cost(plan(spec.architecture, 1, 10), 8)
            known = {"val_accuracy": value, "seconds": 0.5 * spec.recipe.epochs, "num_params": counted.num_params}
            yield TrialResult(measures={measure: float(known[measure]) for measure in spec.measures})

        experiment = parse_experiment(f"version: 1\ndata: {{name: digits, subset: 400, val_images: 200}}\n{text}", "x")
        run_session(experiment, tmp_path / name, functools.partial(run_in_process, do=train), trials=trials)
        return open_study(tmp_path / name).trials

    return search
