"""Which blocks of a plan share a class, and what the constructor of that class asks for."""

from dataclasses import dataclass, fields
from enum import Enum
from math import prod

from ressearch.arch.layers import Conv, Path, SqueezeExcite
from ressearch.arch.plan import Block, Plan


class ShortcutKind(Enum):
    """What a block adds to its branch; the value is a word for it, where a class needs to be told apart."""

    IDENTITY = "identity"
    ZERO_PAD = "zero-padded"
    PROJECTION = "projection"
    PLAIN = "none"


@dataclass(frozen=True)
class Numbers:
    """All in which two blocks of one class may differ, in the order of a constructor's arguments."""

    in_channels: int
    out_channels: int
    width: int
    groups: int
    hidden: int
    stride: int


@dataclass(frozen=True, eq=False)
class BlockClass:
    """Blocks that one class describes.

    Attributes:
        name: A Python name.
        blocks: The distinct blocks, each with every layer of the class but, maybe, those of the shortcut.
        shortcut: The shortcut of the class.
        has_identities: Whether blocks that keep the shape have an identity instead of that shortcut.
        expressions: What stands in the class for each number: an argument, a literal, or a term of the output.
    """

    name: str
    blocks: tuple[Block, ...]
    shortcut: ShortcutKind
    has_identities: bool
    expressions: dict[str, str]

    @property
    def example(self) -> Block:
        """A block with every layer of the class."""
        return next(block for block in self.blocks if shortcut_kind(block) is self.shortcut)

    @property
    def arguments(self) -> list[str]:
        """Names of the constructor's arguments."""
        return list(dict.fromkeys(text for text in self.expressions.values() if text.isidentifier()))

    def construction(self, block: Block) -> str:
        """Write the call that builds one of the blocks, such as `BasicBlock(16, 32, stride=2)`."""
        values = vars(numbers(block))
        given = []
        for name in self.arguments:
            value = values["out_channels" if name == "channels" else name]
            if name.endswith("channels"):
                given.append(str(value))
            elif (name, value) != ("stride", 1):
                given.append(f"{name}={value}")
        return f"{self.name}({', '.join(given)})"


def block_classes(plan: Plan) -> dict[Block, BlockClass]:
    """Sort the blocks of a plan into as few classes as can be written without a case that never occurs."""
    groups: dict[tuple[str, ...], list[Block]] = {}
    for block in dict.fromkeys(block for stage in plan.stages for block in stage):
        groups.setdefault((*_skeleton(block), shortcut_kind(block).name), []).append(block)
    members = [tuple(blocks) for blocks in _with_identities(list(groups.values()))]
    found: dict[Block, BlockClass] = {}
    for blocks, name in zip(members, _names(members), strict=True):
        kinds = {shortcut_kind(block) for block in blocks}
        shortcut = next(iter(kinds - {ShortcutKind.IDENTITY}), ShortcutKind.IDENTITY)
        rows = [numbers(block) for block in blocks]
        found |= dict.fromkeys(blocks, BlockClass(name, blocks, shortcut, len(kinds) > 1, _expressions(rows)))
    return found


def numbers(block: Block) -> Numbers:
    """Read a block's numbers off its branch."""
    convs = [layer for layer in block.branch if isinstance(layer, Conv)]
    return Numbers(
        in_channels=convs[0].c_in,
        out_channels=convs[-1].c_out,
        width=convs[0].c_out,
        groups=max(conv.groups for conv in convs),
        hidden=sum(layer.hidden for layer in block.branch if isinstance(layer, SqueezeExcite)),
        stride=prod(conv.stride for conv in convs),
    )


def shortcut_kind(block: Block) -> ShortcutKind:
    """Classify the shortcut of a block."""
    match block.shortcut:
        case None:
            return ShortcutKind.PLAIN
        case ():
            return ShortcutKind.IDENTITY
        case (Conv(), *_):
            return ShortcutKind.PROJECTION
        case _:
            return ShortcutKind.ZERO_PAD


def _skeleton(block: Block) -> tuple[str, str, str]:
    """Spell the layers of a block, its shortcut left out, without their numbers."""

    def spell(path: Path) -> str:
        return " ".join(f"{type(layer).__name__}{getattr(layer, 'kernel', '')}" for layer in path)

    return spell(block.before), spell(block.branch), spell(block.after)


def _with_identities(groups: list[list[Block]]) -> list[list[Block]]:
    """Join blocks with an identity to the like ones with one other kind of shortcut that all change the shape."""
    joined = [*groups]
    for group in groups:
        if shortcut_kind(group[0]) is not ShortcutKind.IDENTITY:
            continue
        like = [other for other in joined if other is not group and _skeleton(other[0]) == _skeleton(group[0])]
        like = [other for other in like if other[0].shortcut is not None]
        if len(like) == 1 and not any(_keeps_shape(block) for block in like[0]):
            joined = [group + other if other is like[0] else other for other in joined if other is not group]
    return joined


def _keeps_shape(block: Block) -> bool:
    found = numbers(block)
    return (found.in_channels, 1) == (found.out_channels, found.stride)


def _expressions(rows: list[Numbers]) -> dict[str, str]:
    """Return what stands for each number inside a class of these blocks."""
    out = [row.out_channels for row in rows]
    same = out == [row.in_channels for row in rows]
    name = "channels" if same else "out_channels"
    found = {"in_channels": "channels" if same else "in_channels", "out_channels": name}
    for field in fields(Numbers)[2:]:
        column = [getattr(row, field.name) for row in rows]
        if field.name in ("width", "hidden") and any(column):
            found[field.name] = _term(column, out, name) or field.name
        else:
            found[field.name] = str(column[0]) if len(set(column)) == 1 else field.name
    return found


def _term(column: list[int], out: list[int], name: str) -> str | None:
    """Write a column as the output channels, a multiple or a whole part of them, where one fits all blocks."""
    if column == out:
        return name
    factor = column[0] // out[0]
    if column == [factor * channels for channels in out]:
        return f"{factor} * {name}"
    parts = [part for part in range(2, max(out) + 1) if column == [channels // part for channels in out]]
    return f"{name} // {max(parts, key=lambda part: part & -part)}" if parts else None  # the roundest of several


def _names(members: list[tuple[Block, ...]]) -> list[str]:
    """Name classes after their convolutions, and special ones also after what sets them apart."""
    gated = {_is_gated(blocks[0]) for blocks in members}
    names: dict[int, str] = {}
    for index in sorted(range(len(members)), key=lambda index: _is_special(members[index])):
        block = members[index][-1]
        base = ("SE" if len(gated) > 1 and _is_gated(block) else "") + _base_name(block)
        kind = shortcut_kind(block).name.title().replace("_", "")
        options = (base, f"First{base}" if _is_first(block) else f"{kind}{base}")
        numbered = (f"{base}{number}" for number in range(2, len(members) + 2))
        names[index] = next(name for name in (*options, *numbered) if name not in names.values())
    return [names[index] for index in range(len(members))]


def _is_special(blocks: tuple[Block, ...]) -> bool:
    """Whether the plain name of its convolutions would better go to another class."""
    kinds = {shortcut_kind(block) for block in blocks}
    return _is_first(blocks[0]) or kinds <= {ShortcutKind.PROJECTION, ShortcutKind.PLAIN}


def _is_first(block: Block) -> bool:
    """Whether this is the first block of a pre-activated network, which feeds its shortcut from the activation too."""
    return bool(block.before) and shortcut_kind(block) is not ShortcutKind.PROJECTION


def _is_gated(block: Block) -> bool:
    return any(isinstance(layer, SqueezeExcite) for layer in block.branch)


def _base_name(block: Block) -> str:
    match [layer.kernel for layer in block.branch if isinstance(layer, Conv)]:
        case [3, 3]:
            return "BasicBlock"
        case [1, 3, 1]:
            return "Bottleneck"
        case _:
            return "Block"
