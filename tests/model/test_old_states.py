"""Weights of earlier versions, whose networks were sequences without names, are read under today's names."""

import pytest
import torch
from torch import nn

from ressearch.arch import Architecture, Plan, Stage, named, plan
from ressearch.arch.merges import Merge
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.model import Group, Network, build, renamed_state


class OldGroup(nn.Module):
    """What a group with a shortcut was."""

    def __init__(self, items: nn.Sequential, shortcut: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.items = items
        self.shortcut = shortcut
        self.after = after


def as_it_was(network: Network) -> nn.Module:
    """The same modules where they were in a network without names."""
    stages = nn.Sequential(*map(group_as_it_was, network.stages))
    body = stages if network.shortcut is None else [OldGroup(stages, network.shortcut, network.after)]
    return nn.Sequential(network.stem, *body, network.head)


def group_as_it_was(group: nn.Module) -> nn.Module:
    assert isinstance(group, Group)
    items = nn.Sequential(*(group_as_it_was(item) if isinstance(item, Group) else item for item in group.items))
    return items if group.shortcut is None else OldGroup(items, group.shortcut, group.after)


def check_renamed(resolved: Plan) -> None:
    network = build(resolved)
    old, new = as_it_was(network).state_dict(), network.state_dict()
    shuffled = dict(sorted(old.items()))  # as safetensors reads it back
    renamed = renamed_state(shuffled, resolved)
    assert set(renamed) == set(new)
    assert all(renamed[name] is not None and torch.equal(renamed[name], new[name]) for name in new)
    assert [*renamed_state(old, resolved)] == [*new]
    assert [*renamed_state(new, resolved)] == [*new]


SE = {"se": SqueezeExcitation.STANDARD, "se_ratio": 4}
GATE = {"merge": Merge.EXCLUSIVE_GATE}
NETWORKS = {
    "three stages": named("resnet-20"),
    "two levels": Architecture(stages=(Stage(depth=3, width=8),) * 3, stem_width=8, levels=2),
    "three levels": Architecture(stages=(Stage(depth=3, width=8),) * 3, stem_width=8, levels=3),
    "four levels": Architecture(stages=(Stage(depth=5, width=8),) * 12, stem_width=8, levels=4),
    "gates": Architecture(stages=(Stage(depth=2, width=8, **GATE),), stem_width=8),
    "squeeze-excitation": Architecture(stages=(Stage(depth=2, width=8, **SE),) * 11, stem_width=8),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_old_names_become_new_ones(name: str) -> None:
    check_renamed(plan(NETWORKS[name], 2, 5))


def test_old_names_of_every_combination(combination: Architecture) -> None:
    check_renamed(plan(combination, 2, 5))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("three stages", "0.0.weight", "stem.0.weight"),
        ("three stages", "1.2.branch.3.weight", "stages.0.items.2.branch.3.weight"),
        ("three stages", "4.1.bias", "head.1.bias"),
        ("two levels", "1.items.2.1.branch.0.weight", "stages.2.items.1.branch.0.weight"),
        ("two levels", "2.1.bias", "head.1.bias"),
        ("three levels", "1.items.0.items.1.branch.0.weight", "stages.0.items.1.branch.0.weight"),
        ("four levels", "1.items.11.items.1.items.0.branch.1.bias", "stages.11.items.1.items.0.branch.1.bias"),
        ("gates", "1.1.gate.conv.bias", "stages.0.items.1.gate.conv.bias"),
        ("squeeze-excitation", "11.0.branch.5.squeeze.bias", "stages.10.items.0.branch.5.squeeze.bias"),
        ("three stages", "stem.0.weight", "stem.0.weight"),
        ("three stages", "9.0.weight", "9.0.weight"),
        ("three stages", "weight", "weight"),
    ],
)
def test_names_by_example(name: str, old: str, new: str) -> None:
    """Names of before; others are left alone, for a message that knows them."""
    tensor = torch.zeros(())
    assert renamed_state({old: tensor}, plan(NETWORKS[name], 2, 5)) == {new: tensor}
