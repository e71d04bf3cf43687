"""How well two measures rank networks alike: Kendall's tau and Spearman's rho, with bootstrap intervals.

Both follow from the signs of all pairwise differences, so that thousands of resamples are a few products of matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ressearch.noise import CONFIDENCE

NUM_RESAMPLES = 2000
MIN_NETWORKS = 4
"""Fewer networks have so few orders that no correlation says anything."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IntervalEstimate:
    """A correlation (-1..1), or a difference of two, with a percentile interval over resampled networks.

    Both are None where a measure is the same for all networks, which ranks nothing.
    """

    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well a measure ranks networks as another one does."""

    kendall: IntervalEstimate
    """Tau-b, which allows for ties (Kendall 1945, doi:10.1093/biomet/33.3.239)."""
    spearman: IntervalEstimate
    """Rho, Pearson's correlation of the ranks; ties share the mean of theirs."""


class Resamples:
    """The same draws of networks for all measures, so that correlations can be compared draw by draw.

    Args:
        num_networks: Networks to draw from, with replacement, as many as there are.
        seed: Of the draws.
    """

    def __init__(self, num_networks: int, *, seed: int) -> None:
        generator = np.random.default_rng(seed)
        once = np.ones((1, num_networks))
        shares = np.full(num_networks, 1 / num_networks)
        draws = generator.multinomial(num_networks, shares, size=NUM_RESAMPLES)
        self._weights: Floats = np.concatenate([once, draws])  # how often each network is there, first as they are

    def agreement(self, first: Sequence[float], second: Sequence[float]) -> Agreement:
        """Return how well two measures of the networks agree."""
        return Agreement(
            kendall=_estimate(self._kendall(first, second)), spearman=_estimate(self._spearman(first, second))
        )

    def advantage(self, first: Sequence[float], second: Sequence[float], target: Sequence[float]) -> IntervalEstimate:
        """Return Kendall's tau of the first measure with the target minus that of the second one."""
        return _estimate(self._kendall(first, target) - self._kendall(second, target))

    def _kendall(self, first: Sequence[float], second: Sequence[float]) -> Floats:
        """Return tau-b of every draw, nan where a measure does not vary."""
        one, other = _signs(first), _signs(second)
        return _ratio(self._summed(one * other), self._summed(one * one), self._summed(other * other))

    def _summed(self, pairs: Floats) -> Floats:
        """Sum a value of pairs over all pairs of every draw."""
        return np.asarray(((self._weights @ pairs) * self._weights).sum(axis=1))

    def _spearman(self, first: Sequence[float], second: Sequence[float]) -> Floats:
        """Return rho of every draw, nan where a measure does not vary."""
        one, other = self._centred_ranks(first), self._centred_ranks(second)
        weights = self._weights
        return _ratio(*((weights * a * b).sum(axis=1) for a, b in ((one, other), (one, one), (other, other))))

    def _centred_ranks(self, values: Sequence[float]) -> Floats:
        """Return the ranks of every draw minus their mean: half of those below minus half of those above."""
        return self._weights @ _signs(values).T / 2


def _signs(values: Sequence[float]) -> Floats:
    """Return the sign of every value minus every other one."""
    column = np.asarray(values, dtype=np.float64)
    return np.sign(column[:, None] - column[None, :])


def _ratio(product: Floats, first: Floats, second: Floats) -> Floats:
    scale = np.sqrt(first * second)
    return np.divide(product, scale, out=np.full_like(product, np.nan), where=scale > 0)


def _estimate(values: Floats) -> IntervalEstimate:
    """Take the value of the networks as they are, and the interval of the draws in which there is one."""
    value, draws = values[0], values[1:]
    if np.isnan(value):
        return IntervalEstimate(None, None)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(draws, [tail, 100 - tail])
    return IntervalEstimate(float(value), (float(low), float(high)))


def settled_epoch(values: Sequence[float | None], tolerance: float) -> int | None:
    """Return the first epoch (from 1) from which on no correlation is more than `tolerance` below the last one."""
    last = values[-1] if values else None
    if last is None:
        return None
    too_low = [epoch for epoch, value in enumerate(values, start=1) if value is None or value < last - tolerance]
    return max(too_low, default=0) + 1
