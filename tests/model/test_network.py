"""The parts of a network by name: hooks and lesions need nothing else."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ressearch.arch import Architecture, Stage, named, plan
from ressearch.arch.merges import Merge
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.survival import DropPath
from ressearch.model import Block, Group, Network, build, modules


def built(architecture: Architecture) -> Network:
    torch.manual_seed(0)
    return build(plan(architecture, 2, 5)).eval()


def through_body(network: Network, x: Tensor) -> Tensor:
    """What the stages give, and the shortcut around them all."""
    y: Tensor = network.stages(x)
    return y if network.shortcut is None else network.after(y + network.shortcut(x))


def test_the_parts_by_name_are_the_network(combination: Architecture) -> None:
    resolved = plan(combination, 2, 5)
    network = built(combination)
    images = torch.randn(2, 2, 9, 9)
    assert torch.equal(network(images), network.head(through_body(network, network.stem(images))))
    assert all(isinstance(stage, Group) for stage in network.stages)
    assert len(network.stages) == len(resolved.stages)
    assert (network.shortcut is None) is (resolved.body.shortcut is None)
    assert len(network.blocks) == sum(1 for _ in resolved.blocks())
    for block, described in zip(network.blocks, resolved.blocks(), strict=True):
        assert len(block.before) == len(described.before)
        assert len(block.branch) == len(described.branch)
        assert (block.shortcut is None) is (described.shortcut is None)
        assert (block.gate is None) is (described.gate is None)
        assert len(block.after) == len(described.after)


def test_the_state_stands_in_the_order_of_the_plan(combination: Architecture) -> None:
    """Stem, blocks, what leads around them, head; in a block: before, branch, shortcut, gate, after."""
    network = built(combination)
    parts: list[nn.Module | None] = [network.stem, *group_parts(network.stages)]
    parts += [network.shortcut, network.after, network.head]
    expected = [tensor.data_ptr() for part in parts if part for tensor in part.state_dict().values()]
    assert [tensor.data_ptr() for tensor in network.state_dict().values()] == expected


def group_parts(items: nn.Sequential) -> list[nn.Module | None]:
    found: list[nn.Module | None] = []
    for item in items:
        if isinstance(item, Block):
            found += [item.before, item.branch, item.shortcut, item.gate, item.after]
        else:
            assert isinstance(item, Group)
            found += [*group_parts(item.items), item.shortcut, item.after]
    return found


def test_hooks_see_every_branch(combination: Architecture) -> None:
    network = built(combination)
    seen: dict[int, Tensor] = {}
    for index, block in enumerate(network.blocks):
        block.branch.register_forward_hook(lambda _module, _args, output, index=index: seen.update({index: output}))
    network(torch.randn(2, 2, 9, 9))
    assert list(seen) == list(range(len(network.blocks)))


class Zeros(nn.Module):
    """In place of a branch: nothing."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(self.branch(x))


def test_a_lesion_leaves_the_shortcut(combination: Architecture) -> None:
    """A block whose branch is cut passes on what its shortcut gives, weighed by its gate."""
    network = built(combination)
    x = network.stem(torch.randn(2, 2, 9, 9))
    for block in network.blocks:
        y = block(x)
        block.branch = Zeros(block.branch)  # type: ignore[assignment]
        inner = block.before(x)
        if block.shortcut is not None:
            weight = 1 if block.gate is None else 1 - block.gate(inner)
            assert torch.equal(block(x), block.after(block.shortcut(inner) * weight))
        x = y


def test_a_lesion_of_an_identity_block_is_as_if_it_were_not_there() -> None:
    network = built(Architecture(stages=(Stage(depth=3, width=8),), stem_width=8))
    images = torch.randn(2, 2, 9, 9)
    first, second, third = network.blocks
    second.branch = Zeros(second.branch)  # type: ignore[assignment]
    cut = network(images)
    assert torch.equal(cut, network.head(third(first(network.stem(images)))))  # a ReLU of a ReLU is one


def test_blocks_can_be_reached_through_their_stages() -> None:
    network = built(named("resnet-20"))
    assert [len(stage.items) for stage in network.stages] == [3, 3, 3]
    assert network.stages[1].items[0] is network.blocks[3]
    assert "stages.1.items.0.branch.0.weight" in network.state_dict()
    nested = built(Architecture(stages=(Stage(depth=4, width=8),) * 2, stem_width=8, levels=4))
    assert nested.stages[1].items[0].items[1] is nested.blocks[5]
    assert all(stage.shortcut is not None for stage in nested.stages)
    assert nested.shortcut is not None


def test_gates_and_small_modules_can_be_asked_for() -> None:
    stages = (
        Stage(depth=1, width=8, merge=Merge.EXCLUSIVE_GATE, gate_bias=-2.0, se=SqueezeExcitation.STANDARD, se_ratio=4),
    )
    (block,) = built(Architecture(stages=stages, stem_width=8)).blocks
    assert isinstance(block.gate, modules.Gate)
    assert isinstance(block.branch[-1], modules.SqueezeExcite)


RULES: dict[str, dict[str, Any]] = {
    "identities": {},
    "levels": {"levels": 3, "drop_path": DropPath.LINEAR, "drop_path_rate": 0.5},
    "gates": {"merge": Merge.SHORTCUT_ONLY_GATE, "gate_bias": -1.0, "se": SqueezeExcitation.PRE, "se_ratio": 4},
    "projections": {"shortcut": Shortcut.PROJECTION, "dropout": 0.3},
}
GOLDEN: dict[str, tuple[float, float, float]] = {
    "identities": (1.782229, 1.521944, 1.290177),
    "levels": (2.150913, 1.719151, 1.671889),
    "gates": (1.664555, 1.503686, 1.353202),
    "projections": (1.713875, 1.643331, 1.591902),
}
"""As computed when a network was still a sequence without names."""


@pytest.mark.parametrize("name", RULES)
def test_losses_of_a_seed_stay(name: str) -> None:
    """Loss after none, one and two steps: a change of structure must not change what is drawn or computed."""
    whole = {key: value for key, value in RULES[name].items() if key in Architecture.__dataclass_fields__}
    per_stage = {key: value for key, value in RULES[name].items() if key not in whole}
    shapes = ((8, 1), (16, 2))
    stages = tuple(Stage(depth=2, width=width, stride=stride, **per_stage) for width, stride in shapes)
    torch.manual_seed(0)
    network = build(plan(Architecture(stages=stages, stem_width=8, **whole), 2, 5))
    images, labels = torch.randn(16, 2, 8, 8), torch.arange(16) % 5
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(3):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == pytest.approx(GOLDEN[name], rel=1e-3)
