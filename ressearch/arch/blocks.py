"""One residual block: its shape and the style of its network -> layers."""

from dataclasses import replace
from typing import NamedTuple

from ressearch.arch.architecture import BlockShape, InfeasibleError, Stage
from ressearch.arch.layers import Act, Activation, Conv, Dropout, Norm, Path, SqueezeExcite
from ressearch.arch.merges import Merge, Merged
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
    shortcut, merged = _shortcut(shape), _merged(shape)
    if shortcut is None and shape.stage.merge is not Merge.ADD:
        raise InfeasibleError("merge", f"merge {name_of(shape.stage.merge)} needs a shortcut")
    has_weights = any(isinstance(layer, Conv) for layer in shortcut or ())
    if shortcut and isinstance(shortcut[-1], Conv):
        shortcut += style.steps(style.projection, shape.c_out)
    is_shared = (has_weights and not style.reads_raw) or (is_first and style.shares_first)
    first = style.steps(style.first, shape.c_in)
    convs = _convs(shape, style)
    block = Block(
        before=first if is_shared else (),
        branch=convs if is_shared else first + convs,
        shortcut=None if merged.shortcut is None else shortcut,
        after=() if is_closed else style.steps(style.merged, shape.c_out),
    )
    return _with_merge(_with_squeeze_excitation(block, shape), merged)


def _shortcut(shape: BlockShape) -> Path | None:
    try:
        return shape.stage.shortcut.path(shape.c_in, shape.c_out, shape.stride)
    except ValueError as error:
        raise InfeasibleError("shortcut", str(error)) from None


def _merged(shape: BlockShape) -> Merged:
    try:
        return shape.stage.merge.merged(shape)
    except ValueError as error:
        raise InfeasibleError("merge", str(error)) from None


def _with_squeeze_excitation(block: Block, shape: BlockShape) -> Block:
    """Put the gate of the stage in its place."""
    stage = shape.stage
    match stage.se:
        case SqueezeExcitation.NONE:
            return block
        case SqueezeExcitation.PRE:
            return replace(block, branch=_squeeze_excite(stage, shape.c_in) + block.branch)
        case SqueezeExcitation.STANDARD:
            return replace(block, branch=block.branch + _squeeze_excite(stage, shape.c_out))
        case SqueezeExcitation.POST:
            return replace(block, after=block.after + _squeeze_excite(stage, shape.c_out))
        case SqueezeExcitation.IDENTITY:
            if block.shortcut is None:
                raise InfeasibleError("se", "se identity needs a shortcut")
            return replace(block, shortcut=block.shortcut + _squeeze_excite(stage, shape.c_out))


def _with_merge(block: Block, merged: Merged) -> Block:
    """Append what the merge adds to branch and shortcut, and set its gate."""
    if merged == Merged():
        return block
    shortcut = None if block.shortcut is None else block.shortcut + (merged.shortcut or ())
    return replace(block, branch=block.branch + merged.branch, shortcut=shortcut, gate=merged.gate)


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


def _squeeze_excite(stage: Stage, channels: int) -> Path:
    hidden = channels // stage.se_ratio
    if hidden < 1:
        raise InfeasibleError("se_ratio", f"se_ratio {stage.se_ratio} leaves no hidden unit for {channels} channels")
    return (SqueezeExcite(channels, hidden, stage.se_bias),)
