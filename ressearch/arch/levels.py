"""The body of a network: blocks in stages, and levels of shortcuts around them.

Source: Zhang et al. 2017, Residual Networks of Residual Networks, arXiv:1608.02908.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

from ressearch.arch.architecture import Architecture, BlockShape, InfeasibleError
from ressearch.arch.blocks import Style, residual_block
from ressearch.arch.layers import Conv, Path
from ressearch.arch.options import name_of
from ressearch.arch.plan_tree import Block, Group
from ressearch.arch.shortcuts import Shortcut


class _Place(NamedTuple):
    """A block to be made, and the number of its stage, 1 for the first."""

    shape: BlockShape
    stage: int


_Nested = Sequence["_Place | _Nested"]
"""Places, and groups of them that have a shortcut of their own."""


def body(architecture: Architecture, style: Style) -> Group:
    """Put the blocks into stages, and these into levels of shortcuts.

    Raises:
        InfeasibleError: If a block or a shortcut cannot be made, or a level would lead around single blocks.
    """
    shapes, levels = iter(architecture.blocks), architecture.levels
    stages = [
        [_Place(next(shapes), number) for _ in range(stage.depth)]
        for number, stage in enumerate(architecture.stages, start=1)
    ]
    blocks = _Blocks(style, architecture.blocks[0])
    if levels == 1:
        return Group(tuple(Group(tuple(blocks.made(place) for place in stage)) for stage in stages))
    if levels > 3 and max(map(len, stages)) <= 2 ** (levels - 3):
        raise InfeasibleError("levels", f"levels {levels}: the last level would lead around single blocks")
    has_shortcut = (True, levels >= 3, True)  # around all blocks, around stages, around parts of them
    return _group([_halved(stage, levels - 3) for stage in stages], has_shortcut, architecture.level_shortcut, blocks)


class _Blocks:
    """The blocks of one network; equal ones are one object."""

    def __init__(self, style: Style, first: BlockShape) -> None:
        self.style = style
        self.first = first
        self.cache: dict[tuple[int, int, int, int, int, bool, bool], Block] = {}

    def made(self, place: _Place, is_closed: bool = False) -> Block:
        """Return a block; `is_closed` tells that a group ends with it and takes what follows its addition."""
        shape, is_first = place.shape, place.shape is self.first
        key = (id(shape.stage), shape.c_in, shape.inner, shape.c_out, shape.stride, is_first, is_closed)
        if key not in self.cache:
            try:
                self.cache[key] = residual_block(shape, self.style, is_first, is_closed)
            except InfeasibleError as error:
                raise InfeasibleError(error.rule, f"stage {place.stage}: {error}") from None
        return self.cache[key]


def _halved(places: Sequence[_Place], levels: int) -> _Nested:
    """Divide blocks into halves, and these again while levels are left; the former half has the odd block.

    Zhang et al. 2017 name levels beyond the third without drawing them: halving is our reading.
    """
    if levels < 1 or len(places) < 2:
        return places
    middle = (len(places) + 1) // 2
    halves = (places[:middle], places[middle:])
    return [_halved(half, levels - 1) if len(half) > 1 else half[0] for half in halves]


def _group(
    nested: _Nested, has_shortcut: tuple[bool, ...], kind: Shortcut, blocks: _Blocks, is_closed: bool = False
) -> Group:
    """Assemble a group; `is_closed` tells that a larger one ends with it and takes what follows its addition."""
    here, *inner = has_shortcut
    items: list[Block | Group] = []
    for index, item in enumerate(nested):
        closed = index == len(nested) - 1 and (here or is_closed)
        if isinstance(item, _Place):
            items.append(blocks.made(item, closed))
        else:
            items.append(_group(item, tuple(inner) or has_shortcut, kind, blocks, closed))
    if not here:
        return Group(tuple(items))
    shapes = list(_shapes(nested))
    shortcut = _shortcut(shapes, kind, blocks.style)
    after = () if is_closed else blocks.style.steps(blocks.style.merged, shapes[-1].c_out)
    return Group(tuple(items), shortcut, after)


def _shortcut(shapes: Sequence[BlockShape], kind: Shortcut, style: Style) -> Path:
    """Return the shortcut around some blocks.

    Raises:
        InfeasibleError: If it is none at all, or cannot connect the widths.
    """
    c_in, c_out, stride = shapes[0].c_in, shapes[-1].c_out, prod(shape.stride for shape in shapes)
    try:
        path = kind.path(c_in, c_out, stride)
    except ValueError as error:
        raise InfeasibleError("level_shortcut", f"around {len(shapes)} blocks: {error}") from None
    if path is None:
        raise InfeasibleError("level_shortcut", f"{name_of(kind)} leads around nothing; levels: 1 says the same")
    is_projection = bool(path) and isinstance(path[-1], Conv)
    return path + style.steps(style.level_projection, c_out) if is_projection else path


def _shapes(nested: _Nested) -> Iterator[BlockShape]:
    for item in nested:
        if isinstance(item, _Place):
            yield item.shape
        else:
            yield from _shapes(item)
