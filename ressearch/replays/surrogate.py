"""Curves of networks that were not recorded, between those that were."""

import math
import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import GroupKFold

from ressearch.arch import InfeasibleError
from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.images import ImageShape
from ressearch.noise import std_error
from ressearch.replays.oracle import Curve, RecordedImages, recorded
from ressearch.schedulers import NoStopping
from ressearch.space import Candidate
from ressearch.space.encoding import Encoding
from ressearch.space.mutation import mutated
from ressearch.store.record import TrialRecord
from ressearch.store.table import Table, TableError
from ressearch.training.source import Counts

Floats = NDArray[np.float64]

MIN_NETWORKS = 30
"""Recorded networks below which nothing can be said about others."""
MIN_TAU = 0.6
"""Kendall's tau with networks left out, below which the surrogate is not used."""
NUM_FOLDS = 10
KEPT_VARIANCE = 0.99
"""Share of the curves' variance that the components hold."""
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

    def __init__(self, table: Table) -> None:
        """Learn from a table.

        Raises:
            TableError: If it does not say what was searched, or holds too few networks.
        """
        self.experiment = _experiment(table)
        self._encoding = Encoding(self.experiment.space)
        length = self.experiment.recipe.epochs
        trials = {trial.number: trial for trial in table.trials if trial.params and trial.state == "complete"}
        runs = [run for run in (*trials.values(), *table.repeats) if _network(run) in trials and run.epochs == length]
        if len({_network(run) for run in runs}) < MIN_NETWORKS:
            raise TableError(f"the table holds {len(runs)} networks trained to the end, and {MIN_NETWORKS} are needed")
        vectors = {number: self._vector(self.experiment.candidate(trial.params)) for number, trial in trials.items()}
        self._groups = np.array([_network(run) for run in runs])
        self._points = np.array([vectors[number] for number in self._groups])
        self._curves = np.array([[epoch["val_accuracy"] for epoch in run.curve] for run in runs])
        self._noise = _deviations(self._curves, self._groups)
        self.counts = Counts(runs[0].num_images or 1, runs[0].num_val_images or 1, 0)
        self._model = _Curves(self._points, self._curves)
        self._pace = _Process(self._points, np.log([_pace(run) for run in runs]))
        self._known: dict[str, tuple[Floats, float]] = {}
        self._trials = trials

    @cached_property
    def tau(self) -> float:
        """Kendall's tau between the recorded accuracies and those predicted with the network left out."""
        predicted = np.zeros(len(self._points))
        for kept, left in GroupKFold(NUM_FOLDS).split(self._points, groups=self._groups):
            predicted[left] = _Process(self._points[kept], self._curves[kept, -1])(self._points[left])
        means = {group: self._curves[self._groups == group, -1].mean() for group in set(self._groups)}
        first = [int(np.flatnonzero(self._groups == group)[0]) for group in means]
        return float(kendalltau(predicted[first], list(means.values())).statistic)

    @cached_property
    def best(self) -> float:
        """The highest expected accuracy found by climbing from the best recorded networks."""
        rng = Random(0)
        candidates = [self.experiment.space.candidate(t.params, self.experiment.shape) for t in self._trials.values()]
        climbers = sorted(candidates, key=self.truth, reverse=True)[:NUM_CLIMBERS]
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
        rng = np.random.default_rng(seed)
        if len(self._noise):
            noise = self._noise[rng.integers(len(self._noise))]
        else:
            noise = rng.normal(size=len(mean)) * [std_error(p, self.counts.val) for p in np.clip(mean, 0, 1)]
        return recorded(np.clip(mean + noise, 0, 1).tolist(), pace)

    def _predicted(self, candidate: Candidate) -> tuple[Floats, float]:
        if candidate.id not in self._known:
            vector = self._vector(candidate)[None]
            self._known[candidate.id] = self._model(vector)[0], float(np.exp(self._pace(vector)[0]))
        return self._known[candidate.id]

    def _vector(self, candidate: Candidate) -> Floats:
        return self._encoding.vector(candidate.params, candidate.cost)

    def _neighbour(self, candidate: Candidate, rng: Random) -> Candidate:
        while True:
            try:
                return self.experiment.candidate(mutated(self.experiment.space, candidate.params, rng))
            except InfeasibleError:
                continue


class _Process:
    """A Gaussian process with one length scale, on standardised entries."""

    def __init__(self, points: Floats, values: Floats) -> None:
        self._mean, self._scale = points.mean(axis=0), np.maximum(points.std(axis=0), 1e-9)
        kernel = ConstantKernel() * Matern(math.sqrt(points.shape[1]), nu=2.5) + WhiteKernel(0.1)
        self._regressor = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # a scale may be at its bound
            self._regressor.fit((points - self._mean) / self._scale, values)

    def __call__(self, points: Floats) -> Floats:
        values: Floats = self._regressor.predict((points - self._mean) / self._scale)
        return values


class _Curves:
    """One process for each principal component of the curves."""

    def __init__(self, points: Floats, curves: Floats) -> None:
        self._mean = curves.mean(axis=0)
        _, strengths, components = np.linalg.svd(curves - self._mean, full_matrices=False)
        shares = np.cumsum(strengths**2) / max(np.sum(strengths**2), 1e-12)
        self._components = components[: int(np.searchsorted(shares, KEPT_VARIANCE)) + 1]
        scores = (curves - self._mean) @ self._components.T
        self._processes = [_Process(points, column) for column in scores.T]

    def __call__(self, points: Floats) -> Floats:
        scores = np.stack([process(points) for process in self._processes], axis=1)
        curves: Floats = self._mean + scores @ self._components
        return curves


def _experiment(table: Table) -> Experiment:
    text, shape = table.origin.get("space"), table.origin.get("shape")
    if not text or not shape:
        raise TableError("the table does not say which space and images it was recorded on")
    parsed = parse_experiment(text, "the table's space")
    images = RecordedImages(shape=ImageShape(**shape))
    experiment = replace(parsed, images=images, objectives=("val_accuracy",), scheduler=NoStopping())
    known = tuple(name for name in parsed.session.baselines if experiment.baseline(name).params)
    return replace(experiment, session=replace(parsed.session, baselines=known))


def _network(run: TrialRecord) -> int:
    return run.number if run.trial_of is None else run.trial_of


def _pace(run: TrialRecord) -> float:
    return run.seconds / run.epochs


def _deviations(curves: Floats, groups: Floats) -> Floats:
    """Return how curves deviate from their network's mean, scaled to the deviation of a single one."""
    by_group: Mapping[int, list[Floats]] = defaultdict(list)
    for group, curve in zip(groups, curves, strict=True):
        by_group[group].append(curve)
    found = [
        (np.array(runs) - np.mean(runs, axis=0)) * math.sqrt(len(runs) / (len(runs) - 1))
        for runs in by_group.values()
        if len(runs) > 1
    ]
    return np.concatenate(found) if found else np.zeros((0, curves.shape[1]))
