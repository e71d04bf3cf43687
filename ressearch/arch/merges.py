"""Merges: how branch F(x) and shortcut h(x) become one. One function and one enum row each.

A merge maps (c_in, c_out, stride) of a block, and the numbers of its stage that its row names, to what is appended to
branch and shortcut before they are added, and to the gate that weighs them.
The YAML name is the member name in lower case and the first line of the function's docstring is its help text.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import NamedTuple

from ressearch.arch.layers import Gate, Path, Scale, UnscaledDropout


class Merged(NamedTuple):
    """What a merge adds to a block; a shortcut of None is none at all."""

    branch: Path = ()
    shortcut: Path | None = ()
    gate: Gate | None = None


def add(c_in: int, c_out: int, stride: int) -> Merged:  # noqa: ARG001 - one signature for all merges
    """Add: F(x) + h(x).

    Source: He et al. 2015, arXiv:1512.03385, equation 1.
    """
    return Merged()


def constant_scale(c_in: int, c_out: int, stride: int, shortcut_scale: float, branch_scale: float) -> Merged:  # noqa: ARG001
    """Constants on both: branch_scale F(x) + shortcut_scale h(x); a shortcut scaled by 0 is a plain block.

    Raises:
        ValueError: If the branch is scaled by 0, since it would not learn.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    if branch_scale == 0:
        raise ValueError("branch_scale 0 leaves nothing to learn")
    return Merged(_scale(branch_scale), None if shortcut_scale == 0 else _scale(shortcut_scale))


def exclusive_gate(c_in: int, c_out: int, stride: int, gate_bias: float) -> Merged:
    """A learned gate shares out between both: g(x) F(x) + (1 - g(x)) h(x).

    Where the shape changes the gate follows it as a strided 1x1 convolution and weighs the changed shortcut: the
    paper does not say how it is shaped there.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1, after highway networks.
    """
    return Merged(gate=Gate(c_in, c_out, stride, float(gate_bias), exclusive=True))


def shortcut_only_gate(c_in: int, c_out: int, stride: int, gate_bias: float) -> Merged:
    """A learned gate on the shortcut alone: F(x) + (1 - g(x)) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    return Merged(gate=Gate(c_in, c_out, stride, float(gate_bias), exclusive=False))


def dropout(c_in: int, c_out: int, stride: int, shortcut_dropout: float) -> Merged:  # noqa: ARG001
    """Dropout on the shortcut, without the usual division by 1 - rate: its expectation is (1 - rate) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    return Merged(shortcut=(UnscaledDropout(float(shortcut_dropout)),) if shortcut_dropout else ())


def _scale(factor: float) -> Path:
    return (Scale(float(factor)),) if factor != 1 else ()


class _Row(NamedTuple):
    merged: Callable[..., Merged]
    reads: tuple[str, ...] = ()


@unique
class Merge(Enum):
    """The merges of the family, each with the fields of the stage that it takes after the shape."""

    ADD = _Row(add)
    CONSTANT_SCALE = _Row(constant_scale, ("shortcut_scale", "branch_scale"))
    EXCLUSIVE_GATE = _Row(exclusive_gate, ("gate_bias",))
    SHORTCUT_ONLY_GATE = _Row(shortcut_only_gate, ("gate_bias",))
    DROPOUT = _Row(dropout, ("shortcut_dropout",))

    def merged(self, c_in: int, c_out: int, stride: int, *numbers: float) -> Merged:
        """Return what this merge adds to a block; the numbers are those of the fields that the row names."""
        return self.value.merged(c_in, c_out, stride, *numbers)

    @property
    def summary(self) -> str:
        """One line of help, from the function's docstring."""
        return (self.value.merged.__doc__ or "").splitlines()[0]
