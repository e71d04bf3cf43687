"""Shortcuts: what leads around a residual branch. One function and one enum row each.

A shortcut maps (c_in, c_out, stride) to a `Path`, or to None where nothing is added. The YAML name is the member
name in lower case and the first line of the function's docstring is its help text.
"""

from collections.abc import Callable
from enum import unique

from ressearch.arch.layers import AvgPool, Conv, Path, Subsample, ZeroPad
from ressearch.arch.options import Option, first_line


def zero_pad(c_in: int, c_out: int, stride: int) -> Path | None:
    """Subsample and append zero channels where the shape changes, identity elsewhere (option A).

    Raises:
        ValueError: If c_out < c_in; padding cannot remove channels.

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.
    """
    subsample: Path = (Subsample(stride),) if stride != 1 else ()
    return subsample + _pad(c_in, c_out)


def avg_pool_zero_pad(c_in: int, c_out: int, stride: int) -> Path | None:
    """Average over stride x stride windows and append zero channels where the shape changes, identity elsewhere.

    Raises:
        ValueError: If c_out < c_in; padding cannot remove channels.

    Source: Huang et al. 2016, arXiv:1603.09382, section 4; Han et al. 2017, arXiv:1610.02915, section 3.2.
    """
    pool: Path = (AvgPool(stride),) if stride != 1 else ()
    return pool + _pad(c_in, c_out)


def projection(c_in: int, c_out: int, stride: int) -> Path | None:
    """1x1 convolution where the shape changes, identity elsewhere (option B).

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.
    """
    return () if (c_in, stride) == (c_out, 1) else (Conv(c_in, c_out, kernel=1, stride=stride),)


def projection_everywhere(c_in: int, c_out: int, stride: int) -> Path | None:
    """1x1 convolution in every block (option C).

    Source: He et al. 2015, arXiv:1512.03385, section 4.1; without a norm behind it (`projection_norm: none`) the
    1x1 convolution shortcut of He et al. 2016, arXiv:1603.05027, table 1, which does not say whether it had one.
    """
    return (Conv(c_in, c_out, kernel=1, stride=stride),)


def none(c_in: int, c_out: int, stride: int) -> Path | None:  # noqa: ARG001 - one signature for all shortcuts
    """No shortcut: a plain network.

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.
    """
    return None


def _pad(c_in: int, c_out: int) -> Path:
    if c_out < c_in:
        raise ValueError(f"zero padding cannot narrow {c_in} channels to {c_out}")
    return (ZeroPad(c_in, c_out),) if c_in != c_out else ()


@unique
class Shortcut(Option):
    """The shortcuts of the family; a row is a tuple, since a bare function would become a method.

    path(c_in, c_out, stride): the layers of the shortcut, () for the identity, None for no addition.
    """

    ZERO_PAD = (zero_pad,)
    AVG_POOL_ZERO_PAD = (avg_pool_zero_pad,)
    PROJECTION = (projection,)
    PROJECTION_EVERYWHERE = (projection_everywhere,)
    NONE = (none,)

    def __init__(self, path: Callable[[int, int, int], Path | None]) -> None:
        super().__init__(first_line(path))
        self.path = path


@unique
class ProjectionNorm(Option):
    """Whether a norm follows the 1x1 convolution of a shortcut.

    steps: the same as a string over N (norm); None leaves it to the ordering.
    """

    BY_ORDERING = (None, "as in the ordering's paper")
    NORM = ("N", "a norm behind the convolution")
    NONE = ("", "the bare convolution")

    def __init__(self, steps: str | None, summary: str) -> None:
        super().__init__(summary)
        self.steps = steps


@unique
class ProjectionInput(Option):
    """What the 1x1 convolution of a shortcut reads in an ordering whose branch begins with a norm or an activation."""

    PREACTIVATED = "what those leading steps give, shared with the branch (He et al. 2016, arXiv:1603.05027, appendix)"
    RAW = "the block's input"
