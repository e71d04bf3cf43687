"""Curves of networks that were not recorded, between those that were."""

from functools import cached_property
from random import Random

import numpy as np
from scipy.stats import kendalltau
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import GroupKFold

from ressearch.arch import InfeasibleError
from ressearch.replays.oracle import Curve, recorded
from ressearch.replays.recorded_networks import Floats, Recording
from ressearch.space import Candidate
from ressearch.space.mutation import mutated

NUM_FOLDS = 10
KEPT_VARIANCE = 0.99
"""Share of the curves' variance that the components hold."""
NUM_BOOSTED = 4
"""Boosted models, whose mean is predicted."""
NUM_CLIMBERS, NUM_STEPS = 10, 100
"""Recorded networks, the best ones, from which the best of all is searched, and mutations tried of each."""


class Surrogate:
    """Boosted trees over the encoded points of a space: some for each component of the curves, some for the pace.

    No sampler of ours is a model of this family, which would flatter it.

    A training is the mean curve of its network, and the deviation of a recorded training from the mean of its
    network's trainings, drawn at random.

    Source: Yan et al. 2021, arXiv:2111.03602 (curves by singular value decomposition, noise apart).

    Attributes:
        tau: Kendall's tau between recorded accuracies and those predicted from the other networks.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.experiment, self.counts = recording.experiment, recording.counts
        self._model = _Curves(recording.points, recording.curves)
        self._pace = _Trees(recording.points, np.log(recording.paces))
        self._known: dict[str, tuple[Floats, float]] = {}

    @cached_property
    def tau(self) -> float:
        """Kendall's tau between the recorded accuracies and those predicted with the network left out."""
        points, last, networks = self._recording.points, self._recording.curves[:, -1], self._recording.networks
        predicted = np.zeros(len(points))
        for kept, left in GroupKFold(NUM_FOLDS).split(points, groups=networks):
            predicted[left] = _Trees(points[kept], last[kept])(points[left])
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


class _Trees:
    """Gradient-boosted trees: the mean of some that differ in their seeds.

    Source: Friedman 2002, doi:10.1016/S0167-9473(01)00065-2 (each tree sees a part of the networks).
    """

    def __init__(self, points: Floats, values: Floats) -> None:
        self._boosted = [
            GradientBoostingRegressor(
                n_estimators=150, learning_rate=0.06, max_depth=3, subsample=0.6, max_features=0.3, random_state=seed
            ).fit(points, values)
            for seed in range(NUM_BOOSTED)
        ]

    def __call__(self, points: Floats) -> Floats:
        values: Floats = np.mean([boosted.predict(points) for boosted in self._boosted], axis=0)
        return values


class _Curves:
    """Trees for each principal component of the curves."""

    def __init__(self, points: Floats, curves: Floats) -> None:
        self._mean = curves.mean(axis=0)
        _, strengths, components = np.linalg.svd(curves - self._mean, full_matrices=False)
        shares = np.cumsum(strengths**2) / max(np.sum(strengths**2), 1e-12)
        self._components = components[: int(np.searchsorted(shares, KEPT_VARIANCE)) + 1]
        scores = (curves - self._mean) @ self._components.T
        self._trees = [_Trees(points, column) for column in scores.T]

    def __call__(self, points: Floats) -> Floats:
        scores = np.stack([trees(points) for trees in self._trees], axis=1)
        curves: Floats = self._mean + scores @ self._components
        return curves
