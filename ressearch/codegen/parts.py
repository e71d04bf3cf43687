"""The parts of a block's class, each as steps over the arguments of its constructor."""

from collections.abc import Callable
from dataclasses import dataclass

from ressearch.arch.layers import Path
from ressearch.arch.plan_tree import Block
from ressearch.codegen.arguments import Arguments
from ressearch.codegen.classes import BlockClass, divided, entry
from ressearch.codegen.steps import Step, numbered


@dataclass(frozen=True)
class Parts:
    """What a block does: x = before(x), then after(closing(branch(x) + tail(change(x)))).

    Attributes:
        change: The part of the shortcut that blocks lack which keep the shape.
        gate: One step, or none.
        closing: What those blocks lack that end a group, since it stands behind the addition of the group.
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
