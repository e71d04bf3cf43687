"""Which images of a split test, validate and train: the same for every trial, verb and process. No torch."""

from typing import TYPE_CHECKING

import numpy as np

from ressearch.training.source import Counts, DivisionError, Source
from ressearch.training.sources import SOURCES

if TYPE_CHECKING:
    from ressearch.training.pixels import Labels

TENTH = 0.1
HOLD_OUT_SEED = 2
"""Of the images set aside to test, which must not depend on the seed of a study."""


def counts_of(source: Source, seed: int) -> Counts | None:
    """Count the images by their labels alone, as `training.data.counted` does; None where nothing tells them.

    Raises:
        DivisionError: If there are too few images for `test_images`, `val_images` and `subset`.
        ValueError: If files are missing or wrongly laid out.
    """
    counts = SOURCES[source.name].counts(source.root)
    if counts is None:
        return None
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    held_out = num_held_out(source, len(labels), len(counts))
    train, val = divide(labels, tuple(counts), source, seed, held_out)
    return Counts(len(train), len(val), held_out)


def num_held_out(source: Source, num_images: int, num_classes: int) -> int:
    """Return how many of the training images are set aside to test; 0 where there are test images apart from them.

    Raises:
        DivisionError: If `test_images` is given where there are test images, or asks for more than there is.
    """
    given = source.test_images
    if source.has_test_images():
        if given:
            raise DivisionError(
                "test_images",
                f"{source.name} has test images of its own, so that none are set aside; leave test_images out, "
                f"got {given}",
            )
        return 0
    if given is None:
        return max(round(TENTH * num_images), num_classes)
    number = round(given * num_images) if isinstance(given, float) else given
    if given and not num_classes <= number < num_images:
        raise DivisionError(
            "test_images",
            f"{num_classes} (classes) <= test_images < {num_images} (images) must hold, got {number}"
            + (f", the share {given:g} of them" if isinstance(given, float) else ""),
        )
    return number


def hold_out(labels: "Labels", number: int) -> "Labels":
    """Return the rows of the images set aside to test, ascending: stratified, and a function of the labels alone."""
    return np.sort(stratified_order(labels, np.random.default_rng(HOLD_OUT_SEED))[:number])


def divide(
    labels: "Labels", class_names: tuple[str, ...], source: Source, seed: int, held_out: int = 0
) -> tuple["Labels", "Labels"]:
    """Rows of the training and of the validation images, each in ascending order, without those set aside to test.

    Validation rows depend on the seed, `val_images` and `held_out` alone, never on `subset`; both parts are stratified.

    Raises:
        DivisionError: If a part would be without an image of some class.
    """
    num_classes = len(class_names)
    seen = np.setdiff1d(np.arange(len(labels)), hold_out(labels, held_out), assume_unique=True)
    _check_every_class(labels, seen, class_names, held_out)
    num_val = source.val_images or max(round(TENTH * len(seen)), num_classes)
    order = seen[stratified_order(labels[seen], np.random.default_rng([seed, 0]))]
    val_rows, rest = order[:num_val], np.sort(order[num_val:])
    rest = rest[stratified_order(labels[rest], np.random.default_rng([seed, 1]))]
    num_train = source.subset or len(rest)
    if num_val < num_classes or len(set(labels[rest])) < num_classes:
        raise DivisionError(
            "val_images",
            f"an image of each of the {num_classes} classes to validate, and one to train, must be there, "
            f"got val_images={num_val} of {len(seen)} training images",
        )
    if not num_classes <= num_train <= len(rest):
        raise DivisionError(
            "subset",
            f"{num_classes} (classes) <= subset <= {len(rest)} (training images without validation) must hold, "
            f"got {num_train}",
        )
    return np.sort(rest[:num_train]), np.sort(val_rows)


def _check_every_class(labels: "Labels", seen: "Labels", class_names: tuple[str, ...], held_out: int) -> None:
    counts = np.bincount(labels[seen], minlength=len(class_names))
    if counts.min() >= 2:
        return
    name = class_names[int(counts.argmin())]
    told = f"class {name!r} must have 2 or more images, one to train and one to validate, got {counts.min()}"
    if held_out:
        told += f" beside the {held_out} images that are set aside to test; test_images: 0 sets none aside"
    raise DivisionError("test_images" if held_out else "root", told)


def stratified_order(labels: "Labels", generator: np.random.Generator) -> "Labels":
    """A random order of all rows whose every beginning has the classes in their proportions.

    The k-th of a class's n images is at the share k / n of the way, so that a beginning of any length has,
    to within one, its share of each class, and one of length `num_classes` has them all.
    """
    shuffled = generator.permutation(len(labels))
    share = np.empty(len(labels))
    for label in np.unique(labels):
        members = labels[shuffled] == label
        share[members] = np.arange(members.sum()) / members.sum()
    return shuffled[np.argsort(share, kind="stable")]
