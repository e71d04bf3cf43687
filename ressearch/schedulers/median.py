"""The median stopping rule."""

import math
from dataclasses import dataclass
from statistics import fmean, median

from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings, check_at_least


@dataclass(frozen=True, kw_only=True)
class Median(SchedulerSettings):
    """Stop a trial whose best value so far is below the median of the others' mean values up to the same epoch.

    Others are all trials that have come so far; the paper takes complete ones only.

    Source: Golovin et al. 2017, Google Vizier, doi:10.1145/3097983.3098043, section 3.2.1.
    """

    first_epoch: int = 2
    """No trial is stopped before this epoch."""

    min_trials: int = 5
    """Trials that must have reached an epoch before others are stopped there."""

    def __post_init__(self) -> None:
        check_at_least(self, first_epoch=1, min_trials=1)

    def start(self, num_epochs: int) -> "MedianRule":  # noqa: ARG002
        """Return the rule."""
        return MedianRule(self.first_epoch, self.min_trials)


class MedianRule(Rule):
    """The curve of every trial so far."""

    def __init__(self, first_epoch: int, min_trials: int) -> None:
        self._first_epoch = first_epoch
        self._min_trials = min_trials
        self._curves: dict[int, list[float]] = {}

    def record(self, number: int, epoch: int, value: float) -> None:  # noqa: ARG002 - values arrive in order
        """Note a value; one that is not finite counts for nothing."""
        if math.isfinite(value):
            self._curves.setdefault(number, []).append(value)

    def decide(self, number: int, epoch: int, value: float) -> Decision:
        """Compare the best value so far with the others' means."""
        self.record(number, epoch, value)
        others = [curve for other, curve in self._curves.items() if other != number and len(curve) >= epoch]
        if epoch < self._first_epoch or len(others) < self._min_trials:
            return Decision.GO
        best = max(self._curves.get(number, [-math.inf]))
        return Decision.GO if best >= median(fmean(curve[:epoch]) for curve in others) else Decision.STOP
