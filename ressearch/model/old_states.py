"""Weights under the names of earlier versions, whose networks were sequences without names."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from ressearch.arch.plan_tree import Group, Plan


def renamed_state(state: Mapping[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """Return a state dict of the plan's network under today's names.

    Before its parts had names, a network was a sequence of stem, stages and head, or of stem, body and head where a
    shortcut leads around all stages: `1.0.branch.0.weight` is `stages.0.items.0.branch.0.weight` today. Names of today,
    and names of no such network, are left alone.
    """
    prefixes = dict(_prefixes(plan))
    return {_renamed(name, prefixes): tensor for name, tensor in state.items()}


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """Replace the prefix that ends at one of the name's dots; no prefix begins another."""
    for end in (index + 1 for index, character in enumerate(name) if character == "."):
        if name[:end] in prefixes:
            return prefixes[name[:end]] + name[end:]
    return name


def _prefixes(plan: Plan) -> Iterator[tuple[str, str]]:
    """Return the old and the new prefix of every path and every block."""
    yield "0.", "stem."
    if plan.body.shortcut is None:
        stages, head = [f"{number}." for number, _ in enumerate(plan.stages, start=1)], len(plan.stages) + 1
    else:
        stages, head = [f"1.items.{index}." for index, _ in enumerate(plan.stages)], 2
        yield "1.shortcut.", "shortcut."
        yield "1.after.", "after."
    for index, (stage, old) in enumerate(zip(plan.stages, stages, strict=True)):
        yield from _group_prefixes(stage, old, f"stages.{index}.")
    yield f"{head}.", "head."


def _group_prefixes(group: Group, old: str, new: str) -> Iterator[tuple[str, str]]:
    items = old
    if group.shortcut is not None:  # a group without one was a bare sequence
        items = f"{old}items."
        yield f"{old}shortcut.", f"{new}shortcut."
        yield f"{old}after.", f"{new}after."
    for index, item in enumerate(group.items):
        if isinstance(item, Group):
            yield from _group_prefixes(item, f"{items}{index}.", f"{new}items.{index}.")
        else:
            yield f"{items}{index}.", f"{new}items.{index}."
