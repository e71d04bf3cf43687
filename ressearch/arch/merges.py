"""Merges: how branch F(x) and shortcut h(x) become one. One function and one enum row each.

A merge says what is appended to the branch and to the shortcut before they are added, and which gate weighs them.
The YAML name is the member name in lower case and the first line of the function's docstring is its help text.
"""

from collections.abc import Callable
from enum import Enum, unique
from typing import TYPE_CHECKING, NamedTuple

from ressearch.arch.layers import Gate, Path, Scale, UnscaledDropout

if TYPE_CHECKING:
    from ressearch.arch.architecture import BlockShape


class Merged(NamedTuple):
    """What a merge adds to a block; a shortcut of None is none at all."""

    branch: Path = ()
    shortcut: Path | None = ()
    gate: Gate | None = None


def add(shape: "BlockShape") -> Merged:  # noqa: ARG001 - one signature for all merges
    """Add: F(x) + h(x).

    Source: He et al. 2015, arXiv:1512.03385, equation 1.
    """
    return Merged()


def constant_scale(shape: "BlockShape") -> Merged:
    """Constants on both: branch_scale F(x) + shortcut_scale h(x); a shortcut scaled by 0 is a plain block.

    Raises:
        ValueError: If the branch is scaled by 0, since it would not learn.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    stage = shape.stage
    if stage.branch_scale == 0:
        raise ValueError("branch_scale 0 leaves nothing to learn")
    return Merged(_scale(stage.branch_scale), None if stage.shortcut_scale == 0 else _scale(stage.shortcut_scale))


def exclusive_gate(shape: "BlockShape") -> Merged:
    """A learned gate shares out between both: g(x) F(x) + (1 - g(x)) h(x).

    Where the shape changes the gate follows it as a strided 1x1 convolution and weighs the changed shortcut: the
    paper does not say how it is shaped there.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1, after highway networks.
    """
    return Merged(gate=Gate(shape.c_in, shape.c_out, shape.stride, float(shape.stage.gate_bias), exclusive=True))


def shortcut_only_gate(shape: "BlockShape") -> Merged:
    """A learned gate on the shortcut alone: F(x) + (1 - g(x)) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    return Merged(gate=Gate(shape.c_in, shape.c_out, shape.stride, float(shape.stage.gate_bias), exclusive=False))


def dropout(shape: "BlockShape") -> Merged:
    """Dropout on the shortcut, without the usual division by 1 - rate: its expectation is (1 - rate) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    rate = shape.stage.shortcut_dropout
    return Merged(shortcut=(UnscaledDropout(float(rate)),) if rate else ())


def _scale(factor: float) -> Path:
    return (Scale(float(factor)),) if factor != 1 else ()


class _Row(NamedTuple):
    merged: Callable[["BlockShape"], Merged]
    reads: tuple[str, ...] = ()


@unique
class Merge(Enum):
    """The merges of the family, each with the stage's fields that it reads."""

    ADD = _Row(add)
    CONSTANT_SCALE = _Row(constant_scale, ("shortcut_scale", "branch_scale"))
    EXCLUSIVE_GATE = _Row(exclusive_gate, ("gate_bias",))
    SHORTCUT_ONLY_GATE = _Row(shortcut_only_gate, ("gate_bias",))
    DROPOUT = _Row(dropout, ("shortcut_dropout",))

    def merged(self, shape: "BlockShape") -> Merged:
        """Return what this merge adds to a block."""
        return self.value.merged(shape)

    @property
    def summary(self) -> str:
        """One line of help, from the function's docstring."""
        return (self.value.merged.__doc__ or "").splitlines()[0]
