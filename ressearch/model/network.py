"""Plan -> nn.Module, initialised."""

import math
from collections.abc import Iterator
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ressearch.arch.initialisation import Initialisation, branch_gain
from ressearch.arch.layers import (
    Act,
    Activation,
    AvgPool,
    Conv,
    Dropout,
    Gate,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool,
    Norm,
    Path,
    Scale,
    SqueezeExcite,
    Subsample,
    UnscaledDropout,
    ZeroPad,
)
from ressearch.arch.plan_tree import Block as BlockPlan
from ressearch.arch.plan_tree import Group as GroupPlan
from ressearch.arch.plan_tree import Plan


def build(plan: Plan) -> nn.Module:
    """Build the network of a plan: (N, C, H, W) images to (N, num_classes) logits.

    Convolutions start as the plan's initialisation says, gates' biases as their layer does, norms as the identity, and
    linear layers as torch starts them. Weights come from torch's global generator: seed it first. What is random in
    training, dropout and stochastic depth, comes from the global generators too.
    """
    blocks: list[Block] = []
    survival = iter(plan.survival or (1.0,) * sum(1 for _ in plan.blocks()))
    stem = _sequence(plan.stem)  # drawn in the order of the layers
    if plan.body.shortcut is None:
        body = [_group(stage, survival, blocks) for stage in plan.stages]
    else:
        body = [_group(plan.body, survival, blocks)]
    network = nn.Sequential(stem, *body, _sequence(plan.head))
    _initialise(network, blocks, plan.initialisation)
    return network


def _group(group: GroupPlan, survival: Iterator[float], blocks: list["Block"]) -> nn.Module:
    """Build a group; its blocks are appended to `blocks`."""
    items: list[nn.Module] = []
    for item in group.items:
        if isinstance(item, GroupPlan):
            items.append(_group(item, survival, blocks))
        else:
            blocks.append(Block(item, next(survival)))
            items.append(blocks[-1])
    return nn.Sequential(*items) if group.shortcut is None else Group(items, group.shortcut, group.after)


def _initialise(network: nn.Module, blocks: list["Block"], initialisation: Initialisation) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
            nn.init.normal_(module.weight, std=math.sqrt(initialisation.rule.variance(fan_in, fan_out)))
    for block in blocks:
        weighted = [module for module in block.branch if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm)]
        if initialisation.rule.shrinks_branches:
            convs = [module for module in weighted if isinstance(module, nn.Conv2d)]
            for conv in convs:
                with torch.no_grad():
                    conv.weight.mul_(math.sqrt(branch_gain(len(convs), len(blocks), initialisation.c)))
        if initialisation.zero_init:
            nn.init.zeros_(weighted[-1].weight)


class Block(nn.Module):
    """One residual block; an empty path is the identity and a missing shortcut is no addition.

    `survival` is the probability that the branch takes part in a training step; in evaluation it is a factor.
    """

    def __init__(self, block: BlockPlan, survival: float = 1.0) -> None:
        super().__init__()
        self.before = _sequence(block.before)
        self.branch = _sequence(block.branch)
        self.shortcut = None if block.shortcut is None else _sequence(block.shortcut)
        self.gate = None if block.gate is None else GateLayer(block.gate)
        self.after = _sequence(block.after)
        self.is_exclusive = block.gate is not None and block.gate.exclusive
        self.survival = survival

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride))."""
        x = self.before(x)
        if self.shortcut is None:
            return self.after(self.branch(x))  # type: ignore[no-any-return]
        gate = None if self.gate is None else self.gate(x)
        if self.training and self.survival < 1 and torch.rand(()) >= self.survival:
            return self.after(self._weighed_shortcut(x, gate))  # type: ignore[no-any-return]
        y = self.branch(x)
        if self.is_exclusive:
            y = y * gate
        if self.survival < 1 and not self.training:
            y = y * self.survival
        return self.after(y + self._weighed_shortcut(x, gate))  # type: ignore[no-any-return]

    def _weighed_shortcut(self, x: Tensor, gate: Tensor | None) -> Tensor:
        assert self.shortcut is not None
        shortcut: Tensor = self.shortcut(x)
        return shortcut if gate is None else shortcut * (1 - gate)


class Group(nn.Module):
    """Blocks or groups in sequence with a shortcut around them all."""

    def __init__(self, items: list[nn.Module], shortcut: Path, after: Path) -> None:
        super().__init__()
        self.items = nn.Sequential(*items)
        self.shortcut = _sequence(shortcut)
        self.after = _sequence(after)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride))."""
        return self.after(self.items(x) + self.shortcut(x))  # type: ignore[no-any-return]


class GateLayer(nn.Module):
    """Sigmoid of a 1x1 convolution (He et al. 2016, arXiv:1603.05027, section 3.1)."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.conv = nn.Conv2d(gate.c_in, gate.c_out, 1, gate.stride)
        assert self.conv.bias is not None
        nn.init.constant_(self.conv.bias, gate.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride)), between 0 and 1."""
        return torch.sigmoid(self.conv(x))


class SubsampleLayer(nn.Module):
    """Keep every `stride`-th row and column."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        return x[:, :, :: self.stride, :: self.stride]


class ZeroPadLayer(nn.Module):
    """Append channels of zeros."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C + num_channels, H, W)."""
        return F.pad(x, (0, 0, 0, 0, 0, self.num_channels))


class ScaleLayer(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x * self.factor


class UnscaledDropoutLayer(nn.Module):
    """Dropout whose training output is not divided by 1 - rate; evaluation multiplies by 1 - rate instead."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x * (torch.rand_like(x) >= self.rate) if self.training else x * (1 - self.rate)


class SqueezeExciteLayer(nn.Module):
    """Channel gate from the globally pooled map (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden, bias)
        self.excite = nn.Linear(hidden, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Scale (N, C, H, W) channel by channel."""
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class GlobalAvgPoolLayer(nn.Module):
    """Average over the map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C)."""
        return x.mean((2, 3))


def _sequence(path: Path) -> nn.Sequential:
    return nn.Sequential(*(_module(layer) for layer in path))


def _module(layer: Layer) -> nn.Module:
    match layer:
        case Conv(c_in, c_out, kernel, stride, groups):
            return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        case Norm(channels, groups):
            return nn.BatchNorm2d(channels) if groups is None else nn.GroupNorm(groups, channels)
        case Act(kind):
            return _activation(kind)
        case Subsample(stride):
            return SubsampleLayer(stride)
        case AvgPool(stride):
            return nn.AvgPool2d(stride, ceil_mode=True)
        case MaxPool(kernel, stride):
            return nn.MaxPool2d(kernel, stride, padding=kernel // 2)
        case ZeroPad(c_in, c_out):
            return ZeroPadLayer(c_out - c_in)
        case Scale(factor):
            return ScaleLayer(factor)
        case Dropout(rate):
            return nn.Dropout(rate)
        case UnscaledDropout(rate):
            return UnscaledDropoutLayer(rate)
        case SqueezeExcite(channels, hidden, bias):
            return SqueezeExciteLayer(channels, hidden, bias)
        case Gate():
            return GateLayer(layer)
        case GlobalAvgPool():
            return GlobalAvgPoolLayer()
        case Linear(c_in, c_out):
            return nn.Linear(c_in, c_out)
        case _:
            assert_never(layer)


def _activation(kind: Activation) -> nn.Module:
    """Return an activation that leaves its input alone: a shortcut may still read it."""
    match kind:
        case Activation.RELU:
            return nn.ReLU()
        case Activation.LEAKY_RELU:
            return nn.LeakyReLU(0.01)
        case Activation.ELU:
            return nn.ELU()
        case Activation.SILU:
            return nn.SiLU()
        case Activation.GELU:
            return nn.GELU()
        case _:
            assert_never(kind)
