"""Curves of networks that were not recorded, between those that were."""

import math
import warnings
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from random import Random

import numpy as np
from scipy.stats import kendalltau
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel
from sklearn.model_selection import GroupKFold

from ressearch.arch import InfeasibleError
from ressearch.replays.oracle import Curve, recorded
from ressearch.replays.recorded_networks import Floats, Recording
from ressearch.space import Candidate
from ressearch.space.mutation import mutated

NUM_FOLDS = 10
KEPT_VARIANCE = 0.99
"""Share of the curves' variance that the components hold."""
WEIGHTS = (2, 4, 8, 16)
"""Tried for each group of measures: how much more a standard deviation of them tells than one of another entry."""
STRETCHES = (1.0, 1.5, 2.0)
"""Of the length scale, tried with each weight."""
NUM_CLIMBERS, NUM_STEPS = 10, 100
"""Recorded networks, the best ones, from which the best of all is searched, and mutations tried of each."""


class Surrogate:
    """Gaussian processes over the encoded points of a space: one for each component of the curves, one for the pace.

    A training is the mean curve of its network, and the deviation of a recorded training from the mean of its
    network's trainings, drawn at random.

    Source: Yan et al. 2021, arXiv:2111.03602 (curves by singular value decomposition, noise apart).

    Attributes:
        tau: Kendall's tau between recorded accuracies and those predicted from the other networks.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.experiment, self.counts = recording.experiment, recording.counts
        self._model = _Curves(recording.points, recording.curves, recording.measures)
        self._pace = _Process(recording.points, np.log(recording.paces), recording.measures)
        self._known: dict[str, tuple[Floats, float]] = {}

    @cached_property
    def tau(self) -> float:
        """Kendall's tau between the recorded accuracies and those predicted with the network left out."""
        points, last, networks = self._recording.points, self._recording.curves[:, -1], self._recording.networks
        predicted = np.zeros(len(points))
        for kept, left in GroupKFold(NUM_FOLDS).split(points, groups=networks):
            predicted[left] = _Process(points[kept], last[kept], self._recording.measures)(points[left])
        means = {number: values.mean() for number, values in self._recording.of(last).items()}
        first = [int(np.flatnonzero(networks == number)[0]) for number in means]
        return float(kendalltau(predicted[first], list(means.values())).statistic)

    @property
    def origin(self) -> str:
        """What the trainings are, in a sentence."""
        return (
            f"Networks that were not recorded are predicted from {len(self._recording.candidates)} that were: "
            f"Kendall's tau {self.tau:.2f} for networks left out."
        )

    @cached_property
    def best(self) -> float:
        """The highest expected accuracy found by climbing from the best recorded networks."""
        rng = Random(0)
        climbers = sorted(self._recording.candidates.values(), key=self.truth, reverse=True)[:NUM_CLIMBERS]
        highest = 0.0
        for climber in climbers:
            for _ in range(NUM_STEPS):
                climber = max(climber, self._neighbour(climber, rng), key=self.truth)
            highest = max(highest, self.truth(climber))
        return highest

    def truth(self, candidate: Candidate) -> float:
        """Return the expected accuracy at the last epoch."""
        return float(self._predicted(candidate)[0][-1])

    def curve(self, candidate: Candidate, seed: int) -> Curve:
        """Return all epochs of a training with this seed."""
        mean, pace = self._predicted(candidate)
        return recorded(self._recording.with_noise(mean, seed), pace)

    def _predicted(self, candidate: Candidate) -> tuple[Floats, float]:
        if candidate.id not in self._known:
            vector = self._recording.vector(candidate)[None]
            self._known[candidate.id] = self._model(vector)[0], float(np.exp(self._pace(vector)[0]))
        return self._known[candidate.id]

    def _neighbour(self, candidate: Candidate, rng: Random) -> Candidate:
        while True:
            try:
                return self.experiment.candidate(mutated(self.experiment.space, candidate.params, rng))
            except InfeasibleError:
                continue


class _Process:
    """A Gaussian process on standardised entries: one length scale for all, a weight for each group of measures.

    The weights are found one after the other by the likelihood of the values.
    """

    def __init__(self, points: Floats, values: Floats, measures: Sequence[range]) -> None:
        self._mean, self._scale = points.mean(axis=0), np.maximum(points.std(axis=0), 1e-9)
        standard = (points - self._mean) / self._scale
        self._weights = np.ones(points.shape[1])
        plain = ConstantKernel() * Matern(math.sqrt(points.shape[1]), nu=2.5) + WhiteKernel(0.1)
        best = _regressor(plain, standard, values)
        for group in measures:
            for weight, stretch in product(WEIGHTS, STRETCHES):
                weights = self._weights.copy()
                weights[group] = weight
                kernel = best.kernel_.clone_with_theta(best.kernel_.theta + np.array([0, math.log(stretch), 0]))
                tried = _regressor(kernel, weights * standard, values, optimizer=None)
                if tried.log_marginal_likelihood_value_ > best.log_marginal_likelihood_value_:
                    best, self._weights = tried, weights
        self._regressor = _regressor(best.kernel_, self._weights * standard, values)

    def __call__(self, points: Floats) -> Floats:
        values: Floats = self._regressor.predict(self._weights * (points - self._mean) / self._scale)
        return values


def _regressor(
    kernel: Kernel, points: Floats, values: Floats, *, optimizer: str | None = "fmin_l_bfgs_b"
) -> GaussianProcessRegressor:
    regressor = GaussianProcessRegressor(kernel, optimizer=optimizer, normalize_y=True, random_state=0)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # a scale may be at its bound
        return regressor.fit(points, values)


class _Curves:
    """One process for each principal component of the curves."""

    def __init__(self, points: Floats, curves: Floats, measures: Sequence[range]) -> None:
        self._mean = curves.mean(axis=0)
        _, strengths, components = np.linalg.svd(curves - self._mean, full_matrices=False)
        shares = np.cumsum(strengths**2) / max(np.sum(strengths**2), 1e-12)
        self._components = components[: int(np.searchsorted(shares, KEPT_VARIANCE)) + 1]
        scores = (curves - self._mean) @ self._components.T
        self._processes = [_Process(points, column, measures) for column in scores.T]

    def __call__(self, points: Floats) -> Floats:
        scores = np.stack([process(points) for process in self._processes], axis=1)
        curves: Floats = self._mean + scores @ self._components
        return curves
