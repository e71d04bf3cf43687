"""Plan -> nn.Module, with He initialisation."""

from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ressearch.arch.layers import (
    Act,
    Activation,
    Conv,
    GlobalAvgPool,
    Layer,
    Linear,
    Norm,
    Path,
    SqueezeExcite,
    Subsample,
    ZeroPad,
)
from ressearch.arch.plan import Block as BlockPlan
from ressearch.arch.plan import Plan


def build(plan: Plan) -> nn.Module:
    """Build the network of a plan: (N, C, H, W) images to (N, num_classes) logits.

    Convolutions are initialised after He et al. 2015 (arXiv:1502.01852, fan out); norms start as the identity.
    Weights come from torch's global generator: seed it first.
    """
    stages = (nn.Sequential(*(Block(block) for block in stage)) for stage in plan.stages)
    network = nn.Sequential(_sequence(plan.stem), *stages, _sequence(plan.head))  # drawn in the order of the layers
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class Block(nn.Module):
    """One residual block; an empty path is the identity and a missing shortcut is no addition."""

    def __init__(self, block: BlockPlan) -> None:
        super().__init__()
        self.before = _sequence(block.before)
        self.branch = _sequence(block.branch)
        self.shortcut = None if block.shortcut is None else _sequence(block.shortcut)
        self.after = _sequence(block.after)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride))."""
        x = self.before(x)
        y = self.branch(x)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.after(y)  # type: ignore[no-any-return]


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


class SqueezeExciteLayer(nn.Module):
    """Channel gate from the globally pooled map (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

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
        case Norm(channels):
            return nn.BatchNorm2d(channels)
        case Act(kind):
            return _activation(kind)
        case Subsample(stride):
            return SubsampleLayer(stride)
        case ZeroPad(c_in, c_out):
            return ZeroPadLayer(c_out - c_in)
        case SqueezeExcite(channels, hidden):
            return SqueezeExciteLayer(channels, hidden)
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
