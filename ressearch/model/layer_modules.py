"""Layer -> nn.Module: what every kind of layer is in torch."""

from typing import assert_never

from torch import nn

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
from ressearch.model import modules


def sequence(path: Path) -> nn.Sequential:
    """Return the modules of layers in sequence."""
    return nn.Sequential(*(module_of(layer) for layer in path))


def module_of(layer: Layer) -> nn.Module:
    """Return the module of a layer, with the weights that torch starts it with."""
    match layer:
        case Conv(c_in, c_out, kernel, stride, groups):
            return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        case Norm(channels, groups):
            return nn.BatchNorm2d(channels) if groups is None else nn.GroupNorm(groups, channels)
        case Act(kind):
            return _activation(kind)
        case Subsample(stride):
            return modules.Subsample(stride)
        case AvgPool(stride):
            return nn.AvgPool2d(stride, ceil_mode=True)
        case MaxPool(kernel, stride):
            return nn.MaxPool2d(kernel, stride, padding=kernel // 2)
        case ZeroPad(c_in, c_out):
            return modules.ZeroPad(c_out - c_in)
        case Scale(factor):
            return modules.Scale(factor)
        case Dropout(rate):
            return nn.Dropout(rate)
        case UnscaledDropout(rate):
            return modules.UnscaledDropout(rate)
        case SqueezeExcite(channels, hidden, bias):
            return modules.SqueezeExcite(channels, hidden, bias)
        case Gate(c_in, c_out, stride, bias):
            return modules.Gate(c_in, c_out, stride, bias)
        case GlobalAvgPool():
            return modules.GlobalAvgPool()
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
