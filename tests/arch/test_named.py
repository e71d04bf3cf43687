"""Names: the numbers they hold are those of the network, families meet where they should, mistakes are explained."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.arch import Architecture, architecture_id, cost, named, plan
from ressearch.arch.merges import Merge
from ressearch.arch.names import FAMILIES, MODIFIERS
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.stems import Stem
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening

LAYERS = {Transform.SINGLE: 1, Transform.BASIC: 2, Transform.BOTTLENECK: 3}


def layers_of(architecture: Architecture) -> int:
    return sum(LAYERS[block.stage.transform] for block in architecture.blocks)


def num_params(architecture: Architecture) -> int:
    return cost(plan(architecture, 3, 10), 32).num_params


@given(
    kind=st.sampled_from(["resnet", "plain", "preresnet"]), block=st.sampled_from(list(Transform)), n=st.integers(1, 40)
)
def test_a_residual_network_has_the_depth_of_its_name(kind: str, block: Transform, n: int) -> None:
    depth = 3 * LAYERS[block] * n + 2
    network = named(f"{kind}-{depth}-{block.name.lower()}")
    assert layers_of(network) + 2 == depth
    assert {stage.transform for stage in network.stages} == {block}


@pytest.mark.parametrize("depth", [8, 14, 20, 26, 32, 44, 50, 56, 110, 164, 1202])
def test_plain_names_mean_basic_blocks_where_no_bottlenecks_were_published(depth: int) -> None:
    is_bottleneck = depth == 164
    for kind in ("resnet", "preresnet"):
        transform = Transform.BOTTLENECK if is_bottleneck else Transform.BASIC
        assert {stage.transform for stage in named(f"{kind}-{depth}").stages} == {transform}
    assert {stage.transform for stage in named(f"plain-{depth}").stages} == {Transform.BASIC}
    assert layers_of(named(f"resnet-{depth}")) + 2 == depth


def test_the_two_published_bottleneck_depths() -> None:
    assert architecture_id(named("resnet-164")) == architecture_id(named("resnet-164-bottleneck"))
    assert len(named("resnet-164").blocks) == 54
    assert len(named("resnet-164-basic").blocks) == 81
    assert len(named("preresnet-1001").blocks) == 333
    stage = named("resnet-1001").stages[0]
    assert (stage.shortcut, stage.stride_on) == (Shortcut.PROJECTION, StrideOn.FIRST_CONV)


def test_kinds_differ_in_ordering_and_shortcut_alone() -> None:
    resnet, plain, preresnet = (named(f"{kind}-20") for kind in ("resnet", "plain", "preresnet"))
    assert replace(preresnet, ordering=Ordering.ORIGINAL) == resnet
    assert preresnet.ordering is Ordering.FULL_PREACTIVATION
    assert {stage.shortcut for stage in resnet.stages} == {Shortcut.ZERO_PAD}
    stages = tuple(replace(stage, shortcut=Shortcut.ZERO_PAD) for stage in plain.stages)
    assert {stage.shortcut for stage in plain.stages} == {Shortcut.NONE}
    assert replace(plain, stages=stages) == resnet


@given(n=st.integers(1, 10), factor=st.integers(1, 12))
def test_a_wide_network_has_the_depth_and_the_width_of_its_name(n: int, factor: int) -> None:
    network = named(f"wrn-{6 * n + 4}-{factor}")
    assert layers_of(network) == 6 * n
    assert [stage_end.c_out for stage_end in network.blocks[n - 1 :: n]] == [16 * factor, 32 * factor, 64 * factor]


def test_dropout_of_a_wide_network() -> None:
    rates = [named(name).stages[0].dropout for name in ("wrn-16-4", "wrn-16-4-dropout", "wrn-16-4-dropout-0.5")]
    assert rates == [0.0, 0.3, 0.5]


@given(n=st.integers(1, 5), groups=st.sampled_from([1, 2, 4, 8, 32]), width=st.sampled_from([1, 4, 24, 64]))
def test_a_resnext_has_the_groups_of_its_name(n: int, groups: int, width: int) -> None:
    network = named(f"resnext-{9 * n + 2}-{groups}x{width}d")
    assert layers_of(network) == 9 * n
    assert {stage.cardinality for stage in network.stages} == {groups}
    assert [block.inner for block in network.blocks[::n]] == [groups * width * factor for factor in (1, 2, 4)]
    assert [block.c_out for block in network.blocks[::n]] == [256, 512, 1024]


def test_a_preactivated_resnext() -> None:
    """xie2017 took its CIFAR errors with these; the reference collection counts them by the way."""
    assert num_params(named("preresnext-29-8x64d")) == 34_423_114
    assert num_params(named("preresnext-29-16x64d")) == 68_151_626


@given(alpha=st.integers(0, 300), depth=st.sampled_from([20, 56, 110]))
def test_an_additive_pyramid_ends_as_wide_as_its_name_says(alpha: int, depth: int) -> None:
    network = named(f"pyramidnet-{depth}-a{alpha}")
    assert network.blocks[-1].c_out == 16 + alpha
    assert layers_of(network) + 2 == depth


def test_pyramids() -> None:
    assert named("pyramidnet-110-m4.75").widening is Widening.MULTIPLICATIVE
    assert named("pyramidnet-110-m4.75").blocks[-1].c_out == 76
    for depth in (164, 200, 272):
        assert layers_of(named(f"pyramidnet-{depth}-a48")) + 2 == depth
        assert named(f"pyramidnet-{depth}-a48").blocks[-1].c_out == 4 * 64
    assert len(named("pyramidnet-164-a48-basic").blocks) == 81
    assert Architecture.from_dict(named("pyramidnet-110-a48").to_dict()) == named("pyramidnet-110-a48")


def test_networks_for_imagenet_have_names_of_their_own() -> None:
    assert named("resnet-50").stem is Stem.CIFAR
    network = named("resnet-50-imagenet")
    assert (network.stem, layers_of(network) + 2) == (Stem.IMAGENET, 50)
    assert [named(f"resnet-{depth}-imagenet").blocks[0].c_out for depth in (18, 34, 50)] == [64, 64, 256]
    assert named("wrn-50-2-imagenet").blocks[0].inner == 128
    assert named("resnext-50-32x4d-imagenet").blocks[0].inner == 128
    assert named("pyramidnet-200-a300-imagenet").blocks[-1].inner == 364


def test_squeeze_and_excitation_strides_as_in_its_paper() -> None:
    """Bottlenecks of torchvision stride on the 3x3 convolution, those of SENet on the first."""
    strides = [named(name).stages[1].stride_on for name in ("resnet-50-imagenet", "se-resnet-50-imagenet")]
    assert strides == [StrideOn.CONV3X3, StrideOn.FIRST_CONV]


def test_modifiers_change_what_they_say_and_nothing_else() -> None:
    base = named("resnet-110")
    assert named("ror3-110") == named("ror3-resnet-110") == replace(base, levels=3)
    assert named("resnet-110-bn-after-addition") == replace(base, ordering=Ordering.BN_AFTER_ADDITION)
    gated = named("resnet-110-shortcut-only-gate-b-6").stages[0]
    assert (gated.merge, gated.gate_bias) == (Merge.SHORTCUT_ONLY_GATE, -6)
    scaled = named("resnet-110-scaled-0.5-1").stages[0]
    assert (scaled.shortcut_scale, scaled.branch_scale) == (0.5, 1)
    assert named("resnet-110-dropout-shortcut-0.25").stages[0].shortcut_dropout == 0.25


def test_stochastic_depth_averages_where_it_pads() -> None:
    """huang2016, section 4; projections stay what they are."""
    network = named("stochastic-depth-resnet-110")
    assert {stage.shortcut for stage in network.stages} == {Shortcut.AVG_POOL_ZERO_PAD}
    assert (network.drop_path, network.drop_path_rate) == (DropPath.LINEAR, 0.5)
    assert {stage.shortcut for stage in named("stochastic-depth-wrn-40-2").stages} == {Shortcut.PROJECTION}


def test_ror_3_of_164_layers_has_basic_blocks() -> None:
    assert named("ror3-164") == named("ror3-resnet-164-basic")
    assert architecture_id(named("ror3-164")) != architecture_id(named("ror3-resnet-164"))


def test_modifiers_stack() -> None:
    assert named("stochastic-depth-ror3-se-preresnet-20") == named("se-ror3-stochastic-depth-preresnet-20")


def test_a_shortcut_scaled_by_zero_is_a_plain_network() -> None:
    """He et al. 2016 print it in a row of its own; it shares the name, and the errors, of plain-110."""
    assert architecture_id(named("resnet-110-scaled-0-1")) == architecture_id(named("plain-110"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet-9", "known are resnet-N, plain-N, preresnet-N (-basic, -bottleneck, -single) of 6n + 2 layers "
         "(basic blocks): the nearest to 9 are 8 and 14"),
        ("resnet-2", "(basic blocks): the nearest to 2 are 8 and 14"),
        ("preresnet-26-bottleneck", "of 9n + 2 layers (bottleneck blocks): the nearest to 26 are 20 and 29"),
        ("wrn-20-4", "wrn-D-K-dropout of 6n + 4 layers (basic blocks): the nearest to 20 are 16 and 22"),
        ("resnext-28-8x64d", "known are resnext-D-CxWd of 9n + 2 layers (bottleneck blocks): the nearest"),
        ("se-resnet-21", "unknown architecture 'se-resnet-21'; known are resnet-N"),
        ("resnet-51-imagenet", "of 18, 34, 50, 101, 152, 200 layers, got 51"),
        ("wrn-18-2-imagenet", "known are wrn-D-K-imagenet of bottlenecks, got 18 layers, which are basic blocks"),
        ("wrn-28-1.3", "it would be infeasible: stage 1: widen_factor 1.3 makes 20.8 channels of width 16"),
        ("pyramidnet-110-m0.5", "it would be infeasible: alpha >= 1 must hold for multiplicative, got 0.5"),
        ("stochastic-depth-plain-20", "it would be infeasible: drop_path needs a shortcut"),
        ("ror9-20", "it would be infeasible: levels 9: the last level would lead around single blocks"),
        ("ResNet-20", "did you mean 'resnet-20'"),
        ("wrn28-10", "did you mean 'wrn-28-10'"),
        ("resnet50-imagenet", "did you mean 'resnet-50-imagenet'"),
        ("pyramidnet-110-48", "did you mean 'pyramidnet-110-a48'"),
        ("se-se-resnet-20", "unknown architecture 'se-se-resnet-20'; did you mean 'se-resnet-110'"),
        ("resnet-20-original", "unknown architecture 'resnet-20-original'; did you mean"),
        ("resnet-020", "unknown architecture 'resnet-020'; did you mean"),
        ("resnet-600002", "unknown architecture 'resnet-600002'; did you mean"),
        ("resnet-20\n", "unknown architecture 'resnet-20\\n'; did you mean 'resnet-20'"),
        ("", "unknown architecture ''; known are resnet-N, plain-N, preresnet-N (-basic, -bottleneck, -single), "),
    ],
)  # fmt: skip
def test_names_that_do_not_exist(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        named(name)
    assert str(caught.value).startswith(f"unknown architecture {name!r}; ")


def test_every_way_to_make_a_name_has_a_line_of_help() -> None:
    for row in (*FAMILIES, *MODIFIERS):
        assert row.summary
        assert "Source: " in (row.build.__doc__ or ""), row.text


def test_one_group_of_64_channels_is_the_resnet() -> None:
    """Xie et al. 2017, arXiv:1611.05431, table 1: ResNeXt with cardinality 1 and width 64."""
    assert architecture_id(named("resnext-50-1x64d-imagenet")) == architecture_id(named("resnet-50-imagenet"))


@pytest.mark.parametrize("depth", [16, 28, 40])
def test_a_wide_resnet_of_factor_one_is_the_preactivated_resnet_with_projections(depth: int) -> None:
    """WRN-D-1 has the blocks of the pre-activation network; its nominal depth counts two projections more."""
    base = named(f"preresnet-{depth - 2}")
    stages = tuple(replace(stage, shortcut=Shortcut.PROJECTION) for stage in base.stages)
    assert architecture_id(named(f"wrn-{depth}-1")) == architecture_id(replace(base, stages=stages))


@pytest.mark.parametrize("name", ["resnet-20", "preresnet-164", "wrn-16-4", "resnet-18-imagenet"])
def test_one_level_of_shortcuts_is_the_network_itself(name: str) -> None:
    """Zhang et al. 2017, arXiv:1608.02908: RoR with m = 1."""
    assert architecture_id(replace(named(f"ror2-{name}"), levels=1)) == architecture_id(named(name))
