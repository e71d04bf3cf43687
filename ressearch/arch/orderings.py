"""Orderings: where normalisation (N) and activation (A) stand around the convolutions. One row of data each."""

from enum import Enum, unique
from typing import NamedTuple


class Steps(NamedTuple):
    """Strings over N (norm) and A (activation), one for each place in the network that an ordering decides."""

    stem: str
    """After the stem convolution."""
    first: str
    """Before the first convolution of a branch."""
    between: str
    """Between two convolutions of a branch."""
    last: str
    """After the last convolution of a branch."""
    merged: str
    """After the addition."""
    projection: str
    """After a 1x1 convolution on the shortcut."""
    tail: str
    """After the last block, before global pooling."""
    summary: str
    """One line of help, with the source."""


@unique
class Ordering(Enum):
    """Five of He et al. 2016 (arXiv:1603.05027), figure 4, and PyramidNet's (Han et al. 2017, arXiv:1610.02915), 6d.

    Stem, tail and projection columns follow the same papers: a branch that starts with an activation leaves the one
    of the stem out and needs a last one before pooling.
    """

    #                                stem  first  between last  merged proj. tail
    ORIGINAL = Steps("NA", "", "NA", "N", "A", "N", "", "conv-BN-ReLU-conv-BN, add, ReLU (He et al. 2016, fig. 4a)")
    BN_AFTER_ADDITION = Steps("NA", "", "NA", "", "NA", "N", "", "last BN behind the addition (fig. 4b)")
    RELU_BEFORE_ADDITION = Steps("NA", "", "NA", "NA", "", "N", "", "the branch ends in BN-ReLU (fig. 4c)")
    RELU_ONLY_PREACTIVATION = Steps("N", "A", "NA", "N", "", "N", "A", "ReLU-conv-BN twice, add (fig. 4d)")
    FULL_PREACTIVATION = Steps("", "NA", "NA", "", "", "", "NA", "BN-ReLU-conv twice, add (fig. 4e)")
    PYRAMID_PREACTIVATION = Steps(
        "N", "N", "NA", "N", "", "N", "NA", "BN-conv-BN-ReLU-conv-BN, add (Han et al. 2017, fig. 6d)"
    )

    @property
    def summary(self) -> str:
        """One line of help."""
        return self.value.summary
