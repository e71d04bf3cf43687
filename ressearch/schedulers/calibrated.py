"""Successive halving whose rungs stand where the trials themselves say that early accuracies predict late ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import pstdev
from typing import NamedTuple

from ressearch.noise import Z
from ressearch.ranking import Point, marks
from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings, check_at_least, is_finite


class Correlation(NamedTuple):
    """Spearman's rho between two epochs, with its 95 % interval."""

    rho: float
    low: float
    high: float

    def in_wider_range(self, widening: float) -> "Correlation":
        """Return what it would be among values that are spread so many times as widely; never less than it is."""
        factor = max(1.0, widening)
        return Correlation(*(one * factor / math.sqrt(1 - one**2 + (one * factor) ** 2) for one in self))

    def __str__(self) -> str:
        return f"{self.rho:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, kw_only=True)
class Calibrated(SchedulerSettings):
    """Train the first trials in full; then stop those that are not in the best share at rungs found from these.

    The first rung is the first epoch whose rank correlation with the last epoch is surely high enough, the next ones
    follow by the reduction factor; they are found anew whenever a trial is complete. While no epoch is good enough,
    nothing is stopped. With several objectives trials are compared by non-dominated rank.

    Since the best of each rung go on, complete trials are more alike than all of them, and their correlation is lower:
    it is corrected for that.

    Sources: Bonett and Wright 2000, doi:10.1007/BF02294183 (the interval); Sackett and Yang 2000,
    doi:10.1037/0021-9010.85.1.112 (restricted range, case 2).
    """

    num_full: int = 6
    """Complete trials before the first one is stopped."""

    least_correlation: float = 0.5
    """What the lower end of the interval of Spearman's rho must reach."""

    reduction_factor: int = 3
    """Every rung lets the best 1 / reduction_factor pass."""

    def __post_init__(self) -> None:
        check_at_least(self, num_full=4, reduction_factor=2)
        if not -1 <= self.least_correlation < 1:
            raise ValueError(f"-1 <= least_correlation < 1 must hold, got {self.least_correlation:g}")

    def start(self, num_epochs: int) -> "CalibratedRule":
        """Return the rule."""
        return CalibratedRule(self, num_epochs)


class CalibratedRule(Rule):
    """The points of all trials by epoch, and the rungs that follow from those of complete ones.

    Attributes:
        rungs: Epochs at which trials are judged, with the correlation found there.
    """

    def __init__(self, settings: Calibrated, num_epochs: int) -> None:
        self.rungs: dict[int, Correlation] = {}
        self._settings = settings
        self._num_epochs = num_epochs
        self._points: list[dict[int, Point]] = [{} for _ in range(num_epochs)]

    @property
    def findings(self) -> str:
        """Where the rungs are, and why."""
        settings = self._settings
        if len(self._points[-1]) < settings.num_full:
            return f"rungs: none before {settings.num_full} trials are complete"
        if not self.rungs:
            return f"rungs: none, no epoch's rank correlation with the last is surely {settings.least_correlation:g}"
        return f"rungs at {', '.join(map(str, self.rungs))}: rho {', '.join(map(str, self.rungs.values()))}"

    def record(self, number: int, epoch: int, point: Point) -> None:
        """Note a point; one that is not finite counts for nothing."""
        if is_finite(point):
            self._points[epoch - 1][number] = point
            if epoch == self._num_epochs:
                self.rungs = self._found()

    def decide(self, number: int, epoch: int, point: Point) -> Decision:
        """Let the best share of those that have come to a rung pass."""
        self.record(number, epoch, point)
        if epoch not in self.rungs:
            return Decision.GO
        if not is_finite(point):
            return Decision.STOP
        reached = self._points[epoch - 1]
        by_number = dict(zip(reached, marks(list(reached.values())), strict=True))
        keep = max(1, len(reached) // self._settings.reduction_factor)
        worst = sorted(by_number.values(), reverse=True)[keep - 1]
        return Decision.GO if by_number[number] >= worst else Decision.STOP

    def _widening(self, epoch: int) -> float:
        """Return how much wider all trials are spread at an epoch than those among them that are complete."""
        reached = self._points[epoch - 1]
        places = dict(zip(reached, _ranks(marks(list(reached.values()))), strict=True))
        among_complete = pstdev(place for number, place in places.items() if number in self._points[-1])
        return pstdev(places.values()) / among_complete if among_complete else 1.0

    def _found(self) -> dict[int, Correlation]:
        """Return the rungs by what complete trials say."""
        complete = self._points[-1]
        if len(complete) < self._settings.num_full:
            return {}
        late = marks(list(complete.values()))
        correlations = {}
        for epoch in range(1, self._num_epochs):
            points = [self._points[epoch - 1].get(number) for number in complete]
            known = [(point, mark) for point, mark in zip(points, late, strict=True) if point is not None]
            if len(known) >= self._settings.num_full:
                early, final = marks([point for point, _ in known]), [mark for _, mark in known]
                correlations[epoch] = correlation(early, final).in_wider_range(self._widening(epoch))
        good = [epoch for epoch, one in correlations.items() if one.low >= self._settings.least_correlation]
        rungs, epoch = {}, good[0] if good else self._num_epochs
        while epoch < self._num_epochs:
            if epoch in correlations:
                rungs[epoch] = correlations[epoch]
            epoch *= self._settings.reduction_factor
        return rungs


def correlation(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Return Spearman's rho of four or more pairs; 0 where all of one side are equal."""
    rho = _pearson(_ranks(first), _ranks(second))
    z = math.atanh(max(-1 + 1e-12, min(rho, 1 - 1e-12)))
    width = Z * math.sqrt((1 + rho**2 / 2) / (len(first) - 3))
    return Correlation(rho, math.tanh(z - width), math.tanh(z + width))


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; equals share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [sum(places[value]) / len(places[value]) for value in values]


def _pearson(first: Sequence[float], second: Sequence[float]) -> float:
    mean = (len(first) - 1) / 2  # of ranks
    products = sum((x - mean) * (y - mean) for x, y in zip(first, second, strict=True))
    squares = [sum((x - mean) ** 2 for x in each) for each in (first, second)]
    return products / math.sqrt(squares[0] * squares[1]) if all(squares) else 0.0
