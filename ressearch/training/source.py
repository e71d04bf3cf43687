"""Where the images of a study come from, and how many of them it uses. No torch, and no image is decoded."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ressearch.images import ImageShape
from ressearch.messages import expected

Split = Literal["train", "test"]
SourceName = Literal["digits", "cifar10", "cifar100", "folder", "parquet"]

SOURCE_NAMES: tuple[SourceName, ...] = get_args(SourceName)
DEFAULT_RESOLUTION = 32  # of `folder` and `parquet`, whose images may come in any size
IMAGE_COLUMNS = ("img", "image")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set and the part of it that a study trains and validates on.

    Raises:
        ValueError: If a field is out of its range, or `folder` or `parquet` come without a root.
    """

    name: SourceName = "digits"
    """One of digits (bundled with scikit-learn, 8x8 grey), cifar10, cifar100, folder, parquet."""

    root: Path | None = None
    """cifar10, cifar100: where the archive is or is downloaded to; None is the cache directory.
    folder: the directory of <class>/<image>, or of train/<class>/<image> and test/<class>/<image>.
    parquet: a directory with train.parquet and test.parquet, or one file of training images."""

    resolution: int | None = None
    """Side length in pixels that images are resized to; None is 8 for digits and 32 for all others."""

    subset: int | None = None
    """Number of training images, in the classes' proportions, after the validation images were set aside;
    None takes all. A larger subset contains the smaller ones."""

    val_images: int | None = None
    """Number of images set aside from the training images to choose by; None is a tenth of them."""

    def __post_init__(self) -> None:
        if self.name not in SOURCE_NAMES:
            raise ValueError(f"name: {expected(self.name, SOURCE_NAMES)}")
        if self.root is not None:
            object.__setattr__(self, "root", Path(self.root).expanduser())
        elif self.name in ("folder", "parquet"):
            raise ValueError(f"root must be given for the source {self.name}, got none")
        for field in ("resolution", "subset", "val_images"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"{field} >= 1 must hold, got {value}")

    def describe(self) -> ImageShape:
        """Channels, resolution and number of classes, from names and labels alone.

        Raises:
            ValueError: If the files of a `folder` or `parquet` source are missing or wrongly laid out.
        """
        match self.name:
            case "digits":
                channels, native, num_classes = 1, 8, 10
            case "cifar10":
                channels, native, num_classes = 3, 32, 10
            case "cifar100":
                channels, native, num_classes = 3, 32, 100
            case "folder":
                channels, native, num_classes = 3, DEFAULT_RESOLUTION, len(class_folders(self, "train"))
            case "parquet":
                channels, native, num_classes = 3, DEFAULT_RESOLUTION, len(parquet_classes(self))
        return ImageShape(channels=channels, resolution=self.resolution or native, num_classes=num_classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the root becomes absolute, so that a worker elsewhere finds it."""
        return asdict(self) | {"root": None if self.root is None else str(self.root.absolute())}


def class_folders(source: Source, split: Split) -> list[Path]:
    """The class directories of a `folder` source, sorted by name; hidden ones are ignored.

    Raises:
        ValueError: If there is no such directory, or fewer than two classes in it.
    """
    assert source.root is not None
    root = source.root
    if not root.is_dir():
        raise ValueError(f"folder: {root} is no directory")
    if (root / "train").is_dir():
        root = root / split
        if not root.is_dir():
            raise ValueError(f"folder: there are no test images, expected them in {root}/<class>/")
    elif split == "test":
        raise ValueError(
            f"folder: there are no test images; expected {root}/test/<class>/ beside {root}/train/<class>/"
        )
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(folders) < 2:
        found = ", ".join(path.name for path in folders) or "none"
        raise ValueError(f"folder: {root} must hold two or more class folders, found {found}")
    return folders


def parquet_file(source: Source, split: Split) -> Path:
    """The file of a `parquet` source that holds a split.

    Raises:
        ValueError: If it does not exist.
    """
    assert source.root is not None
    if source.root.is_file():
        if split == "test":
            raise ValueError(
                f"parquet: there are no test images beside the one file {source.root}; "
                "give as root a directory with train.parquet and test.parquet"
            )
        return source.root
    path = source.root / f"{split}.parquet"
    if not path.is_file():
        raise ValueError(f"parquet: {path} is missing; root must be a file, or a directory that holds it")
    return path


def parquet_classes(source: Source) -> tuple[str, ...]:
    """Class names of a `parquet` source: those of the Hugging Face metadata, else the numbers of its labels.

    Raises:
        ValueError: If the file cannot be read, lacks a column, or has labels that are no class numbers.
    """
    path = parquet_file(source, "train")
    labels, metadata = read_labels(path)
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    names = features.get("label", {}).get("names") or [str(label) for label in range(max(labels) + 1)]
    if len(names) < 2:
        raise ValueError(f"{path}: two or more classes must be there, found {len(names)}")
    return tuple(names)


def read_labels(path: Path) -> tuple[list[int], Mapping[bytes, bytes]]:
    """The label column and the schema's metadata of a Parquet file; no image is read.

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
