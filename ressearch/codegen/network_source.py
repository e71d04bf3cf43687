"""The source of the network: its stem, stages and head, how its weights start, and its forward pass."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from ressearch.arch.counting import path_cost
from ressearch.arch.initialisation import Initialisation, InitRule, branch_gain
from ressearch.arch.layers import Conv, GlobalAvgPool, Linear, MaxPool, Norm, Path
from ressearch.arch.plan_tree import Block, Plan
from ressearch.codegen.block_parts import Parts
from ressearch.codegen.block_sorting import BlockClass
from ressearch.codegen.layer_steps import Step, applied, constructions, literal, module, numbered
from ressearch.codegen.python_text import COUNTS, LINE_LENGTH, Call, written
from ressearch.codegen.stage_source import Stages, group_class, size


def network_text(
    plan: Plan, classes: Mapping[Block, BlockClass], parts: Mapping[BlockClass, Parts], name: str, resolution: int
) -> str:
    """Write the class of the network."""
    stem = numbered(literal(plan.stem))
    merged, head = _prefixed("merged_", plan.body.after), _prefixed("final_", plan.head)
    lines = [
        f"class {name}(nn.Module):",
        f'    """{_summary(plan)}"""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
    ]
    for statement in constructions(stem):
        lines += written(statement)
    lines += _survival(plan)
    lines += _stages(plan, classes, parts)
    if plan.body.shortcut:
        lines += written(module(literal(plan.body.shortcut), "self.shortcut = "))
    for statement in constructions([*merged, *head]):
        lines += written(statement)
    by_name = {block_class.name: found for block_class, found in parts.items()}
    lines += _initialisation(plan.initialisation, size(plan.body), by_name)
    lines += ["", "    def forward(self, x: Tensor) -> Tensor:", *_forward(plan, stem, merged, head, resolution)]
    return "\n".join(lines)


def _prefixed(prefix: str, path: Path) -> list[Step]:
    """Return steps whose norms are told from those of the stem."""
    steps = numbered(literal(path))
    return [replace(step, name=prefix + step.name) if isinstance(step.layer, Norm) else step for step in steps]


def _summary(plan: Plan) -> str:
    number = len(plan.stages)
    stages = f"{COUNTS.get(number, str(number))} stage{'s' * (number > 1)} of blocks"
    stem = "A stem" if any(isinstance(layer, MaxPool) for layer in plan.stem) else "A convolution"
    around = "" if plan.body.shortcut is None else " with a shortcut around them"
    return f"{stem}, {stages}{around} and a linear classifier."


def _stages(plan: Plan, classes: Mapping[Block, BlockClass], parts: Mapping[BlockClass, Parts]) -> list[str]:
    rows = {block: index for found in parts for index, block in enumerate(found.blocks)}

    def made(block: Block, survival: str) -> Call:
        found = classes[block]
        own = [f"survival={survival}"] if survival else []
        return Call(found.name, (*parts[found].arguments.given(rows[block]), *own))

    stages = Stages(made, group_class(plan), len(plan.survival) if _has_survival_list(plan) else 0)
    lines, first = [], 0
    for number, stage in enumerate(plan.stages, start=1):
        lines += written(stages.call(f"self.stage{number} = ", stage, first))
        first += size(stage)
    return lines


def _has_survival_list(plan: Plan) -> bool:
    """Whether blocks differ in their survival; else it is a number in their class."""
    return len(set(plan.survival)) > 1


def _survival(plan: Plan) -> list[str]:
    """Write the list of the survival probabilities of all blocks, by the function of their rule."""
    rule = plan.stochastic_depth.rule.function
    if rule is None or not _has_survival_list(plan):
        return []
    return [
        "        # Probability that the branch of a block takes part in a training step",
        f"        survival = {rule.__name__}({plan.stochastic_depth.rate!r}, {size(plan.body)})",
    ]


def _initialisation(start: Initialisation, num_blocks: int, parts: Mapping[str, Parts]) -> list[str]:
    """Write the last statements of the constructor; `parts` are those of the classes of blocks, by name."""
    lines = [
        "        for module in self.modules():",
        "            if isinstance(module, nn.Conv2d):",
        f"                {_weights(start.rule)}",
    ]
    names: dict[tuple[str, ...], list[str]] = {}
    for name, found in parts.items():
        if statements := tuple(_branch_weights(start, num_blocks, found)):
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


def _branch_weights(start: Initialisation, num_blocks: int, parts: Parts) -> list[str]:
    """Write what sets the branch of a block apart from other layers."""
    weighted = [step for step in parts.branch if isinstance(step.layer, Conv | Norm)]
    statements = []
    if start.rule.shrinks_branches:
        names = [f"module.{step.name}" for step in weighted if isinstance(step.layer, Conv)]
        gain = f"{branch_gain.__name__}({len(names)}, {num_blocks}, {start.c}) ** 0.5"
        if len(names) == 1:
            statements.append(f"{names[0]}.weight.data *= {gain}")
        else:
            statements += [f"for conv in ({', '.join(names)}):", f"    conv.weight.data *= {gain}"]
    if start.zero_init:
        statements.append(f"nn.init.zeros_(module.{weighted[-1].name}.weight)")
    return statements


def _forward(plan: Plan, stem: list[Step], merged: list[Step], head: list[Step], resolution: int) -> list[str]:
    """Write `forward` with the shape behind every line that changes it."""
    conv = plan.stem[0]
    assert isinstance(conv, Conv)
    pooling = [step for step in stem if isinstance(step.layer, MaxPool)]
    steps = stem[: len(stem) - len(pooling)]
    before, channels = f"(N, {conv.c_in}, {resolution}, {resolution})", conv.c_out
    side = path_cost(plan.stem[: len(steps)], resolution)[1]
    lines = _commented(f"x = {applied(steps, 'x')}", f"{before} -> (N, {channels}, {side}, {side})")
    if pooling:
        side = path_cost(plan.stem, resolution)[1]
        lines += _commented(f"x = {applied(pooling, 'x')}", f"(N, {channels}, {side}, {side})")
    has_shortcut = plan.body.shortcut is not None
    for number, stage in enumerate(plan.stages, start=1):
        for block in stage.blocks():
            side = path_cost(block.branch, side)[1]
            channels = next(layer.c_out for layer in reversed(block.branch) if isinstance(layer, Conv))
        target, read = ("y", "y" if number > 1 else "x") if has_shortcut else ("x", "x")
        lines += _commented(f"{target} = self.stage{number}({read})", f"(N, {channels}, {side}, {side})")
    if has_shortcut:
        shortcut = "self.shortcut(x)" if plan.body.shortcut else "x"
        lines.append(f"        x = {applied(merged, f'y + {shortcut}')}")
    pool = next(index for index, step in enumerate(head) if isinstance(step.layer, GlobalAvgPool))
    lines += [f"        x = {applied(head[:pool], 'x')}"] if pool else []
    lines += _commented(f"x = {applied([head[pool]], 'x')}", f"(N, {channels})")
    classifier = plan.head[-1]
    assert isinstance(classifier, Linear)
    return [*lines, *_commented(f"return {applied(head[pool + 1 :], 'x')}", f"(N, {classifier.c_out})")]


def _commented(statement: str, comment: str) -> list[str]:
    line = f"        {statement}  # {comment}"
    return [line] if len(line) <= LINE_LENGTH else [f"        # {comment}", f"        {statement}"]
