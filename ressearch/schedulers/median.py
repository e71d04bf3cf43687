"""The median stopping rule."""

from dataclasses import dataclass
from statistics import fmean, median

from ressearch.ranking import Point, marks
from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings, check_at_least, is_finite


@dataclass(frozen=True, kw_only=True)
class Median(SchedulerSettings):
    """Stop a trial whose best value so far is below the median of the others' mean values up to the same epoch.

    Others are all trials that have come so far; the paper takes complete ones only. With several objectives a trial is
    stopped if its non-dominated rank among the others is worse than their median rank, each by the same values.

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
        self._curves: dict[int, list[Point]] = {}

    def record(self, number: int, epoch: int, point: Point) -> None:  # noqa: ARG002 - points arrive in order
        """Note a point; one that is not finite counts for nothing."""
        if is_finite(point):
            self._curves.setdefault(number, []).append(point)

    def decide(self, number: int, epoch: int, point: Point) -> Decision:
        """Compare the best values so far with the others' means."""
        self.record(number, epoch, point)
        others = [curve for other, curve in self._curves.items() if other != number and len(curve) >= epoch]
        if epoch < self._first_epoch or len(others) < self._min_trials:
            return Decision.GO
        if number not in self._curves:
            return Decision.STOP
        best = tuple(map(max, zip(*self._curves[number], strict=True)))
        means = [tuple(map(fmean, zip(*curve[:epoch], strict=True))) for curve in others]
        own, *others_marks = marks([best, *means])
        return Decision.GO if own >= median(others_marks) else Decision.STOP
