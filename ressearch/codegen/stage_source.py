"""Stages in the source: blocks in sequence, and the class of those with a shortcut around them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ressearch.arch.layers import Act, Path
from ressearch.arch.plan_tree import Block, Group, Plan
from ressearch.codegen.layer_steps import applied, literal, module
from ressearch.codegen.python_text import Call

SHORTEST_RUN = 3
"""Blocks in a row that become one line, where they are equal."""

BlockCall = Callable[[Block, str], Call]
"""The call that makes a block, given what stands for its survival."""


@dataclass(frozen=True)
class GroupClass:
    """The class of all groups with a shortcut but the outermost, whose shortcut is in the network.

    Attributes:
        takes_shortcut: Whether a group is given its shortcut; else all of them are identities.
        after: What follows the addition in every group; None where a group is given it.
    """

    takes_shortcut: bool
    after: Path | None

    def source(self) -> str:
        """Write the class."""
        given = [*(["shortcut"] if self.takes_shortcut else []), *(["after"] if self.after is None else [])]
        signature = ", ".join(("self", "*blocks: nn.Module", *(f"{name}: nn.Module" for name in given)))
        merged = f"self.blocks(x) + {'self.shortcut(x)' if self.takes_shortcut else 'x'}"
        after = f"self.after({merged})" if self.after is None else applied(literal(self.after), merged)
        lines = [
            "class Group(nn.Module):",
            '    """Blocks in sequence with a shortcut around them all."""',
            "",
            f"    def __init__({signature}) -> None:",
            "        super().__init__()",
            "        self.blocks = nn.Sequential(*blocks)",
            *(f"        self.{name} = {name}" for name in given),
            "",
            "    def forward(self, x: Tensor) -> Tensor:",
            f"        return {after}",
        ]
        return "\n".join(lines)


def group_class(plan: Plan) -> GroupClass | None:
    """Return the class of the groups with a shortcut, None where there are none."""
    groups = [group for stage in plan.stages for group in _with_shortcut(stage)]
    if not groups:
        return None
    afters = {group.after for group in groups}
    after = afters.pop()
    is_common = not afters and all(isinstance(layer, Act) for layer in after)
    return GroupClass(any(group.shortcut for group in groups), after if is_common else None)


@dataclass(frozen=True)
class Stages:
    """Writes the calls that make groups of blocks.

    Attributes:
        made: Writes the call that makes a block.
        kind: The class of groups with a shortcut.
        num_listed: The length of the list of survival probabilities, 0 where there is none.
    """

    made: BlockCall
    kind: GroupClass | None
    num_listed: int

    def call(self, head: str, group: Group, first: int) -> Call:
        """Write the call that makes a group whose first block is the network's block number `first`, from 0 on."""
        items: list[str | Call] = []
        for item, run in groupby(group.items):
            length = len(list(run))
            if isinstance(item, Group):
                items += [self.call("", item, first + part * size(item)) for part in range(length)]
            else:
                items += self._run(item, length, first, is_eager=group.shortcut is not None)
            first += length * size(item)
        if group.shortcut is None:
            return Call(f"{head}nn.Sequential", tuple(items), is_long=len(items) > 1)
        assert self.kind is not None
        given = [module(literal(group.shortcut), "shortcut=")] if self.kind.takes_shortcut else []
        given += [module(literal(group.after), "after=")] if self.kind.after is None else []
        return Call(f"{head}Group", (*items, *given), is_long=True)

    def _run(self, block: Block, length: int, first: int, is_eager: bool) -> list[str | Call]:
        """Write equal blocks in a row; three or more become one line.

        `is_eager` makes that a list: Python would ask a generator for its blocks after making the shortcut that
        follows as a keyword, and weights would be drawn in another order.
        """
        brackets = "[]" if is_eager else "()"
        if length < SHORTEST_RUN:
            names = [f"survival[{first + part}]" if self.num_listed else "" for part in range(length)]
            return [self.made(block, name) for name in names]
        if not self.num_listed:
            return [Call("*", (self.made(block, ""), f"for _ in range({length})"), separator=" ", brackets=brackets)]
        span = f"{first or ''}:{first + length if first + length < self.num_listed else ''}"
        values = "survival" if span == ":" else f"survival[{span}]"
        return [Call("*", (self.made(block, "p"), f"for p in {values}"), separator=" ", brackets=brackets)]


def size(item: Block | Group) -> int:
    """Return the number of blocks."""
    return 1 if isinstance(item, Block) else sum(size(inner) for inner in item.items)


def _with_shortcut(group: Group) -> Iterator[Group]:
    if group.shortcut is not None:
        yield group
    for item in group.items:
        if isinstance(item, Group):
            yield from _with_shortcut(item)
