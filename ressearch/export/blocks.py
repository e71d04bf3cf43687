"""The source of block classes, and the two statements of every layer: where it is made and where it is applied."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import assert_never

from ressearch.arch.layers import (
    Act,
    Activation,
    Conv,
    GlobalAvgPool,
    Layer,
    Linear,
    Norm,
    Path,
    SqueezeExcite,
    Subsample,
    ZeroPad,
)
from ressearch.arch.plan import Block
from ressearch.export.classes import BlockClass, ShortcutKind
from ressearch.export.lines import call

FUNCTIONS = {
    Activation.RELU: "F.relu",
    Activation.LEAKY_RELU: "F.leaky_relu",  # its default slope is ours
    Activation.ELU: "F.elu",
    Activation.SILU: "F.silu",
    Activation.GELU: "F.gelu",
}
COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}

Step = tuple[Layer, str]
"""A layer and the name of the attribute that holds it."""


def block_source(block_class: BlockClass) -> str:
    """Write the class of some blocks."""
    example = block_class.example
    before, branch, after = _named(example.before, example.branch, example.after)
    arguments = [f"{name}: int = 1" if name == "stride" else f"{name}: int" for name in block_class.arguments]
    lines = [
        f"class {block_class.name}(nn.Module):",
        f'    """{_summary(block_class)}"""',
        "",
        call("def __init__(", ["self", *arguments], ") -> None:", indent=4),
        "        super().__init__()",
        *_width(block_class),
        *_constructions(block_class, [*before, *branch], block_class.expressions["in_channels"]),
        *_shortcut(block_class),
        *_constructions(block_class, after, block_class.expressions["out_channels"]),
        "",
        "    def forward(self, x: Tensor) -> Tensor:",
        *_forward(block_class.shortcut, before, branch, after),
    ]
    return "\n".join(lines)


def construct(name: str, constructor: str, arguments: Sequence[str], indent: int = 8) -> str:
    """Write `self.<name> = <constructor>(<arguments>)`."""
    return call(f"self.{name} = {constructor}(", arguments, indent=indent)


def conv_arguments(conv: Conv, c_in: str, c_out: str, stride: str = "1", groups: str = "1") -> list[str]:
    """Return the arguments of `nn.Conv2d` that are not its defaults."""
    arguments = [c_in, c_out, str(conv.kernel)]
    arguments += [f"stride={stride}"] if stride != "1" else []
    arguments += [f"padding={conv.kernel // 2}"] if conv.kernel > 1 else []
    arguments += [f"groups={groups}"] if groups != "1" else []
    return [*arguments, "bias=False"]


def numbered(path: Path) -> list[Step]:
    """Name the layers of a path: conv1, norm1, ..., without a number where there is only one of a kind."""
    bases = [_attribute(layer) for layer in path]
    totals, seen = Counter(bases), Counter[str]()
    steps = []
    for layer, base in zip(path, bases, strict=True):
        seen[base] += 1
        steps.append((layer, f"{base}{seen[base]}" if base and totals[base] > 1 else base))
    return steps


def applied(steps: Iterable[Step], expression: str) -> str:
    """Write the layers applied to an expression."""
    for layer, name in steps:
        match layer:
            case Act(kind):
                expression = f"{FUNCTIONS[kind]}({expression})"
            case GlobalAvgPool():
                expression = f"{expression}.mean((2, 3))"
            case Conv() | Norm() | SqueezeExcite() | Linear():
                expression = f"self.{name}({expression})"
            case Subsample() | ZeroPad():
                raise AssertionError("a shortcut class holds these")
            case _:
                assert_never(layer)
    return expression


def _attribute(layer: Layer) -> str:
    match layer:
        case Conv():
            return "conv"
        case Norm():
            return "norm"
        case SqueezeExcite():
            return "squeeze_excite"
        case Linear():
            return "classifier"
        case Act() | GlobalAvgPool() | Subsample() | ZeroPad():
            return ""
        case _:
            assert_never(layer)


def _named(before: Path, branch: Path, after: Path) -> tuple[list[Step], list[Step], list[Step]]:
    steps = numbered(before + branch + after)
    inner, outer = len(before), len(before) + len(branch)
    return steps[:inner], steps[inner:outer], steps[outer:]


def _summary(block_class: BlockClass) -> str:
    """Say in one line what a block consists of."""
    example = block_class.example
    kernels = [f"{layer.kernel}x{layer.kernel}" for layer in example.branch if isinstance(layer, Conv)]
    if len(set(kernels)) == 1:
        text = f"{COUNTS[len(kernels)]} {kernels[0]} convolution{'s' if len(kernels) > 1 else ''}"
    else:
        text = f"{', '.join(kernels[:-1])} and {kernels[-1]} convolutions"
    parts = [text]
    if any(isinstance(layer, SqueezeExcite) for layer in example.branch):
        parts.append("an SE gate")
    match block_class.shortcut:
        case ShortcutKind.PLAIN:
            text = " and ".join(parts) + ", no shortcut"
        case ShortcutKind.IDENTITY:
            text = ", ".join(parts) + " and an identity shortcut"
        case _ if block_class.has_identities:
            text = ", ".join(parts) + " and a shortcut"
        case kind:
            text = ", ".join(parts) + f" and a {kind.value} shortcut"
    if not isinstance((example.before + example.branch)[0], Conv):
        return f"Pre-activation: {text}."
    return f"{text[0].upper()}{text[1:]}."


def _width(block_class: BlockClass) -> list[str]:
    width = block_class.expressions["width"]
    return [] if width.isidentifier() else [f"        width = {width}"]


def _constructions(block_class: BlockClass, steps: Sequence[Step], channels: str) -> list[str]:
    """Write the modules of some layers that read `channels`, following the channels from layer to layer."""
    terms = block_class.expressions
    inner = terms["width"] if terms["width"].isidentifier() else "width"
    columns = list(zip(*(_convs(block) for block in block_class.blocks), strict=True))
    index = 0
    lines = []
    for layer, name in steps:
        match layer:
            case Conv():
                column, is_last = columns[index], index == len(columns) - 1
                stride = terms["stride"] if any(conv.stride != 1 for conv in column) else "1"
                groups = terms["groups"] if any(conv.groups != 1 for conv in column) else "1"
                c_in, channels = channels, terms["out_channels"] if is_last else inner
                lines.append(construct(name, "nn.Conv2d", conv_arguments(layer, c_in, channels, stride, groups)))
                index += 1
            case Norm():
                lines.append(construct(name, "nn.BatchNorm2d", [channels]))
            case SqueezeExcite():
                lines.append(construct(name, "SqueezeExcite", [channels, terms["hidden"]]))
            case _:
                assert isinstance(layer, Act), f"{layer} has no place in a branch"
    return lines


def _convs(block: Block) -> list[Conv]:
    return [layer for layer in block.branch if isinstance(layer, Conv)]


def _shortcut(block_class: BlockClass) -> list[str]:
    """Write the module on the shortcut; where identities share the class, for changing shapes only."""
    terms = block_class.expressions
    stride = [] if terms["stride"] == "1" else [terms["stride"]]
    indent = 12 if block_class.has_identities else 8
    match block_class.shortcut:
        case ShortcutKind.ZERO_PAD if terms["in_channels"] == terms["out_channels"]:
            made = construct("shortcut", "Subsample", stride, indent)
        case ShortcutKind.ZERO_PAD:
            channels = [terms["in_channels"], terms["out_channels"]]
            made = construct("shortcut", "ZeroPadShortcut", channels + stride, indent)
        case ShortcutKind.PROJECTION:
            made = _projection(block_class, indent)
        case ShortcutKind.IDENTITY | ShortcutKind.PLAIN:
            return []
        case kind:
            assert_never(kind)
    if not block_class.has_identities:
        return [made]
    changes = [f"{stride[0]} != 1"] if stride else []
    if terms["in_channels"] != terms["out_channels"]:
        changes.append(f"{terms['in_channels']} != {terms['out_channels']}")
    return [
        "        self.shortcut: nn.Module = nn.Identity()",
        f"        if {' or '.join(changes)}:",
        made,
    ]


def _projection(block_class: BlockClass, indent: int) -> str:
    """Write the 1x1 convolution and, where the ordering has one, its norm."""
    terms = block_class.expressions
    conv, *steps = block_class.example.shortcut or ()
    assert isinstance(conv, Conv)
    arguments = conv_arguments(conv, terms["in_channels"], terms["out_channels"], terms["stride"])
    if not steps:
        return construct("shortcut", "nn.Conv2d", arguments, indent)
    assert all(isinstance(step, Norm) for step in steps), "orderings put a norm behind a projection, or nothing"
    inner = " " * (indent + 4)
    return "\n".join(
        (
            f"{' ' * indent}self.shortcut = nn.Sequential(",
            call("nn.Conv2d(", arguments, "),", indent=indent + 4),
            *(f"{inner}nn.BatchNorm2d({terms['out_channels']})," for _ in steps),
            f"{' ' * indent})",
        )
    )


def _forward(shortcut: ShortcutKind, before: list[Step], branch: list[Step], after: list[Step]) -> list[str]:
    """Write the statements of `forward`."""
    conv_first = isinstance((before + branch)[0][0], Conv)
    if shortcut is ShortcutKind.PLAIN:
        *segments, last = _segments([*before, *branch, *after], conv_first)
        lines = [f"        x = {applied(segment, 'x')}" for segment in segments]
        return [*lines, f"        return {applied(last, 'x')}"]
    lines = [f"        x = {applied(before, 'x')}  # for the branch and the shortcut"] if before else []
    for index, segment in enumerate(_segments(branch, conv_first)):
        lines.append(f"        y = {applied(segment, 'y' if index else 'x')}")
    merged = "y + x" if shortcut is ShortcutKind.IDENTITY else "y + self.shortcut(x)"
    return [*lines, f"        return {applied(after, merged)}"]


def _segments(steps: Sequence[Step], conv_first: bool) -> list[list[Step]]:
    """Cut a path into one statement for each convolution, which begins it, or ends it where norms come first."""
    segments: list[list[Step]] = [[]]
    for index, (layer, name) in enumerate(steps):
        is_conv = isinstance(layer, Conv)
        after_conv = index > 0 and isinstance(steps[index - 1][0], Conv)
        more_follow = any(isinstance(later, Conv) for later, _ in steps[index:])
        cut = is_conv if conv_first else after_conv and more_follow
        if segments[-1] and (cut or isinstance(layer, SqueezeExcite)):
            segments.append([])
        segments[-1].append((layer, name))
    return segments
