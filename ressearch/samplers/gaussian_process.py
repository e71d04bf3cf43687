"""A Gaussian process over encoded points."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

Floats = NDArray[np.float64]

FIRST_WEIGHT, FIRST_NOISE = math.log(0.15), -1.5
"""Where the search for the logarithms of the weights and of the noise's share begins; it is drawn to them, too."""
MIN_WIDTH = 0.05
"""Standard deviation that every entry has at least: a name seen for the first time is far away, not infinitely so."""
FIRST_ROUNDS, STEP = 3, 0.7
"""Rounds of the first search, and how far each step goes; later fits begin where the last one ended, with one round."""


class GaussianProcess:
    """Regression with a Matern 5/2 kernel whose distance weighs groups of entries.

    The weight of each group and the share of the noise are those under which the values are most likely, with a normal
    prior on their logarithms; the scale of the values follows from them.

    Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, algorithm 2.1 and section 5.4.1.

    Args:
        groups: Places of entries that get a weight of their own; those in none share one.
    """

    def __init__(self, groups: Sequence[range]) -> None:
        self._groups = [list(group) for group in groups]
        self._theta = np.array([*[FIRST_WEIGHT] * (len(groups) + 1), FIRST_NOISE])
        self._rounds = FIRST_ROUNDS

    def tune(self, points: Floats, values: Floats) -> None:
        """Find the weights and the noise.

        Args:
            points: Shape (number, length).
            values: Shape (number,).
        """
        self._scale_to(points, values)
        parts = self._parts(points)
        distances = [_squared(part, part) for part in parts]
        target = self._standard(values)
        best = _likelihood(self._theta, distances, target)
        for place in [*range(len(self._theta))] * self._rounds:
            for step in (STEP, -STEP):
                theta = self._theta.copy()
                theta[place] += step
                likelihood = _likelihood(theta, distances, target)
                if likelihood > best:
                    self._theta, best = theta, likelihood
                    break
        self._rounds = 1

    def fit(self, points: Floats, values: Floats) -> None:
        """Learn values of points, of shapes (number, length) and (number,), with the weights found before."""
        self._scale_to(points, values)
        self._known = self._parts(points)
        self._lower = _factor(self._theta, [_squared(part, part) for part in self._known])
        half = solve_triangular(self._lower, self._standard(values), lower=True)
        self._variance = float(half @ half) / len(points)
        self._solved = solve_triangular(self._lower.T, half, lower=False)

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the noiseless values of points, each of shape (number,)."""
        parts = self._parts(points)
        kernel = _kernel(self._theta, [_squared(part, known) for part, known in zip(parts, self._known, strict=True)])
        explained = solve_triangular(self._lower, kernel.T, lower=True)
        variance = self._variance * np.maximum(1 - np.sum(explained**2, axis=0), 0.0)
        mean: Floats = self._level + self._spread * (kernel @ self._solved)
        return mean, self._spread * np.sqrt(variance)

    @property
    def noise(self) -> float:
        """Standard deviation of one value around the noiseless one."""
        return self._spread * math.sqrt(self._variance * math.exp(self._theta[-1]))

    def _scale_to(self, points: Floats, values: Floats) -> None:
        self._center, self._width = points.mean(axis=0), np.maximum(points.std(axis=0), MIN_WIDTH)
        self._level, self._spread = float(values.mean()), float(values.std()) + 1e-9

    def _standard(self, values: Floats) -> Floats:
        standard: Floats = (values - self._level) / self._spread
        return standard

    def _parts(self, points: Floats) -> list[Floats]:
        """Return the standardised entries: those in no group, then those of each group."""
        standard = (points - self._center) / self._width
        grouped = [place for group in self._groups for place in group]
        rest = np.delete(standard, grouped, axis=1)
        return [rest, *(standard[:, group] for group in self._groups)]


def _likelihood(theta: Floats, distances: list[Floats], target: Floats) -> float:
    """Return the logarithm of likelihood and prior, but for a constant; the scale is the most likely one."""
    lower = _factor(theta, distances)
    half = solve_triangular(lower, target, lower=True)
    variance = max(float(half @ half) / len(target), 1e-12)
    start = np.array([*[FIRST_WEIGHT] * (len(theta) - 1), FIRST_NOISE])
    prior = -0.5 * float(np.sum((theta - start) ** 2))
    return -0.5 * len(target) * math.log(variance) - float(np.sum(np.log(np.diag(lower)))) + prior


def _factor(theta: Floats, distances: list[Floats]) -> Floats:
    """Return the lower Cholesky factor of the kernel of points with themselves, noise included."""
    kernel = _kernel(theta, distances)
    lower: Floats = cholesky(kernel + math.exp(theta[-1]) * np.eye(len(kernel)), lower=True)
    return lower


def _kernel(theta: Floats, distances: list[Floats]) -> Floats:
    weighted = np.tensordot(np.exp(theta[:-1]), np.array(distances), axes=1)
    root = np.sqrt(5 * weighted)
    kernel: Floats = (1 + root + root**2 / 3) * np.exp(-root)
    return kernel


def _squared(points: Floats, others: Floats) -> Floats:
    """Return the mean squared difference of the entries of each pair, of shape (number of points, of others)."""
    squares = np.sum(points**2, axis=1)[:, None] + np.sum(others**2, axis=1) - 2 * points @ others.T
    distances: Floats = np.maximum(squares, 0.0) / max(points.shape[1], 1)
    return distances
