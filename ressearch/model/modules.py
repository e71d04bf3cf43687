"""The small modules that torch lacks. They need torch only: an export brings along the source of those it uses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
