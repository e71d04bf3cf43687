"""How long a network would train, predicted from the trials that have run."""

from statistics import median

import numpy as np

from ressearch.arch import Cost
from ressearch.store.record import TrialRecord

MIN_TRIALS = 8
"""Trials from which on there is a forecast."""


class Forecast:
    """Seconds of a trial at full length: a constant, and a share for each multiply-add and each activation.

    The three are nonnegative and make the sum of the squared relative errors least (Lawson & Hanson 1974, chapter 23).
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._costs: list[tuple[float, float, float]] = []
        self._seconds: list[float] = []
        self._rates: np.ndarray | None = None

    def take(self, record: TrialRecord) -> None:
        """Learn from a trial that has trained an epoch at least, however it ended."""
        paces = [epoch.get("seconds", 0.0) for epoch in record.curve]
        if not paces or record.seconds <= 0:
            return
        set_up = max(0.0, record.seconds - sum(paces))
        self.learn(record.cost, set_up + median(paces) * self._epochs)

    def learn(self, cost: Cost, seconds: float) -> None:
        """Learn how long a network takes."""
        self._costs.append(_features(cost))
        self._seconds.append(seconds)
        self._rates = None

    def seconds(self, cost: Cost) -> float | None:
        """Return how long a network would take, None as long as too few have been trained."""
        if len(self._costs) < MIN_TRIALS:
            return None
        if self._rates is None:
            self._rates = self._fitted()
        return float(np.dot(_features(cost), self._rates))

    def _fitted(self) -> np.ndarray:
        from scipy.optimize import nnls

        seconds = np.maximum(self._seconds, 1e-6)
        relative = np.array(self._costs) / seconds[:, None]
        scale = relative.max(axis=0)
        rates: np.ndarray = nnls(relative / scale, np.ones(len(seconds)))[0] / scale
        return rates


def _features(cost: Cost) -> tuple[float, float, float]:
    return (1.0, float(cost.num_macs), float(cost.num_activations))
