"""How every layer is written: where its module is made and where it is applied. One `match`, in `spelling`."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from ressearch.arch.layers import (
    Act,
    Activation,
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
from ressearch.codegen.python_text import Call


@dataclass(frozen=True, slots=True)
class Reads:
    """The channels that a layer reads."""

    value: int


@dataclass(frozen=True, slots=True)
class Gives:
    """The channels that a layer gives."""

    value: int


@dataclass(frozen=True, slots=True)
class Adds:
    """The channels that a layer gives, `value`, beyond those that it reads."""

    reads: int
    value: int


@dataclass(frozen=True, slots=True)
class Hidden:
    """Units inside of a layer, often a part of the channels that it reads."""

    value: int


@dataclass(frozen=True, slots=True)
class Number:
    """Any other number.

    name: what an argument of a block is called that holds it.
    keyword: of the call, as `stride=`.
    default: left out of the call.
    """

    name: str
    value: int | float
    keyword: str = ""
    default: int | float | None = None

    def given(self, text: str) -> str:
        """Return the argument with `text` in place of the number; "" where it is the default."""
        return "" if text == repr(self.default) else self.keyword + text


Slot = Reads | Gives | Adds | Hidden | Number
"""A number in which blocks may differ whose layers are written alike."""


class Extra(NamedTuple):
    """What a layer that may be anywhere, a shortcut that keeps the shape included, is to its block.

    feature: a word for the name of the block's class. phrase: for its docstring.
    """

    feature: str
    phrase: str = ""


DROPOUT, SE, SCALED = Extra("Dropout", "dropout"), Extra("SE", "SE"), Extra("Scaled")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a layer is written.

    Attributes:
        attribute: What the attribute that holds its module is called; "" where `applied` needs no module.
        made: What is called to make its module.
        arguments: Of that call.
        applied: An expression over {x}, and {number} if there is one; "" calls the attribute.
        neutral: Makes a layer of its kind that changes nothing, given the channels that it reads; None without one.
        guard: Over {number}: when its module is needed, where a neutral one would cost time.
        extra: None for what makes up branches and shortcuts.
    """

    attribute: str
    made: str
    arguments: tuple[str | Slot, ...] = ()
    applied: str = ""
    neutral: Callable[[int], Layer] | None = None
    guard: str = ""
    extra: Extra | None = None

    @property
    def form(self) -> tuple[object, ...]:
        """What layers must share to be written in one line of source: all but their numbers."""
        return self.made, *(argument if isinstance(argument, str) else type(argument) for argument in self.arguments)


def spelling(layer: Layer) -> Spelling:
    """Return how a layer is written."""
    match layer:
        case Conv(c_in, c_out, kernel, stride, groups):
            return Spelling("conv", "nn.Conv2d", _conv_arguments(c_in, c_out, kernel, stride, groups))
        case Norm(channels, groups) if groups is not None:
            return Spelling("norm", "nn.GroupNorm", (Number("groups", groups), Reads(channels)))
        case Norm(channels):
            return Spelling("norm", "nn.BatchNorm2d", (Reads(channels),))
        case Act(kind):
            function, module = ACTIVATIONS[kind]
            return Spelling("", module, applied=f"{function}({{x}})")
        case Subsample(stride):
            return Spelling("subsample", "Subsample", (Number("stride", stride),), neutral=lambda _: Subsample(1))
        case AvgPool(stride):
            arguments = (Number("stride", stride), "ceil_mode=True")
            return Spelling("pool", "nn.AvgPool2d", arguments, neutral=lambda _: AvgPool(1), guard="{number} != 1")
        case MaxPool(kernel, stride):
            window = (str(kernel), Number("stride", stride, "stride="), f"padding={kernel // 2}")
            return Spelling("pool", "nn.MaxPool2d", window)
        case ZeroPad(c_in, c_out):
            return Spelling(
                "pad", "ZeroPad", (Adds(c_in, c_out),), neutral=lambda channels: ZeroPad(channels, channels)
            )
        case Scale(factor):
            scale, applied = (Number("scale", factor),), "{x} * {number}"
            return Spelling("", "Scale", scale, applied, neutral=lambda _: Scale(1.0), extra=SCALED)
        case Dropout(rate):
            return Spelling("dropout", "nn.Dropout", (Number("dropout", rate),), extra=DROPOUT)
        case UnscaledDropout(rate):
            return Spelling("unscaled_dropout", "UnscaledDropout", (Number("dropout", rate),), extra=DROPOUT)
        case SqueezeExcite(channels, hidden, bias):
            return Spelling(
                "squeeze_excite", "SqueezeExcite", (Reads(channels), Hidden(hidden), f"bias={bias}"), extra=SE
            )
        case Gate(c_in, c_out, stride, bias):
            numbers = (Number("stride", stride), Number("gate_bias", bias, "bias="))
            return Spelling("gate", "Gate", (Reads(c_in), Gives(c_out), *numbers))
        case GlobalAvgPool():
            return Spelling("", "GlobalAvgPool", applied="{x}.mean((2, 3))")
        case Linear(c_in, c_out):
            return Spelling("classifier", "nn.Linear", (Reads(c_in), Gives(c_out)))
        case _:
            assert_never(layer)


def _conv_arguments(c_in: int, c_out: int, kernel: int, stride: int, groups: int) -> tuple[str | Slot, ...]:
    padding = (f"padding={kernel // 2}",) if kernel > 1 else ()
    strided = Number("stride", stride, "stride=", default=1)
    grouped = Number("groups", groups, "groups=", default=1)
    return Reads(c_in), Gives(c_out), str(kernel), strided, *padding, grouped, "bias=False"


ACTIVATIONS = {
    Activation.RELU: ("F.relu", "nn.ReLU"),
    Activation.LEAKY_RELU: ("F.leaky_relu", "nn.LeakyReLU"),  # their default slope is ours
    Activation.ELU: ("F.elu", "nn.ELU"),
    Activation.SILU: ("F.silu", "nn.SiLU"),
    Activation.GELU: ("F.gelu", "nn.GELU"),
}
"""Function and module."""


@dataclass(frozen=True)
class Step:
    """A layer as it is in the source.

    arguments: of the call that makes its module.
    number: what is written for its `Number`, the first one; "" if it has none.
    name: of the attribute that holds its module, or its number; "" where none is needed.
    guard: a condition without which the module is the identity.
    """

    layer: Layer
    arguments: tuple[str, ...]
    number: str = ""
    name: str = ""
    guard: str = ""

    @property
    def needs_module(self) -> bool:
        """Whether its attribute holds a module, and not a number."""
        return bool(spelling(self.layer).attribute)


def step(layers: Sequence[Layer], texts: Sequence[str]) -> Step:
    """Return the step of some layers of one form; `texts` are what is written for their slots."""
    spelled = spelling(layers[0])
    given, arguments, number = iter(texts), [], ""
    for argument in spelled.arguments:
        text = argument if isinstance(argument, str) else next(given)
        if isinstance(argument, Number):
            number, text = number or text, argument.given(text)
        arguments.append(text)
    name = spelled.attribute or (number if number.isidentifier() else "")
    is_needed = spelled.guard and not number.isdigit() and any(map(_keeps_everything, layers))
    guard = spelled.guard.format(number=number) if is_needed else ""
    return Step(layers[0], tuple(filter(None, arguments)), number, name, guard)


def _keeps_everything(layer: Layer) -> bool:
    neutral = spelling(layer).neutral
    return neutral is not None and layer == neutral(0)  # what has a guard asks for no channels


def slots(layer: Layer) -> tuple[Slot, ...]:
    """Return the numbers in which layers of one form may differ."""
    return tuple(argument for argument in spelling(layer).arguments if not isinstance(argument, str))


def literal(path: Path) -> list[Step]:
    """Return the steps of a path that is in the source once, with its numbers as they are."""
    return [step([layer], [_literal(slot) for slot in slots(layer)]) for layer in path]


def _literal(slot: Slot) -> str:
    return repr(slot.value - slot.reads if isinstance(slot, Adds) else slot.value)


def numbered(steps: Sequence[Step]) -> list[Step]:
    """Tell attributes apart: conv1, norm1, conv2, ..., without a number where there is only one of a kind."""
    totals, seen = Counter(step.name for step in steps), Counter[str]()
    found = []
    for one in steps:
        seen[one.name] += 1
        is_one = not one.name or totals[one.name] == 1
        found.append(one if is_one else replace(one, name=f"{one.name}{seen[one.name]}"))
    return found


def module(steps: Sequence[Step], head: str = "") -> str | Call:
    """Write what makes one module of some steps; `head` comes in front of it."""
    calls = tuple(_guarded(step) for step in steps)
    match calls:
        case ():
            return Call(f"{head}nn.Identity")
        case (Call() as call,):
            return replace(call, head=head + call.head)
        case (str() as choice,):
            return head + choice
        case _:
            return Call(f"{head}nn.Sequential", calls)


def _guarded(step: Step) -> str | Call:
    """Write the call that makes a module, with the identity in its place where it would only cost time."""
    call = Call(spelling(step.layer).made, step.arguments)
    return f"{call} if {step.guard} else nn.Identity()" if step.guard else call


def applied(steps: Iterable[Step], expression: str) -> str:
    """Write steps applied to an expression, which may be a sum."""
    is_sum = " + " in expression
    for step in steps:
        template = spelling(step.layer).applied or f"self.{step.name}({{x}})"
        operand = f"({expression})" if is_sum and template.startswith("{x}") else expression
        expression = template.format(x=operand, number=f"self.{step.name}" if step.name else step.number)
        is_sum = False
    return expression


def constructions(steps: Iterable[Step]) -> list[str | Call]:
    """Write the statements of a constructor that make the attributes of some steps."""
    return [
        module([step], f"self.{step.name} = ") if step.needs_module else f"self.{step.name} = {step.number}"
        for step in steps
        if step.name
    ]
