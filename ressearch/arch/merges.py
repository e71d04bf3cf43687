"""Merges: how branch F(x) and shortcut h(x) become one. One function and one enum row each.

A merge maps what both bring to their meeting to what is appended to branch and shortcut before they are added, and to
the gate that weighs them. Its numbers are fields of the stage, which say there which merges read them. The YAML name is
the member name in lower case and the first line of the function's docstring is its help text.
"""

from collections.abc import Callable
from enum import unique
from typing import NamedTuple

from ressearch.arch.layers import Gate, Path, Scale, UnscaledDropout
from ressearch.arch.options import Option, first_line


class Meeting(NamedTuple):
    """The shape of a block where branch and shortcut meet, and the numbers of its stage that merges read."""

    c_in: int
    c_out: int
    stride: int
    shortcut_scale: float
    branch_scale: float
    gate_bias: float
    shortcut_dropout: float


class Merged(NamedTuple):
    """What a merge adds to a block; a shortcut of None is none at all."""

    branch: Path = ()
    shortcut: Path | None = ()
    gate: Gate | None = None


def add(meeting: Meeting) -> Merged:  # noqa: ARG001 - one signature for all merges
    """Add: F(x) + h(x).

    Source: He et al. 2015, arXiv:1512.03385, equation 1.
    """
    return Merged()


def constant_scale(meeting: Meeting) -> Merged:
    """Constants on both: branch_scale F(x) + shortcut_scale h(x); a shortcut scaled by 0 is a plain block.

    Raises:
        ValueError: If the branch is scaled by 0, since it would not learn.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    if meeting.branch_scale == 0:
        raise ValueError("branch_scale 0 leaves nothing to learn")
    return Merged(_scale(meeting.branch_scale), None if meeting.shortcut_scale == 0 else _scale(meeting.shortcut_scale))


def exclusive_gate(meeting: Meeting) -> Merged:
    """A learned gate shares out between both: g(x) F(x) + (1 - g(x)) h(x).

    Where the shape changes the gate follows it as a strided 1x1 convolution and weighs the changed shortcut: the
    paper does not say how it is shaped there.

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1, after highway networks.
    """
    return Merged(gate=_gate(meeting, exclusive=True))


def shortcut_only_gate(meeting: Meeting) -> Merged:
    """A learned gate on the shortcut alone: F(x) + (1 - g(x)) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    return Merged(gate=_gate(meeting, exclusive=False))


def dropout(meeting: Meeting) -> Merged:
    """Dropout on the shortcut, without the usual division by 1 - rate: its expectation is (1 - rate) h(x).

    Source: He et al. 2016, arXiv:1603.05027, section 3.1 and table 1.
    """
    rate = float(meeting.shortcut_dropout)
    return Merged(shortcut=(UnscaledDropout(rate),) if rate else ())


def _scale(factor: float) -> Path:
    return (Scale(float(factor)),) if factor != 1 else ()


def _gate(meeting: Meeting, *, exclusive: bool) -> Gate:
    return Gate(meeting.c_in, meeting.c_out, meeting.stride, float(meeting.gate_bias), exclusive)


@unique
class Merge(Option):
    """The merges of the family.

    merged(meeting): what the merge adds to a block.
    """

    ADD = (add,)
    CONSTANT_SCALE = (constant_scale,)
    EXCLUSIVE_GATE = (exclusive_gate,)
    SHORTCUT_ONLY_GATE = (shortcut_only_gate,)
    DROPOUT = (dropout,)

    def __init__(self, merged: Callable[[Meeting], Merged]) -> None:
        super().__init__(first_line(merged))
        self.merged = merged
