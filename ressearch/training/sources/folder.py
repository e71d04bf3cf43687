"""Image files, in one folder per class."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ressearch.training.sources.kind import Decoded, SourceKind, Split, stamps

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""What is decoded. A format that only some installations of Pillow read would make a folder mean different images."""

ADVICE = "convert photographs to JPEG or PNG"


def _directory(root: Path | None, split: Split) -> Path:
    """Where the class folders of a split are.

    Raises:
        ValueError: If there is no such directory.
    """
    assert root is not None
    if not root.is_dir():
        raise ValueError(f"folder: {root} is no directory")
    if (root / "train").is_dir():
        if not (root / split).is_dir():
            raise ValueError(f"folder: there are no test images, expected them in {root / split}/<class>/")
        return root / split
    if split == "test":
        raise ValueError(
            f"folder: there are no test images; expected {root}/test/<class>/ beside {root}/train/<class>/"
        )
    return root


def _folders(directory: Path) -> list[Path]:
    """The folders in a directory, sorted by name; hidden ones are ignored."""
    return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))


def _class_folders(root: Path | None, split: Split) -> list[Path]:
    """The folders of the classes of a split, sorted by name.

    Raises:
        ValueError: If there are fewer than two, one holds no image, or those of test are not those of train.
    """
    directory = _directory(root, split)
    folders = _folders(directory)
    if split == "test":
        _check_same_classes(directory, folders, _directory(root, "train"))
    if len(folders) < 2:
        raise ValueError(f"folder: {directory} must hold two or more class folders, found {_listed(folders)}")
    for folder in folders:
        if not any(map(_is_image, _files(folder))):
            found = sorted(_files(folder))
            way_out = f"; {ADVICE}" if found else ""
            raise ValueError(f"folder: there are no images in {folder}, found {_listed(found)}{way_out}")
    return folders


def _check_same_classes(test: Path, folders: list[Path], train: Path) -> None:
    found, expected = ({folder.name for folder in some} for some in (folders, _folders(train)))
    if found == expected:
        return
    differences = {"it lacks": expected - found, f"{train} lacks": found - expected}
    told = "; ".join(f"{which} {_listed(map(Path, sorted(names)))}" for which, names in differences.items() if names)
    raise ValueError(f"folder: {test} must have the classes of train: {told}")


def _num_classes(root: Path | None) -> int:
    """Count the classes; a test set that names some of them must fit, though a search does not open its images."""
    folders = _class_folders(root, "train")
    directory = _directory(root, "train")
    if directory != root and any((directory.with_name("test") / folder.name).is_dir() for folder in folders):
        _class_folders(root, "test")
    return len(folders)


def _has_test(root: Path | None) -> bool:
    assert root is not None
    return (root / "train").is_dir() and (root / "test").is_dir()


def _counts(root: Path | None) -> dict[str, int]:
    return {folder.name: sum(map(_is_image, _files(folder))) for folder in _class_folders(root, "train")}


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, in no order; hidden ones are left out."""
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _images(folder: Path) -> list[Path]:
    return sorted(filter(_is_image, _files(folder)))


def _listed(paths: Iterable[Path], relative_to: Path | None = None) -> str:
    """Name a few, and tell that there are more."""
    names = [path.name if relative_to is None else str(path.relative_to(relative_to)) for path in paths]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "nothing"


def _content(root: Path | None, split: Split) -> str:
    return stamps(path for folder in _class_folders(root, split) for path in _images(folder))


def _notes(root: Path | None, split: Split) -> list[str]:
    """Tell which files are left out."""
    directory = _directory(root, split)
    others = sorted(path for folder in _folders(directory) for path in _files(folder) if not _is_image(path))
    if not others:
        return []
    kinds = Counter(path.suffix.lower() or "without a suffix" for path in others)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return [
        f"folder: left out of {directory} what is no image in a format that is read: {counts} "
        f"({_listed(others, directory)}); {ADVICE}"
    ]


def _decode(root: Path, split: Split, resolution: int) -> Decoded:
    from ressearch.training.pixels import decode_files

    folders = _class_folders(root, split)
    images = [_images(folder) for folder in folders]
    labels = [label for label, paths in enumerate(images) for _ in paths]
    names = tuple(folder.name for folder in folders)
    return Decoded(labels, names, decode_files([path for paths in images for path in paths], resolution))


FOLDER = SourceKind(
    summary="image files of any size in root/<class>/, or in root/train/<class>/ and root/test/<class>/",
    channels=3,
    needs_root=True,
    num_classes=_num_classes,
    content=_content,
    decode=_decode,
    has_test=_has_test,
    counts=_counts,
    notes=_notes,
)
