"""The two statements of every layer: where its module is made and where it is applied."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import assert_never

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
from ressearch.codegen.lines import Call

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
    """A layer as it stands in the source.

    terms: what stands there for each number of the layer: a literal, a name, or a short expression.
    name: of the attribute that holds its module, "" where none is needed.
    may_skip: whether it changes nothing in some of the blocks that share the source.
    """

    layer: Layer
    terms: Mapping[str, str]
    name: str = ""
    may_skip: bool = False


def literal(path: Path) -> list[Step]:
    """Return the steps of a path that stands in the source once, with its numbers as they are."""
    return [
        Step(layer, {spec.name: repr(getattr(layer, spec.name)) for spec in fields(layer)}, attribute(layer))
        for layer in path
    ]


def numbered(steps: Sequence[Step]) -> list[Step]:
    """Tell attributes apart: conv1, norm1, conv2, ..., without a number where there is only one of a kind."""
    totals, seen = Counter(step.name for step in steps), Counter[str]()
    found = []
    for step in steps:
        seen[step.name] += 1
        is_one = not step.name or totals[step.name] == 1
        found.append(step if is_one else replace(step, name=f"{step.name}{seen[step.name]}"))
    return found


def attribute(layer: Layer) -> str:
    """Return what the attribute that holds a layer's module is called, "" for what is written as an expression."""
    match layer:
        case Conv():
            return "conv"
        case Norm():
            return "norm"
        case Subsample():
            return "subsample"
        case AvgPool() | MaxPool():
            return "pool"
        case ZeroPad():
            return "pad"
        case Dropout():
            return "dropout"
        case UnscaledDropout():
            return "unscaled_dropout"
        case SqueezeExcite():
            return "squeeze_excite"
        case Gate():
            return "gate"
        case Linear():
            return "classifier"
        case Act() | Scale() | GlobalAvgPool():
            return ""
        case _:
            assert_never(layer)


def made(step: Step) -> Call:
    """Write the call that makes a layer's module."""
    terms = step.terms
    match step.layer:
        case Conv(kernel=kernel):
            return Call("nn.Conv2d", (*_conv(terms, kernel), "bias=False"))
        case Gate():
            return Call("nn.Conv2d", tuple(_conv(terms, 1)))
        case Norm(groups=None):
            return Call("nn.BatchNorm2d", (terms["channels"],))
        case Norm():
            return Call("nn.GroupNorm", (terms["groups"], terms["channels"]))
        case Act(kind):
            return Call(ACTIVATIONS[kind][1])
        case Subsample():
            return Call("Subsample", (terms["stride"],))
        case AvgPool():
            return Call("nn.AvgPool2d", (terms["stride"], "ceil_mode=True"))
        case MaxPool(kernel):
            return Call("nn.MaxPool2d", (str(kernel), f"stride={terms['stride']}", f"padding={kernel // 2}"))
        case ZeroPad(c_in, c_out):
            is_known = terms["c_in"].isdigit() and terms["c_out"].isdigit()
            return Call("ZeroPad", (str(c_out - c_in) if is_known else f"{terms['c_out']} - {terms['c_in']}",))
        case Scale():
            return Call("Scale", (terms["factor"],))
        case Dropout():
            return Call("nn.Dropout", (terms["rate"],))
        case UnscaledDropout():
            return Call("UnscaledDropout", (terms["rate"],))
        case SqueezeExcite(bias=bias):
            name = "SqueezeExcite" if bias else "BiasFreeSqueezeExcite"
            return Call(name, (terms["channels"], terms["hidden"]))
        case Linear():
            return Call("nn.Linear", (terms["c_in"], terms["c_out"]))
        case GlobalAvgPool():
            raise AssertionError("a global pooling is written as an expression")
        case layer:
            assert_never(layer)


def module(steps: Sequence[Step], head: str = "") -> str | Call:
    """Write what makes one module of some steps; `head` stands in front of it."""
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


def applied(steps: Iterable[Step], expression: str) -> str:
    """Write steps applied to an expression, which may be a sum."""
    is_sum = " + " in expression
    for step in steps:
        match step.layer:
            case Act(kind):
                expression = f"{ACTIVATIONS[kind][0]}({expression})"
            case GlobalAvgPool():
                expression = f"{expression}.mean((2, 3))"
            case Scale():
                factor = f"self.{step.name}" if step.name else step.terms["factor"]
                expression = f"({expression}) * {factor}" if is_sum else f"{expression} * {factor}"
            case _:
                expression = f"self.{step.name}({expression})"
        is_sum = False
    return expression


def constructions(steps: Iterable[Step]) -> list[str | Call]:
    """Write the statements of a constructor that make the modules of some steps."""
    lines: list[str | Call] = []
    for step in steps:
        match step.layer:
            case Scale() if step.name:
                lines.append(f"self.{step.name} = {step.terms['factor']}")
            case _ if step.name:
                lines.append(module([step], f"self.{step.name} = "))
        if isinstance(step.layer, Gate):
            lines.append(f"nn.init.constant_(self.{step.name}.bias, {step.terms['bias']})")
    return lines


def _conv(terms: Mapping[str, str], kernel: int) -> list[str]:
    """Return the arguments of `nn.Conv2d` that are not its defaults."""
    arguments = [terms["c_in"], terms["c_out"], str(kernel)]
    arguments += [f"stride={terms['stride']}"] if terms["stride"] != "1" else []
    arguments += [f"padding={kernel // 2}"] if kernel > 1 else []
    arguments += [f"groups={terms['groups']}"] if terms.get("groups", "1") != "1" else []
    return arguments


def _guarded(step: Step) -> str | Call:
    """Write a module, with the identity in its place where a pooling has nothing to pool and would only cost time."""
    if isinstance(step.layer, AvgPool) and step.may_skip:
        return f"{made(step)} if {step.terms['stride']} != 1 else nn.Identity()"
    return made(step)
