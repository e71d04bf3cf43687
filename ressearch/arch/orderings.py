"""Orderings: the places of normalisation (N) and activation (A) around the convolutions. One row of data each."""

from enum import unique

from ressearch.arch.options import Option


@unique
class Ordering(Option):
    """Five of He et al. 2016 (arXiv:1603.05027), figure 4, and PyramidNet's (Han et al. 2017, arXiv:1610.02915), 6d.

    Every column is a string over N (norm) and A (activation) for one place in the network:

    stem: after the convolution of the stem.
    first: before the first convolution of a branch.
    between: between two convolutions of a branch.
    last: after the last convolution of a branch.
    merged: after the addition.
    projection: after a 1x1 convolution on the shortcut.
    tail: after the last block, before the global pooling.

    Stem, tail and projection follow the same papers: a branch that starts with an activation leaves out the one of the
    stem and needs a last one before the pooling.
    """

    #                           stem  first  between  last  merged  proj.  tail
    ORIGINAL = ("NA", "", "NA", "N", "A", "N", "", "conv-BN-ReLU-conv-BN, add, ReLU (He et al. 2016, fig. 4a)")
    BN_AFTER_ADDITION = ("NA", "", "NA", "", "NA", "N", "", "last BN behind the addition (fig. 4b)")
    RELU_BEFORE_ADDITION = ("NA", "", "NA", "NA", "", "N", "", "the branch ends in BN-ReLU (fig. 4c)")
    RELU_ONLY_PREACTIVATION = ("N", "A", "NA", "N", "", "N", "A", "ReLU-conv-BN twice, add (fig. 4d)")
    FULL_PREACTIVATION = ("", "NA", "NA", "", "", "", "NA", "BN-ReLU-conv twice, add (fig. 4e)")
    PYRAMID_PREACTIVATION = ("N", "N", "NA", "N", "", "N", "NA", "BN-conv-BN-ReLU-conv-BN, add (PyramidNet, fig. 6d)")

    def __init__(
        self, stem: str, first: str, between: str, last: str, merged: str, projection: str, tail: str, summary: str
    ) -> None:
        super().__init__(summary)
        self.stem = stem
        self.first = first
        self.between = between
        self.last = last
        self.merged = merged
        self.projection = projection
        self.tail = tail
