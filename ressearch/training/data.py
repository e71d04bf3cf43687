"""The images of a study: decoded once per machine, split the same way for every trial, loaded to a device."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ressearch.images import ImageShape
from ressearch.messages import Note
from ressearch.training.cache import Cached, default_cache_dir, ensure_cached, open_cached
from ressearch.training.fingerprint import Fingerprint
from ressearch.training.pixels import Labels
from ressearch.training.source import Source
from ressearch.training.sources.kind import Split

COPIED_AT_A_TIME = 1024
"""Images on their way to another device."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A decoded split on this machine's disk; small, and may be sent to other processes."""

    directory: Path
    source: Source
    seed: int
    split: Split


class Counts(NamedTuple):
    """Number of images that train, and that validate."""

    train: int
    val: int


@dataclass(frozen=True, eq=False)
class ImageRows:
    """Some images of a split, which stay in the pages of the cache that all processes of the machine share.

    They are indexed like a tensor, by rows or a slice, and give a copy: uint8 (N, C, H, W).
    """

    split: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        return self.split[self.rows[index]]

    def copied(self, device: torch.device | str) -> Tensor:
        """Return them in the memory of a device, never as a whole in that of this process."""
        copy = torch.empty((len(self), *self.split.shape[1:]), dtype=torch.uint8, device=device)
        for start in range(0, len(self), COPIED_AT_A_TIME):
            part = slice(start, start + COPIED_AT_A_TIME)
            copy[part] = self[part].to(device)
        return copy


@dataclass(frozen=True, kw_only=True)
class Images:
    """Training and validation images on one device: uint8 (N, C, H, W), labels int64 (N,).

    `mean` and `std` are those of the training images, float32 (C,), on the scale 0..1.
    """

    train_images: Tensor | ImageRows
    train_labels: Tensor
    val_images: Tensor | ImageRows
    val_labels: Tensor
    mean: Tensor
    std: Tensor
    class_names: tuple[str, ...]
    shape: ImageShape

    @property
    def normalisation(self) -> dict[str, list[Any]]:
        """What a network trained on them expects of its input, and what its outputs stand for, as plain values."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist(), "class_names": list(self.class_names)}


def prepare(source: Source, *, seed: int, cache_dir: Path | None = None, split: Split = "train") -> Prepared:
    """Decode one split of a source, once per machine, and make sure that it can be divided as asked.

    What the user should know of the files, such as which are left out, is a warning of the category `Note`.

    Args:
        source: Where images come from.
        seed: The study's seed: fixes which images validate, the same for every trial.
        cache_dir: Where decoded images are kept; `default_cache_dir()` if None.
        split: The files of the other split are not opened.

    Raises:
        ValueError: If the source cannot be read, or has too few images for `val_images` and `subset`.
        OSError: If the cache cannot be written.
    """
    directory = ensure_cached(source, split, cache_dir or default_cache_dir())
    for note in source.notes(split):
        warnings.warn(note, Note, stacklevel=2)
    if split == "train":
        cached = open_cached(directory)
        divide(cached.labels, cached.class_names, source, seed)
    return Prepared(directory=directory, source=source, seed=seed, split=split)


def fingerprint(prepared: Prepared) -> Fingerprint:
    """Return what tells a split from any other."""
    cached = open_cached(prepared.directory)
    counts = np.bincount(cached.labels, minlength=len(cached.class_names)).tolist()
    return Fingerprint(class_names=cached.class_names, num_images=counts, digest=cached.digest)


def counted(prepared: Prepared) -> Counts:
    """Count the images that train, and that validate; `prepared` holds a training split."""
    cached = open_cached(prepared.directory)
    return Counts(*map(len, divide(cached.labels, cached.class_names, prepared.source, prepared.seed)))


def load(prepared: Prepared, device: torch.device | str) -> Images:
    """Training and validation images for a device: on the CPU shared with all processes, else in its memory.

    Raises:
        ValueError: If `prepared` holds test images; `load_test` is for those.
    """
    if prepared.split != "train":
        raise ValueError("load: prepared with split='train' must hold, got split='test'; use load_test")
    cached = open_cached(prepared.directory)
    train_rows, val_rows = divide(cached.labels, cached.class_names, prepared.source, prepared.seed)
    train_images, train_labels = _rows(cached, train_rows, device)
    val_images, val_labels = _rows(cached, val_rows, device)
    mean, std = channel_statistics(cached.moments[train_rows], cached.shape.resolution**2)
    return Images(
        train_images=train_images,
        train_labels=train_labels,
        val_images=val_images,
        val_labels=val_labels,
        mean=mean.to(device),
        std=std.to(device),
        class_names=cached.class_names,
        shape=cached.shape,
    )


def load_test(prepared: Prepared, device: torch.device | str) -> tuple[Tensor | ImageRows, Tensor]:
    """Test images uint8 (N, C, H, W) and labels int64 (N,) for a device, as `load` gives them.

    Raises:
        ValueError: If `prepared` holds no test images.
    """
    if prepared.split != "test":
        raise ValueError("load_test: prepared with split='test' must hold, got split='train'")
    cached = open_cached(prepared.directory)
    return _rows(cached, np.arange(len(cached.labels)), device)


def divide(labels: Labels, class_names: tuple[str, ...], source: Source, seed: int) -> tuple[Labels, Labels]:
    """Rows of the training and of the validation images, each in ascending order.

    Validation rows depend on the seed and `val_images` alone, never on `subset`; both parts are stratified.

    Raises:
        ValueError: If a part would be without an image of some class.
    """
    num_classes = len(class_names)
    counts = np.bincount(labels, minlength=num_classes)
    if counts.min() < 2:
        name = class_names[int(counts.argmin())]
        raise ValueError(
            f"class {name!r} must have 2 or more images, one to train and one to validate, got {counts.min()}"
        )
    num_val = source.val_images or max(round(0.1 * len(labels)), num_classes)
    order = stratified_order(labels, np.random.default_rng([seed, 0]))
    val_rows, rest = order[:num_val], np.sort(order[num_val:])
    rest = rest[stratified_order(labels[rest], np.random.default_rng([seed, 1]))]
    num_train = source.subset or len(rest)
    if num_val < num_classes or len(set(labels[rest])) < num_classes:
        raise ValueError(
            f"an image of each of the {num_classes} classes to validate, and one to train, must be there, "
            f"got val_images={num_val} of {len(labels)} training images"
        )
    if not num_classes <= num_train <= len(rest):
        raise ValueError(
            f"{num_classes} (classes) <= subset <= {len(rest)} (training images without validation) must hold, "
            f"got {num_train}"
        )
    return np.sort(rest[:num_train]), np.sort(val_rows)


def stratified_order(labels: Labels, generator: np.random.Generator) -> Labels:
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


def channel_statistics(moments: Labels, num_pixels: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel, float32 (C,), on the scale 0..1, of images that need not be read.

    Args:
        moments: int64 (N, C, 2), see `Cached`; whole numbers, so that their sums are exact in any order.
        num_pixels: Of one channel of one image.
    """
    sums, squares = moments.sum(0).T / (len(moments) * num_pixels)
    mean = sums / 255
    std = np.sqrt(np.maximum(squares / 255**2 - mean**2, 0))
    std = np.maximum(std, 1 / 255)  # images of one colour must not divide by zero
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()


def _rows(cached: Cached, rows: Labels, device: torch.device | str) -> tuple[Tensor | ImageRows, Tensor]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # `ImageRows` gives copies only
        split = torch.from_numpy(cached.images)
    images = ImageRows(split, torch.from_numpy(rows))
    is_shared = torch.device(device).type == "cpu"
    return images if is_shared else images.copied(device), torch.from_numpy(cached.labels[rows]).to(device)
