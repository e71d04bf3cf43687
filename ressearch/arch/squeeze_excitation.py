"""Squeeze-and-excitation: where the gate stands in a block. One row of data each."""

from enum import Enum, unique


@unique
class SqueezeExcitation(Enum):
    """Placements of Hu et al. 2018 (arXiv:1709.01507), section 6, the ablation on integration strategies."""

    NONE = "no gate"
    STANDARD = "at the end of the branch, before the addition"
    PRE = "in front of the branch"
    POST = "after the addition and what follows it"
    IDENTITY = "on the shortcut, beside the branch"

    @property
    def summary(self) -> str:
        """One line of help."""
        return self.value
