"""The plan: an architecture for given images with every layer resolved. Counting, building and exporting read it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from functools import lru_cache
from math import prod
from typing import NamedTuple

from ressearch.arch.architecture import Architecture, BlockShape, InfeasibleError, Stage, name_of
from ressearch.arch.initialisation import Initialisation
from ressearch.arch.layers import (
    Act,
    Activation,
    Conv,
    Dropout,
    Gate,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool,
    Norm,
    Normalisation,
    Path,
    SqueezeExcite,
)
from ressearch.arch.merges import Merge
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block: x = before(x); return after(branch(x) + shortcut(x)).

    `shortcut` is () for the identity and None where nothing is added (a plain network). With a gate g the shortcut
    counts 1 - g(x), and the branch g(x) where the gate is exclusive.
    """

    before: Path
    branch: Path
    shortcut: Path | None
    after: Path
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks, or groups of them, in sequence, with a shortcut around them all: after(items(x) + shortcut(x)).

    `shortcut` is None where nothing is added, and `after` is empty there. What an ordering puts behind an addition
    stands behind the outermost of several that end together (Zhang et al. 2017, arXiv:1608.02908, figure 2).
    """

    items: "tuple[Block | Group, ...]"
    shortcut: Path | None = None
    after: Path = ()

    def blocks(self) -> Iterator[Block]:
        """Every block in order."""
        for item in self.items:
            if isinstance(item, Block):
                yield item
            else:
                yield from item.blocks()


@dataclass(frozen=True, slots=True)
class Plan:
    """Stem, body, head: a network from (N, in_channels, H, W) images to (N, num_classes) logits.

    survival: probability that the branch of each block takes part in a training step, in the order of the blocks; in
        evaluation the branch is multiplied by it. () where every branch always takes part.
    initialisation: how the weights of convolutions start.
    """

    stem: Path
    body: Group
    head: Path
    survival: tuple[float, ...] = ()
    initialisation: Initialisation = Initialisation()  # noqa: RUF009 - frozen

    @property
    def stages(self) -> tuple[Group, ...]:
        """The stages of the body."""
        return tuple(item for item in self.body.items if isinstance(item, Group))

    def blocks(self) -> Iterator[Block]:
        """Every block in order."""
        return self.body.blocks()

    def layers(self) -> Iterator[Layer]:
        """Every layer in the order in which parameters are created.

        A block's: before, branch, shortcut, gate, after. A group's: items, shortcut, after.
        """
        yield from self.stem
        yield from _group_layers(self.body)
        yield from self.head


def _group_layers(group: Group) -> Iterator[Layer]:
    for item in group.items:
        if isinstance(item, Group):
            yield from _group_layers(item)
        else:
            for path in (item.before, item.branch, item.shortcut or (), (item.gate,) if item.gate else (), item.after):
                yield from path
    yield from group.shortcut or ()
    yield from group.after


class _Style(NamedTuple):
    """What all blocks of a network have in common; strings over N (norm) and A (activation) as in `Steps`."""

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
            InfeasibleError: If the groups of a group normalisation do not divide the channels.
        """
        if not steps:
            return ()
        if self.norm_groups is not None and "N" in steps and channels % self.norm_groups:
            raise InfeasibleError("norm_groups", f"norm_groups {self.norm_groups} does not divide {channels} channels")
        return tuple(Norm(channels, self.norm_groups) if step == "N" else Act(self.activation) for step in steps)

    @property
    def shares_first(self) -> bool:
        """Whether the first block's leading steps feed both paths, since the stem was left without an activation."""
        return "A" in self.first and "A" not in self.stem


def plan(architecture: Architecture, in_channels: int, num_classes: int) -> Plan:
    """Resolve every layer of an architecture.

    Raises:
        InfeasibleError: If layers cannot be connected, or a part would never learn.
    """
    style, stem, width = _style(architecture), architecture.stem.value, architecture.stem_width
    head_width = architecture.blocks[-1].c_out
    resolved = Plan(
        stem=(
            Conv(in_channels, width, stem.kernel, stem.stride),
            *style.steps(style.stem, width),
            *((MaxPool(*stem.pool),) if stem.pool else ()),
        ),
        body=_body(architecture, style),
        head=(*style.steps(style.tail, head_width), GlobalAvgPool(), Linear(head_width, num_classes)),
        survival=architecture.drop_path.survival(architecture.drop_path_rate, len(architecture.blocks)),
        initialisation=_initialisation(architecture),
    )
    _check_learning(resolved)
    return resolved


def _style(architecture: Architecture) -> _Style:
    row, stem = architecture.ordering.value, architecture.stem.value
    stem_steps, tail_steps = architecture.stem_steps.value, architecture.tail_steps.value
    if stem_steps is None:
        stem_steps = row.stem if stem.steps is None else stem.steps
    steps = (
        stem_steps,
        row.first,
        row.between,
        row.last,
        row.merged,
        _projection_steps(architecture.projection_norm, row.projection),
        _projection_steps(architecture.level_projection_norm, row.projection),
        row.tail if tail_steps is None else tail_steps,
    )
    if architecture.norm is Normalisation.NONE:
        steps = tuple(step.replace("N", "") for step in steps)  # type: ignore[assignment]
    return _Style(
        *steps,
        reads_raw=architecture.projection_input is ProjectionInput.RAW,
        activation=architecture.activation,
        norm_groups=architecture.norm_groups if architecture.norm is Normalisation.GROUP else None,
    )


def _projection_steps(wanted: ProjectionNorm, by_ordering: str) -> str:
    match wanted:
        case ProjectionNorm.BY_ORDERING:
            return by_ordering
        case ProjectionNorm.NORM:
            return "N"
        case ProjectionNorm.NONE:
            return ""


def _initialisation(architecture: Architecture) -> Initialisation:
    c = float(architecture.init_c) if architecture.init.value.shrinks_branches else 1.0
    if c == 0:
        raise InfeasibleError("init_c", "init_c 0 starts every branch at zero, where it learns nothing")
    return Initialisation(architecture.init, c, architecture.zero_init)


_Place = tuple[int, BlockShape]
"""Number of the stage, 1 for the first, and the shape of a block."""


def _body(architecture: Architecture, style: _Style) -> Group:
    """Put the blocks into stages, and these into levels of shortcuts."""
    levels = architecture.levels
    shapes = iter(architecture.blocks)
    stages = [
        [(number, next(shapes)) for _ in range(stage.depth)] for number, stage in enumerate(architecture.stages, 1)
    ]
    first = architecture.blocks[0]
    blocks: dict[tuple[int, int, int, int, int, bool, bool], Block] = {}  # equal ones are one object

    def block(place: _Place, is_closed: bool) -> Block:
        number, shape = place
        key = (id(shape.stage), shape.c_in, shape.inner, shape.c_out, shape.stride, shape is first, is_closed)
        if key not in blocks:
            try:
                blocks[key] = _block(shape, style, shape is first, is_closed)
            except InfeasibleError as error:
                raise InfeasibleError(error.rule, f"stage {number}: {error}") from None
        return blocks[key]

    if levels == 1:
        return Group(tuple(Group(tuple(block(place, False) for place in stage)) for stage in stages))
    if levels > 3 and max(len(stage) for stage in stages) <= 2 ** (levels - 3):
        raise InfeasibleError("levels", f"levels {levels}: the last level would stand around single blocks")
    nested: _Nested = [_halved(stage, levels - 3) for stage in stages]
    shortcut = architecture.level_shortcut
    return _level(nested, (levels >= 2, levels >= 3, True), is_closed=False, block=block, style=style, kind=shortcut)


_Nested = list["_Place | _Nested"]


def _halved(places: Sequence[_Place], levels: int) -> _Nested:
    """Divide blocks into halves, and these again while levels are left; the former half has the odd block.

    Zhang et al. 2017 name levels beyond the third without drawing them: halving is our reading.
    """
    if levels < 1 or len(places) < 2:
        return list(places)
    middle = (len(places) + 1) // 2
    halves = (places[:middle], places[middle:])
    return [_halved(half, levels - 1) if len(half) > 1 else half[0] for half in halves]


def _level(
    nested: _Nested,
    has_shortcut: tuple[bool, ...],
    *,
    is_closed: bool,
    block: Callable[[_Place, bool], Block],
    style: _Style,
    kind: Shortcut,
) -> Group:
    """Assemble a group; `is_closed` tells that a larger one ends with it and closes its addition."""
    items: list[Block | Group] = []
    for index, item in enumerate(nested):
        closed = index == len(nested) - 1 and (has_shortcut[0] or is_closed)
        if isinstance(item, list):
            inner = has_shortcut[1:] if len(has_shortcut) > 1 else has_shortcut
            items.append(_level(item, inner, is_closed=closed, block=block, style=style, kind=kind))
        else:
            items.append(block(item, closed))
    if not has_shortcut[0]:
        return Group(tuple(items))
    shapes = list(_shapes(nested))
    c_in, c_out, stride = shapes[0].c_in, shapes[-1].c_out, prod(shape.stride for shape in shapes)
    try:
        shortcut = kind.path(c_in, c_out, stride)
    except ValueError as error:
        raise InfeasibleError("level_shortcut", f"around {len(shapes)} blocks: {error}") from None
    if shortcut is None:
        raise InfeasibleError("level_shortcut", f"{name_of(kind)} leads around nothing; levels: 1 says the same")
    if shortcut and isinstance(shortcut[-1], Conv):
        shortcut += style.steps(style.level_projection, c_out)
    return Group(tuple(items), shortcut, () if is_closed else style.steps(style.merged, c_out))


def _shapes(nested: _Nested) -> Iterator[BlockShape]:
    for item in nested:
        if isinstance(item, list):
            yield from _shapes(item)
        else:
            yield item[1]


@lru_cache(maxsize=65_536)  # blocks repeat across candidates; sharing them is what makes counting fast
def _block(shape: BlockShape, style: _Style, is_first: bool, is_closed: bool) -> Block:
    """Assemble one block; `is_closed` tells that a group ends with it and takes what follows its addition.

    The leading steps feed both paths where the shortcut has parameters and, if they activate, in the first block
    of the network, whose stem was left without an activation (He et al. 2016, arXiv:1603.05027, appendix).
    """
    stage = shape.stage
    try:
        shortcut = stage.shortcut.path(shape.c_in, shape.c_out, shape.stride)
    except ValueError as error:
        raise InfeasibleError("shortcut", str(error)) from None
    try:
        merged = stage.merge.merged(shape)
    except ValueError as error:
        raise InfeasibleError("merge", str(error)) from None
    if shortcut is None and stage.merge is not Merge.ADD:
        raise InfeasibleError("merge", f"merge {name_of(stage.merge)} needs a shortcut")
    has_weights = any(isinstance(layer, Conv) for layer in shortcut or ())
    if shortcut and isinstance(shortcut[-1], Conv):
        shortcut += style.steps(style.projection, shape.c_out)
    shared = (has_weights and not style.reads_raw) or (is_first and style.shares_first)
    first = style.steps(style.first, shape.c_in)
    branch = _convs(shape, style)
    after = () if is_closed else style.steps(style.merged, shape.c_out)
    before, branch = (first, branch) if shared else ((), first + branch)
    match stage.se:
        case SqueezeExcitation.PRE:
            branch = _squeeze_excite(stage, shape.c_in) + branch
        case SqueezeExcitation.STANDARD:
            branch += _squeeze_excite(stage, shape.c_out)
        case SqueezeExcitation.POST:
            after += _squeeze_excite(stage, shape.c_out)
        case SqueezeExcitation.IDENTITY:
            if shortcut is None or merged.shortcut is None:
                raise InfeasibleError("se", "se identity needs a shortcut")
            shortcut += _squeeze_excite(stage, shape.c_out)
    is_plain = shortcut is None or merged.shortcut is None
    return Block(
        before=before,
        branch=branch + merged.branch,
        shortcut=None if is_plain else (shortcut or ()) + (merged.shortcut or ()),
        after=after,
        gate=merged.gate,
    )


def _convs(shape: BlockShape, style: _Style) -> Path:
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


def _check_learning(resolved: Plan) -> None:
    """Refuse networks of which a part would never learn, or never be used.

    Raises:
        InfeasibleError: Naming the axis.
    """
    initialisation = resolved.initialisation
    if not (resolved.survival or initialisation.zero_init or initialisation.rule.value.shrinks_branches):
        return
    for block in {id(block): block for block in resolved.blocks()}.values():
        if block.shortcut is None:
            if resolved.survival:
                raise InfeasibleError("drop_path", "drop_path needs a shortcut around every branch it leaves out")
            if initialisation.zero_init:
                raise InfeasibleError("zero_init", "zero_init needs a shortcut around every branch that starts at zero")
            raise InfeasibleError("init", f"init {name_of(initialisation.rule)} needs a shortcut around every branch")
        if initialisation.zero_init:
            weighted = max(index for index, layer in enumerate(block.branch) if isinstance(layer, Conv | Norm))
            if Act(Activation.RELU) in block.branch[weighted:]:
                raise InfeasibleError(
                    "zero_init", "zero_init in front of a ReLU at the end of a branch would never learn"
                )


def architecture_id(architecture: Architecture) -> str:
    """Return ten hexadecimal digits that are equal for equal networks, however they were described.

    Hashes the resolved layers rather than the description: a projection that never projects, two squeeze ratios
    that leave the same hidden units, or two alphas that round to the same widths are one network. The number of
    classes and of input channels do not enter.
    """
    resolved = plan(architecture, in_channels=3, num_classes=10)
    lines = [_path_text(resolved.stem), *_group_text(resolved.body), _path_text(resolved.head)]
    if resolved.survival:
        lines.append(f"survival {resolved.survival}")
    if resolved.initialisation != Initialisation():
        lines.append(_layer_text(resolved.initialisation))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:10]


def _group_text(group: Group) -> Iterator[str]:
    if group.shortcut is not None:
        yield "group"
    for item in group.items:
        if isinstance(item, Group):
            yield from _group_text(item)
        else:
            yield _text(item)
    if group.shortcut is not None:
        yield f"end; {_path_text(group.shortcut)}; {_path_text(group.after)}"


@lru_cache(maxsize=65_536)
def _text(block: Block) -> str:
    paths = (block.before, block.branch, block.shortcut, block.after, *(((block.gate,),) if block.gate else ()))
    return "; ".join("none" if path is None else _path_text(path) for path in paths)


def _path_text(path: Path) -> str:
    return " ".join(_layer_text(layer) for layer in path)


@lru_cache(maxsize=65_536)
def _layer_text(layer: Layer | Initialisation) -> str:
    """Name a layer by its fields; defaults are left out so that a field added later keeps old ids."""
    given = {}
    for spec in fields(layer):
        value = getattr(layer, spec.name)
        if spec.default is MISSING or value != spec.default:
            given[spec.name] = name_of(value) if isinstance(value, Enum) else value
    return type(layer).__name__ + json.dumps(given, sort_keys=True)
