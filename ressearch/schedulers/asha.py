"""Asynchronous successive halving, in the form that stops trials."""

import math
from dataclasses import dataclass

from ressearch.ranking import Point, standings
from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings, check_at_least, is_finite, late_rung


@dataclass(frozen=True, kw_only=True)
class Asha(SchedulerSettings):
    """Stop a trial at a rung unless it is among the best 1 / reduction_factor that reached this rung so far.

    Rungs are at first_rung * reduction_factor ** k, below the last epoch. With several objectives the best are those
    of the lowest non-dominated rank, within a rank the least crowded, and the best one in each objective goes on in any
    case.

    Source: Li et al. 2020, arXiv:1810.05934, section 3; for several objectives Schmucker et al. 2021, arXiv:2106.12639.
    """

    first_rung: int | None = None
    """Epoch of the first judgement; half of the epochs if left out. In our measurements no network of the best third
    was in the worse half there (trials/README.md)."""

    reduction_factor: int = 2
    """Every rung lets the best 1 / reduction_factor pass."""

    def __post_init__(self) -> None:
        check_at_least(self, first_rung=1, reduction_factor=2)

    def misfit(self, num_epochs: int) -> str | None:
        """Return why the first rung does not suit trials of this length."""
        return None if self.first_rung is None else late_rung(self.first_rung, num_epochs)

    def start(self, num_epochs: int) -> "AshaRule":
        """Return the rule."""
        return AshaRule(self.first_rung or math.ceil(num_epochs / 2), self.reduction_factor, num_epochs)


class AshaRule(Rule):
    """The points that reached each rung.

    Attributes:
        reached: Points by rung, those that are finite.
    """

    def __init__(self, first_rung: int, reduction_factor: int, num_epochs: int) -> None:
        self.reached: dict[int, list[Point]] = {}
        self._reduction_factor = reduction_factor
        rung = first_rung
        while rung < num_epochs:
            self.reached[rung] = []
            rung *= reduction_factor

    def record(self, number: int, epoch: int, point: Point) -> None:  # noqa: ARG002 - a rung counts points only
        """Note a point; one that is not finite competes with none."""
        if epoch in self.reached and is_finite(point):
            self.reached[epoch].append(point)

    def decide(self, number: int, epoch: int, point: Point) -> Decision:
        """Let the best share pass."""
        if epoch not in self.reached:
            return Decision.GO
        if not is_finite(point):
            return Decision.STOP
        self.record(number, epoch, point)
        reached = self.reached[epoch]
        standing = standings(reached)
        keep = max(1, len(reached) // self._reduction_factor)
        worst = sorted((standing[other] for other in reached), reverse=True)[keep - 1]
        return Decision.GO if standing[point] >= worst else Decision.STOP
