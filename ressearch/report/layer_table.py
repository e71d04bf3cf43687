"""A network part by part: what it is in words, the shape of its output, and what it costs."""

from collections.abc import Generator, Iterator
from itertools import groupby
from typing import NamedTuple, assert_never

from ressearch.arch import Cost, Plan, cost, name_of
from ressearch.arch.counting import layer_cost, path_cost
from ressearch.arch.layers import (
    Act,
    AvgPool,
    Conv,
    Dropout,
    Gate,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool,
    Norm,
    Path,
    Scale,
    SqueezeExcite,
    Subsample,
    UnscaledDropout,
    ZeroPad,
)
from ressearch.arch.plan_tree import Block, Group

Shape = tuple[int, ...]
"""(channels, height, width) of a map, (num_classes,) of logits."""


class Part(NamedTuple):
    """Some layers of a network: where they are, how many like blocks, what they are, what they give and cost.

    num_blocks is None for layers outside of blocks.
    """

    place: str
    num_blocks: int | None
    words: str
    shape: Shape
    cost: Cost


class _Words(NamedTuple):
    """Words with places for numbers, which like blocks may differ in."""

    template: str
    numbers: tuple[float, ...] = ()


class _Described(NamedTuple):
    """A layer: in words, and the channels that it gives, None where it keeps their number."""

    words: _Words
    c_out: int | None


class _Placed(NamedTuple):
    """A block, the shape of its input, and the probability that its branch takes part."""

    block: Block
    shape: Shape
    survival: float


def parts(resolved: Plan, resolution: int, *, every_layer: bool = False) -> Iterator[Part]:
    """Return stem, blocks, shortcuts around several blocks, and head; their costs sum up to the network's.

    Like blocks that follow each other are one part; numbers that change from one to the next are given as 17..34. With
    `every_layer`, every layer is a part.
    """
    shape: Shape = (0, resolution, resolution)
    yield from _path_parts(resolved.stem, "stem", shape, every_layer)
    shape = _after(resolved.stem, shape)
    survival = iter(resolved.survival or (1.0,) * sum(1 for _ in resolved.blocks()))
    shape = yield from _group_parts(resolved.body, "all stages", shape, survival, every_layer)
    yield from _path_parts(resolved.head, "head", shape, every_layer)


def _path_parts(path: Path, place: str, shape: Shape, every_layer: bool, prefix: str = "") -> Iterator[Part]:
    for some in ((layer,) for layer in path) if every_layer else (path,):
        counted = path_cost(some, shape[-1])[0]
        shape = _after(some, shape)
        yield Part(place, None, prefix + _text(_path(some)), shape, counted)


def _group_parts(
    group: Group, place: str, shape: Shape, survival: Iterator[float], every_layer: bool
) -> Generator[Part, None, Shape]:
    """Return the parts of a group, and the shape behind it."""
    start, num_groups = shape, 0
    for is_block, items in groupby(group.items, key=lambda item: isinstance(item, Block)):
        placed = []
        for item in items:
            if isinstance(item, Block):
                placed.append(_Placed(item, shape, next(survival)))
                shape = _after(item.branch, shape)
            else:
                num_groups += 1
                inner = f"stage {num_groups}" if place == "all stages" else place
                shape = yield from _group_parts(item, inner, shape, survival, every_layer)
        if is_block:
            yield from _layers(placed, place) if every_layer else _runs(placed, place)
    if group.shortcut is not None:
        words = _joined(
            "", _Words("around {} blocks: + ", (sum(1 for _ in group.blocks()),)), _shortcut(group.shortcut)
        )
        counted = path_cost(group.shortcut, start[-1])[0] + path_cost(group.after, shape[-1])[0]
        yield Part(place, None, _text(_followed(words, group.after)), shape, counted)
    return shape


def _runs(placed: list[_Placed], place: str) -> Iterator[Part]:
    """Put like blocks together."""
    for _, like in groupby(placed, key=lambda one: _block(one).template):
        run = list(like)
        counted = cost(Plan((), Group(tuple(one.block for one in run)), ()), run[0].shape[-1])
        shape = _after(run[-1].block.branch, run[-1].shape)
        yield Part(place, len(run), _text(_block(run[0]), _block(run[-1])), shape, counted)


def _layers(placed: list[_Placed], place: str) -> Iterator[Part]:
    for number, (block, shape, _) in enumerate(placed, start=1):
        here = f"{place}, block {number}"
        yield from _path_parts(block.before, here, shape, True)
        yield from _path_parts(block.branch, here, shape, True)
        yield from _path_parts(block.shortcut or (), here, shape, True, "shortcut: ")
        yield from _path_parts((block.gate,) if block.gate else (), here, shape, True, "gate: ")
        yield from _path_parts(block.after, here, _after(block.branch, shape), True)


def _after(path: Path, shape: Shape) -> Shape:
    """Return the shape that a path gives."""
    channels, side = shape[0], shape[-1]
    for layer in path:
        side = layer_cost(layer, side)[1]
        channels = _layer(layer).c_out or channels
    return (channels,) if path and isinstance(path[-1], Linear) else (channels, side, side)


def _block(placed: _Placed) -> _Words:
    block = placed.block
    words = _path(block.branch)
    if block.gate is not None and block.gate.exclusive:
        words = _joined("", _Words("g * ("), words, _Words(")"))
    if block.before:
        words = _joined("; ", _path(block.before), words)
    if block.shortcut is not None:
        words = _joined(" + ", words, _shortcut(block.shortcut, block.gate))
    words = _followed(words, block.after)
    if placed.survival < 1:
        words = _joined("; ", words, _Words("kept with probability {}", (placed.survival,)))
    return words


def _shortcut(path: Path, gate: Gate | None = None) -> _Words:
    words = _path(path) if path else _Words("identity")
    if len(path) > 1:
        words = _joined("", _Words("("), words, _Words(")"))
    return words if gate is None else _joined("", _Words("(1 - g) * "), words, _Words(", g = "), _layer(gate).words)


def _followed(words: _Words, after: Path) -> _Words:
    return _joined("; ", words, _path(after)) if after else words


def _path(path: Path) -> _Words:
    return _joined(", ", *(_layer(layer).words for layer in path))


def _joined(separator: str, *words: _Words) -> _Words:
    numbers = tuple(number for word in words for number in word.numbers)
    return _Words(separator.join(word.template for word in words), numbers)


def _text(first: _Words, last: _Words | None = None) -> str:
    """Spell words out, with both numbers where the first and the last block differ."""
    ends = ((_number(one), _number(other)) for one, other in zip(first.numbers, (last or first).numbers, strict=True))
    return first.template.format(*(one if one == other else f"{one}..{other}" for one, other in ends))


def _number(number: float) -> str:
    return f"{number}" if isinstance(number, int) else f"{number:.3g}"


def _layer(layer: Layer) -> _Described:
    match layer:
        case Conv(_, c_out, kernel, stride, groups):
            grouped = f" in {groups} groups" if groups > 1 else ""
            return _gives(c_out, f"{kernel}x{kernel} conv {{}}{grouped}{_stride(stride)}", c_out)
        case Norm(_, groups):
            return _keeps("norm" if groups is None else f"norm in {groups} groups")
        case Act(kind):
            return _keeps(name_of(kind))
        case Subsample(stride):
            return _keeps(f"subsampled{_stride(stride)}")
        case AvgPool(stride):
            return _keeps(f"mean{_stride(stride)}")
        case MaxPool(kernel, stride):
            return _keeps(f"{kernel}x{kernel} maximum{_stride(stride)}")
        case ZeroPad(_, c_out):
            return _gives(c_out, "zeros to {}", c_out)
        case Scale(factor):
            return _keeps(f"times {factor:g}")
        case Dropout(rate):
            return _keeps(f"dropout {rate:g}")
        case UnscaledDropout(rate):
            return _keeps(f"unscaled dropout {rate:g}")
        case SqueezeExcite(channels, hidden, bias):
            return _keeps("squeeze-excite {} - {}" + ("" if bias else " without bias"), channels, hidden)
        case Gate(_, c_out, _, bias, _):
            return _gives(c_out, f"sigmoid of a 1x1 conv {{}} with bias from {bias:g}", c_out)
        case GlobalAvgPool():
            return _keeps("global mean")
        case Linear(_, c_out):
            return _gives(c_out, "linear {}", c_out)
        case _:
            assert_never(layer)


def _keeps(template: str, *numbers: float) -> _Described:
    """Describe a layer that gives as many channels as it reads."""
    return _Described(_Words(template, numbers), None)


def _gives(c_out: int, template: str, *numbers: float) -> _Described:
    return _Described(_Words(template, numbers), c_out)


def _stride(stride: int) -> str:
    return f" /{stride}" if stride > 1 else ""
