"""Shortcuts: what a residual block adds to its branch. One function and one enum row each.

A shortcut maps (c_in, c_out, stride) to a `Path`, or to None where nothing is added. The YAML name is the member
name in lower case and the first line of the function's docstring is its help text.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import NamedTuple

from ressearch.arch.layers import Conv, Path, Subsample, ZeroPad


def zero_pad(c_in: int, c_out: int, stride: int) -> Path | None:
    """Subsample and append zero channels where the shape changes, identity elsewhere (option A).

    Raises:
        ValueError: If c_out < c_in; padding cannot remove channels.

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.
    """
    if c_out < c_in:
        raise ValueError(f"a zero_pad shortcut cannot narrow {c_in} channels to {c_out}")
    subsample: Path = (Subsample(stride),) if stride != 1 else ()
    pad: Path = (ZeroPad(c_in, c_out),) if c_in != c_out else ()
    return subsample + pad


def projection(c_in: int, c_out: int, stride: int) -> Path | None:
    """1x1 convolution where the shape changes, identity elsewhere (option B).

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.
    """
    return () if (c_in, stride) == (c_out, 1) else (Conv(c_in, c_out, kernel=1, stride=stride),)


def projection_everywhere(c_in: int, c_out: int, stride: int) -> Path | None:
    """1x1 convolution in every block (option C).

    Source: He et al. 2015, arXiv:1512.03385, section 4.1.
    """
    return (Conv(c_in, c_out, kernel=1, stride=stride),)


def none(c_in: int, c_out: int, stride: int) -> Path | None:  # noqa: ARG001 - one signature for all shortcuts
    """No shortcut: a plain network.

    Source: He et al. 2015, arXiv:1512.03385, section 3.3.
    """
    return None


class _Row(NamedTuple):
    path: Callable[[int, int, int], Path | None]


@unique
class Shortcut(Enum):
    """The shortcut types of the family; a row wraps its function, since a bare one would become a method."""

    ZERO_PAD = _Row(zero_pad)
    PROJECTION = _Row(projection)
    PROJECTION_EVERYWHERE = _Row(projection_everywhere)
    NONE = _Row(none)

    def path(self, c_in: int, c_out: int, stride: int) -> Path | None:
        """Return the layers of this shortcut, () for the identity, None for no addition."""
        return self.value.path(c_in, c_out, stride)

    @property
    def summary(self) -> str:
        """One line of help, from the function's docstring."""
        return (self.value.path.__doc__ or "").splitlines()[0]
