"""Plan -> Network: a module whose parts have names, initialised."""

import math
from collections.abc import Iterator
from itertools import chain, repeat

import torch
from torch import Tensor, nn

from ressearch.arch import plan_tree
from ressearch.arch.initialisation import Initialisation, branch_gain
from ressearch.arch.plan_tree import Plan
from ressearch.model.modules import module_of, sequence


def build(plan: Plan) -> "Network":
    """Build the network of a plan: (N, C, H, W) images to (N, num_classes) logits.

    Convolutions start as the plan's initialisation says, gates' biases as their layer does, norms as the identity, and
    linear layers as torch starts them. Weights come from torch's global generator: seed it first. What is random in
    training, dropout and stochastic depth, comes from the global generators too.
    """
    network = Network(plan)
    _initialise(network, plan.initialisation)
    return network


class Network(nn.Module):
    """Stem, stages, head: (N, C, H, W) images to (N, num_classes) logits.

    The state dict is in the order of `Plan.layers()`.

    Attributes:
        stem: The layers before the first block.
        stages: One `Group` each.
        shortcut: Around all stages; None where there is none.
        after: What follows the addition of that shortcut; empty without one.
        head: The layers behind the last block, from maps to logits.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        assert len(plan.stages) == len(plan.body.items), "every block is in a stage"
        survival = chain(plan.survival, repeat(1.0))
        self.stem = sequence(plan.stem)  # made, and so drawn, in the order of the layers
        self.stages = nn.Sequential(*(Group(stage, survival) for stage in plan.stages))
        self.shortcut = None if plan.body.shortcut is None else sequence(plan.body.shortcut)
        self.after = sequence(plan.body.after)
        self.head = sequence(plan.head)

    @property
    def blocks(self) -> tuple["Block", ...]:
        """Every block in order."""
        return tuple(module for module in self.stages.modules() if isinstance(module, Block))

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, num_classes)."""
        x = self.stem(images)
        y = self.stages(x)
        if self.shortcut is not None:
            y = self.after(y + self.shortcut(x))
        return self.head(y)  # type: ignore[no-any-return]


class Group(nn.Module):
    """Blocks, or groups of them, in sequence, which may have a shortcut around them all.

    Attributes:
        items: Each a `Block` or a `Group`.
        shortcut: None where nothing is added.
        after: What follows the addition; empty without one.
    """

    def __init__(self, group: plan_tree.Group, survival: Iterator[float]) -> None:
        super().__init__()
        self.items = nn.Sequential(
            *(
                Group(item, survival) if isinstance(item, plan_tree.Group) else Block(item, next(survival))
                for item in group.items
            )
        )
        self.shortcut = None if group.shortcut is None else sequence(group.shortcut)
        self.after = sequence(group.after)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.items(x)
        return y if self.shortcut is None else self.after(y + self.shortcut(x))


class Block(nn.Module):
    """One residual block: x = before(x), then after(branch(x) + shortcut(x)); an empty path is the identity.

    Attributes:
        before: What leads to both branch and shortcut.
        branch: The residual function.
        shortcut: None where nothing is added (a plain network).
        gate: What the shortcut is weighed with by 1 - gate, and the branch by gate where it is exclusive; or None.
        after: What follows the addition.
        survival: The probability that the branch takes part in a training step; in evaluation it is a factor.
    """

    def __init__(self, block: plan_tree.Block, survival: float = 1.0) -> None:
        super().__init__()
        self.before = sequence(block.before)
        self.branch = sequence(block.branch)
        self.shortcut = None if block.shortcut is None else sequence(block.shortcut)
        self.gate = None if block.gate is None else module_of(block.gate)
        self.after = sequence(block.after)
        self.is_exclusive = block.gate is not None and block.gate.exclusive
        self.survival = survival

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c_in, H, W) to (N, c_out, ceil(H / stride), ceil(W / stride))."""
        x = self.before(x)
        if self.shortcut is None:
            return self.after(self.branch(x))  # type: ignore[no-any-return]
        gate = None if self.gate is None else self.gate(x)
        if self.training and self.survival < 1 and torch.rand(()) >= self.survival:
            return self.after(self._weighed_shortcut(x, gate))  # type: ignore[no-any-return]
        y = self.branch(x)
        if self.is_exclusive:
            y = y * gate
        if self.survival < 1 and not self.training:
            y = y * self.survival
        return self.after(y + self._weighed_shortcut(x, gate))  # type: ignore[no-any-return]

    def _weighed_shortcut(self, x: Tensor, gate: Tensor | None) -> Tensor:
        assert self.shortcut is not None
        shortcut: Tensor = self.shortcut(x)
        return shortcut if gate is None else shortcut * (1 - gate)


def _initialise(network: Network, initialisation: Initialisation) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
            nn.init.normal_(module.weight, std=math.sqrt(initialisation.rule.variance(fan_in, fan_out)))
    blocks = network.blocks
    for block in blocks:
        weighted = [module for module in block.branch if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm)]
        if initialisation.rule.shrinks_branches:
            convs = [module for module in weighted if isinstance(module, nn.Conv2d)]
            for conv in convs:
                with torch.no_grad():
                    conv.weight.mul_(math.sqrt(branch_gain(len(convs), len(blocks), initialisation.c)))
        if initialisation.zero_init:
            nn.init.zeros_(weighted[-1].weight)
