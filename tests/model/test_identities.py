"""Exact identities of the residual family: a mechanism that is switched off is not there.

With hypothesis over the space: the network with the mechanism at its neutral value against the one without.
"""

import dataclasses
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ressearch.arch import AXES, Architecture, InfeasibleError, Stage, architecture_id, plan
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Places
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import Transform
from ressearch.arch.widening import Widening
from ressearch.model import Network, build
from ressearch.model.modules import Gate, SqueezeExcite


def replaced(architecture: Architecture, **values: Any) -> Architecture:
    """The architecture with some axes changed, those of stages in all of them."""
    per_stage = {name: value for name, value in values.items() if AXES[name].per_stage}
    whole = {name: value for name, value in values.items() if not AXES[name].per_stage}
    stages = tuple(dataclasses.replace(stage, **per_stage) for stage in architecture.stages)
    return dataclasses.replace(architecture, stages=stages, **whole)


def built(architecture: Architecture) -> Network:
    torch.manual_seed(0)
    return build(plan(architecture, 2, 5))


def logits(network: nn.Module, training: bool) -> Tensor:
    """Logits for fixed images under a fixed seed."""
    torch.manual_seed(1)
    images = torch.randn(3, 2, 9, 9)
    return network.train(training)(images)  # type: ignore[no-any-return]


NEUTRAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "RoR with m = 1": (
        {"levels": 1, "level_shortcut": Shortcut.ZERO_PAD},
        {"levels": 1, "level_shortcut": Shortcut.PROJECTION_EVERYWHERE},
    ),
    "survival 1": ({"drop_path": DropPath.LINEAR, "drop_path_rate": 0.0}, {"drop_path": DropPath.NONE}),
    "k = 1": ({"widen_factor": 1}, {"widen_factor": 1.0}),
    "scales of 1": (
        {"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 1.0, "branch_scale": 1.0},
        {"merge": Merge.ADD},
    ),
    "no shortcut dropout": ({"merge": Merge.DROPOUT, "shortcut_dropout": 0.0}, {"merge": Merge.ADD}),
}


@pytest.mark.parametrize(("neutral", "without"), NEUTRAL.values(), ids=NEUTRAL)
@settings(max_examples=25)
@given(data=st.data())
def test_a_neutral_mechanism_is_not_there(
    architectures: st.SearchStrategy[Architecture],
    neutral: dict[str, Any],
    without: dict[str, Any],
    data: st.DataObject,
) -> None:
    architecture = data.draw(architectures)
    try:
        first, second = replaced(architecture, **neutral), replaced(architecture, **without)
        plans = plan(first, 2, 5), plan(second, 2, 5)
    except InfeasibleError:
        return  # a plain stage takes no merge
    assert plans[0] == plans[1]
    assert architecture_id(first) == architecture_id(second)
    for training in (False, True):
        assert torch.equal(logits(built(first), training), logits(built(second), training))


@settings(max_examples=25)
@given(data=st.data())
def test_wide_resnet_with_k_is_the_network_of_k_times_the_widths(
    architectures: st.SearchStrategy[Architecture], data: st.DataObject
) -> None:
    architecture = data.draw(architectures)
    if architecture.widening.is_pyramid:
        return  # no factor there
    stages = tuple(
        dataclasses.replace(stage, width=end.c_out)
        for stage, end in zip(architecture.stages, stage_ends(architecture), strict=True)
    )
    wide = dataclasses.replace(architecture, stages=stages, widen_factor=1.0)
    assert plan(wide, 2, 5) == plan(architecture, 2, 5)


@pytest.mark.parametrize(("rule", "alpha"), [(Widening.ADDITIVE, 0.0), (Widening.MULTIPLICATIVE, 1.0)])
@settings(max_examples=25)
@given(data=st.data())
def test_a_flat_pyramid_keeps_the_width_of_the_stem(
    architectures: st.SearchStrategy[Architecture], rule: Widening, alpha: float, data: st.DataObject
) -> None:
    """Alpha 0 (additive) or 1 (multiplicative): every inner width is the stem's."""
    architecture = data.draw(architectures)
    flat = {"stem_width": 16, "norm_groups": 1, "shortcut": Shortcut.PROJECTION, "cardinality": 1, "se_ratio": 1}
    try:
        pyramid = replaced(architecture, **flat, widening=rule, alpha=alpha, level_shortcut=Shortcut.PROJECTION)
        resolved = plan(pyramid, 2, 5)
    except InfeasibleError:
        return  # drawn for other shortcuts, or a ratio that 16 channels do not take
    assert {block.inner for block in pyramid.blocks} == {16}
    stages = tuple(
        dataclasses.replace(stage, width=block.c_out)
        for stage, block in zip(pyramid.stages, stage_ends(pyramid), strict=True)
    )
    per_stage = dataclasses.replace(pyramid, stages=stages, widening=Widening.PER_STAGE, widen_factor=1.0)
    assert plan(per_stage, 2, 5) == resolved


def stage_ends(architecture: Architecture) -> list[Any]:
    blocks, ends = iter(architecture.blocks), []
    for stage in architecture.stages:
        ends.append([next(blocks) for _ in range(stage.depth)][-1])
    return ends


def test_a_sum_of_branches_is_a_grouped_convolution() -> None:
    """Xie et al. 2017, arXiv:1611.05431, figure 3: 32 branches 4d wide, 70,144 weights against 69,632 of one of 64."""
    wide = Stage(depth=1, width=256, transform=Transform.BOTTLENECK, bottleneck_ratio=0.5, cardinality=32)
    narrow = dataclasses.replace(wide, bottleneck_ratio=0.25, cardinality=1)
    networks = [built(Architecture(stages=(stage,), stem_width=256)) for stage in (wide, narrow)]
    conv1, _, _, conv2, _, _, conv3, _ = networks[0].blocks[0].branch
    weights = [
        sum(module.weight.numel() for module in network.stages.modules() if isinstance(module, nn.Conv2d))
        for network in networks
    ]
    assert weights == [70_144, 69_632]
    x = torch.randn(2, 256, 6, 6)
    summed = torch.zeros(2, 256, 6, 6)
    for branch in range(32):
        rows = slice(4 * branch, 4 * branch + 4)
        y = nn.functional.conv2d(x, conv1.weight[rows]).relu()
        y = nn.functional.conv2d(y, conv2.weight[rows], padding=1).relu()
        summed += nn.functional.conv2d(y, conv3.weight[:, rows])
    assert torch.allclose(conv3(conv2(conv1(x).relu()).relu()), summed, atol=1e-4)


@settings(max_examples=25)
@given(data=st.data())
def test_a_squeeze_excitation_whose_gate_is_one(
    architectures: st.SearchStrategy[Architecture], data: st.DataObject
) -> None:
    """Same weights in the rest of the network, same logits."""
    place = data.draw(st.sampled_from([place for place in SqueezeExcitation if place is not SqueezeExcitation.NONE]))
    architecture = data.draw(architectures)
    try:
        gated = built(replaced(architecture, se=place, se_ratio=1, se_bias=True))
        without = built(replaced(architecture, se=SqueezeExcitation.NONE))
    except InfeasibleError:
        return  # se identity beside a plain stage
    for module in gated.modules():
        if isinstance(module, SqueezeExcite):
            nn.init.zeros_(module.excite.weight)
            nn.init.constant_(module.excite.bias, 40.0)  # its sigmoid is 1 in float32
    share_weights(gated, without, SqueezeExcite)
    assert torch.equal(logits(gated, training=False), logits(without, training=False))


def share_weights(source: nn.Module, target: nn.Module, skipped: type[nn.Module]) -> None:
    """Copy, in order, everything that stands in no module of the skipped kind."""
    skip = {
        id(tensor)
        for module in source.modules()
        if isinstance(module, skipped)
        for tensor in module.state_dict(keep_vars=True).values()
    }
    shared = [tensor for tensor in source.state_dict(keep_vars=True).values() if id(tensor) not in skip]
    for theirs, ours in zip(shared, target.state_dict(keep_vars=True).values(), strict=True):
        ours.data.copy_(theirs.data)


@settings(max_examples=25)
@given(data=st.data())
def test_a_closed_shortcut_gate_is_the_identity(
    architectures: st.SearchStrategy[Architecture], data: st.DataObject
) -> None:
    """g = 0: F(x) + (1 - 0) h(x)."""
    architecture = data.draw(architectures)
    try:
        gated = built(replaced(architecture, merge=Merge.SHORTCUT_ONLY_GATE, gate_bias=-200.0))
        without = built(replaced(architecture, merge=Merge.ADD))
    except InfeasibleError:
        return
    for module in gated.modules():
        if isinstance(module, Gate):
            nn.init.zeros_(module.conv.weight)
    share_weights(gated, without, Gate)
    assert torch.equal(logits(gated, training=False), logits(without, training=False))


def cut_body(depth: int, **values: Any) -> nn.Module:
    """Blocks of the full pre-activation whose branches give nothing, and whose gates are the sigmoid of their bias."""
    places = {"ordering": Ordering.FULL_PREACTIVATION, "stem_steps": Places.NORM_ACT}
    body = built(Architecture(stages=(Stage(depth=depth, width=4, **values),), stem_width=4, **places)).stages
    for module in body.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            nn.init.zeros_(module.weight)
    return body.double()


@pytest.mark.parametrize("depth", [1, 5, 54])
@pytest.mark.parametrize(
    ("values", "per_block"),
    [
        ({}, 1.0),
        ({"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.5}, 0.5),
        ({"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 1.25}, 1.25),
        ({"merge": Merge.SHORTCUT_ONLY_GATE, "gate_bias": 0.0}, 0.5),
        ({"merge": Merge.EXCLUSIVE_GATE, "gate_bias": -1.0}, 1 - 1 / (1 + math.e)),
        ({"merge": Merge.DROPOUT, "shortcut_dropout": 0.5}, 0.5),
    ],
)
def test_the_direct_path_of_the_gradient(values: dict[str, Any], per_block: float, depth: int) -> None:
    """All branches cut, dE/dx_l over dE/dx_L is 1, the product of the scales, or of 1 - g (He et al. 2016, 3.1)."""
    body = cut_body(depth, **values).eval()
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(body(x), x, upstream)
    assert torch.allclose(gradient, upstream * per_block**depth, rtol=1e-9, atol=0)


def test_the_direct_path_under_dropout_in_training() -> None:
    """Each path survives with 0.5^(L - l) and is not rescaled: that is its expectation."""
    body = cut_body(3, merge=Merge.DROPOUT, shortcut_dropout=0.5).train()
    x = torch.randn(16, 4, 32, 32, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(body(x).sum(), x)
    assert set(gradient.unique().tolist()) == {0.0, 1.0}
    assert gradient.mean().item() == pytest.approx(0.5**3, abs=0.01)


def test_relu_before_addition_only_adds() -> None:
    """A branch that ends in ReLU is never negative: x_L >= x_l along identities (He et al. 2016, section 4.1)."""
    stages = (Stage(depth=4, width=8),)
    network = built(Architecture(stages=stages, stem_width=8, ordering=Ordering.RELU_BEFORE_ADDITION)).eval()
    x = network.stem(torch.randn(2, 2, 8, 8))
    for block in network.blocks:
        higher = block(x)
        assert (higher >= x).all()
        assert not torch.equal(higher, x)
        x = higher
