"""What a replay needs to know of a table: what a training would have come to, and what is true."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Protocol

from ressearch.experiment import Experiment
from ressearch.images import ImageShape
from ressearch.space import Candidate
from ressearch.training.loop import EpochResult
from ressearch.training.source import Counts, Source

Curve = Sequence[EpochResult]


def recorded(accuracies: Sequence[float], seconds: float) -> Curve:
    """Return the curve of a training, by its accuracies after each epoch and the seconds of one."""
    return [
        EpochResult(epoch=epoch, train_loss=nan, val_loss=nan, val_accuracy=accuracy, lr=nan, seconds=seconds)
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]


class Oracle(Protocol):
    """Answers for every candidate of an experiment.

    Attributes:
        experiment: What is searched, with the sampler and the scheduler still to be chosen.
        counts: How many images there were.
    """

    experiment: Experiment
    counts: Counts

    @property
    def origin(self) -> str:
        """What the trainings are, in a sentence."""

    @property
    def best(self) -> float:
        """The highest truth there is, as far as known."""

    def curve(self, candidate: Candidate, seed: int) -> Curve:
        """Return all epochs of a training with this seed."""

    def truth(self, candidate: Candidate) -> float:
        """Return the expected accuracy at the last epoch, over all seeds."""


@dataclass(frozen=True, kw_only=True)
class RecordedImages(Source):
    """Images that only their description is known of."""

    shape: ImageShape = field(default=ImageShape(channels=3, resolution=32, num_classes=10))

    def describe(self) -> ImageShape:
        """Return the description."""
        return self.shape
