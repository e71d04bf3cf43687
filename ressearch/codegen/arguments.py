"""The numbers in which the blocks of one class differ, as arguments of its constructor and expressions over them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from math import prod

from ressearch.arch.layers import AvgPool, Conv, Layer, Path, Scale
from ressearch.arch.plan_tree import Block
from ressearch.codegen.steps import Step, attribute

Number = int | float | bool | None
Column = dict[int, Number]
"""One number of the blocks of a class, by the block's index; blocks that have no such layer are left out."""

NAMES = {"c_out": "width", "rate": "dropout", "factor": "scale", "bias": "gate_bias"}
"""What an argument is called where the layer's own word would not say it."""

DEFAULTS: dict[str, Number] = {"stride": 1, "last": False}


def shape_of(layer: Layer) -> tuple[object, ...]:
    """Return what layers must share to stand in one line of source: all but their numbers."""
    rest = [getattr(layer, spec.name) for spec in fields(layer) if not _is_number(layer, spec.name)]
    return type(layer), *rest


def _is_number(layer: Layer, name: str) -> bool:
    return name != "kernel" and not isinstance(getattr(layer, name), bool | Enum)


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
            terms: dict[str, str] = {}
            for spec in fields(layers[0]):
                column = {index: getattr(layer, spec.name) for index, layer in zip(paths, layers, strict=True)}
                match spec.name:
                    case "c_in" | "channels":
                        terms[spec.name] = reads
                    case "c_out":
                        terms[spec.name] = self._channels(column, prefix)
                    case "hidden":
                        terms[spec.name] = self._hidden(column, reads, prefix)
                    case name if _is_number(layers[0], name):
                        terms[name] = self._number(column, NAMES.get(name, name), prefix)
            reads = terms.get("c_out", reads)
            steps.append(_step(layers, terms))
        return steps

    def flag(self, name: str, column: Column) -> None:
        """Add an argument that is true for some of the blocks."""
        self.columns[name] = column

    def signature(self) -> tuple[list[str], list[str]]:
        """Return the arguments as they stand in the constructor's definition, and those that have a default."""
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


def _step(layers: tuple[Layer, ...], terms: Mapping[str, str]) -> Step:
    example = layers[0]
    name = attribute(example)
    if isinstance(example, Scale) and terms["factor"].isidentifier():
        name = terms["factor"]
    may_skip = any(isinstance(layer, AvgPool) and layer.stride == 1 for layer in layers)
    return Step(example, terms, name, may_skip and not terms["stride"].isdigit())


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
