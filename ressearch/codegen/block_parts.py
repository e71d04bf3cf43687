"""The parts of a block's class: steps over the arguments of its constructor, which hold what sets its blocks apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import assert_never

from ressearch.arch.layers import Conv, Path
from ressearch.arch.plan_tree import Block
from ressearch.codegen.block_sorting import BlockClass, divided, entry
from ressearch.codegen.layer_steps import Adds, Gives, Hidden, Number, Reads, Slot, Step, numbered, slots, step

Column = dict[int, int | float | bool]
"""One number of the blocks of a class, by the block's index; blocks that have no such layer are left out."""

DEFAULTS: dict[str, int | bool] = {"stride": 1, "last": False}


class Arguments:
    """Arguments of a class of blocks; they grow while its layers are written.

    Attributes:
        columns: Values of every argument and every variable of the constructor, by name.
        variables: Expressions of those names that are no arguments.
        c_in: What stands for the channels that the block reads.
        c_out: What stands for the channels that the block gives.
        stride: What stands for the stride of the block, which only a shortcut asks for.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        convs = [[layer for layer in block.branch if isinstance(layer, Conv)] for block in blocks]
        c_in: Column = {index: path[0].c_in for index, path in enumerate(convs)}
        c_out: Column = {index: path[-1].c_out for index, path in enumerate(convs)}
        stride: Column = {index: prod(conv.stride for conv in path) for index, path in enumerate(convs)}
        self.c_in, self.c_out = ("channels",) * 2 if c_in == c_out else ("in_channels", "out_channels")
        self.columns: dict[str, Column] = {self.c_in: c_in, self.c_out: c_out}
        self.variables: dict[str, str] = {}
        self.stride = "1" if blocks[0].shortcut is None else self._number(stride, "stride")

    def steps(self, paths: Mapping[int, Path], reads: str, prefix: str = "") -> list[Step]:
        """Return the steps of the like paths of some blocks, by the block's index, that read channels called `reads`.

        `prefix` goes in front of the name of every argument that they need.
        """
        steps = []
        for layers in zip(*paths.values(), strict=True):
            texts, gives = [], reads
            for like in zip(*map(slots, layers), strict=True):
                text, gives = self._text(dict(zip(paths, like, strict=True)), reads, gives, prefix)
                texts.append(text)
            reads = gives
            steps.append(step(layers, texts))
        return steps

    def _text(self, like: Mapping[int, Slot], reads: str, gives: str, prefix: str) -> tuple[str, str]:
        """Return what stands for a slot of like layers, and for the channels that these give."""
        column: Column = {index: slot.value for index, slot in like.items()}
        match next(iter(like.values())):
            case Reads():
                return reads, gives
            case Gives():
                text = self._channels(column, prefix)
                return text, text
            case Adds():
                text = self._channels(column, prefix)
                is_known = text.isdigit() and reads.isdigit()
                return str(int(text) - int(reads)) if is_known else f"{text} - {reads}", text
            case Hidden():
                return self._hidden(column, reads, prefix), gives
            case Number(name):
                return self._number(column, name, prefix), gives
            case slot:
                assert_never(slot)

    def flag(self, name: str, column: Column) -> None:
        """Add an argument that is true for some of the blocks."""
        self.columns[name] = column

    def signature(self) -> tuple[list[str], list[str]]:
        """Return the arguments as they are in the constructor's definition, and those that have a default."""
        required, optional = [], []
        for name in self._arguments():
            kind = type(next(iter(self.columns[name].values()))).__name__
            if name in DEFAULTS:
                optional.append(f"{name}: {kind} = {DEFAULTS[name]}")
            else:
                required.append(f"{name}: {kind}")
        return required, optional

    def given(self, index: int) -> list[str]:
        """Return the arguments that make one of the blocks."""
        found = []
        for name in self._arguments():
            column = self.columns[name]
            value = column.get(index, next(iter(column.values())))  # unread where the block has no such layer
            if name in (self.c_in, self.c_out):
                found.append(repr(value))
            elif name not in DEFAULTS or value != DEFAULTS[name]:
                found.append(f"{name}={value!r}")
        return found

    def _arguments(self) -> list[str]:
        return [name for name in self.columns if name not in self.variables]

    def _number(self, column: Column, name: str, prefix: str = "") -> str:
        """Write a column as a literal or an argument."""
        if name in self.columns and _agree(column, self.columns[name]):
            return name
        values = list(column.values())
        return repr(values[0]) if len(set(values)) == 1 else self._argument(column, prefix + name)

    def _argument(self, column: Column, name: str) -> str:
        """Return the argument of that name, or of that name with a number, that has these values; add it if need be."""
        number = 1
        while True:
            numbered = name if number == 1 else f"{name}{number}"
            if numbered not in self.columns:
                self.columns[numbered] = column
            if _agree(column, self.columns[numbered]):
                return numbered
            number += 1

    def _channels(self, column: Column, prefix: str) -> str:
        """Write the channels that a convolution or a padding gives: those of the block, or an inner width."""
        sources = [self.c_out, *([self.c_in] if prefix else [])]
        for name in [*sources, "width"]:
            if name in self.columns and _agree(column, self.columns[name]):
                return name
        for name in sources:
            if (term := _term(column, self.columns[name], name)) and prefix:
                return term
            if term:
                return self._variable("width", term, column)
        return self._argument(column, f"{prefix}width")

    def _hidden(self, column: Column, reads: str, prefix: str) -> str:
        term = _term(column, self.columns[reads], reads) if reads in self.columns else None
        return term or self._argument(column, f"{prefix}hidden")

    def _variable(self, name: str, term: str, column: Column) -> str:
        if name in self.columns:
            return term
        self.columns[name], self.variables[name] = column, term
        return name


def _agree(column: Column, other: Column) -> bool:
    return all(index in other and other[index] == value for index, value in column.items())


def _term(column: Column, base: Column, name: str) -> str | None:
    """Write a column of channels as those of another, a multiple or a whole part of them, where one fits all blocks."""
    pairs = [(value, base[index]) for index, value in column.items()]
    numbers = [(value, channels) for value, channels in pairs if isinstance(value, int) and isinstance(channels, int)]
    assert len(numbers) == len(pairs)
    factor = numbers[0][0] // numbers[0][1]
    if all(value == factor * channels for value, channels in numbers):
        return name if factor == 1 else f"{factor} * {name}"
    largest = max(channels for _, channels in numbers)
    parts = [part for part in range(2, largest + 1) if all(value == channels // part for value, channels in numbers)]
    return f"{name} // {max(parts, key=lambda part: part & -part)}" if parts else None  # the roundest of several


@dataclass(frozen=True)
class Parts:
    """What a block does: x = before(x), then after(closing(branch(x) + tail(change(x)))).

    Attributes:
        change: The part of the shortcut that blocks lack which keep the shape.
        gate: One step, or none.
        closing: What those blocks lack that end a group, since it follows the addition of the group.
        arguments: The arguments of the constructor.
    """

    before: list[Step]
    branch: list[Step]
    change: list[Step]
    tail: list[Step]
    gate: list[Step]
    closing: list[Step]
    after: list[Step]
    arguments: Arguments


def parts_of(block_class: BlockClass) -> Parts:
    """Resolve the layers of a class in the order in which they are made."""
    blocks = block_class.blocks
    arguments = Arguments(blocks)
    c_in, c_out = arguments.c_in, arguments.c_out
    num_after = min(len(block.after) for block in blocks)

    def steps(part: Callable[[Block], Path], reads: str, prefix: str = "") -> list[Step]:
        paths = {index: part(block) for index, block in enumerate(blocks)}
        return arguments.steps({index: path for index, path in paths.items() if path}, reads, prefix)

    before = steps(lambda block: entry(block)[0], c_in)
    branch = steps(lambda block: entry(block)[1], c_in)
    change = steps(lambda block: block_class.changes[block], c_in, "shortcut_")
    tail = steps(lambda block: divided(block.shortcut or ())[1], c_out, "shortcut_")
    gate = steps(lambda block: (block.gate,) if block.gate else (), c_in)
    closing = steps(lambda block: block.after[: len(block.after) - num_after], c_out)
    after = steps(lambda block: block.after[len(block.after) - num_after :], c_out)
    if closing:
        arguments.flag("last", {index: len(block.after) == num_after for index, block in enumerate(blocks)})
    named = iter(numbered(before + branch + tail + after))
    before, branch, tail, after = ([next(named) for _ in path] for path in (before, branch, tail, after))
    return Parts(before, branch, change, tail, gate, closing, after, arguments)
