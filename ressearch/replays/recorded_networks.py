"""What a table says of the networks that it holds: their points, their curves, and how much of those is chance."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.images import ImageShape
from ressearch.noise import std_error
from ressearch.replays.oracle import RecordedImages
from ressearch.schedulers import NoStopping
from ressearch.space import Candidate
from ressearch.space.encoding import Encoding
from ressearch.store.record import TrialRecord
from ressearch.store.table import Table, TableError
from ressearch.training.source import Counts

Floats = NDArray[np.float64]

MIN_NETWORKS = 30
"""Recorded networks below which a search has nothing to choose from."""


class Recording:
    """Trainings of a table as arrays: a row for each, those of one network with the same number.

    Attributes:
        experiment: What was recorded, without a scheduler.
        candidates: The networks by their numbers.
        networks: Of each training, of shape (trainings,).
        points: The network of each training, encoded; of shape (trainings, entries).
        curves: Validation accuracies, of shape (trainings, epochs).
        paces: Seconds of an epoch of each training, of shape (trainings,).
        counts: How many images there were.
    """

    def __init__(self, table: Table) -> None:
        """Take the trainings of a table that went to the end.

        Raises:
            TableError: If it does not say what was searched, or holds too few networks.
        """
        self.experiment = _experiment(table)
        length = self.experiment.recipe.epochs
        trials = {trial.number: trial for trial in table.trials if trial.params and trial.state == "complete"}
        runs = [run for run in (*trials.values(), *table.repeats) if _network(run) in trials and run.epochs == length]
        self.networks = np.array([_network(run) for run in runs])
        if len(set(self.networks)) < MIN_NETWORKS:
            raise TableError(
                f"the table holds {len(set(self.networks))} networks trained to the end, and {MIN_NETWORKS} are needed"
            )
        free, shape = self.experiment.space, self.experiment.shape
        self.candidates: Mapping[int, Candidate] = {
            number: free.candidate(trials[number].params, shape) for number in sorted(set(self.networks))
        }
        self._encoding = Encoding(free)
        vectors = {number: self.vector(candidate) for number, candidate in self.candidates.items()}
        self.points: Floats = np.array([vectors[number] for number in self.networks])
        self.curves: Floats = np.array([[epoch["val_accuracy"] for epoch in run.curve] for run in runs])
        self.paces: Floats = np.array([run.seconds / run.epochs for run in runs])
        self.counts = Counts(runs[0].num_images or 1, runs[0].num_val_images or 1, 0)
        self._deviations = self._found_deviations()

    def vector(self, candidate: Candidate) -> Floats:
        """Return a network as a point."""
        return self._encoding.vector(candidate.params, candidate.cost)

    def of(self, values: Floats) -> dict[int, Floats]:
        """Return the values of the trainings by network."""
        return {number: values[self.networks == number] for number in self.candidates}

    def with_noise(self, mean: Floats, seed: int) -> list[float]:
        """Return the curve of one training of a network with such a mean curve.

        That is off the mean as a recorded training, drawn at random, was off that of its network; where nothing was
        recorded twice, as far as the validation images make it.
        """
        rng = np.random.default_rng(seed)
        if len(self._deviations):
            noise = self._deviations[rng.integers(len(self._deviations))]
        else:
            noise = rng.normal(size=len(mean)) * [std_error(p, self.counts.val) for p in np.clip(mean, 0, 1)]
        curve: list[float] = np.clip(mean + noise, 0, 1).tolist()
        return curve

    def _found_deviations(self) -> Floats:
        """Return how curves deviate from their network's mean, scaled to the deviation of a single one."""
        found = [
            (runs - runs.mean(axis=0)) * math.sqrt(len(runs) / (len(runs) - 1))
            for runs in self.of(self.curves).values()
            if len(runs) > 1
        ]
        return np.concatenate(found) if found else np.zeros((0, self.curves.shape[1]))


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
