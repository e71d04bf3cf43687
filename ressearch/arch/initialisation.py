"""Initialisation: the variance of a convolution's weights at the start. One function and one enum row each."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import unique

from ressearch.arch.options import Option, first_line


def he(fan_in: int, fan_out: int) -> float:  # noqa: ARG001 - one signature for all rules
    """2 / fan_out, which keeps the variance of gradients through ReLU.

    Source: He et al. 2015, arXiv:1502.01852, equation 14; fan_out as in torchvision and the authors' ResNet code.
    """
    return 2 / fan_out


def lecun(fan_in: int, fan_out: int) -> float:  # noqa: ARG001
    """1 / fan_in, which keeps the variance of a linear network's outputs.

    Source: LeCun et al. 1998, Efficient BackProp, section 4.6.
    """
    return 1 / fan_in


def xavier(fan_in: int, fan_out: int) -> float:
    """2 / (fan_in + fan_out), the compromise between outputs and gradients.

    Source: Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward networks, equation 12.
    """
    return 2 / (fan_in + fan_out)


def depth_scaled(fan_in: int, fan_out: int) -> float:
    """LeCun's rule, with branches shrunk so that L blocks multiply the gradient's variance by about exp(init_c).

    Taki 2017 (arXiv:1709.02956) gives c / (fan_in L) for branches of one weight layer; see `branch_gain` for more.
    """
    return lecun(fan_in, fan_out)


@unique
class InitRule(Option):
    """Variances of the weights of every convolution; a normal distribution around zero.

    variance(fan_in, fan_out): a fan counts kernel size squared times channels of one side, groups divided out.
    shrinks_branches: whether the branches of residual blocks start smaller (`branch_gain`).
    """

    HE = (he, False)
    LECUN = (lecun, False)
    XAVIER = (xavier, False)
    DEPTH_SCALED = (depth_scaled, True)

    def __init__(self, variance: Callable[[int, int], float], shrinks_branches: bool) -> None:
        super().__init__(first_line(variance))
        self.variance = variance
        self.shrinks_branches = shrinks_branches


@dataclass(frozen=True, slots=True)
class Initialisation:
    """How the weights of a network start.

    rule: for every convolution. c: the constant of the depth-scaled rule.
    zero_init: the last scale of every branch, or its last convolution where no norm follows it, starts at zero.
    """

    rule: InitRule = InitRule.HE
    c: float = 1.0
    zero_init: bool = False


def branch_gain(num_convs: int, num_blocks: int, c: float) -> float:
    """Return fan_in * variance for the convolutions of a branch under the depth-scaled rule.

    A branch z + W_q relu(... relu(W_1 z)) multiplies the variance of gradients by
    1 + g^q / 2^(q - 1), g being fan_in * variance; over L blocks that tends to e^c for
    g = (2^(q - 1) c / L)^(1 / q): c / L for one convolution (Taki 2017, arXiv:1709.02956) and
    sqrt(2 c / L) for two.
    """
    return float((2 ** (num_convs - 1) * c / num_blocks) ** (1 / num_convs))
