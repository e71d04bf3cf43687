"""The plan: a network with every layer resolved, as plain data. Counting, building, exporting and drawing read it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ressearch.arch.initialisation import Initialisation
from ressearch.arch.layers import Gate, Layer, Path
from ressearch.arch.survival import StochasticDepth


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block: x = before(x); return after(branch(x) + shortcut(x)).

    `shortcut` is () for the identity and None where nothing is added (a plain network). With a gate g the shortcut
    counts 1 - g(x), and the branch g(x) where the gate is exclusive.
    """

    before: Path
    branch: Path
    shortcut: Path | None
    after: Path
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks, or groups of them, in sequence, with a shortcut around them all: after(items(x) + shortcut(x)).

    `shortcut` is None where nothing is added, and `after` is empty there. What an ordering puts behind an addition
    follows the outermost of several that end together (Zhang et al. 2017, arXiv:1608.02908, figure 2).
    """

    items: "tuple[Block | Group, ...]"
    shortcut: Path | None = None
    after: Path = ()

    def __repr__(self) -> str:
        around = "" if self.shortcut is None else ", with a shortcut around them"
        return f"<Group of {sum(1 for _ in self.blocks())} blocks{around}>"

    def blocks(self) -> Iterator[Block]:
        """Every block in order."""
        for item in self.items:
            if isinstance(item, Block):
                yield item
            else:
                yield from item.blocks()


@dataclass(frozen=True, slots=True)
class Plan:
    """Stem, body, head: a network from (N, in_channels, H, W) images to (N, num_classes) logits.

    stochastic_depth: how often the branch of each block takes part in a training step.
    initialisation: how the weights of convolutions start.
    """

    stem: Path
    body: Group
    head: Path
    stochastic_depth: StochasticDepth = StochasticDepth()  # noqa: RUF009 - frozen
    initialisation: Initialisation = Initialisation()  # noqa: RUF009 - frozen

    def __repr__(self) -> str:
        return f"<Plan: stem {self.stem}, {self.body}, head {self.head}>"

    @property
    def survival(self) -> tuple[float, ...]:
        """The probability that the branch of each block takes part in a training step, in the order of the blocks.

        In evaluation the branch is multiplied by it. () where every branch always takes part.
        """
        return self.stochastic_depth.rule.survival(self.stochastic_depth.rate, sum(1 for _ in self.blocks()))

    @property
    def stages(self) -> tuple[Group, ...]:
        """The stages of the body."""
        return tuple(item for item in self.body.items if isinstance(item, Group))

    def blocks(self) -> Iterator[Block]:
        """Every block in order."""
        return self.body.blocks()

    def layers(self) -> Iterator[Layer]:
        """Every layer in the order in which parameters are created.

        A block's: before, branch, shortcut, gate, after. A group's: items, shortcut, after.
        """
        yield from self.stem
        yield from _group_layers(self.body)
        yield from self.head


def _group_layers(group: Group) -> Iterator[Layer]:
    for item in group.items:
        if isinstance(item, Group):
            yield from _group_layers(item)
        else:
            for path in (item.before, item.branch, item.shortcut or (), (item.gate,) if item.gate else (), item.after):
                yield from path
    yield from group.shortcut or ()
    yield from group.after
