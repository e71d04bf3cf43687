"""Encoded images and labels in Parquet files, in the column layout of Hugging Face."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from ressearch.training.sources.kind import Decoded, SourceKind, Split, stamps

IMAGE_COLUMNS = ("img", "image")


def _file(root: Path | None, split: Split) -> Path:
    """The file that holds a split.

    Raises:
        ValueError: If it does not exist.
    """
    assert root is not None
    if root.is_file():
        if split == "test":
            raise ValueError(
                f"parquet: there are no test images beside the one file {root}; "
                "give as root a directory with train.parquet and test.parquet"
            )
        return root
    path = root / f"{split}.parquet"
    if not path.is_file():
        raise ValueError(f"parquet: {path} is missing; root must be a file, or a directory that holds it")
    return path


def _class_names(root: Path | None) -> tuple[str, ...]:
    """Class names: those of the Hugging Face metadata, else the numbers of the labels.

    Raises:
        ValueError: If the file cannot be read, lacks a column, or has labels that are no class numbers.
    """
    path = _file(root, "train")
    labels, metadata = _labels(path)
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    names = features.get("label", {}).get("names") or [str(label) for label in range(max(labels) + 1)]
    if len(names) < 2:
        raise ValueError(f"{path}: two or more classes must be there, found {len(names)}")
    return tuple(names)


def _labels(path: Path) -> tuple[list[int], Mapping[bytes, bytes]]:
    """The label column and the schema's metadata; no image is read.

    Raises:
        ValueError: If the file cannot be read, lacks a column, or has labels that are no class numbers.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {error}") from error
    if "label" not in schema.names or not set(IMAGE_COLUMNS) & set(schema.names):
        found = ", ".join(schema.names)
        raise ValueError(f"{path}: columns 'label' and 'img' (or 'image') must be there, found {found}")
    if not pyarrow.types.is_integer(schema.field("label").type):
        raise ValueError(f"{path}: column 'label' must hold integers, got {schema.field('label').type}")
    labels = pyarrow.parquet.read_table(path, columns=["label"])["label"].to_pylist()
    wrong = next((row for row, label in enumerate(labels) if label is None or label < 0), None)
    if wrong is not None:
        raise ValueError(f"{path}: row {wrong}: label >= 0 must hold, got {labels[wrong]}")
    if not labels:
        raise ValueError(f"{path}: there are no rows")
    return labels, schema.metadata or {}


def _checked_labels(path: Path, names: tuple[str, ...]) -> list[int]:
    """The label column, each of whose values has a name.

    Raises:
        ValueError: If one has none.
    """
    labels, _ = _labels(path)
    if max(labels) >= len(names):
        row = labels.index(max(labels))
        raise ValueError(f"{path}: row {row}: label < {len(names)} must hold, got {labels[row]}")
    return labels


def _has_test(root: Path | None) -> bool:
    assert root is not None
    return (root / "test.parquet").is_file()


def _counts(root: Path | None) -> dict[str, int]:
    names = _class_names(root)
    counts = Counter(_checked_labels(_file(root, "train"), names))
    return {name: counts[label] for label, name in enumerate(names)}


def _cells(path: Path) -> Iterator[io.BytesIO]:
    """The encoded images, row by row; the file is never whole in memory."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        column = next(name for name in IMAGE_COLUMNS if name in file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=1024, columns=[column]):
            for cell in batch[column].to_pylist():
                content = cell.get("bytes") if isinstance(cell, dict) else cell
                yield io.BytesIO(content if isinstance(content, bytes) else b"")


def _decode(root: Path, split: Split, resolution: int) -> Decoded:
    from ressearch.training.pixels import decode_rgb

    names = _class_names(root)
    path = _file(root, split)
    labels = _checked_labels(path, names)
    images = (decode_rgb(cell, f"{path}: row {row}", resolution) for row, cell in enumerate(_cells(path)))
    return Decoded(labels, names, images)


PARQUET = SourceKind(
    summary="columns img (or image) and label in root/train.parquet and root/test.parquet, or in one file",
    channels=3,
    needs_root=True,
    num_classes=lambda root: len(_class_names(root)),
    content=lambda root, split: stamps([_file(root, split)]),
    decode=_decode,
    has_test=_has_test,
    counts=_counts,
)
