"""One architecture trained by itself: no study, no choice among candidates, so the test images may be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ressearch.arch import Architecture, plan
from ressearch.images import ImageShape
from ressearch.model import build
from ressearch.training.data import load, load_test, prepare
from ressearch.training.loop import EpochResult, evaluate, train
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source


@dataclass(frozen=True)
class Trained:
    """A trained network with its last epoch, its accuracy on the test images (0..1), and the images it has seen."""

    state: Mapping[str, Tensor]
    last: EpochResult
    test_accuracy: float
    shape: ImageShape
    normalisation: dict[str, list[Any]]


def train_single(
    architecture: Architecture,
    source: Source,
    recipe: Recipe,
    *,
    seed: int,
    observe: Callable[[EpochResult], None],
) -> Trained:
    """Train one architecture to the end; the test images are read once, after the last epoch.

    Args:
        architecture: What to train.
        source: Where images come from; its validation images are set aside as in a search with this seed.
        recipe: How to train.
        seed: Of the weights, the order of the images and their augmentation.
        observe: Called with every epoch.

    Raises:
        ValueError: If the images cannot be used.
        TrainingError: If the loss is no longer finite, or memory runs out.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    test = prepare(source, seed=seed, split="test")  # what is wrong with them is said before the training
    images = load(prepare(source, seed=seed), device)
    torch.manual_seed(seed)
    network = build(plan(architecture, images.shape.channels, images.shape.num_classes)).to(device)
    for epoch in train(network, images, recipe, seed=seed, device=device):
        observe(epoch)
    accuracy = evaluate(network, *load_test(test, device), images.mean, images.std, device)[1]
    return Trained(network.state_dict(), epoch, accuracy, images.shape, images.normalisation)
