"""Squeeze-and-excitation: the place of the gate in a block. One row of data each."""

from enum import unique

from ressearch.arch.options import Option


@unique
class SqueezeExcitation(Option):
    """Placements of Hu et al. 2018 (arXiv:1709.01507), section 6, the ablation on integration strategies."""

    NONE = "no gate"
    STANDARD = "at the end of the branch, before the addition"
    PRE = "in front of the branch"
    POST = "after the addition and what follows it"
    IDENTITY = "on the shortcut, beside the branch"
