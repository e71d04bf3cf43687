"""How orderings, shortcuts and widening rules become layers."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.arch import AXES, Architecture, Plan, Stage, cost, named, plan
from ressearch.arch.layers import (
    Act,
    Activation,
    Conv,
    Gate,
    Norm,
    Normalisation,
    Path,
    Scale,
    SqueezeExcite,
    Subsample,
    UnscaledDropout,
    ZeroPad,
)
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.plan_tree import Block, Group
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Places, Stem
from ressearch.arch.survival import DropPath, linear_survival
from ressearch.arch.transforms import StrideOn, Transform
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
    block = resolved.stages[0].items[1]
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
    (_, identity), (projected, last) = (
        stage.items for stage in two_stages(Ordering.FULL_PREACTIVATION, Shortcut.PROJECTION).stages
    )
    assert projected.before == (Norm(16), RELU)
    assert letters(projected.branch) == "CNAC"
    assert projected.shortcut == (Conv(16, 32, kernel=1, stride=2),)  # bare: the ordering has no norm there
    for block in (identity, last):
        assert (letters(block.before), letters(block.branch), block.shortcut) == ("", "NACNAC", ())


@pytest.mark.parametrize("shortcut", [Shortcut.ZERO_PAD, Shortcut.PROJECTION])
def test_the_first_preactivation_of_the_network_feeds_the_shortcut(shortcut: Shortcut) -> None:
    """The stem of a pre-activated network has no activation of its own."""
    first, second = two_stages(Ordering.FULL_PREACTIVATION, shortcut).stages[0].items
    assert (letters(first.before), letters(first.branch)) == ("NA", "CNAC")
    assert (letters(second.before), letters(second.branch)) == ("", "NACNAC")


def test_a_pyramid_leaves_the_shortcut_of_the_first_block_raw() -> None:
    first = two_stages(Ordering.PYRAMID_PREACTIVATION, Shortcut.ZERO_PAD).stages[0].items[0]
    assert (letters(first.before), letters(first.branch)) == ("", "NCNACN")


@pytest.mark.parametrize("ordering", [Ordering.ORIGINAL, Ordering.BN_AFTER_ADDITION, Ordering.RELU_BEFORE_ADDITION])
def test_postactivated_projections_are_normalised_and_read_the_raw_input(ordering: Ordering) -> None:
    block = two_stages(ordering, Shortcut.PROJECTION).stages[1].items[0]
    assert block.before == ()
    assert block.shortcut == (Conv(16, 32, kernel=1, stride=2), Norm(32))


def test_shortcuts_where_the_shape_changes_and_elsewhere() -> None:
    def spelled(shortcut: Shortcut) -> list[Path | None]:
        return [block.shortcut for stage in two_stages(Ordering.ORIGINAL, shortcut).stages for block in stage.items]

    assert spelled(Shortcut.ZERO_PAD) == [(), (), (Subsample(2), ZeroPad(16, 32)), ()]
    assert [len(path or ()) for path in spelled(Shortcut.PROJECTION)] == [0, 0, 2, 0]
    assert [len(path or ()) for path in spelled(Shortcut.PROJECTION_EVERYWHERE)] == [2, 2, 2, 2]
    assert spelled(Shortcut.NONE) == [None, None, None, None]


def test_a_bottleneck_strides_and_groups_its_3x3_convolution() -> None:
    values = {"transform": Transform.BOTTLENECK, "bottleneck_ratio": 0.5, "cardinality": 4}
    block = two_stages(Ordering.ORIGINAL, Shortcut.PROJECTION, **values).stages[1].items[0]
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
    assert cost(resolved, 8).num_params == sum(cost(Plan((layer,), Group(()), ()), 8).num_params for layer in layers)


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
    assert len({id(block) for stage in deep.stages for block in stage.items}) == 6


def one_block(**values: Any) -> Any:
    """The second of two equal blocks of 16 channels."""
    whole = {name: values.pop(name) for name in [*values] if not AXES[name].per_stage}
    stages = (Stage(depth=2, width=16, **values),)
    return plan(Architecture(stages=stages, stem_width=16, **whole), 3, 10).stages[0].items[1]


# He et al. 2016, arXiv:1603.05027, table 1
@pytest.mark.parametrize(
    ("values", "branch", "shortcut", "gate"),
    [
        ({"merge": Merge.ADD}, (), (), None),
        ({"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.5}, (), (Scale(0.5),), None),
        ({"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.5, "branch_scale": 2}, (Scale(2.0),), (Scale(0.5),), None),
        ({"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.0}, (), None, None),
        ({"merge": Merge.EXCLUSIVE_GATE, "gate_bias": -7}, (), (), Gate(16, 16, 1, -7.0, exclusive=True)),
        ({"merge": Merge.SHORTCUT_ONLY_GATE}, (), (), Gate(16, 16, 1, -6.0, exclusive=False)),
        ({"merge": Merge.DROPOUT}, (), (UnscaledDropout(0.5),), None),
    ],
)
def test_merges_follow_the_table(values: Any, branch: Path, shortcut: Path | None, gate: Gate | None) -> None:
    block = one_block(**values)
    assert letters(block.branch[:5]) == "CNACN"
    assert (block.branch[5:], block.shortcut, block.gate) == (branch, shortcut, gate)


def test_a_gate_follows_the_shape_of_its_block() -> None:
    block = two_stages(Ordering.ORIGINAL, Shortcut.ZERO_PAD, merge=Merge.EXCLUSIVE_GATE).stages[1].items[0]
    assert block.gate == Gate(16, 32, 2, -6.0, exclusive=True)
    assert block.shortcut == (Subsample(2), ZeroPad(16, 32))


# Hu et al. 2018, arXiv:1709.01507, section 6; S is the squeeze-and-excitation
@pytest.mark.parametrize(
    ("se", "ordering", "branch", "shortcut", "after"),
    [
        (SqueezeExcitation.STANDARD, Ordering.ORIGINAL, "CNACNS", "", "A"),
        (SqueezeExcitation.PRE, Ordering.ORIGINAL, "SCNACN", "", "A"),
        (SqueezeExcitation.POST, Ordering.ORIGINAL, "CNACN", "", "AS"),
        (SqueezeExcitation.IDENTITY, Ordering.ORIGINAL, "CNACN", "S", "A"),
        (SqueezeExcitation.STANDARD, Ordering.FULL_PREACTIVATION, "NACNACS", "", ""),
        (SqueezeExcitation.PRE, Ordering.FULL_PREACTIVATION, "SNACNAC", "", ""),
    ],
)
def test_places_of_squeeze_excitation(
    se: SqueezeExcitation, ordering: Ordering, branch: str, shortcut: str, after: str
) -> None:
    block = one_block(se=se, ordering=ordering, se_ratio=4, se_bias=False)
    paths = (block.branch, block.shortcut, block.after)
    assert tuple(letters(path).replace(".", "S") for path in paths) == (branch, shortcut, after)
    assert SqueezeExcite(16, 4, bias=False) in (*block.branch, *block.shortcut, *block.after)


def test_single_convolutions_and_dropout_before_the_last() -> None:
    def spelled(**values: Any) -> str:
        return letters(one_block(dropout=0.3, ordering=Ordering.FULL_PREACTIVATION, **values).branch).replace(".", "D")

    assert spelled() == "NACNADC"  # Zagoruyko and Komodakis 2016, arXiv:1605.07146, figure 1d
    assert spelled(transform=Transform.SINGLE) == "NADC"
    assert spelled(transform=Transform.BOTTLENECK) == "NACNACNADC"


def test_the_stride_of_a_bottleneck_on_its_first_convolution() -> None:
    """He et al. 2015: fewer MACs, the same parameters."""

    def strides(stride_on: StrideOn, transform: Transform) -> list[int]:
        values: Any = {"transform": transform, "bottleneck_ratio": 0.5, "stride_on": stride_on}
        block = two_stages(Ordering.ORIGINAL, Shortcut.PROJECTION, **values).stages[1].items[0]
        return [layer.stride for layer in block.branch if isinstance(layer, Conv)]

    assert strides(StrideOn.CONV3X3, Transform.BOTTLENECK) == [1, 2, 1]
    assert strides(StrideOn.FIRST_CONV, Transform.BOTTLENECK) == [2, 1, 1]
    assert strides(StrideOn.FIRST_CONV, Transform.BASIC) == [2, 1]


@pytest.mark.parametrize(
    ("values", "stem", "head"),
    [
        ({}, "CNA", ".."),
        ({"ordering": Ordering.FULL_PREACTIVATION}, "C", "NA.."),
        ({"stem": Stem.IMAGENET}, "CNA.", ".."),
        ({"stem": Stem.IMAGENET, "ordering": Ordering.PYRAMID_PREACTIVATION}, "CNA.", "NA.."),
        ({"stem_steps": Places.NORM, "tail_steps": Places.ACT}, "CN", "A.."),
        ({"norm": Normalisation.NONE, "ordering": Ordering.FULL_PREACTIVATION}, "C", "A.."),
        ({"stem": Stem.IMAGENET, "stem_steps": Places.NONE}, "C.", ".."),
    ],
)
def test_stems_and_tails(values: Any, stem: str, head: str) -> None:
    resolved = plan(Architecture(stages=(Stage(depth=1, width=16),), **values), 3, 10)
    assert (letters(resolved.stem), letters(resolved.head)) == (stem, head)


def test_a_stem_with_an_activation_leaves_the_first_shortcut_alone() -> None:
    values: Any = {"ordering": Ordering.FULL_PREACTIVATION, "stem": Stem.IMAGENET}
    first = plan(Architecture(stages=(Stage(depth=1, width=16),), **values), 3, 10).stages[0].items[0]
    assert (letters(first.before), letters(first.branch)) == ("", "NACNAC")


def test_projections_with_and_without_norm_fed_by_either_input() -> None:
    def spelled(**values: Any) -> tuple[str, str, str]:
        block = one_block(shortcut=Shortcut.PROJECTION_EVERYWHERE, **values)
        return letters(block.before), letters(block.branch), letters(block.shortcut)

    preactivated: Any = {"ordering": Ordering.FULL_PREACTIVATION}
    assert spelled() == ("", "CNACN", "CN")
    assert spelled(projection_norm=ProjectionNorm.NONE) == ("", "CNACN", "C")
    assert spelled(**preactivated) == ("NA", "CNAC", "C")
    assert spelled(**preactivated, projection_norm=ProjectionNorm.NORM) == ("NA", "CNAC", "CN")
    assert spelled(**preactivated, projection_input=ProjectionInput.RAW) == ("", "NACNAC", "C")


def levelled(levels: int, depth: int = 3, **values: Any) -> Plan:
    stages = tuple(Stage(depth=depth, width=width, stride=stride) for width, stride in ((16, 1), (32, 2), (64, 2)))
    return plan(Architecture(stages=stages, levels=levels, **values), 3, 10)


def test_levels_stand_around_the_body_and_around_stages() -> None:
    """Zhang et al. 2017, arXiv:1608.02908, figure 2: bare 1x1 convolutions, one ReLU behind sums that end together."""
    one, two, three = (levelled(levels).body for levels in (1, 2, 3))
    assert (one.shortcut, one.after) == (None, ())
    assert (two.shortcut, two.after) == ((Conv(16, 64, kernel=1, stride=4),), (RELU,))
    assert [stage.shortcut for stage in two.items] == [None, None, None]
    assert three.shortcut == two.shortcut
    assert [stage.shortcut for stage in three.items] == [
        (Conv(16, 16, kernel=1),),
        (Conv(16, 32, kernel=1, stride=2),),
        (Conv(32, 64, kernel=1, stride=2),),
    ]
    assert [stage.after for stage in three.items] == [(RELU,), (RELU,), ()]
    assert [[block.after for block in stage.items] for stage in three.items] == [[(RELU,), (RELU,), ()]] * 3
    assert [block.after for stage in two.items for block in stage.items] == [(RELU,)] * 8 + [()]


def test_deeper_levels_halve_the_stages() -> None:
    first = levelled(4, depth=5).stages[0]
    assert [len(list(half.blocks())) for half in first.items] == [3, 2]
    assert [half.shortcut for half in first.items] == [(Conv(16, 16, kernel=1),)] * 2
    assert [half.after for half in first.items] == [(RELU,), ()]
    deeper = levelled(5, depth=5).stages[0]
    assert [type(item) for item in deeper.items[0].items] == [Group, Block]  # three blocks: two, and one by itself


def test_preactivated_levels_add_and_do_nothing_more() -> None:
    body = levelled(3, ordering=Ordering.FULL_PREACTIVATION).body
    assert body.after == ()
    assert all(item.after == () for item in (*body.items, *body.blocks()))


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_levels_keep_the_blocks(levels: int) -> None:
    """All but what closes the additions."""
    plain, deeper = (levelled(count, depth=4) for count in (1, levels))
    assert [block.branch for block in plain.blocks()] == [block.branch for block in deeper.blocks()]
    assert len(list(deeper.layers())) == len(list(plain.layers())) + {1: 0, 2: 1, 3: 4, 4: 10}[levels]


def test_survival_falls_linearly_or_stays() -> None:
    """Huang et al. 2016, arXiv:1603.09382, equation 4; (3L - 1) / 4 active branches at p_L = 0.5."""
    survival = levelled(1, depth=18, drop_path=DropPath.LINEAR).survival
    assert len(survival) == 54
    assert (survival[0], survival[-1]) == (1 - 0.5 / 54, 0.5)
    assert sum(survival) == pytest.approx((3 * 54 - 1) / 4)
    assert levelled(1, drop_path=DropPath.UNIFORM, drop_path_rate=0.25).survival == (0.75,) * 9


@given(num_blocks=st.integers(1, 400))
def test_expected_active_blocks(num_blocks: int) -> None:
    assert sum(linear_survival(0.5, num_blocks)) == pytest.approx((3 * num_blocks - 1) / 4)


def test_no_norm_is_the_network_without_its_norms() -> None:
    bare = plan(dataclasses.replace(named("resnet-20"), norm=Normalisation.NONE), 3, 10)
    assert list(bare.layers()) == [
        layer for layer in plan(named("resnet-20"), 3, 10).layers() if not isinstance(layer, Norm)
    ]
