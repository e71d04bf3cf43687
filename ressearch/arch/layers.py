"""The vocabulary of a plan: small frozen layers with every channel and stride resolved.

Each layer is data. Counting (`arch.cost`), building (`model.build`) and exporting (`export`) read it with one
`match` each; adding a layer means adding a case there, and the type checker names the one that is missing.
Feature maps are (N, C, H, W).
"""

from dataclasses import dataclass
from enum import Enum, unique


@unique
class Activation(Enum):
    """Non-linearity used wherever an ordering places an activation."""

    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    ELU = "elu"
    SILU = "silu"
    GELU = "gelu"


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
    """Batch normalisation with a scale and a shift per channel."""

    channels: int


@dataclass(frozen=True, slots=True)
class Act:
    """Element-wise activation."""

    kind: Activation


@dataclass(frozen=True, slots=True)
class Subsample:
    """Keep every `stride`-th row and column: H -> ceil(H / stride). No parameters."""

    stride: int


@dataclass(frozen=True, slots=True)
class ZeroPad:
    """Append `c_out - c_in` channels of zeros. No parameters."""

    c_in: int
    c_out: int


@dataclass(frozen=True, slots=True)
class SqueezeExcite:
    """Scale each channel by a gate computed from the globally pooled map (Hu et al. 2018, arXiv:1709.01507).

    Global average -> linear(channels, hidden) -> ReLU -> linear(hidden, channels) -> sigmoid, both with bias.
    """

    channels: int
    hidden: int


@dataclass(frozen=True, slots=True)
class GlobalAvgPool:
    """(N, C, H, W) -> (N, C)."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Fully connected layer with bias: (N, c_in) -> (N, c_out)."""

    c_in: int
    c_out: int


Layer = Conv | Norm | Act | Subsample | ZeroPad | SqueezeExcite | GlobalAvgPool | Linear
Path = tuple[Layer, ...]
"""Layers applied in sequence; the empty path is the identity."""
