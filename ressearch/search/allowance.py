"""What is left of a search's budget: time, an accuracy to reach, patience. It decides nothing but that."""

import math
import time
from collections.abc import Callable, Collection, Iterable

from ressearch.experiment import Budget
from ressearch.ranking import Directions, Point, dominates
from ressearch.store.record import TrialRecord

Clock = Callable[[], float]
"""Seconds since some moment."""


class Allowance:
    """Keeps account of a budget over all sessions of a study. The number of trials is counted by the search itself.

    Attributes:
        budget: What may be used.
        before: Seconds that earlier sessions took.
    """

    def __init__(
        self, budget: Budget, directions: Directions, *, before: float = 0.0, clock: Clock = time.monotonic
    ) -> None:
        self.budget = budget
        self.before = before
        self._directions = directions
        self._clock = clock
        self._started = clock()
        self._best = -math.inf
        self._front: list[Point] = []
        self._num_fruitless = 0
        self._ended_by: str | None = None

    @property
    def seconds(self) -> float:
        """Seconds of this session."""
        return self._clock() - self._started

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Take the trials of earlier sessions, in the order of their ends."""
        ended = (record for record in records if not record.is_open)
        for record in sorted(ended, key=lambda record: (record.ended or 0.0, record.number)):
            self.take(record)

    def take(self, record: TrialRecord) -> None:
        """Take the end of a trial. Patience is for what the search finds: it neither counts nor compares baselines."""
        if record.is_ranked:
            self._best = max(self._best, record.val_accuracy or 0.0)
        if record.baseline or record.trial_of is not None or not record.is_finished:
            return
        point = record.point(self._directions)
        if record.is_ranked and not any(each == point or dominates(each, point) for each in self._front):
            self._front = [each for each in self._front if not dominates(point, each)] + [point]
            self._num_fruitless = 0
        else:
            self._num_fruitless += 1

    def epochs_left(self, records: Collection[TrialRecord], length: int) -> float | None:
        """Return how many epochs will about be trained until the trials or hours are used up, None if neither is given.

        Args:
            records: All trials of the study.
            length: Epochs of a trial.
        """
        bounds = []
        if self.budget.trials is not None:
            begun = sum(record.is_finished or record.is_open for record in records)
            bounds.append(float((self.budget.trials - begun) * length))
        elapsed = self.before + self.seconds
        if self.budget.hours is not None and elapsed > 0:
            pace = sum(record.epochs for record in records) / elapsed
            bounds.append(max(0.0, 3600 * self.budget.hours - elapsed) * pace)
        return min(bounds, default=None)

    def ended_by(self) -> str | None:
        """Return the part of the budget that is used up: hours, target or patience; None if the search may go on.

        Once it has ended it stays so in this session, whatever the trials that are running come to.
        """
        if self._ended_by is None:
            self._ended_by = next((name for name, is_over in self._parts().items() if is_over), None)
        return self._ended_by

    def _parts(self) -> dict[str, bool]:
        budget = self.budget
        return {
            "hours": budget.hours is not None and self.before + self.seconds >= 3600 * budget.hours,
            "target": budget.target is not None and self._best >= budget.target,
            "patience": budget.patience is not None and self._num_fruitless >= budget.patience,
        }
