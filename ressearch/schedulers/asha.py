"""Asynchronous successive halving, in the form that stops trials."""

import math
from dataclasses import dataclass

from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings, check_at_least, late_rung


@dataclass(frozen=True, kw_only=True)
class Asha(SchedulerSettings):
    """Stop a trial at a rung unless it is among the best 1 / reduction_factor that reached this rung so far.

    Rungs are at first_rung * reduction_factor ** k, below the last epoch.

    Source: Li et al. 2020, arXiv:1810.05934, section 3.
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
    """The values that reached each rung.

    Attributes:
        reached: Finite values by rung.
    """

    def __init__(self, first_rung: int, reduction_factor: int, num_epochs: int) -> None:
        self.reached: dict[int, list[float]] = {}
        self._reduction_factor = reduction_factor
        rung = first_rung
        while rung < num_epochs:
            self.reached[rung] = []
            rung *= reduction_factor

    def record(self, number: int, epoch: int, value: float) -> None:  # noqa: ARG002 - a rung counts values only
        """Note a value; one that is not finite competes with none."""
        if epoch in self.reached and math.isfinite(value):
            self.reached[epoch].append(value)

    def decide(self, number: int, epoch: int, value: float) -> Decision:
        """Let the best share pass."""
        if epoch not in self.reached:
            return Decision.GO
        if not math.isfinite(value):
            return Decision.STOP
        self.record(number, epoch, value)
        values = sorted(self.reached[epoch], reverse=True)
        keep = max(1, len(values) // self._reduction_factor)
        return Decision.GO if value >= values[keep - 1] else Decision.STOP
