"""Where weights start: variances by rule, depth-stable branches, and scales of zero."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ressearch.arch import Architecture, Stage, plan
from ressearch.arch.initialisation import InitRule, branch_gain
from ressearch.arch.layers import Normalisation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.model import Network, build


def built(depth: int = 2, width: int = 128, **values: Any) -> Network:
    per_stage = {name: values.pop(name) for name in [*values] if name in Stage.__dataclass_fields__}
    torch.manual_seed(0)
    stages = (Stage(depth=depth, width=width, **per_stage),)
    return build(plan(Architecture(stages=stages, stem_width=width, **values), 3, 10))


def convs_of(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


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


@pytest.mark.parametrize(
    ("rule", "variance"),
    [(InitRule.LECUN, lambda i, _: 1 / i), (InitRule.XAVIER, lambda i, o: 2 / (i + o))],
)
def test_other_rules(rule: InitRule, variance: Any) -> None:
    """LeCun et al. 1998 and Glorot and Bengio 2010, on 3x3 convolutions of unequal widths."""
    for conv in convs_of(built(width=96, init=rule, widen_factor=2.0, shortcut=Shortcut.PROJECTION)):
        pixels = conv.kernel_size[0] ** 2
        expected = math.sqrt(variance(pixels * conv.in_channels, pixels * conv.out_channels))
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("transform", "num_convs"), [(Transform.SINGLE, 1), (Transform.BASIC, 2)])
def test_depth_scaled_branches(transform: Transform, num_convs: int) -> None:
    """c / (n L) for one convolution (Taki 2017, arXiv:1709.02956), sqrt(2 c / L) / n for two."""
    network = built(8, transform=transform, init=InitRule.DEPTH_SCALED, init_c=2.0)
    stem, *branches = convs_of(network)
    assert stem.weight.std().item() == pytest.approx(math.sqrt(1 / 27), rel=0.05)
    gain = {1: 2.0 / 8, 2: math.sqrt(2 * 2.0 / 8)}[num_convs]
    assert len(branches) == 8 * num_convs
    for conv in branches:
        assert conv.weight.std().item() == pytest.approx(math.sqrt(gain / (9 * 128)), rel=0.05)


def gradient_gain(num_convs: int, depth: int, variance: float, width: int = 256) -> float:
    """Var of the gradient at the input over that at the output of z -> z + W_q relu(... relu(W_1 z)), `depth` times."""
    ratios = []
    for seed in range(8):
        torch.manual_seed(seed)
        x = torch.randn(64, width, requires_grad=True)
        z = x
        for _ in range(depth):
            y = z
            for index in range(num_convs):
                y = y if index == 0 and num_convs > 1 else y.relu()
                y = y @ (torch.randn(width, width) * math.sqrt(variance / width))
            z = z + y
        (gradient,) = torch.autograd.grad(z, x, torch.randn(64, width))
        ratios.append(gradient.var().item())
    return sum(ratios) / len(ratios)


@pytest.mark.parametrize("num_convs", [1, 2, 3])
@pytest.mark.parametrize("depth", [10, 50])
def test_the_depth_scaled_gradient_does_not_know_the_depth(num_convs: int, depth: int) -> None:
    """The gain per block is 1 + g / 2 for one layer behind its ReLU, 1 + g^q / 2^(q - 1) for q > 1 layers."""
    c = 1.0
    expected = math.exp(c / 2 if num_convs == 1 else c)
    found = gradient_gain(num_convs, depth, branch_gain(num_convs, depth, c))
    assert found == pytest.approx(expected, rel=0.2)


def test_he_without_norm_explodes_with_depth() -> None:
    """Twofold for each one-layer block: why the depth-scaled rule exists."""
    assert gradient_gain(1, 20, 2.0) > 1e5


def branch_outputs(network: Network) -> list[Tensor]:
    outputs: list[Tensor] = []
    for block in network.blocks:
        block.branch.register_forward_hook(lambda *call: outputs.append(call[-1]))
    network(torch.randn(4, 3, 8, 8))
    return outputs


@pytest.mark.parametrize("norm", Normalisation)
@pytest.mark.parametrize("ordering", [one for one in Ordering if one is not Ordering.RELU_BEFORE_ADDITION])
def test_zero_init_starts_every_branch_at_zero_and_lets_it_learn(ordering: Ordering, norm: Normalisation) -> None:
    """Goyal et al. 2017, arXiv:1706.02677, section 5.1; a bare last convolution where no norm follows it."""
    network = built(width=16, ordering=ordering, norm=norm, zero_init=True)
    outputs = branch_outputs(network)
    assert len(outputs) == 2
    assert all(output.eq(0).all() for output in outputs)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        network(torch.randn(4, 3, 8, 8)).logsumexp(1).sum().backward()
        optimizer.step()
    assert all(output.abs().max() > 0 for output in branch_outputs(network))
