"""How weights start, in the source: only the rule that the network uses."""

from collections.abc import Mapping
from typing import assert_never

from ressearch.arch.initialisation import Initialisation, InitRule
from ressearch.arch.layers import Conv, Norm
from ressearch.codegen.lines import Call, written
from ressearch.codegen.parts import Parts


def initialisation(rule: Initialisation, num_blocks: int, parts: Mapping[str, Parts]) -> list[str]:
    """Write the last statements of the network's constructor; `parts` are those of its block classes, by name."""
    lines = [
        "        for module in self.modules():",
        "            if isinstance(module, nn.Conv2d):",
        f"                {_weights(rule.rule)}",
    ]
    names: dict[tuple[str, ...], list[str]] = {}
    for name, found in parts.items():
        if statements := tuple(_statements(rule, num_blocks, found)):
            names.setdefault(statements, []).append(name)
    if names:
        lines.append("        for module in self.modules():")
    for index, (statements, classes) in enumerate(names.items()):
        kinds = classes[0] if len(classes) == 1 else Call("", tuple(classes))
        lines += written(Call(f"{'elif' if index else 'if'} isinstance", ("module", kinds)), 12, ":")
        lines += [f"                {statement}" for statement in statements]
    return lines


def _weights(rule: InitRule) -> str:
    match rule:
        case InitRule.HE:
            return 'nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")'
        case InitRule.LECUN | InitRule.DEPTH_SCALED:
            return 'nn.init.kaiming_normal_(module.weight, nonlinearity="linear")'
        case InitRule.XAVIER:
            return "nn.init.xavier_normal_(module.weight)"
        case _:
            assert_never(rule)


def _statements(rule: Initialisation, num_blocks: int, parts: Parts) -> list[str]:
    """Write what sets the branch of a block apart from other layers."""
    weighted = [step for step in parts.branch if isinstance(step.layer, Conv | Norm)]
    statements = []
    if rule.rule.shrinks_branches:
        names = [f"module.{step.name}" for step in weighted if isinstance(step.layer, Conv)]
        gain = _gain(len(names), num_blocks, rule.c)
        if len(names) == 1:
            statements.append(f"{names[0]}.weight.data *= {gain}")
        else:
            statements += [f"for conv in ({', '.join(names)}):", f"    conv.weight.data *= {gain}"]
    if rule.zero_init:
        statements.append(f"nn.init.zeros_(module.{weighted[-1].name}.weight)")
    return statements


def _gain(num_convs: int, num_blocks: int, c: float) -> str:
    """Write the square root of `branch_gain`."""
    numerator = 2 ** (num_convs - 1) * c
    exponent = {1: "0.5", 2: "0.25"}.get(num_convs, f"(1 / {2 * num_convs})")
    return f"({int(numerator) if float(numerator).is_integer() else numerator} / {num_blocks}) ** {exponent}"
