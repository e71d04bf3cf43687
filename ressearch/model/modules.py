"""Layer -> nn.Module: what every kind of layer is in torch, and the small modules that torch lacks.

These need torch only and keep to lines of 100 characters: an export brings along the source of those it uses.
"""

from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ressearch.arch import layers


def sequence(path: layers.Path) -> nn.Sequential:
    """Return the modules of layers in sequence."""
    return nn.Sequential(*(module_of(layer) for layer in path))


def module_of(layer: layers.Layer) -> nn.Module:
    """Return the module of a layer, with the weights that torch starts it with."""
    match layer:
        case layers.Conv(c_in, c_out, kernel, stride, groups):
            return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        case layers.Norm(channels, groups):
            return nn.BatchNorm2d(channels) if groups is None else nn.GroupNorm(groups, channels)
        case layers.Act(kind):
            return _activation(kind)
        case layers.Subsample(stride):
            return Subsample(stride)
        case layers.AvgPool(stride):
            return nn.AvgPool2d(stride, ceil_mode=True)
        case layers.MaxPool(kernel, stride):
            return nn.MaxPool2d(kernel, stride, padding=kernel // 2)
        case layers.ZeroPad(c_in, c_out):
            return ZeroPad(c_out - c_in)
        case layers.Scale(factor):
            return Scale(factor)
        case layers.Dropout(rate):
            return nn.Dropout(rate)
        case layers.UnscaledDropout(rate):
            return UnscaledDropout(rate)
        case layers.SqueezeExcite(channels, hidden, bias):
            return SqueezeExcite(channels, hidden, bias)
        case layers.Gate(c_in, c_out, stride, bias):
            return Gate(c_in, c_out, stride, bias)
        case layers.GlobalAvgPool():
            return GlobalAvgPool()
        case layers.Linear(c_in, c_out):
            return nn.Linear(c_in, c_out)
        case _:
            assert_never(layer)


def _activation(kind: layers.Activation) -> nn.Module:
    """Return an activation that leaves its input alone: a shortcut may still read it."""
    match kind:
        case layers.Activation.RELU:
            return nn.ReLU()
        case layers.Activation.LEAKY_RELU:
            return nn.LeakyReLU(0.01)
        case layers.Activation.ELU:
            return nn.ELU()
        case layers.Activation.SILU:
            return nn.SiLU()
        case layers.Activation.GELU:
            return nn.GELU()
        case _:
            assert_never(kind)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the globally pooled map.

    Source: Hu et al. 2018, arXiv:1709.01507, section 3.
    """

    def __init__(self, channels: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden, bias)
        self.excite = nn.Linear(hidden, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (N, channels, H, W)."""
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Gate(nn.Module):
    """A value between 0 and 1 for each channel and place: the sigmoid of a 1x1 convolution.

    `bias` is where the bias starts. Source: He et al. 2016, arXiv:1603.05027, section 3.1.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, bias: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 1, stride)
        assert self.conv.bias is not None
        nn.init.constant_(self.conv.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride))."""
        return torch.sigmoid(self.conv(x))


class Subsample(nn.Module):
    """Keep every stride-th row and column."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        return x[:, :, :: self.stride, :: self.stride]


class ZeroPad(nn.Module):
    """Append channels of zeros."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C + num_channels, H, W)."""
        return F.pad(x, (0, 0, 0, 0, 0, self.num_channels))


class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x * self.factor


class UnscaledDropout(nn.Module):
    """Dropout that multiplies by 1 - rate in evaluation instead of dividing by it in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return x * (torch.rand_like(x) >= self.rate) if self.training else x * (1 - self.rate)


class GlobalAvgPool(nn.Module):
    """Average over the map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C)."""
        return x.mean((2, 3))
