"""The proxy that fits a time: resolution, images and epochs, where an experiment leaves them out."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ressearch.experiment import Experiment, Resources
from ressearch.experiment.completion import Key, completed, left_out
from ressearch.search.continuation import kept_terms
from ressearch.search.pacing import paced
from ressearch.store.files import SPACE, is_study
from ressearch.training.data import counted, prepare
from ressearch.training.division import counts_of
from ressearch.training.source import Counts

RESOLUTION, SUBSET, VAL_IMAGES = ("data", "resolution"), ("data", "subset"), ("data", "val_images")
EPOCHS, EMA_DECAY = ("recipe", "epochs"), ("recipe", "ema_decay")
KEYS: tuple[Key, ...] = (RESOLUTION, SUBSET, VAL_IMAGES, EPOCHS, EMA_DECAY)
"""What may be left out."""
NUM_TRAININGS = 48
"""Full trainings that the time should buy; where rungs stop some early, about twice as many networks begin."""
NUM_EPOCHS = 4
"""Of a proxy whose images are left out, too: more images tell more than more epochs."""
MAX_EPOCHS = 60
ENOUGH = 48_000
"""Images that a network sees, repetitions included; a lower resolution makes up for fewer."""
LOWEST_RESOLUTION = 16
IMAGES_PER_CLASS = 100
"""Of a proxy at least, where there are as many."""
NUM_PACED = 2048
"""Images that a time is predicted for."""
DECAY = 0.95
"""Of the average of the weights: what is read at a high learning rate then ranks networks better."""
VAL_SHARE = 1 / 3
"""Images that validate for each that trains, where neither number is given."""
_MARK = "Proxy for "
"""What the comment begins with that says why a proxy is as it is."""

Chosen = Mapping[Key, float]


def with_proxy(experiment: Experiment, directory: Path, hours: float | None) -> Experiment:
    """Return the experiment with all that it leaves out of resolution, images and epochs, and its YAML with the reason.

    A study keeps what was chosen when it began. Without a time nothing is chosen, and the defaults hold. The resolution
    and how many images validate are chosen only where the number of images is, too, and the resolution is the source's
    own where multiply-adds are limited. With the epochs goes an average of the weights.

    Raises:
        SpaceError: If the YAML is wrong.
        StudyError: If the study cannot be read.
        ValueError: If the images cannot be used.
    """
    text = experiment.origin.text
    missing = left_out(text, KEYS) if text else set()
    if SUBSET not in missing:
        missing &= {EPOCHS, EMA_DECAY}
    if EPOCHS not in missing:
        missing -= {EMA_DECAY}
    if is_study(directory):
        chosen, reason = _kept(directory, missing)
    elif missing and hours:
        chosen, reason = _found(experiment, missing, hours)
    else:
        chosen, reason = {}, ""
    if not chosen:
        return experiment
    images: dict[str, Any] = {key: value for (section, key), value in chosen.items() if section == "data"}
    recipe: dict[str, Any] = {key: value for (section, key), value in chosen.items() if section == "recipe"}
    return replace(
        experiment,
        images=replace(experiment.images, **images),
        recipe=replace(experiment.recipe, **recipe),
        origin=replace(experiment.origin, text=completed(text, chosen, reason)),
    )


def reason_of(experiment: Experiment) -> str:
    """Return why the proxy is as it is, empty where the YAML itself says what it is."""
    return _reason(experiment.origin.text)


def _reason(text: str) -> str:
    lines = (line.removeprefix("# ") for line in text.splitlines() if line.startswith(f"# {_MARK}"))
    return next(lines, "")


def _kept(directory: Path, missing: set[Key]) -> tuple[Chosen, str]:
    space = directory / SPACE
    reason = _reason(space.read_text()) if space.is_file() else ""
    if not reason:
        return {}, ""
    terms = kept_terms(directory)
    kept = {key: terms[".".join(key)] for key in sorted(missing)}
    return {key: value for key, value in kept.items() if value is not None}, reason


def _found(experiment: Experiment, missing: set[Key], hours: float) -> tuple[Chosen, str]:
    """Choose by the time that an image takes here."""
    workers = _num_workers(experiment.session.resources)
    images, seconds = experiment.images, 3600 * hours * workers
    every = replace(images, subset=None)
    counts = counts_of(every, experiment.seed) or counted(prepare(every, seed=experiment.seed))
    per_image = _seconds_per_image(experiment)
    seen = seconds / NUM_TRAININGS / per_image
    resolution = experiment.shape.resolution
    if RESOLUTION in missing and experiment.space.limits.num_macs.max is None:
        while resolution // 2 >= LOWEST_RESOLUTION and seen < min(ENOUGH, NUM_EPOCHS * counts.train):
            resolution, seen, per_image = resolution // 2, 4 * seen, per_image / 4
    epochs, subset = experiment.recipe.epochs, images.subset or counts.train
    if SUBSET in missing:
        epochs = NUM_EPOCHS if EPOCHS in missing else epochs
        least = min(IMAGES_PER_CLASS * experiment.shape.num_classes, counts.train)
        subset = min(max(_rounded(seen / epochs), least), counts.train)
    if EPOCHS in missing:
        epochs = min(max(round(seen / subset), NUM_EPOCHS if SUBSET in missing else 1), MAX_EPOCHS)
        while experiment.scheduler.misfit(epochs) and epochs < MAX_EPOCHS:
            epochs += 1
    chosen: dict[Key, float] = {RESOLUTION: resolution, EPOCHS: epochs, SUBSET: subset, EMA_DECAY: DECAY}
    if VAL_IMAGES in missing:
        chosen[VAL_IMAGES] = min(counts.val, _rounded(VAL_SHARE * subset))
    num_trainings = seconds / (per_image * subset * epochs)
    reason = (
        f"{_MARK}{hours:g} h on {workers} worker{'s' if workers > 1 else ''}: {resolution} pixels, {subset:,} images, "
        f"{epochs} epochs, since a training sees an image in {1000 * per_image:.2g} ms here, so that the time holds "
        f"{num_trainings:.0f} of them; fixed for this study"
    )
    return {key: chosen[key] for key in sorted(missing & chosen.keys())}, reason


def _seconds_per_image(experiment: Experiment) -> float:
    """Return the time that the median network trains on one image, with its share of those that validate."""
    images = Counts(NUM_PACED, round(VAL_SHARE * NUM_PACED), 0)
    pace = paced(replace(experiment, recipe=replace(experiment.recipe, epochs=1)), images=images)
    if pace is None:
        raise ValueError(
            "data: give subset, and recipe: epochs: too few networks are within the limits to tell what fits the time"
        )
    return median(pace.seconds) / NUM_PACED


def _num_workers(resources: Resources) -> int:
    """Return how many trials this machine does at a time."""
    if gpus := torch.cuda.device_count():
        slots = int(gpus / resources.device_share + 1e-9)
    else:
        slots = (os.cpu_count() or 1) // resources.cpus_per_trial
    return max(1, min(slots, resources.workers or slots))


def _rounded(number: float) -> int:
    """Round to two digits."""
    return int(float(f"{number:.2g}"))
