"""Merges: how branch F(x) and shortcut h(x) become one. One function and one enum row each.

A merge maps the shape of a block to what is appended to branch and shortcut before they are added, and to the gate that
weighs them. Its numbers are fields of the stage, which say there which merges read them. The YAML name is the member
name in lower case and the first line of the function's docstring is its help text.
"""

from collections.abc import Callable
from enum import unique
from typing import TYPE_CHECKING, NamedTuple

from ressearch.arch.layers import Gate, Path, Scale, UnscaledDropout
from ressearch.arch.options import Option, first_line

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
    return Merged(gate=_gate(shape, exclusive=True))


def shortcut_only_gate(shape: "BlockShape") -> Merged:
    """A learned gate on the shortcut alone: F(x) + (1 - g(x)) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    return Merged(gate=_gate(shape, exclusive=False))


def dropout(shape: "BlockShape") -> Merged:
    """Dropout on the shortcut, without the usual division by 1 - rate: its expectation is (1 - rate) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    rate = float(shape.stage.shortcut_dropout)
    return Merged(shortcut=(UnscaledDropout(rate),) if rate else ())


def _scale(factor: float) -> Path:
    return (Scale(float(factor)),) if factor != 1 else ()


def _gate(shape: "BlockShape", *, exclusive: bool) -> Gate:
    return Gate(shape.c_in, shape.c_out, shape.stride, float(shape.stage.gate_bias), exclusive)


@unique
class Merge(Option):
    """The merges of the family.

    merged(shape): what the merge adds to a block of that shape.
    """

    ADD = (add,)
    CONSTANT_SCALE = (constant_scale,)
    EXCLUSIVE_GATE = (exclusive_gate,)
    SHORTCUT_ONLY_GATE = (shortcut_only_gate,)
    DROPOUT = (dropout,)

    def __init__(self, merged: Callable[["BlockShape"], Merged]) -> None:
        super().__init__(first_line(merged))
        self.merged = merged
