"""Stems: the layers before the first block; and the steps that may end a stem or a network."""

from enum import unique

from ressearch.arch.options import Option


@unique
class Places(Option):
    """Norm (N) and activation (A) after the stem's convolution or before the global pooling.

    steps: the same as a string over N and A; None leaves them to the ordering.
    """

    BY_ORDERING = (None, "as in the ordering's paper")
    NONE = ("", "none")
    NORM = ("N", "norm")
    ACT = ("A", "act")
    NORM_ACT = ("NA", "norm, then act")

    def __init__(self, steps: str | None, summary: str) -> None:
        super().__init__(summary)
        self.steps = steps


@unique
class Stem(Option):
    """First convolutions for images of any size: two of He et al. 2015 (arXiv:1512.03385), and what lies between.

    kernel, stride: of the convolution.
    pool: kernel and stride of a max-pool behind it, or None.
    steps: norm (N) and activation (A) between convolution and pool; None leaves them to the ordering.
    """

    CIFAR = (3, 1, None, None, "3x3 convolution (section 4.2)")
    CIFAR_POOL = (3, 1, (3, 2), "NA", "3x3 convolution, norm, activation, 3x3 max-pool with stride 2")
    STRIDED = (3, 2, None, None, "3x3 convolution with stride 2")
    STRIDED_POOL = (3, 2, (3, 2), "NA", "3x3 convolution with stride 2, norm, activation, 3x3 max-pool with stride 2")
    IMAGENET_BARE = (7, 2, None, None, "7x7 convolution with stride 2")
    IMAGENET = (7, 2, (3, 2), "NA", "7x7 convolution with stride 2, norm, activation, 3x3 max-pool with stride 2")

    def __init__(self, kernel: int, stride: int, pool: tuple[int, int] | None, steps: str | None, summary: str) -> None:
        super().__init__(summary)
        self.kernel = kernel
        self.stride = stride
        self.pool = pool
        self.steps = steps
