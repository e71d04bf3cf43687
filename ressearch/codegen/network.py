"""The source of the network: its stem, stages and head, and its forward pass."""

from collections.abc import Mapping
from dataclasses import replace

from ressearch.arch.counting import path_cost
from ressearch.arch.layers import Conv, GlobalAvgPool, Linear, MaxPool, Norm, Path
from ressearch.arch.plan_tree import Block, Plan
from ressearch.codegen.blocks import COUNTS
from ressearch.codegen.classes import BlockClass
from ressearch.codegen.groups import Stages, group_class, size
from ressearch.codegen.initialisation import initialisation
from ressearch.codegen.lines import LINE_LENGTH, Call, written
from ressearch.codegen.parts import Parts
from ressearch.codegen.steps import Step, applied, constructions, literal, module, numbered
from ressearch.codegen.survival import is_shared, survival_list


def network_source(
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
    if plan.survival and not is_shared(plan.survival):
        lines += ["        # Probability that the branch of a block takes part in a training step"]
        lines += written(survival_list(plan.survival))
    lines += _stages(plan, classes, parts)
    if plan.body.shortcut:
        lines += written(module(literal(plan.body.shortcut), "self.shortcut = "))
    for statement in constructions([*merged, *head]):
        lines += written(statement)
    by_name = {block_class.name: found for block_class, found in parts.items()}
    lines += initialisation(plan.initialisation, size(plan.body), by_name)
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

    has_list = plan.survival and not is_shared(plan.survival)
    stages = Stages(made, group_class(plan), len(plan.survival) if has_list else 0)
    lines, first = [], 0
    for number, stage in enumerate(plan.stages, start=1):
        lines += written(stages.call(f"self.stage{number} = ", stage, first))
        first += size(stage)
    return lines


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
