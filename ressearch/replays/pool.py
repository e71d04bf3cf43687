"""Searches among the recorded networks only, for tables that say too little of others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ressearch.images import ImageShape
from ressearch.noise import shrunken
from ressearch.replays.oracle import Curve, recorded
from ressearch.replays.recorded_networks import Recording
from ressearch.space import Candidate, Space, Value


@dataclass(frozen=True, kw_only=True)
class _PoolSpace(Space):
    """A space in which every network within the limits stands for the recorded one that is nearest to it."""

    recording: Recording

    def candidate(self, params: Mapping[str, Value], shape: ImageShape) -> Candidate:
        proposed = super().candidate(params, shape)
        points = self.recording.points
        scale = np.maximum(points.std(axis=0), 1e-9)
        distances = np.sum(((points - self.recording.vector(proposed)) / scale) ** 2, axis=1)
        return self.recording.candidates[int(self.recording.networks[int(np.argmin(distances))])]


class Pool:
    """The recorded networks behind the contract of an `Oracle`.

    What is true of a network is its mean accuracy, drawn towards that of the others as far as it is chance. A training
    is the network's mean curve up to there, and the deviation of some training from the mean of its network's.
    """

    def __init__(self, recording: Recording, *, tau: float) -> None:
        self._recording, self._tau = recording, tau
        space = recording.experiment.space
        pool = _PoolSpace(
            num_stages=space.num_stages,
            parameters=space.parameters,
            fixed=space.fixed,
            limits=space.limits,
            recording=recording,
        )
        session = replace(recording.experiment.session, baselines=())
        self.experiment = replace(recording.experiment, space=pool, session=session)
        self.counts = recording.counts
        numbers, curves = list(recording.candidates), recording.of(recording.curves)
        estimates = shrunken([curves[number][:, -1].tolist() for number in numbers], self.counts.val)
        ids = [recording.candidates[number].id for number in numbers]
        self._truths = {one: estimate.value for one, estimate in zip(ids, estimates, strict=True)}
        self._curves = {
            one: (mean := curves[number].mean(axis=0)) + self._truths[one] - mean[-1]
            for one, number in zip(ids, numbers, strict=True)
        }
        self._paces = {
            one: recording.of(recording.paces)[number].mean() for one, number in zip(ids, numbers, strict=True)
        }

    @property
    def origin(self) -> str:
        """What the trainings are, in a sentence."""
        return (
            f"Only the {len(self._recording.candidates)} recorded networks are searched, a proposal standing for the "
            f"nearest of them: others are predicted too badly (Kendall's tau {self._tau:.2f} for networks left out)."
        )

    @property
    def best(self) -> float:
        """The highest truth of a recorded network within the limits."""
        limits = self.experiment.space.limits
        within = [one for one in self._recording.candidates.values() if limits.allow(one.cost)]
        return max(self._truths[candidate.id] for candidate in within)

    def truth(self, candidate: Candidate) -> float:
        """Return the expected accuracy at the last epoch."""
        return self._truths[candidate.id]

    def curve(self, candidate: Candidate, seed: int) -> Curve:
        """Return all epochs of a training with this seed."""
        return recorded(self._recording.with_noise(self._curves[candidate.id], seed), self._paces[candidate.id])
