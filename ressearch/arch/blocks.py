"""One residual block: its shape and the style of its network -> layers."""

from typing import NamedTuple

from ressearch.arch.architecture import BlockShape, InfeasibleError, Stage
from ressearch.arch.layers import Act, Activation, Conv, Dropout, Norm, Path, SqueezeExcite
from ressearch.arch.merges import Meeting, Merge, Merged
from ressearch.arch.options import name_of
from ressearch.arch.plan_tree import Block
from ressearch.arch.squeeze_excitation import SqueezeExcitation


class Style(NamedTuple):
    """What all blocks of a network have in common; strings over N (norm) and A (activation) as in `Ordering`.

    projection, level_projection: after the 1x1 convolution of a block's shortcut, and of one around a group.
    reads_raw: whether the 1x1 convolution of a shortcut reads the block's input.
    norm_groups: groups of channels of every norm, None under batch normalisation.
    """

    stem: str
    first: str
    between: str
    last: str
    merged: str
    projection: str
    level_projection: str
    tail: str
    reads_raw: bool
    activation: Activation
    norm_groups: int | None

    def steps(self, steps: str, channels: int) -> Path:
        """Resolve norms and activations.

        Raises:
            InfeasibleError: If group normalisation cannot divide the channels; a channel alone, an instance, is
                nothing on a map of one pixel.
        """
        if not steps:
            return ()
        groups = self.norm_groups
        if groups is not None and "N" in steps and (channels % groups or channels == groups):
            raise InfeasibleError(
                "norm_groups", f"norm_groups {groups} does not divide {channels} channels into groups of two or more"
            )
        return tuple(Norm(channels, self.norm_groups) if step == "N" else Act(self.activation) for step in steps)

    @property
    def shares_first(self) -> bool:
        """Whether the first block's leading steps feed both paths, since the stem was left without an activation."""
        return "A" in self.first and "A" not in self.stem


def residual_block(shape: BlockShape, style: Style, is_first: bool, is_closed: bool) -> Block:
    """Assemble one block; `is_closed` tells that a group ends with it and takes what follows its addition.

    The leading steps feed both paths where the shortcut has parameters and, if they activate, in the first block
    of the network, whose stem was left without an activation (He et al. 2016, arXiv:1603.05027, appendix).

    Raises:
        InfeasibleError: Naming the axis that cannot be met.
    """
    stage, c_in, c_out = shape.stage, shape.c_in, shape.c_out
    shortcut, merged = _shortcut(shape), _merged(shape)
    has_shortcut = _has_shortcut(stage, shortcut, merged)
    has_weights = any(isinstance(layer, Conv) for layer in shortcut or ())
    if shortcut and isinstance(shortcut[-1], Conv):
        shortcut += style.steps(style.projection, c_out)
    is_shared = (has_weights and not style.reads_raw) or (is_first and style.shares_first)
    first = style.steps(style.first, c_in)
    branch = _convs(shape, style) if is_shared else first + _convs(shape, style)
    branch = _gate(stage, SqueezeExcitation.PRE, c_in) + branch + _gate(stage, SqueezeExcitation.STANDARD, c_out)
    around = (shortcut or ()) + _gate(stage, SqueezeExcitation.IDENTITY, c_out) + (merged.shortcut or ())
    after = () if is_closed else style.steps(style.merged, c_out)
    return Block(
        before=first if is_shared else (),
        branch=branch + merged.branch,
        shortcut=around if has_shortcut else None,
        after=after + _gate(stage, SqueezeExcitation.POST, c_out),
        gate=merged.gate,
    )


def _has_shortcut(stage: Stage, shortcut: Path | None, merged: Merged) -> bool:
    """Tell whether anything is added to the branch, and refuse what needs that."""
    if shortcut is None and stage.merge is not Merge.ADD:
        raise InfeasibleError("merge", f"merge {name_of(stage.merge)} needs a shortcut")
    has_shortcut = shortcut is not None and merged.shortcut is not None
    if stage.se is SqueezeExcitation.IDENTITY and not has_shortcut:
        raise InfeasibleError("se", "se identity needs a shortcut")
    return has_shortcut


def _shortcut(shape: BlockShape) -> Path | None:
    try:
        return shape.stage.shortcut.path(shape.c_in, shape.c_out, shape.stride)
    except ValueError as error:
        raise InfeasibleError("shortcut", str(error)) from None


def _merged(shape: BlockShape) -> Merged:
    stage = shape.stage
    meeting = Meeting(
        shape.c_in,
        shape.c_out,
        shape.stride,
        shortcut_scale=stage.shortcut_scale,
        branch_scale=stage.branch_scale,
        gate_bias=stage.gate_bias,
        shortcut_dropout=stage.shortcut_dropout,
    )
    try:
        return stage.merge.merged(meeting)
    except ValueError as error:
        raise InfeasibleError("merge", str(error)) from None


def _convs(shape: BlockShape, style: Style) -> Path:
    """Return the convolutions of a branch with the steps between and after them, and the dropout before the last."""
    stage = shape.stage
    convs = stage.transform.convs(stage.stride_on)
    path: Path = ()
    c_in = shape.c_in
    for index, conv in enumerate(convs):
        is_last = index == len(convs) - 1
        c_out = shape.c_out if is_last else shape.inner
        if is_last and stage.dropout:
            path += (Dropout(float(stage.dropout)),)
        stride = shape.stride if conv.strided else 1
        path += (Conv(c_in, c_out, conv.kernel, stride, stage.cardinality if conv.grouped else 1),)
        path += style.steps(style.last if is_last else style.between, c_out)
        c_in = c_out
    return path


def _gate(stage: Stage, place: SqueezeExcitation, channels: int) -> Path:
    """Return the squeeze-and-excitation gate of a stage in its own place, nothing in the others."""
    if stage.se is not place:
        return ()
    hidden = channels // stage.se_ratio
    if hidden < 1:
        raise InfeasibleError("se_ratio", f"se_ratio {stage.se_ratio} leaves no hidden unit for {channels} channels")
    return (SqueezeExcite(channels, hidden, stage.se_bias),)
