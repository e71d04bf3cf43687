"""How orderings, shortcuts and widening rules become layers."""

from typing import Any

import pytest

from ressearch.arch import Architecture, Plan, Stage, cost, named, plan
from ressearch.arch.layers import Act, Activation, Conv, Norm, Path, Subsample, ZeroPad
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.arch.widening import Widening, additive, multiplicative

RELU = Act(Activation.RELU)


def two_stages(ordering: Ordering, shortcut: Shortcut, **values: Any) -> Plan:
    """Two blocks of 16 channels, then two of 32 of which the first strides."""
    stages = tuple(
        Stage(depth=2, width=width, stride=stride, shortcut=shortcut, **values) for width, stride in ((16, 1), (32, 2))
    )
    return plan(Architecture(stages=stages, stem_width=16, ordering=ordering), in_channels=3, num_classes=10)


def letters(path: Path) -> str:
    """Spell a path with C (convolution), N (norm) and A (activation)."""
    return "".join({Conv: "C", Norm: "N", Act: "A"}.get(type(layer), ".") for layer in path)


# He et al. 2016, arXiv:1603.05027, figure 4, and Han et al. 2017, arXiv:1610.02915, figure 6d
@pytest.mark.parametrize(
    ("ordering", "stem", "branch", "after", "head"),
    [
        (Ordering.ORIGINAL, "CNA", "CNACN", "A", ".."),
        (Ordering.BN_AFTER_ADDITION, "CNA", "CNAC", "NA", ".."),
        (Ordering.RELU_BEFORE_ADDITION, "CNA", "CNACNA", "", ".."),
        (Ordering.RELU_ONLY_PREACTIVATION, "CN", "ACNACN", "", "A.."),
        (Ordering.FULL_PREACTIVATION, "C", "NACNAC", "", "NA.."),
        (Ordering.PYRAMID_PREACTIVATION, "CN", "NCNACN", "", "NA.."),
    ],
    ids=lambda value: value.name if isinstance(value, Ordering) else None,
)
def test_orderings_follow_the_figures(ordering: Ordering, stem: str, branch: str, after: str, head: str) -> None:
    resolved = two_stages(ordering, Shortcut.ZERO_PAD)
    block = resolved.stages[0][1]
    assert [letters(path) for path in (resolved.stem, block.branch, block.after, resolved.head)] == [
        stem,
        branch,
        after,
        head,
    ]
    assert block.before == ()
    assert block.shortcut == ()


def test_a_preactivated_projection_reads_the_activated_input() -> None:
    """The first norm and activation feed both paths where the shortcut has weights, the branch alone elsewhere."""
    (_, identity), (projected, last) = two_stages(Ordering.FULL_PREACTIVATION, Shortcut.PROJECTION).stages
    assert projected.before == (Norm(16), RELU)
    assert letters(projected.branch) == "CNAC"
    assert projected.shortcut == (Conv(16, 32, kernel=1, stride=2),)  # bare: the ordering has no norm there
    for block in (identity, last):
        assert (letters(block.before), letters(block.branch), block.shortcut) == ("", "NACNAC", ())


@pytest.mark.parametrize("shortcut", [Shortcut.ZERO_PAD, Shortcut.PROJECTION])
def test_the_first_preactivation_of_the_network_feeds_the_shortcut(shortcut: Shortcut) -> None:
    """The stem of a pre-activated network has no activation of its own."""
    first, second = two_stages(Ordering.FULL_PREACTIVATION, shortcut).stages[0]
    assert (letters(first.before), letters(first.branch)) == ("NA", "CNAC")
    assert (letters(second.before), letters(second.branch)) == ("", "NACNAC")


def test_a_pyramid_leaves_the_shortcut_of_the_first_block_raw() -> None:
    first = two_stages(Ordering.PYRAMID_PREACTIVATION, Shortcut.ZERO_PAD).stages[0][0]
    assert (letters(first.before), letters(first.branch)) == ("", "NCNACN")


@pytest.mark.parametrize("ordering", [Ordering.ORIGINAL, Ordering.BN_AFTER_ADDITION, Ordering.RELU_BEFORE_ADDITION])
def test_postactivated_projections_are_normalised_and_read_the_raw_input(ordering: Ordering) -> None:
    block = two_stages(ordering, Shortcut.PROJECTION).stages[1][0]
    assert block.before == ()
    assert block.shortcut == (Conv(16, 32, kernel=1, stride=2), Norm(32))


def test_shortcuts_where_the_shape_changes_and_elsewhere() -> None:
    def spelled(shortcut: Shortcut) -> list[Path | None]:
        return [block.shortcut for stage in two_stages(Ordering.ORIGINAL, shortcut).stages for block in stage]

    assert spelled(Shortcut.ZERO_PAD) == [(), (), (Subsample(2), ZeroPad(16, 32)), ()]
    assert [len(path or ()) for path in spelled(Shortcut.PROJECTION)] == [0, 0, 2, 0]
    assert [len(path or ()) for path in spelled(Shortcut.PROJECTION_EVERYWHERE)] == [2, 2, 2, 2]
    assert spelled(Shortcut.NONE) == [None, None, None, None]


def test_a_bottleneck_strides_and_groups_its_3x3_convolution() -> None:
    values = {"transform": Transform.BOTTLENECK, "bottleneck_ratio": 0.5, "cardinality": 4}
    block = two_stages(Ordering.ORIGINAL, Shortcut.PROJECTION, **values).stages[1][0]
    assert [layer for layer in block.branch if isinstance(layer, Conv)] == [
        Conv(16, 16, kernel=1),
        Conv(16, 16, kernel=3, stride=2, groups=4),
        Conv(16, 32, kernel=1),
    ]


def test_layers_come_in_the_order_of_the_data_flow() -> None:
    resolved = two_stages(Ordering.ORIGINAL, Shortcut.PROJECTION)
    layers = list(resolved.layers())
    assert layers[: len(resolved.stem)] == list(resolved.stem)
    assert layers[-len(resolved.head) :] == list(resolved.head)
    assert cost(resolved, 8).num_params == sum(cost(Plan((layer,), (), ()), 8).num_params for layer in layers)


# Han et al. 2017, arXiv:1610.02915, equations 2 and 3; first and last widths as in the authors' repository
@pytest.mark.parametrize(
    ("rule", "alpha", "first", "last"),
    [
        (additive, 48, [17, 18, 19, 20], 64),
        (additive, 84, [18, 19, 21, 22], 100),
        (additive, 270, [21, 26, 31, 36], 286),
        (multiplicative, 4.75, [16, 17, 17, 18], 76),
        (multiplicative, 27, [17, 18, 19, 20], 432),
    ],
)
def test_pyramid_widths(rule: Any, alpha: float, first: list[int], last: int) -> None:
    widths = rule(16, alpha, 54)
    assert (widths[:4], widths[-1], len(widths)) == (first, last, 54)


def test_a_pyramid_rules_the_inner_width_and_the_ratio_the_output() -> None:
    stages = (Stage(depth=2, transform=Transform.BOTTLENECK, bottleneck_ratio=0.25),)
    architecture = Architecture(stages=stages, stem_width=16, widening=Widening.ADDITIVE, alpha=4)
    assert [(block.c_in, block.inner, block.c_out) for block in architecture.blocks] == [(16, 18, 72), (72, 20, 80)]


def test_activations_are_counted_where_convolutions_and_linear_layers_write() -> None:
    stages = (Stage(depth=1, width=8, stride=2, shortcut=Shortcut.NONE),)
    counted = cost(plan(Architecture(stages=stages, stem_width=4), in_channels=3, num_classes=10), resolution=9)
    assert counted.num_activations == 4 * 81 + 2 * (8 * 25) + 10  # 9 pixels a side halve to 5


def test_equal_blocks_are_one_object() -> None:
    """Counting thousands of candidates relies on it: three widths, two widening blocks, and the very first."""
    deep = plan(named("resnet-110"), 3, 10)
    assert len({id(block) for stage in deep.stages for block in stage}) == 6
