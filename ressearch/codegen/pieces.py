"""Small classes that a written module brings along where it uses them."""

import re
from collections.abc import Iterator


def pieces(source: str) -> Iterator[str]:
    """The small classes that some source uses."""
    for name, piece in PIECES.items():
        if re.search(rf"\b{name}\(", source):
            yield piece


PIECES = {
    "SqueezeExcite": '''\
class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from the globally pooled map."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]''',
    "BiasFreeSqueezeExcite": '''\
class BiasFreeSqueezeExcite(nn.Module):
    """Scale each channel by a gate computed, without biases, from the globally pooled map."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.excite = nn.Linear(hidden, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]''',
    "Subsample": '''\
class Subsample(nn.Module):
    """Keep every stride-th row and column."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride]''',
    "ZeroPad": '''\
class ZeroPad(nn.Module):
    """Append channels of zeros."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, 0, 0, self.num_channels))''',
    "Scale": '''\
class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor''',
    "UnscaledDropout": '''\
class UnscaledDropout(nn.Module):
    """Dropout that multiplies by 1 - rate in evaluation instead of dividing by it in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) >= self.rate) if self.training else x * (1 - self.rate)''',
}
