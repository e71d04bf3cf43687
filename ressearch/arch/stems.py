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
    """First convolutions for images of any size: two of He et al. 2015 (arXiv:1512.03385), and what lies between."""

    CIFAR = _Row(3, 1, None, None, "a 3x3 convolution (section 4.2)")
    CIFAR_POOL = _Row(3, 1, (3, 2), "NA", "a 3x3 convolution, norm, activation, a 3x3 max-pool with stride 2")
    STRIDED = _Row(3, 2, None, None, "a 3x3 convolution with stride 2")
    STRIDED_POOL = _Row(
        3, 2, (3, 2), "NA", "a 3x3 convolution with stride 2, norm, activation, a 3x3 max-pool with stride 2"
    )
    IMAGENET_BARE = _Row(7, 2, None, None, "a 7x7 convolution with stride 2")
    IMAGENET = _Row(
        7, 2, (3, 2), "NA", "a 7x7 convolution with stride 2, norm, activation, a 3x3 max-pool with stride 2 (table 1)"
    )

    @property
    def summary(self) -> str:
        """One line of help."""
        return self.value.summary
