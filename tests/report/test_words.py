"""Networks, counts and times in words."""

import pytest

from ressearch.arch import Architecture, Stage, named
from ressearch.arch.architecture import SqueezeExcitation
from ressearch.arch.layers import Activation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.arch.widening import Widening
from ressearch.report.words import duration, network, short_count


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
