"""Widening rules: how the width grows over the blocks of the network. One function and one enum row each."""

import math
import operator
from collections.abc import Callable, Iterable
from enum import unique
from itertools import accumulate

from ressearch.arch.options import Option


def additive(start: int, alpha: float, num_blocks: int) -> list[int]:
    """Add alpha / num_blocks per block, from the stem width on: start + alpha in the end (PyramidNet).

    Widths are rounded half up from the running unrounded value, a float as in the authors' code: where that should be
    a half, its last digit decides.

    Source: Han et al. 2017, arXiv:1610.02915, equation 2.
    """
    return _rounded(accumulate([alpha / num_blocks] * num_blocks, initial=float(start)))


def multiplicative(start: int, alpha: float, num_blocks: int) -> list[int]:
    """Multiply by alpha ** (1 / num_blocks) per block: start * alpha in the end (PyramidNet).

    Widths are rounded half up from the running unrounded value.

    Source: Han et al. 2017, arXiv:1610.02915, equation 3.
    """
    return _rounded(accumulate([alpha ** (1 / num_blocks)] * num_blocks, operator.mul, initial=float(start)))


def _rounded(widths: Iterable[float]) -> list[int]:
    """Round half up and leave the first one, which is the stem's, out."""
    return [math.floor(width + 0.5) for width in widths][1:]


@unique
class Widening(Option):
    """Per stage (every stage names its width) or a pyramid (`alpha` decides the inner width of every block).

    inner_widths(stem width, alpha, number of blocks): the inner width of every block; None without a pyramid.
    least_alpha: the smallest `alpha` that does not narrow the network.
    """

    PER_STAGE = (None, 0.0, "every stage has its own width")
    ADDITIVE = (additive, 0.0, "width grows by alpha / blocks in every block (additive PyramidNet)")
    MULTIPLICATIVE = (
        multiplicative,
        1.0,
        "width grows by the factor alpha ** (1 / blocks) in every block (multiplicative PyramidNet)",
    )

    def __init__(
        self, inner_widths: Callable[[int, float, int], list[int]] | None, least_alpha: float, summary: str
    ) -> None:
        super().__init__(summary)
        self.inner_widths = inner_widths
        self.least_alpha = least_alpha

    @property
    def is_pyramid(self) -> bool:
        """Whether `alpha` decides the widths."""
        return self is not Widening.PER_STAGE
