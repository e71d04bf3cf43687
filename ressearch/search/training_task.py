"""What a training by itself is given, what a display is told of it, and what comes of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ressearch.arch import Architecture, architecture_id
from ressearch.images import ImageShape
from ressearch.noise import std_error
from ressearch.search.contract import TrialResult
from ressearch.training.recipe import Recipe
from ressearch.training.source import Counts, Source


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """What is trained."""

    name: str
    """What the network is called."""
    what: str
    """How the user named it."""
    architecture: Architecture
    recipe: Recipe
    source: Source
    split_seed: int = 0
    """Fixes which images validate."""
    seed: int = 0
    """Of the weights, the order of the images and their augmentation."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    origin: Mapping[str, str | int | float] = field(default_factory=dict)
    """Where the network comes from, such as {"study": "cifar10", "trial": 17}."""
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Fingerprints, by split, of the images that the study of the network was begun with."""
    other_images: bool = False
    """Whether the user has named the images, so that they may be others."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"0 <= seed < 2**32 must hold, got {self.seed}")

    @property
    def terms(self) -> dict[str, Any]:
        """Return all that decides the result, as plain JSON values by dotted key; the root may move."""
        data = {name: value for name, value in self.source.to_dict().items() if name != "root"}
        sections = {"recipe": asdict(self.recipe), "data": data}
        values = {f"{section}.{name}": value for section, fields in sections.items() for name, value in fields.items()}
        own = {"architecture_id": architecture_id(self.architecture), "seed": self.seed, "split_seed": self.split_seed}
        return own | values


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network: how it ended, where its export is, and the images it has seen."""

    task: TrainingTask
    directory: Path
    result: TrialResult
    shape: ImageShape
    normalisation: Mapping[str, list[Any]]
    counts: Counts
    num_test_images: int
    was_finished: bool = False
    """Whether an earlier call had trained it to the end, so that this one has trained nothing."""

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return self.task.architecture

    @property
    def test_accuracy(self) -> float:
        """Share of the test images classified correctly, 0..1."""
        return self.result.measures["test_accuracy"]

    @property
    def std_error(self) -> float:
        """Standard error of the test accuracy."""
        return std_error(self.test_accuracy, self.num_test_images)

    @property
    def origin(self) -> dict[str, str | int | float]:
        """What an export tells of the training."""
        return {
            **self.task.origin,
            "architecture_id": architecture_id(self.architecture),
            "epochs": len(self.result.curve),
            "val_accuracy": self.result.measures["val_accuracy"],
            "test_accuracy": self.test_accuracy,
            "seed": self.task.seed,
        }


@dataclass(frozen=True, kw_only=True)
class TrainingStart:
    """What a display is told before the first epoch. curve: epochs that an earlier call has trained."""

    directory: Path
    name: str
    num_epochs: int
    device: str
    counts: Counts
    num_test_images: int
    curve: tuple[Mapping[str, float], ...]


Tell = Callable[[Mapping[str, float]], None]
Observe = Callable[[TrainingStart], AbstractContextManager[Tell]]
"""Opens a display; it is told of every epoch, with the values of metrics.csv by name."""

Export = Callable[[Trained, Mapping[str, Tensor], Path], None]
"""Writes a trained network, given its weights, into a directory that is not there yet."""


def unobserved(_: TrainingStart) -> AbstractContextManager[Tell]:
    """Show nothing."""
    return nullcontext(lambda _: None)
