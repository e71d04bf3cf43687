"""How long trials will take on this machine: a few steps of some networks, which predict the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import median

import torch

from ressearch.experiment import Experiment
from ressearch.images import ImageShape
from ressearch.model import build
from ressearch.search.forecast import MIN_TRIALS, Forecast
from ressearch.space import Candidate
from ressearch.space.survey import feasible_candidates
from ressearch.training.data import Images
from ressearch.training.division import counts_of
from ressearch.training.loop import Training
from ressearch.training.source import Counts

NUM_TIMED = 12
"""Networks that train a few steps."""
NUM_STEPS = 4
"""Of each network, after as many that warm up."""
NUM_PREDICTED = 500
"""Networks whose time is predicted."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds that full trials take, one at a time.

    seconds: of random networks within the limits, ascending. error: median relative error of the prediction for a
    network left out. num_timed: networks that were timed.
    """

    seconds: tuple[float, ...]
    error: float
    num_timed: int

    def trials(self, hours: float) -> float:
        """Return how many random networks one worker trains in full in this time."""
        return 3600 * hours * len(self.seconds) / sum(self.seconds)


def paced(experiment: Experiment, *, images: Counts | None = None, seed: int = 0) -> Pace | None:
    """Time some networks of a space and predict the others; None where too few networks are feasible.

    No image is read: the networks see noise, which takes as long.

    Args:
        experiment: Says what is trained, and how long.
        images: How many there are; as many as the experiment's if None.
        seed: Of the networks.

    Raises:
        ValueError: If nothing says how many images there are.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = images or _counts(experiment)
    candidates = feasible_candidates(experiment.space, experiment.shape, NUM_PREDICTED, Random(seed))
    timed = candidates[:NUM_TIMED]
    if len(timed) < MIN_TRIALS + 1:
        return None
    before = torch.get_num_threads()
    torch.set_num_threads(experiment.session.resources.cpus_per_trial)
    try:
        seconds = [_seconds(experiment, candidate, images, device) for candidate in timed]
    finally:
        torch.set_num_threads(before)
    forecast = _forecast(experiment, timed, seconds)
    errors = []
    for left_out, (candidate, actual) in enumerate(zip(timed, seconds, strict=True)):
        others = [index for index in range(len(timed)) if index != left_out]
        partial = _forecast(experiment, [timed[i] for i in others], [seconds[i] for i in others])
        errors.append(abs(_predicted(partial, candidate) / actual - 1))
    predicted = sorted(_predicted(forecast, candidate) for candidate in candidates)
    return Pace(seconds=tuple(predicted), error=median(errors), num_timed=len(timed))


def _counts(experiment: Experiment) -> Counts:
    images = experiment.images
    if counts := counts_of(images, experiment.seed):
        return counts
    if images.subset is None or images.val_images is None:
        raise ValueError("data: give subset and val_images: nothing else says how many images a trial sees")
    return Counts(images.subset, images.val_images, 0)


def _forecast(experiment: Experiment, candidates: Sequence[Candidate], seconds: Sequence[float]) -> Forecast:
    forecast = Forecast(experiment.fidelity.epochs)
    for candidate, one in zip(candidates, seconds, strict=True):
        forecast.learn(candidate.cost, one)
    return forecast


def _predicted(forecast: Forecast, candidate: Candidate) -> float:
    seconds = forecast.seconds(candidate.cost)
    assert seconds is not None
    return seconds


def _seconds(experiment: Experiment, candidate: Candidate, images: Counts, device: torch.device) -> float:
    """Train a network on a small copy of an epoch, as many images validating for each that trains."""
    recipe = experiment.recipe_of(candidate)
    num_train = min(NUM_STEPS * recipe.batch_size, images.train)
    num_val = max(1, round(num_train * images.val / images.train))
    short = replace(recipe, epochs=2, warmup_epochs=0)
    noise = _noise(experiment.shape, num_train, num_val, device)
    module = build(candidate.plan)
    _, second = Training(module, noise, short, seed=0, device=device).epochs()
    steps = images.train // min(recipe.batch_size, images.train)
    return second.seconds * steps / max(1, num_train // recipe.batch_size) * recipe.epochs


def _noise(shape: ImageShape, num_train: int, num_val: int, device: torch.device) -> Images:
    def drawn(number: int) -> torch.Tensor:
        size = (number, shape.channels, shape.resolution, shape.resolution)
        return torch.randint(256, size, dtype=torch.uint8, device=device)

    def labels(number: int) -> torch.Tensor:
        return torch.arange(number, device=device) % shape.num_classes

    return Images(
        train_images=drawn(num_train),
        train_labels=labels(num_train),
        val_images=drawn(num_val),
        val_labels=labels(num_val),
        mean=torch.full((shape.channels,), 0.5, device=device),
        std=torch.full((shape.channels,), 0.25, device=device),
        class_names=tuple(map(str, range(shape.num_classes))),
        shape=shape,
    )
