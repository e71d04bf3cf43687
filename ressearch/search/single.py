"""One architecture trained by itself: no study, no choice among candidates, so the test images may be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ressearch.arch import Architecture, architecture_id
from ressearch.images import ImageShape
from ressearch.search.contract import Progress, TrialResult, TrialSpec
from ressearch.search.trainer import train_once
from ressearch.training.data import Counts, counted, load, prepare
from ressearch.training.loop import EpochResult, TrainingError
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network: how it ended, the file of its weights, and the images it has seen."""

    architecture: Architecture
    result: TrialResult
    weights: Path
    shape: ImageShape
    normalisation: dict[str, list[Any]]
    counts: Counts

    @property
    def test_accuracy(self) -> float:
        """Share of the test images classified correctly, 0..1."""
        return self.result.measures["test_accuracy"]

    @property
    def origin(self) -> dict[str, str | int | float]:
        """What an export tells of the training."""
        return {
            "architecture_id": architecture_id(self.architecture),
            "epochs": len(self.result.curve),
            "val_accuracy": self.result.measures["val_accuracy"],
            "test_accuracy": self.test_accuracy,
        }

    def load_state(self) -> Mapping[str, Tensor]:
        """Read the weights."""
        from safetensors.torch import load_file

        return load_file(self.weights)


def train_single(
    architecture: Architecture,
    source: Source,
    recipe: Recipe,
    *,
    seed: int,
    weights: Path,
    observe: Callable[[EpochResult], None] = lambda _: None,
) -> Trained:
    """Train one architecture to the end; the test images are read once, after the last epoch.

    Args:
        architecture: What to train.
        source: Where images come from; its validation images are set aside as in a search with this seed.
        recipe: How to train.
        seed: Of the weights, the order of the images and their augmentation.
        weights: File to write the trained weights to.
        observe: Called with every epoch.

    Raises:
        ValueError: If the images cannot be used.
        TrainingError: If the training fails.
    """
    test = prepare(source, seed=seed, split="test")  # what is wrong with them is said before the training
    prepared = prepare(source, seed=seed)
    spec = TrialSpec(
        number=0,
        architecture=architecture,
        recipe=recipe,
        images=prepared,
        test=test,
        seed=seed,
        weights=weights.absolute(),
    )
    for event in train_once(spec):
        match event:
            case Progress(epoch=epoch):
                observe(epoch)
            case TrialResult(reason=None):
                images = load(prepared, "cpu")
                return Trained(
                    architecture=architecture,
                    result=event,
                    weights=weights,
                    shape=images.shape,
                    normalisation=images.normalisation,
                    counts=counted(prepared),
                )
            case TrialResult(reason=str(reason)):
                raise TrainingError(reason, event.message.removeprefix(f"{reason}: "))
    raise AssertionError("a training ends in a result")
