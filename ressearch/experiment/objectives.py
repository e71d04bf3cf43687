"""Measures: what a trial comes to, by name. A new objective is one row here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ressearch.arch import Cost
from ressearch.ranking import Direction, Directions


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a measure can look at.

    network: the trained module in evaluation mode, on its device; None where a trial was stopped early.
    """

    cost: Cost
    curve: Sequence[Mapping[str, float]]
    seconds: float
    network: Any = None


class Objective(NamedTuple):
    """One row: which direction is better, what it is, and how it is read off a training; None where it cannot be."""

    direction: Direction
    summary: str
    measure: Callable[[Trained], float | None]


OBJECTIVES: dict[str, Objective] = {
    "val_accuracy": Objective(
        "maximize",
        "share of the validation images classified correctly after the last epoch, 0..1",
        lambda trained: trained.curve[-1]["val_accuracy"] if trained.curve else None,
    ),
    "num_params": Objective("minimize", "trained weights, norms included", lambda trained: trained.cost.num_params),
    "num_macs": Objective("minimize", "multiply-adds for one image", lambda trained: trained.cost.num_macs),
    "num_activations": Objective(
        "minimize",
        "output elements of convolutions and linear layers for one image",
        lambda trained: trained.cost.num_activations,
    ),
    "seconds": Objective("minimize", "worker time of the trial, set-up included", lambda trained: trained.seconds),
}
"""Every objective by its YAML name."""


def measured(names: Iterable[str], trained: Trained) -> dict[str, float]:
    """Return the measures of these names, without those that cannot be taken."""
    values = {name: OBJECTIVES[name].measure(trained) for name in names}
    return {name: float(value) for name, value in values.items() if value is not None}


def directions_of(objectives: Iterable[str]) -> Directions:
    """Return what is better of each objective, by name."""
    return {name: OBJECTIVES[name].direction for name in objectives}
