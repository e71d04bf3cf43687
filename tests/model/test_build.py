"""The built module: laws over every variant, and blocks against forward passes written out by hand."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ressearch.arch import Architecture, Stage, architecture_id, cost, named, plan
from ressearch.arch.architecture import SqueezeExcitation
from ressearch.arch.layers import Activation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.model import build

RESOLUTION = 9  # odd, so that strides round


def check_laws(architecture: Architecture) -> None:
    """Counts equal the module's, logits and gradients are finite, and every parameter gets a gradient."""
    resolved = plan(architecture, in_channels=2, num_classes=5)
    counted = cost(resolved, RESOLUTION)
    torch.manual_seed(0)
    network = build(resolved)
    assert counted.num_params == sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.randn(1, 2, RESOLUTION, RESOLUTION))
    assert 2 * counted.num_macs == counter.get_total_flops()
    logits = network.train()(torch.randn(3, 2, RESOLUTION, RESOLUTION))
    assert logits.shape == (3, 5)
    assert logits.isfinite().all()
    logits.logsumexp(1).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_laws_hold_for_every_combination(combination: Architecture) -> None:
    check_laws(combination)


@settings(max_examples=60)
@given(data=st.data())
def test_laws_hold_over_the_grid(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_laws(data.draw(architectures))


@pytest.mark.slow
@settings(max_examples=2000)
@given(data=st.data())
def test_laws_hold_over_much_of_the_grid(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_laws(data.draw(architectures))


def built(architecture: Architecture, channels: int = 3) -> nn.Module:
    """Build with random weights whose norms are no identities, so that their places show; in eval mode."""
    torch.manual_seed(0)
    network = build(plan(architecture, channels, 10))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                assert tensor is not None
                tensor.normal_()
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def test_the_same_seed_gives_the_same_weights() -> None:
    torch.manual_seed(3)
    first = build(plan(named("resnet-8"), 3, 10)).state_dict()
    torch.manual_seed(3)
    second = build(plan(named("resnet-8"), 3, 10)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_equal_ids_build_equal_networks() -> None:
    stages = (Stage(depth=2, width=8),)
    flat = Architecture(stages=stages, stem_width=8, activation=Activation.SILU)
    same = Architecture(
        stages=(Stage(depth=2, width=8, shortcut=Shortcut.PROJECTION, se_ratio=4),),
        stem_width=8,
        activation=Activation.SILU,
    )
    assert architecture_id(flat) == architecture_id(same)
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(built(flat)(images), built(same)(images))


@pytest.mark.parametrize("cardinality", [1, 4])
def test_convolutions_start_after_he(cardinality: int) -> None:
    """std = sqrt(2 / (k * k * c_out)), as torchvision initialises its ResNets, grouped convolutions included."""
    stage = Stage(depth=2, width=128, transform=Transform.BOTTLENECK, bottleneck_ratio=1.0, cardinality=cardinality)
    torch.manual_seed(0)
    network = build(plan(Architecture(stages=(stage,), stem_width=128), 3, 10))
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == 7
    for conv in convs:
        expected = math.sqrt(2 / (conv.kernel_size[0] ** 2 * conv.out_channels))
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert abs(conv.weight.mean().item()) < 0.05 * expected
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        assert norm.weight.eq(1).all()
        assert norm.bias.eq(0).all()


ACTIVATIONS = {
    Activation.RELU: F.relu,
    Activation.LEAKY_RELU: lambda x: F.leaky_relu(x, 0.01),
    Activation.ELU: F.elu,
    Activation.SILU: F.silu,
    Activation.GELU: F.gelu,
}


def block_of(ordering: Ordering, **values: Any) -> tuple[nn.Module, list[nn.Module]]:
    """The second of two equal blocks of width 8, and its convolutions and norms in order."""
    whole = {"activation": values.pop("activation", Activation.RELU)}
    stages = (Stage(depth=2, width=8, **values),)
    network = built(Architecture(stages=stages, stem_width=8, ordering=ordering, **whole))
    block = network[1][1]  # type: ignore[index]
    layers = [module for module in block.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    return block, layers


def by_hand(ordering: Ordering, layers: list[nn.Module], x: Tensor, act: Any) -> Tensor:
    """He et al. 2016, figure 4 a-e, and Han et al. 2017, figure 6d, as equations."""
    match ordering:
        case Ordering.ORIGINAL:
            conv1, norm1, conv2, norm2 = layers
            return act(x + norm2(conv2(act(norm1(conv1(x))))))
        case Ordering.BN_AFTER_ADDITION:
            conv1, norm1, conv2, norm2 = layers
            return act(norm2(x + conv2(act(norm1(conv1(x))))))
        case Ordering.RELU_BEFORE_ADDITION:
            conv1, norm1, conv2, norm2 = layers
            return x + act(norm2(conv2(act(norm1(conv1(x))))))
        case Ordering.RELU_ONLY_PREACTIVATION:
            conv1, norm1, conv2, norm2 = layers
            return x + norm2(conv2(act(norm1(conv1(act(x))))))
        case Ordering.FULL_PREACTIVATION:
            norm1, conv1, norm2, conv2 = layers
            return x + conv2(act(norm2(conv1(act(norm1(x))))))
        case Ordering.PYRAMID_PREACTIVATION:
            norm1, conv1, norm2, conv2, norm3 = layers
            return x + norm3(conv2(act(norm2(conv1(norm1(x))))))
        case _:
            raise AssertionError(f"write the equation of {ordering.name} here")


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("ordering", Ordering)
def test_blocks_against_their_equations(ordering: Ordering, activation: Activation) -> None:
    """An activation must not write into the x that the shortcut still reads."""
    block, layers = block_of(ordering, activation=activation)
    x = torch.randn(2, 8, 5, 5)
    kept = x.clone()
    assert torch.equal(block(x), by_hand(ordering, layers, kept, ACTIVATIONS[activation]))
    assert torch.equal(x, kept)


def test_a_plain_block_adds_nothing() -> None:
    block, (conv1, norm1, conv2, norm2) = block_of(Ordering.ORIGINAL, shortcut=Shortcut.NONE)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), F.relu(norm2(conv2(F.relu(norm1(conv1(x)))))))


def test_squeeze_excitation_scales_the_branch_before_the_addition() -> None:
    block, layers = block_of(Ordering.ORIGINAL, se=SqueezeExcitation.STANDARD, se_ratio=4)
    conv1, norm1, conv2, norm2, squeeze, excite = layers
    assert (squeeze.out_features, excite.out_features) == (2, 8)
    x = torch.randn(2, 8, 5, 5)
    y = norm2(conv2(F.relu(norm1(conv1(x)))))
    gate = torch.sigmoid(excite(F.relu(squeeze(y.mean((2, 3))))))
    assert torch.equal(block(x), F.relu(x + y * gate[:, :, None, None]))


@pytest.mark.parametrize("resolution", [8, 9])
def test_zero_pad_subsamples_and_appends_zeros(resolution: int) -> None:
    stages = (Stage(depth=1, width=8), Stage(depth=1, width=12, stride=2))
    block = built(Architecture(stages=stages, stem_width=8))[2][0]  # type: ignore[index]
    x = torch.randn(2, 8, resolution, resolution)
    y = block.branch(x)
    y[:, :8] += x[:, :, ::2, ::2]
    assert torch.equal(block(x), F.relu(y))


def test_a_preactivated_projection_reads_the_activated_input() -> None:
    stages = (Stage(depth=1, width=8), Stage(depth=1, width=12, stride=2, shortcut=Shortcut.PROJECTION))
    network = built(Architecture(stages=stages, stem_width=8, ordering=Ordering.FULL_PREACTIVATION))
    block = network[2][0]  # type: ignore[index]
    norm1, conv1, norm2, conv2, projection = (
        module for module in block.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    )
    x = torch.randn(2, 8, 6, 6)
    activated = F.relu(norm1(x))
    assert torch.equal(block(x), conv2(F.relu(norm2(conv1(activated)))) + projection(activated))


def test_relu_before_addition_only_adds() -> None:
    """A branch that ends in ReLU is never negative: x_L >= x_l along identities (He et al. 2016, section 4.1)."""
    stages = (Stage(depth=4, width=8),)
    network = built(Architecture(stages=stages, stem_width=8, ordering=Ordering.RELU_BEFORE_ADDITION))
    x = network[0](torch.randn(2, 3, 8, 8))  # type: ignore[index]
    for block in network[1]:  # type: ignore[index]
        higher = block(x)
        assert (higher >= x).all()
        assert not torch.equal(higher, x)
        x = higher
