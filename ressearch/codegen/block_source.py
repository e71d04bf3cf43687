"""The source of the class of some blocks."""

from collections.abc import Sequence

from ressearch.arch.layers import Conv, Gate, SqueezeExcite
from ressearch.codegen.block_parts import Parts
from ressearch.codegen.block_sorting import BlockClass, extras_of, starts_with_conv
from ressearch.codegen.layer_steps import Step, applied, constructions, module
from ressearch.codegen.python_text import COUNTS, LINE_LENGTH, Call, written


def block_text(block_class: BlockClass, parts: Parts, survival: tuple[float, ...]) -> str:
    """Write the class of some blocks; `survival` holds the probabilities of all blocks of the network."""
    arguments = parts.arguments
    required, optional = arguments.signature()
    own_survival = ["survival: float"] if len(set(survival)) > 1 else []
    lines = [
        f"class {block_class.name}(nn.Module):",
        f'    """{_summary(block_class, parts)}"""',
        "",
        *written(Call("def __init__", ("self", *required, *own_survival, *optional)), 4, " -> None:"),
        "        super().__init__()",
        *(f"        {name} = {term}" for name, term in arguments.variables.items()),
    ]
    for statement in constructions(parts.before + parts.branch):
        lines += written(statement)
    lines += _shortcut(block_class, parts)
    for statement in constructions(parts.tail + parts.gate):
        lines += written(statement)
    lines += _closing(parts)
    for statement in constructions(parts.after):
        lines += written(statement)
    if survival:
        lines.append(f"        self.survival = {'survival' if own_survival else survival[0]}")
    lines += ["", "    def forward(self, x: Tensor) -> Tensor:"]
    body = _plain_forward(parts) if block_class.is_plain else _forward(parts, survival)
    return "\n".join((*lines, *(f"        {line}" for line in body)))


def _summary(block_class: BlockClass, parts: Parts) -> str:
    """Say in one line what a block consists of."""
    kernels = [f"{step.layer.kernel}x{step.layer.kernel}" for step in parts.branch if isinstance(step.layer, Conv)]
    if len(set(kernels)) == 1:
        text = f"{COUNTS[len(kernels)]} {kernels[0]} convolution{'s' if len(kernels) > 1 else ''}"
    else:
        text = f"{', '.join(kernels[:-1])} and {kernels[-1]} convolutions"
    layers = tuple(step.layer for step in parts.before + parts.branch + parts.tail + parts.after)
    extras = dict.fromkeys(extra.phrase for extra in extras_of(layers) if extra.phrase)
    if block_class.is_plain:
        text = f"{', '.join([text, *extras])}, no shortcut"
    else:
        text = f"{', '.join([text, *extras])} and a{_kind_of_shortcut(block_class, parts)} shortcut"
    return f"Pre-activation: {text}." if block_class.is_pre_activation else f"{text[0].upper()}{text[1:]}."


def _kind_of_shortcut(block_class: BlockClass, parts: Parts) -> str:
    layers = [step.layer for step in parts.change + parts.tail]
    if parts.gate:
        return " gated"
    if not layers:
        return "n identity"
    has_conv = any(isinstance(layer, Conv) for layer in layers)
    return " projection" if has_conv and not block_class.has_identities else ""


def _shortcut(block_class: BlockClass, parts: Parts) -> list[str]:
    """Write the module on the shortcut; where identities share the class, for changing shapes only."""
    if not parts.change:
        return []
    if not block_class.has_identities:
        return written(module(parts.change, "self.shortcut = "))
    arguments = parts.arguments
    changes = [] if arguments.stride == "1" else [f"{arguments.stride} != 1"]
    if arguments.c_in != arguments.c_out:
        changes.append(f"{arguments.c_in} != {arguments.c_out}")
    return [
        "        self.shortcut: nn.Module = nn.Identity()",
        f"        if {' or '.join(changes)}:",
        *written(module(parts.change, "self.shortcut = "), 12),
    ]


def _closing(parts: Parts) -> list[str]:
    """Write what a block leaves out that ends a group, whose addition it follows."""
    if not parts.closing:
        return []
    made = module(parts.closing)
    reason = "        # The last block of a group leaves to the group what follows the addition"
    short = f"        self.closing = nn.Identity() if last else {made}"
    if len(short) <= LINE_LENGTH:
        return [reason, short]
    return [
        reason,
        "        self.closing: nn.Module = nn.Identity()",
        "        if not last:",
        *written(module(parts.closing, "self.closing = "), 12),
    ]


def _plain_forward(parts: Parts) -> list[str]:
    *segments, last = _segments(parts.branch)
    lines = [f"x = {applied(segment, 'x')}" for segment in segments]
    return [*lines, *_returned(parts, applied(last, "x"), "")]


def _forward(parts: Parts, survival: tuple[float, ...]) -> list[str]:
    """Write the statements of `forward`, random draws in the order of the model's."""
    lines = [f"x = {applied(parts.before, 'x')}  # for the branch and the shortcut"] if parts.before else []
    shortcut = applied(parts.tail, "self.shortcut(x)" if parts.change else "x")
    branch = "y"
    for gate in parts.gate:
        lines.append(f"gate = {applied([gate], 'x')}")
        shortcut = f"{shortcut} * (1 - gate)"
        branch = "y * gate" if isinstance(gate.layer, Gate) and gate.layer.exclusive else "y"
    if survival:
        lines += [f"if {_drawn(survival)}:  # the branch is left out"]
        lines += [f"    {line}" for line in _returned(parts, "", shortcut)]
    for index, segment in enumerate(_segments(parts.branch)):
        lines.append(f"y = {applied(segment, 'y' if index else 'x')}")
    if survival:
        lines += [f"y = {branch}"] if branch != "y" else []
        lines += ["if not self.training:", "    y = y * self.survival"]
        branch = "y"
    return [*lines, *_returned(parts, branch, shortcut)]


def _drawn(survival: tuple[float, ...]) -> str:
    """Write the condition under which a block leaves its branch out; a certain survival draws no number."""
    certain = " and self.survival < 1" if 1.0 in survival else ""
    return f"self.training{certain} and torch.rand(()) >= self.survival"


def _returned(parts: Parts, branch: str, shortcut: str) -> list[str]:
    """Write the addition and what follows it, in two statements where one would be too long; "" adds nothing."""
    merged = " + ".join(term for term in (branch, shortcut) if term)

    def ended(expression: str) -> str:
        return f"return {applied(parts.after, f'self.closing({expression})' if parts.closing else expression)}"

    if len(line := ended(merged)) <= LINE_LENGTH - 12:
        return [line]
    return [f"x = {shortcut}", ended(f"{branch} + x")] if branch and shortcut else [f"x = {merged}", ended("x")]


def _segments(steps: Sequence[Step]) -> list[list[Step]]:
    """Cut a path into one statement for each convolution, which begins it, or ends it where norms come first."""
    conv_first = starts_with_conv(tuple(step.layer for step in steps))
    segments: list[list[Step]] = [[]]
    for index, step in enumerate(steps):
        previous = steps[index - 1].layer if index else None
        more_follow = any(isinstance(later.layer, Conv) for later in steps[index:])
        cut = isinstance(step.layer, Conv) if conv_first else isinstance(previous, Conv) and more_follow
        gated = isinstance(step.layer, SqueezeExcite) or (isinstance(previous, SqueezeExcite) and more_follow)
        if segments[-1] and (cut or gated):
            segments.append([])
        segments[-1].append(step)
    return segments
