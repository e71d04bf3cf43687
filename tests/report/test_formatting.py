"""Networks, counts and times in words."""

from dataclasses import replace
from typing import Any

import pytest

from ressearch.arch import AXES, Architecture, Axis, Stage, named
from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import Transform
from ressearch.arch.widening import Widening
from ressearch.report.formatting import duration, network, short_count


def test_a_network_of_the_literature() -> None:
    assert network(named("resnet-20")) == "3x[16] 3x[32] 3x[64] basic original zero_pad"


def test_what_differs_between_stages_is_joined() -> None:
    stages = (
        Stage(depth=1, width=16),
        Stage(
            depth=2,
            width=64,
            stride=2,
            transform=Transform.BOTTLENECK,
            cardinality=4,
            shortcut=Shortcut.PROJECTION,
            se=SqueezeExcitation.STANDARD,
            se_ratio=8,
        ),
    )
    architecture = Architecture(stages=stages, ordering=Ordering.FULL_PREACTIVATION, activation=Activation.SILU)
    assert network(architecture) == (
        "1x[16] 2x[64] basic/bottleneck(0.25, 4 groups) full_preactivation zero_pad/projection no_se/se8 silu"
    )


def test_a_pyramid_tells_its_first_and_last_width() -> None:
    stages = (Stage(depth=2), Stage(depth=2, stride=2))
    architecture = Architecture(stages=stages, widening=Widening.ADDITIVE, alpha=48.0)
    assert network(architecture) == "2x[28-40] 2x[52-64] basic original zero_pad additive(48)"


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("wrn-28-10-dropout", "projection widen_factor=10 dropout=0.3"),
        ("resnet-164", "bottleneck(0.25) original projection stride_on=first_conv"),
        ("resnet-50-imagenet", "bottleneck(0.25) original projection stem=imagenet"),
        ("stochastic-depth-resnet-110", "avg_pool_zero_pad drop_path=linear"),
        ("ror3-56", "zero_pad levels=3"),
        ("resnet-110-exclusive-gate-b-7", "zero_pad merge=exclusive_gate gate_bias=-7"),
        ("resnet-110-scaled-0.5-0.5", "zero_pad merge=constant_scale shortcut_scale=0.5 branch_scale=0.5"),
        ("resnet-110-conv1x1-shortcut", "projection_everywhere projection_norm=none"),
        ("se-resnet-110", "zero_pad se16"),
    ],
)
def test_what_differs_from_the_defaults_is_named(name: str, others: str) -> None:
    assert network(named(name)).endswith(f" {others}")


def test_a_value_that_some_stages_do_not_read() -> None:
    stages = (
        Stage(depth=1, width=16, dropout=0.1, se=SqueezeExcitation.PRE, se_bias=False),
        Stage(depth=1, width=32, merge=Merge.DROPOUT, shortcut_dropout=0.2),
    )
    assert network(Architecture(stages=stages)) == (
        "1x[16] 1x[32] basic original zero_pad se16, pre, no bias/no_se "
        "dropout=0.1/0 merge=add/dropout shortcut_dropout=-/0.2"
    )


READ_BY: dict[str, dict[str, Any]] = {
    "alpha": {"widening": Widening.ADDITIVE},
    "bottleneck_ratio": {"transform": Transform.BOTTLENECK},
    "cardinality": {"transform": Transform.BOTTLENECK},
    "stride_on": {"transform": Transform.BOTTLENECK},
    "se_ratio": {"se": SqueezeExcitation.STANDARD},
    "se_bias": {"se": SqueezeExcitation.STANDARD},
    "shortcut_scale": {"merge": Merge.CONSTANT_SCALE},
    "branch_scale": {"merge": Merge.CONSTANT_SCALE},
    "gate_bias": {"merge": Merge.EXCLUSIVE_GATE},
    "shortcut_dropout": {"merge": Merge.DROPOUT},
    "level_shortcut": {"levels": 2},
    "level_projection_norm": {"levels": 2},
    "drop_path_rate": {"drop_path": DropPath.LINEAR},
    "norm_groups": {"norm": Normalisation.GROUP},
    "init_c": {"init": InitRule.DEPTH_SCALED},
    "projection_input": {"ordering": Ordering.FULL_PREACTIVATION},
}
"""Axes that a network reads only where another has one of these values."""


def changed(architecture: Architecture, **values: Any) -> Architecture:
    per_stage = {name: value for name, value in values.items() if AXES[name].per_stage}
    whole = {name: value for name, value in values.items() if not AXES[name].per_stage}
    return replace(architecture, stages=tuple(replace(stage, **per_stage) for stage in architecture.stages), **whole)


def another(axis: Axis) -> Any:
    if axis.kind is bool:
        return not axis.default
    if axis.names:
        return next(member for member in axis.kind if member is not axis.default)  # type: ignore[union-attr]
    return 2 if axis.kind is int else 0.5 if axis.default != 0.5 else 0.25


@pytest.mark.parametrize("axis", [axis for axis in AXES.values() if axis.name not in ("stride", "stem_width")])
def test_every_axis_has_words(axis: Axis) -> None:
    """A new axis needs none of its own: it is named where it differs from its default."""
    read = changed(named("resnet-20"), **READ_BY.get(axis.name, {}))
    assert network(changed(read, **{axis.name: another(axis)})) != network(read)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (81_002, "81.0k"),
        (272_474, "272k"),
        (999_600, "1.00M"),
        (2.5e12, "2500G"),
    ],
)
def test_counts_in_three_digits(number: float, text: str) -> None:
    assert short_count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.6, "1 min 00 s"), (75, "1 min 15 s"), (7500, "2 h 05 min")],
)
def test_times_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
