"""Every source gives the image that belongs to its label, in both splits: pixels tell class, split and row."""

import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image
from torch import Tensor

from ressearch.training.data import load, load_test, prepare
from ressearch.training.source import Source
from ressearch.training.sources import SOURCES

SPLITS = {"train": 50, "test": 200}
"""The level of green that tells the split."""


def coded(label: int, split: str, row: int) -> np.ndarray:
    """A picture (8, 8, 3) of one colour: the class, the split and the row."""
    return np.full((8, 8, 3), (2 * label, SPLITS[split], row % 256), dtype=np.uint8)


def shuffled_labels(num_classes: int, count: int, split: str) -> list[int]:
    """Labels in no order, another one in each split, each class as often as any other."""
    order = np.random.default_rng(len(split)).permutation(count)
    return (order % num_classes).tolist()


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(root: Path) -> Source:
    """More rows than are read at a time, in row groups of another size."""
    root.mkdir()
    for split, count in (("train", 2100), ("test", 1100)):
        labels = shuffled_labels(7, count, split)
        cells = [{"bytes": png(coded(label, split, row)), "path": None} for row, label in enumerate(labels)]
        table = pyarrow.table({"label": labels, "img": cells})
        pyarrow.parquet.write_table(table, root / f"{split}.parquet", row_group_size=300)
    return Source(name="parquet", root=root, resolution=8)


def write_folder(root: Path) -> Source:
    """Class names whose order is neither that of their making nor that of numbers, and file names alike in all."""
    names = ["owl", "10", "9", "Zebra", "ant"]
    for split in SPLITS:
        for name in names:
            (root / split / name).mkdir(parents=True)
            label = sorted(names).index(name)
            for row in range(12 + label):
                (root / split / name / f"{row}.png").write_bytes(png(coded(label, split, row)))
    return Source(name="folder", root=root, resolution=8)


def cifar_files(num_classes: int) -> dict[str, bytes]:
    """Torchvision's files by name: rows of 3072 values, all red ones first, then green, then blue."""

    def batch(split: str, key: str, part: int = 0) -> bytes:
        labels = shuffled_labels(num_classes, 3 * num_classes, split)
        rows = [np.resize(coded(label, split, part), (32, 32, 3)) for label in labels]
        data = np.stack(rows).transpose(0, 3, 1, 2).reshape(len(rows), 3072)
        return pickle.dumps({"data": data, key: labels})

    names = [f"class {label}" for label in range(num_classes)]
    if num_classes == 10:
        parts = {f"data_batch_{part}": batch("train", "labels", part) for part in range(1, 6)}
        return parts | {"test_batch": batch("test", "labels"), "batches.meta": pickle.dumps({"label_names": names})}
    return {
        "train": batch("train", "fine_labels"),
        "test": batch("test", "fine_labels"),
        "meta": pickle.dumps({"fine_label_names": names}),
    }


def write_cifar(root: Path, num_classes: int, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Write the archive that torchvision would download, and tell torchvision its checksums."""
    from torchvision import datasets

    kind = {10: datasets.CIFAR10, 100: datasets.CIFAR100}[num_classes]
    files = cifar_files(num_classes)
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    root.mkdir()
    with tarfile.open(root / kind.filename, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{kind.base_folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5((root / kind.filename).read_bytes()).hexdigest())
    for listed in ("train_list", "test_list"):
        monkeypatch.setattr(kind, listed, [[name, sums[name]] for name, _ in getattr(kind, listed)])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums[kind.meta["filename"]]})
    return Source(name=f"cifar{num_classes}", root=root)


WRITERS: dict[str, Callable[[Path, pytest.MonkeyPatch], Source]] = {
    "parquet": lambda root, _: write_parquet(root),
    "folder": lambda root, _: write_folder(root),
    "cifar10": lambda root, monkeypatch: write_cifar(root, 10, monkeypatch),
    "cifar100": lambda root, monkeypatch: write_cifar(root, 100, monkeypatch),
}


def test_every_source_is_tried() -> None:
    assert {*WRITERS, "digits"} == set(SOURCES)


def parts_of(source: Source, cache_dir: Path) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Images and labels as a training gets them, by split."""
    images = load(prepare(source, seed=0, cache_dir=cache_dir), "cpu")
    test_images, test_labels = load_test(prepare(source, seed=0, cache_dir=cache_dir, split="test"), "cpu")
    return {
        "train": [(images.train_images[:], images.train_labels), (images.val_images[:], images.val_labels)],
        "test": [(test_images[:], test_labels)],
    }


@pytest.mark.parametrize("name", WRITERS)
def test_images_and_labels_belong_together_in_both_splits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = WRITERS[name](tmp_path / "data", monkeypatch)
    num_classes = source.describe().num_classes
    for split, parts in parts_of(source, tmp_path / "cache").items():
        for images, labels in parts:
            assert images.shape[1] == 3
            assert (images == images[:, :, :1, :1]).all()  # one colour
            assert (images[:, 0, 0, 0] // 2).tolist() == labels.tolist()
            assert set(images[:, 1, 0, 0].tolist()) == {SPLITS[split]}
            assert set(labels.tolist()) == set(range(num_classes))


def test_digits_and_their_labels_belong_together_in_both_splits(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    bundle = load_digits()
    label_of = {
        np.round(image * 255 / 16).astype(np.uint8).tobytes(): label
        for image, label in zip(bundle.images, bundle.target, strict=True)
    }
    for parts in parts_of(Source(), tmp_path).values():
        for images, labels in parts:
            assert [label_of[image.numpy().tobytes()] for image in images] == labels.tolist()
