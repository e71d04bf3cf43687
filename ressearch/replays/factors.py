"""What replays say of two settings: regret at any time, and how much sooner one comes to where the other ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ressearch.noise import CONFIDENCE
from ressearch.replays.replaying import Replay

Floats = NDArray[np.float64]

NUM_RESAMPLES = 1000
NUM_MOMENTS = 200
"""Moments at which regret is read, equally far apart in the logarithm."""
FIRST_SHARE = 0.01
"""Of the whole time: the first moment."""
BAND = (0.25, 0.75)
"""Quantiles over replays that a band lies between."""


@dataclass(frozen=True, kw_only=True)
class Anytime:
    """Regret of one setting over time, 0..1; infinite as long as nothing would be reported.

    seconds: of shape (moments,). regrets: of shape (replays, moments).
    """

    seconds: Floats
    regrets: Floats

    @property
    def median(self) -> Floats:
        """Median over the replays, of shape (moments,)."""
        middle: Floats = np.median(self.regrets, axis=0)
        return middle

    @property
    def band(self) -> Floats:
        """Quartiles over the replays, of shape (2, moments)."""
        quartiles: Floats = np.quantile(self.regrets, BAND, axis=0, method="nearest")
        return quartiles


@dataclass(frozen=True, kw_only=True)
class Factor:
    """Time that the other setting takes to its final median regret, divided by the time that this one takes to it.

    2 means twice as fast, and 0 that this setting does not come so far.
    """

    value: float
    low: float
    high: float


def moments(seconds: float) -> Floats:
    """Return the moments at which replays of this length are read."""
    return np.geomspace(FIRST_SHARE * seconds, seconds, NUM_MOMENTS)


def anytime(replays: Sequence[Replay], seconds: float) -> Anytime:
    """Return the regret of a setting over time.

    Args:
        replays: Of one setting.
        seconds: How long each of them searched.
    """
    grid = moments(seconds)
    regrets = np.full((len(replays), len(grid)), math.inf)
    for row, replay in zip(regrets, replays, strict=True):
        for step in replay.steps:
            row[grid >= step.seconds] = step.regret
    return Anytime(seconds=grid, regrets=regrets)


def factor(own: Anytime, other: Anytime, *, seed: int = 0) -> Factor:
    """Return how much sooner one setting comes to where the other one ends, with a bootstrap interval over replays.

    Args:
        own: The setting that is judged.
        other: What it is compared with, over the same moments; replays of one row are paired.
        seed: Of the resamples.
    """
    rng = np.random.default_rng(seed)
    size = min(len(own.regrets), len(other.regrets))
    found = []
    for _ in range(NUM_RESAMPLES):
        drawn = rng.integers(size, size=size)
        found.append(
            _ratio(np.median(own.regrets[drawn], axis=0), np.median(other.regrets[drawn], axis=0), own.seconds)
        )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, [tail, 1 - tail], method="nearest")
    return Factor(value=_ratio(own.median, other.median, own.seconds), low=float(low), high=float(high))


def _ratio(own: Floats, other: Floats, seconds: Floats) -> float:
    """Return the ratio of the times at which both are where the other one ends; 0 where `own` never is."""
    goal = other[-1]
    reached = np.flatnonzero(own <= goal)
    return float(seconds[np.flatnonzero(other <= goal)[0]] / seconds[reached[0]]) if len(reached) else 0.0
