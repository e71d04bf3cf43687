"""Image files to uint8 arrays, one generator per kind of source; a bad image is named by its file or row."""

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ressearch.training.source import (
    IMAGE_COLUMNS,
    Source,
    Split,
    class_folders,
    parquet_classes,
    parquet_file,
    read_labels,
)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# torchvision's archives, by the checksums that it verifies
CIFAR_ARCHIVES = {
    "cifar10": ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    "cifar100": ("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
}


@dataclass(frozen=True)
class Decoded:
    """One split of a source: labels at once, images (C, H, W) one after the other, in the labels' order."""

    labels: Labels
    class_names: tuple[str, ...]
    images: Iterable[Pixels]


def decode(source: Source, split: Split, downloads: Path) -> Decoded:
    """Open one split of a source; images are decoded as they are asked for.

    Args:
        source: Where images come from.
        split: The files of the other split stay closed. (CIFAR's own loader checks the sums of all its files.)
        downloads: Where CIFAR's archive goes when the source has no root.

    Raises:
        ValueError: If files are missing, wrongly laid out or corrupt.
    """
    resolution = source.describe().resolution
    match source.name:
        case "digits":
            return _digits(split, resolution)
        case "cifar10" | "cifar100":
            return _cifar(source, split, resolution, downloads)
        case "folder":
            return _folder(source, split, resolution)
        case "parquet":
            return _parquet(source, split, resolution)


def _digits(split: Split, resolution: int) -> Decoded:
    """Scikit-learn's 1,797 scans; every fifth of a class is test, since the bundle has no test set of its own."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    nth_of_class = np.zeros(len(bundle.target), dtype=np.int64)
    for label in range(10):
        members = bundle.target == label
        nth_of_class[members] = np.arange(members.sum())
    chosen = (nth_of_class % 5 == 4) == (split == "test")
    grey = np.round(bundle.images[chosen] * (255 / 16)).astype(np.uint8)  # ink is counted in 0..16
    names = tuple(str(name) for name in bundle.target_names)
    images = (_resized(Image.fromarray(image), resolution)[None] for image in grey)
    return Decoded(bundle.target[chosen].astype(np.int64), names, images)


def _cifar(source: Source, split: Split, resolution: int, downloads: Path) -> Decoded:
    from torchvision.datasets import CIFAR10, CIFAR100

    root = source.root or downloads
    root.mkdir(parents=True, exist_ok=True)
    dataset = {"cifar10": CIFAR10, "cifar100": CIFAR100}[source.name]
    try:
        data = dataset(root=str(root), train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        archive, checksum = CIFAR_ARCHIVES[source.name]
        raise ValueError(
            f"{source.name}: {archive} is not in {root} and cannot be downloaded ({error}). Ways out: copy "
            f"{archive} (md5 {checksum}) into {root}, or use another source: digits, which needs no network, "
            "folder or parquet"
        ) from error
    images = (_resized(Image.fromarray(image), resolution).transpose(2, 0, 1) for image in data.data)
    return Decoded(np.asarray(data.targets, dtype=np.int64), tuple(data.classes), images)


def _folder(source: Source, split: Split, resolution: int) -> Decoded:
    names = tuple(folder.name for folder in class_folders(source, "train"))
    folders = class_folders(source, split)
    if tuple(folder.name for folder in folders) != names:
        found = ", ".join(folder.name for folder in folders)
        raise ValueError(f"folder: {split} must have the classes of train, {', '.join(names)}; found {found}")
    paths: list[Path] = []
    labels: list[int] = []
    others: list[Path] = []
    for label, folder in enumerate(folders):
        files = list_files(folder)
        images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        if not images:
            found = ", ".join(path.name for path in files[:5]) or "nothing"
            raise ValueError(f"folder: there are no images in {folder}, found {found}")
        others += sorted(set(files) - set(images))
        paths += images
        labels += [label] * len(images)
    if others:
        listed = ", ".join(str(path) for path in others[:5]) + (", ..." if len(others) > 5 else "")
        warnings.warn(f"folder: left out {len(others)} files that are no images: {listed}", stacklevel=2)
    return Decoded(np.asarray(labels, dtype=np.int64), names, _decode_files(paths, resolution))


def list_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _parquet(source: Source, split: Split, resolution: int) -> Decoded:
    names = parquet_classes(source)
    path = parquet_file(source, split)
    labels = np.asarray(read_labels(path)[0], dtype=np.int64)
    if labels.max() >= len(names):
        row = int(labels.argmax())
        raise ValueError(f"{path}: row {row}: label < {len(names)} must hold, got {labels[row]}")
    images = (_decode_rgb(cell, f"{path}: row {row}", resolution) for row, cell in enumerate(_cells(path)))
    return Decoded(labels, names, images)


def _cells(path: Path) -> Iterator[io.BytesIO]:
    """The encoded images of a Parquet file, row by row, without holding the whole file."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        column = next(name for name in IMAGE_COLUMNS if name in file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=1024, columns=[column]):
            for cell in batch[column].to_pylist():
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                yield io.BytesIO(content if isinstance(content, bytes) else b"")


def _decode_files(paths: list[Path], resolution: int) -> Iterator[Pixels]:
    """Decode files in order, a bounded number ahead, on all cores: with photographs Pillow leaves Python free."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), 1024):
            block = paths[start : start + 1024]
            yield from pool.map(lambda path: _decode_rgb(path, str(path), resolution), block)


def _decode_rgb(file: Path | io.BytesIO, where: str, resolution: int) -> Pixels:
    """One encoded image as uint8 (3, resolution, resolution).

    Raises:
        ValueError: If it is corrupt or truncated.
    """
    try:
        with Image.open(file) as image:
            image.draft(None, (2 * resolution, 2 * resolution))  # JPEG: skip detail that resizing drops
            return _resized(_to_rgb(image), resolution).transpose(2, 0, 1)
    except Exception as error:  # Pillow's decoders raise a dozen types on broken content
        raise ValueError(f"{where}: the image cannot be decoded: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB: 16-bit grey is scaled to 8 bits, transparency is laid on white."""
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image, dtype=np.int64), 0, 65535) // 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; convert the image to 8 or 16 bits")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _resized(image: Image.Image, resolution: int) -> Pixels:
    """A centred square, resized bilinearly with antialiasing: uint8 (H, W) or (H, W, C)."""
    if image.size != (resolution, resolution):
        image = ImageOps.fit(image, (resolution, resolution), Image.Resampling.BILINEAR)
    return np.asarray(image)
