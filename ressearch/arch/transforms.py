"""Transforms: the convolutions of a residual branch. One row of data each."""

from enum import unique
from typing import NamedTuple

from ressearch.arch.options import Option


class BranchConv(NamedTuple):
    """One convolution of a branch; all but the last write the inner width."""

    kernel: int
    strided: bool = False
    grouped: bool = False


@unique
class StrideOn(Option):
    """Which convolution of a bottleneck halves the resolution; the other transforms have one choice only."""

    CONV3X3 = "the 3x3 (Xie et al. 2017, arXiv:1611.05431; torchvision)"
    FIRST_CONV = "the first 1x1: fewer MACs (He et al. 2015, arXiv:1512.03385)"


@unique
class Transform(Option):
    """Branches of He et al. 2015 (arXiv:1512.03385), figure 5, and the single convolution of He et al. 2016, table 3.

    `has_inner_width` tells whether bottleneck ratio and cardinality mean anything: two grouped 3x3 convolutions
    without a 1x1 around them would never mix their groups, and summed branches of depth two are just one wide dense
    branch (Xie et al. 2017, arXiv:1611.05431, section 3.3), so the others have neither.
    """

    BASIC = ((BranchConv(3, strided=True), BranchConv(3)), False, "two 3x3 convolutions")
    BOTTLENECK = (
        (BranchConv(1), BranchConv(3, strided=True, grouped=True), BranchConv(1)),
        True,
        "1x1, 3x3 (grouped) and 1x1 convolutions around a narrower or wider inner width",
    )
    SINGLE = ((BranchConv(3, strided=True),), False, "one 3x3 convolution")

    def __init__(self, convs: tuple[BranchConv, ...], has_inner_width: bool, summary: str) -> None:
        super().__init__(summary)
        self._convs = convs
        self.has_inner_width = has_inner_width

    @property
    def num_convs(self) -> int:
        """Number of convolutions of a branch."""
        return len(self._convs)

    def convs(self, stride_on: StrideOn) -> tuple[BranchConv, ...]:
        """Return the convolutions, the chosen one with the stride."""
        if stride_on is StrideOn.CONV3X3 or not self.has_inner_width:
            return self._convs
        return tuple(conv._replace(strided=index == 0) for index, conv in enumerate(self._convs))
