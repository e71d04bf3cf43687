"""Stochastic depth: the probability that a block's branch takes part. One function and one enum row each.

An export writes the source of the function, so it needs no more than Python, and lines of at most 100 characters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import unique

from ressearch.arch.options import Option, first_line


def linear_survival(rate: float, num_blocks: int) -> tuple[float, ...]:
    """Survival falls linearly over the blocks: p_l = 1 - rate * l / L, so p_L = 1 - rate.

    Source: Huang et al. 2016, arXiv:1603.09382, equation 4.
    """
    return tuple(1 - rate * block / num_blocks for block in range(1, num_blocks + 1))


def uniform_survival(rate: float, num_blocks: int) -> tuple[float, ...]:
    """Survival is the same in every block: p_l = 1 - rate.

    Source: Huang et al. 2016, arXiv:1603.09382, section 5.
    """
    return (1 - rate,) * num_blocks


@unique
class DropPath(Option):
    """Rules of stochastic depth, in which a training step leaves whole branches out.

    One draw for each block and mini-batch; in evaluation a branch is multiplied by its survival probability.

    function(rate, number of blocks): the survival probabilities; None where every branch always takes part.
    """

    NONE = (None,)
    LINEAR = (linear_survival,)
    UNIFORM = (uniform_survival,)

    def __init__(self, function: Callable[[float, int], tuple[float, ...]] | None) -> None:
        super().__init__(first_line(function) if function else "every branch always takes part")
        self.function = function

    def survival(self, rate: float, num_blocks: int) -> tuple[float, ...]:
        """Return the survival probability of every block in order; () where every branch always takes part."""
        return self.function(rate, num_blocks) if self.function and rate else ()


@dataclass(frozen=True, slots=True)
class StochasticDepth:
    """How often the branches of a network take part: a rule, and 1 - survival probability of the last block."""

    rule: DropPath = DropPath.NONE
    rate: float = 0.0
