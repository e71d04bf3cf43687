"""The vocabulary of a plan: small frozen layers with every channel and stride resolved.

Each layer is data. Adding one means a class and a member of `Layer` here, and then a case where the type checker
names one missing: what it costs (`arch.counting`), its module (`model.modules`), how its source is written
(`codegen.layer_steps`) and what it is in words (`report.layer_table`).
Feature maps are (N, C, H, W). No convolution has a bias but that of a gate.
"""

from dataclasses import dataclass
from enum import unique

from ressearch.arch.options import Option


@unique
class Activation(Option):
    """Non-linearity used wherever an ordering places an activation."""

    RELU = "max(x, 0)"
    LEAKY_RELU = "max(x, 0.01 x) (Maas et al. 2013)"
    ELU = "x where x > 0, else exp(x) - 1 (Clevert et al. 2016, arXiv:1511.07289)"
    SILU = "x sigmoid(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415; Ramachandran et al. 2017, arXiv:1710.05941)"
    GELU = "x times the normal distribution function of x (Hendrycks and Gimpel 2016, arXiv:1606.08415)"


@unique
class Normalisation(Option):
    """Normalisation used wherever an ordering places one; a convolution has no bias under any of them."""

    BATCH = "batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167)"
    GROUP = "group normalisation (Wu and He 2018, arXiv:1803.08494), `norm_groups` groups"
    NONE = "no normalisation"


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution without bias, padded so that stride 1 keeps the size: H -> ceil(H / stride)."""

    c_in: int
    c_out: int
    kernel: int
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Norm:
    """Normalisation with a scale and a shift per channel: over the batch, or over `groups` groups of channels."""

    channels: int
    groups: int | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """Element-wise activation."""

    kind: Activation


@dataclass(frozen=True, slots=True)
class Subsample:
    """Keep every `stride`-th row and column: H -> ceil(H / stride). No parameters."""

    stride: int


@dataclass(frozen=True, slots=True)
class AvgPool:
    """Mean over windows of (stride, stride), the last one cut at the edge: H -> ceil(H / stride). No parameters."""

    stride: int


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Maximum over windows of (kernel, kernel), padded by kernel // 2: H -> ceil(H / stride). No parameters."""

    kernel: int
    stride: int


@dataclass(frozen=True, slots=True)
class ZeroPad:
    """Append `c_out - c_in` channels of zeros. No parameters."""

    c_in: int
    c_out: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiply by a constant. No parameters."""

    factor: float


@dataclass(frozen=True, slots=True)
class Dropout:
    """Zero each element with probability `rate` in training and divide the rest by 1 - rate; identity in evaluation."""

    rate: float


@dataclass(frozen=True, slots=True)
class UnscaledDropout:
    """Zero each element with probability `rate` in training and leave the rest; multiply by 1 - rate in evaluation."""

    rate: float


@dataclass(frozen=True, slots=True)
class SqueezeExcite:
    """Scale each channel by a gate computed from the globally pooled map (Hu et al. 2018, arXiv:1709.01507).

    Global average -> linear(channels, hidden) -> ReLU -> linear(hidden, channels) -> sigmoid.
    """

    channels: int
    hidden: int
    bias: bool = True


@dataclass(frozen=True, slots=True)
class Gate:
    """g(x) = sigmoid(1x1 convolution with bias), one value for each channel and place of the block's output.

    The shortcut is multiplied by 1 - g; the branch by g if `exclusive`. `bias` is where the bias starts.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1.
    """

    c_in: int
    c_out: int
    stride: int
    bias: float
    exclusive: bool


@dataclass(frozen=True, slots=True)
class GlobalAvgPool:
    """(N, C, H, W) -> (N, C)."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Fully connected layer with bias: (N, c_in) -> (N, c_out)."""

    c_in: int
    c_out: int


Layer = (
    Conv
    | Norm
    | Act
    | Subsample
    | AvgPool
    | MaxPool
    | ZeroPad
    | Scale
    | Dropout
    | UnscaledDropout
    | SqueezeExcite
    | Gate
    | GlobalAvgPool
    | Linear
)
Path = tuple[Layer, ...]
"""Layers applied in sequence; the empty path is the identity."""
