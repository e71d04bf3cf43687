"""Which blocks of a plan share a class, and what each class is called."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain, takewhile
from operator import and_

from ressearch.arch.layers import Act, Conv, Norm, Path
from ressearch.arch.plan_tree import Block, Plan
from ressearch.codegen.layer_steps import Adds, Extra, Gives, slots, spelling

Changes = dict[Block, Path]
"""The part of each block's shortcut that changes the shape, in layers that all of them have, or () for the identity."""


@dataclass(frozen=True, eq=False)
class BlockClass:
    """Blocks of one class; some may lack what changes the shape, or norm and activation behind the addition.

    Attributes:
        name: A Python name.
        changes: The distinct blocks, each with the part of its shortcut that changes the shape.
    """

    name: str
    changes: Changes

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The distinct blocks."""
        return tuple(self.changes)

    @property
    def example(self) -> Block:
        """A block with all layers behind the addition."""
        return max(self.changes, key=lambda block: len(block.after))

    @property
    def is_plain(self) -> bool:
        """Whether the blocks have no shortcut."""
        return self.example.shortcut is None

    @property
    def has_identities(self) -> bool:
        """Whether some of the blocks change the shape on the shortcut and some do not."""
        return any(self.changes.values()) and not all(self.changes.values())

    @property
    def is_pre_activation(self) -> bool:
        """Whether a norm or an activation comes before the first convolution."""
        return not starts_with_conv(self.example.before + self.example.branch)


def block_classes(plan: Plan) -> dict[Block, BlockClass]:
    """Sort the blocks of a plan into as few classes as can be written without a case that never occurs."""
    families: dict[tuple[object, ...], list[Block]] = {}
    for block in dict.fromkeys(plan.blocks()):
        _, tail = divided(block.shortcut or ())
        forms = tuple(_forms(path) for path in (*entry(block), tail))
        families.setdefault((forms, block.shortcut is None, block.gate and block.gate.exclusive), []).append(block)
    found = [changes for family in families.values() for blocks in _by_after(family) for changes in _by_change(blocks)]
    return {
        block: made
        for made in (BlockClass(name, changes) for name, changes in zip(_names(found), found, strict=True))
        for block in made.blocks
    }


def entry(block: Block) -> tuple[Path, Path]:
    """Return what leads to branch and shortcut, and the branch; one path where there is no shortcut."""
    return ((), block.before + block.branch) if block.shortcut is None else (block.before, block.branch)


def divided(shortcut: Path) -> tuple[Path, Path]:
    """Divide a shortcut into what may change the shape, and what follows it in blocks that keep the shape too."""
    length = len(shortcut)
    while length and spelling(shortcut[length - 1]).extra:
        length -= 1
    return shortcut[:length], shortcut[length:]


def starts_with_conv(path: Path) -> bool:
    """Whether a path convolves before it normalises or activates."""
    return isinstance(next(layer for layer in path if isinstance(layer, Conv | Norm | Act)), Conv)


def _forms(path: Path) -> tuple[object, ...]:
    return tuple(spelling(layer).form for layer in path)


def _by_after(blocks: list[Block]) -> Iterator[list[Block]]:
    """Part blocks that go on differently behind the addition, but for norms and activations that only some have."""
    found: dict[tuple[object, ...], dict[tuple[object, ...], list[Block]]] = {}
    for block in blocks:
        steps = tuple(takewhile(lambda layer: isinstance(layer, Norm | Act), block.after))
        rest = block.after[len(steps) :]
        found.setdefault(_forms(rest), {}).setdefault(_forms(steps), []).append(block)
    for by_steps in found.values():
        if len(by_steps) == 2 and () in by_steps:
            yield list(chain.from_iterable(by_steps.values()))
        else:
            yield from by_steps.values()


def _by_change(blocks: list[Block]) -> list[Changes]:
    """Join blocks whose shortcuts differ by layers that could as well do nothing, then identities to those."""
    found: dict[tuple[object, ...], Changes] = {}
    for block in blocks:
        change, _ = divided(block.shortcut or ())
        found.setdefault(_forms(change), {})[block] = change
    identities = found.pop((), {})
    joined: list[Changes] = []
    for changes in sorted(found.values(), key=lambda changes: -len(next(iter(changes.values())))):
        for larger in joined:
            pattern = next(iter(larger.values()))
            aligned = {block: _aligned(block, change, pattern) for block, change in changes.items()}
            if all(aligned.values()):
                larger |= {block: change or () for block, change in aligned.items()}
                break
        else:
            joined.append(changes)
    open_to_identities = [changes for changes in joined if not any(_keeps_shape(block) for block in changes)]
    if identities and len(open_to_identities) == 1:
        open_to_identities[0] |= identities
    elif identities:
        joined.append(identities)
    return joined


def _aligned(block: Block, change: Path, pattern: Path) -> Path | None:
    """Fill a path with layers that do nothing until it has those of the pattern; None where that cannot be."""
    rest = list(change)
    channels = _convs(block)[0].c_in
    filled: Path = ()
    for layer in pattern:
        spelled = spelling(layer)
        if rest and spelling(rest[0]).form == spelled.form:
            filled += (rest.pop(0),)
        elif spelled.neutral is not None:
            filled += (spelled.neutral(channels),)
        else:
            return None
        given = [slot.value for slot in slots(filled[-1]) if isinstance(slot, Gives | Adds)]
        channels = given[-1] if given else channels
    return None if rest else filled


def _convs(block: Block) -> list[Conv]:
    return [layer for layer in block.branch if isinstance(layer, Conv)]


def _keeps_shape(block: Block) -> bool:
    convs = _convs(block)
    return convs[0].c_in == convs[-1].c_out and all(conv.stride == 1 for conv in convs)


def _names(classes: list[Changes]) -> list[str]:
    """Name classes after their convolutions, and like ones also after what sets them apart."""
    bases = [_base_name(next(iter(changes))) for changes in classes]
    features = [_features(changes) for changes in classes]
    names: list[str] = []
    for base, found in zip(bases, features, strict=True):
        like = [set(other) for other, other_base in zip(features, bases, strict=True) if other_base == base]
        common = reduce(and_, like)
        name = "".join(word for word in found if word not in common) + base
        taken = sum(other.rstrip("0123456789") == name for other in names)
        names.append(f"{name}{taken + 1}" if taken else name)
    return names


def _features(changes: Changes) -> list[str]:
    """Return words for what a class may have and another not."""
    block = next(iter(changes))
    change = next((change for change in changes.values() if change), ())
    has_conv = any(isinstance(layer, Conv) for layer in change)
    extras = {extra.feature: True for extra in extras_of(block.branch + (block.shortcut or ()) + block.after)}
    is_joined = not all(changes.values())
    words = {
        "Plain": block.shortcut is None,
        "First": bool(entry(block)[0]) and not has_conv,
        "Projection": has_conv and not is_joined,
        type(change[-1]).__name__ if change else "": bool(change) and not has_conv and not is_joined,
        "Gated": block.gate is not None,
        **extras,
    }
    return [word for word, holds in words.items() if holds]


def extras_of(path: Path) -> tuple[Extra, ...]:
    """Return the extras among some layers, each once."""
    return tuple(dict.fromkeys(extra for layer in path if (extra := spelling(layer).extra)))


def _base_name(block: Block) -> str:
    match [conv.kernel for conv in _convs(block)]:
        case [3, 3]:
            return "BasicBlock"
        case [1, 3, 1]:
            return "Bottleneck"
        case _:
            return "Block"
