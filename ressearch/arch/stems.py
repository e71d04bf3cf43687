"""Stems: what stands before the first block; and the steps that may end a stem or a network."""

from enum import Enum, unique
from typing import NamedTuple


@unique
class Places(Enum):
    """Norm (N) and activation (A) after the stem's convolution or before the global pooling."""

    BY_ORDERING = None
    NONE = ""
    NORM = "N"
    ACT = "A"
    NORM_ACT = "NA"

    @property
    def summary(self) -> str:
        """One line of help."""
        return "as in the ordering's paper" if self.value is None else self.name.lower().replace("_", ", then ")


class _Row(NamedTuple):
    kernel: int
    stride: int
    pool: tuple[int, int] | None
    """Kernel and stride of a max-pool."""
    steps: str | None
    """Norm and activation between convolution and pool; None leaves them to the ordering."""
    summary: str


@unique
class Stem(Enum):
    """First convolutions of He et al. 2015 (arXiv:1512.03385), sections 4.2 and table 1; for images of any size."""

    CIFAR = _Row(3, 1, None, None, "a 3x3 convolution")
    IMAGENET = _Row(
        7, 2, (3, 2), "NA", "a 7x7 convolution with stride 2, norm, activation, a 3x3 max-pool with stride 2"
    )

    @property
    def summary(self) -> str:
        """One line of help."""
        return self.value.summary
