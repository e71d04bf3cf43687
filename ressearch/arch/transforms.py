"""Transforms: the convolutions of a residual branch. One row of data each."""

from enum import Enum, unique
from typing import NamedTuple


class BranchConv(NamedTuple):
    """One convolution of a branch; `inner` ones read and write the inner width, the outer ends the block's own."""

    kernel: int
    strided: bool = False
    grouped: bool = False


class _Row(NamedTuple):
    convs: tuple[BranchConv, ...]
    has_inner_width: bool
    summary: str


@unique
class Transform(Enum):
    """Branches of He et al. 2015 (arXiv:1512.03385), figure 5.

    `has_inner_width` tells whether bottleneck ratio and cardinality mean anything: two grouped 3x3 convolutions
    without a 1x1 around them would never mix their groups, and summed branches of depth two are just one wide dense
    branch (Xie et al. 2017, arXiv:1611.05431, section 3.3), so the basic branch has neither.
    """

    BASIC = _Row((BranchConv(3, strided=True), BranchConv(3)), False, "two 3x3 convolutions")
    BOTTLENECK = _Row(
        (BranchConv(1), BranchConv(3, strided=True, grouped=True), BranchConv(1)),
        True,
        "1x1, 3x3 (strided and grouped), 1x1 convolutions around a narrower or wider inner width",
    )

    @property
    def summary(self) -> str:
        """One line of help."""
        return self.value.summary
