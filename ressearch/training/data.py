"""The images of a study: decoded once per machine, split the same way for every trial, loaded to a device."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ressearch.images import ImageShape
from ressearch.messages import Note
from ressearch.training.cache import Cached, default_cache_dir, ensure_cached, open_cached
from ressearch.training.division import divide, hold_out, num_held_out
from ressearch.training.fingerprint import Fingerprint
from ressearch.training.pixels import Labels
from ressearch.training.source import Counts, Source
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
    held_out: int = 0
    """Images of the training split that are set aside to test, where the source has no test images of its own: these
    are the test images then, and no other split knows them."""


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

    Where the source has no test images of its own, they are set aside from its training images, the same ones whatever
    the seed. What the user should know of the files, such as which are left out, is a warning of the category `Note`.

    Args:
        source: Where images come from.
        seed: The study's seed: fixes which images validate, the same for every trial.
        cache_dir: Where decoded images are kept; `default_cache_dir()` if None.
        split: The files of the other split are not opened.

    Raises:
        DivisionError: If there are too few images for `test_images`, `val_images` and `subset`.
        ValueError: If the source cannot be read, or has no test images where these are asked for.
        OSError: If the cache cannot be written.
    """
    if split == "test" and source.has_test_images():
        return Prepared(directory=_decoded(source, "test", cache_dir), source=source, seed=seed, split="test")
    if split == "test" and source.test_images == 0:
        raise source.lacks_test_images()
    directory = _decoded(source, "train", cache_dir, is_noted=split == "train")
    cached = open_cached(directory)
    held_out = num_held_out(source, len(cached.labels), len(cached.class_names))
    divide(cached.labels, cached.class_names, source, seed, held_out)
    return Prepared(directory=directory, source=source, seed=seed, split=split, held_out=held_out)


def _decoded(source: Source, split: Split, cache_dir: Path | None, *, is_noted: bool = True) -> Path:
    directory = ensure_cached(source, split, cache_dir or default_cache_dir())
    for note in source.notes(split) if is_noted else ():
        warnings.warn(note, Note, stacklevel=3)
    return directory


def fingerprint(prepared: Prepared) -> Fingerprint:
    """Return what tells the images of a split from any other; those set aside to test are apart from the others."""
    cached = open_cached(prepared.directory)
    rows, digest = _split_rows(cached, prepared), cached.digest
    if prepared.held_out and prepared.split == "test":
        digest = hashlib.sha256(digest.encode() + rows.tobytes()).hexdigest()
    counts = np.bincount(cached.labels[rows], minlength=len(cached.class_names)).tolist()
    return Fingerprint(class_names=cached.class_names, num_images=counts, digest=digest)


def _split_rows(cached: Cached, prepared: Prepared) -> Labels:
    """Return the rows of a cache that belong to a split."""
    every = np.arange(len(cached.labels))
    if not prepared.held_out:
        return every
    held_out = hold_out(cached.labels, prepared.held_out)
    return held_out if prepared.split == "test" else np.setdiff1d(every, held_out, assume_unique=True)


def counted(prepared: Prepared) -> Counts:
    """Count the images that train, that validate, and that were set aside to test; `prepared` holds a training split.

    Test images of the source's own stay closed: they count 0 here.
    """
    train, val = _divided(open_cached(prepared.directory), prepared)
    return Counts(len(train), len(val), prepared.held_out)


def _divided(cached: Cached, prepared: Prepared) -> tuple[Labels, Labels]:
    return divide(cached.labels, cached.class_names, prepared.source, prepared.seed, prepared.held_out)


def load(prepared: Prepared, device: torch.device | str) -> Images:
    """Training and validation images for a device: on the CPU shared with all processes, else in its memory.

    Raises:
        ValueError: If `prepared` holds test images; `load_test` is for those.
    """
    if prepared.split != "train":
        raise ValueError("load: prepared with split='train' must hold, got split='test'; use load_test")
    cached = open_cached(prepared.directory)
    train_rows, val_rows = _divided(cached, prepared)
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
    return _rows(cached, _split_rows(cached, prepared), device)


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
