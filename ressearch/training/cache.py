"""Decoded images on disk: written once per machine, memory-mapped by every process after that."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock

from ressearch.images import ImageShape
from ressearch.training.pixels import Labels, Pixels, quiet_decoders
from ressearch.training.source import Source
from ressearch.training.sources.kind import Decoded, Split

VERSION = 3  # to be raised when decoding changes, so that older caches are not read
ARRAYS = ("images.npy", "labels.npy", "moments.npy")


@dataclass(frozen=True)
class Cached:
    """One decoded split: images uint8 (N, C, H, W), backed by the file, and labels int64 (N,).

    `moments` is int64 (N, C, 2): the sum of each channel of each image, and the sum of the squares.
    """

    images: Pixels
    labels: Labels
    moments: Labels
    class_names: tuple[str, ...]
    shape: ImageShape
    digest: str
    """Of all pixels and labels."""


def default_cache_dir() -> Path:
    """$RESSEARCH_CACHE, else $XDG_CACHE_HOME/ressearch, else ~/.cache/ressearch."""
    if chosen := os.environ.get("RESSEARCH_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ressearch"


def ensure_cached(source: Source, split: Split, cache_dir: Path) -> Path:
    """The directory of one decoded split; decodes it first where it is missing or damaged.

    Processes that start at once wait for the one that decodes. The directory appears whole or not at all.

    Raises:
        ValueError: If the source cannot be read.
        OSError: If the cache cannot be written, for instance on a full disk.
    """
    directory = cache_dir / f"{source.name}-{split}-{_key(source, split)}"
    if is_whole(directory):
        return directory
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(directory.with_suffix(".lock")):
            if not is_whole(directory):  # another process may have written it while this one waited
                _build(directory, source, split)
    except OSError as error:
        message = f"the image cache cannot be written ({error}); make room, or set RESSEARCH_CACHE"
        raise OSError(error.errno, message, str(cache_dir)) from error
    return directory


def is_whole(directory: Path) -> bool:
    """Whether the files are all there, as long as their description says."""
    try:
        description = json.loads((directory / "cache.json").read_text())
        sizes = {name: (directory / name).stat().st_size for name in ARRAYS}
        return bool(description["version"] == VERSION and description["bytes"] == sizes)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def open_cached(directory: Path) -> Cached:
    """Map a decoded split into memory; only pages that are read are loaded, and all processes share them."""
    description = json.loads((directory / "cache.json").read_text())
    return Cached(
        images=np.load(directory / "images.npy", mmap_mode="r", allow_pickle=False),
        labels=np.load(directory / "labels.npy", allow_pickle=False),
        moments=np.load(directory / "moments.npy", allow_pickle=False),
        class_names=tuple(description["class_names"]),
        shape=ImageShape(**description["shape"]),
        digest=description["digest"],
    )


def _key(source: Source, split: Split) -> str:
    """A hash of what decides the decoded pixels."""
    return hashlib.sha256(f"{VERSION} {source.content(split)}".encode()).hexdigest()[:16]


def _build(directory: Path, source: Source, split: Split) -> None:
    """Decode beside the final place and move there, so that an interrupted run leaves nothing that looks whole."""
    partial = directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    shutil.rmtree(directory, ignore_errors=True)  # damaged
    partial.mkdir()
    try:
        with quiet_decoders():
            _write(partial, source, source.decode(split, directory.parent / "downloads"))
        os.replace(partial, directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(directory: Path, source: Source, decoded: Decoded) -> None:
    """Write the arrays and, last, the description that makes them a cache."""
    shape = source.describe()
    size = (len(decoded.labels), shape.channels, shape.resolution, shape.resolution)
    labels = np.asarray(decoded.labels, dtype=np.int64)
    digest = hashlib.sha256(f"{size}".encode() + labels.tobytes())
    with open(directory / "images.npy", "wb") as file:
        moments = _write_array(file, size, _digested(decoded.images, digest.update))
    np.save(directory / "moments.npy", moments, allow_pickle=False)
    np.save(directory / "labels.npy", labels, allow_pickle=False)
    description = {
        "version": VERSION,
        "source": source.to_dict(),
        "shape": asdict(shape),
        "class_names": decoded.class_names,
        "digest": digest.hexdigest(),
        "bytes": {name: (directory / name).stat().st_size for name in ARRAYS},
    }
    (directory / "cache.json").write_text(json.dumps(description, indent=2) + "\n")


def _digested(images: Iterable[Pixels], update: Callable[[bytes], None]) -> Iterator[Pixels]:
    for image in images:
        update(image.tobytes())
        yield image


def _write_array(file: BinaryIO, size: tuple[int, ...], images: Iterable[Pixels]) -> Labels:
    """Write (N, C, H, W) image by image, and return the moments.

    Not through a memory map, where a full disk kills the process.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": size}
    np.lib.format.write_array_header_1_0(file, header)
    moments = np.empty((*size[:2], 2), dtype=np.int64)
    num_images = 0
    for image in images:
        assert image.shape == size[1:], f"decoded {image.shape}, expected {size[1:]}"
        file.write(image.tobytes())
        values = image.astype(np.int64)
        moments[num_images, :, 0] = values.sum((1, 2))
        moments[num_images, :, 1] = np.square(values).sum((1, 2))
        num_images += 1
    assert num_images == size[0], f"decoded {num_images} images for {size[0]} labels"
    return moments
