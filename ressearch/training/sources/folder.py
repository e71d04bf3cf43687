"""Image files, in one folder per class."""

import warnings
from pathlib import Path

from ressearch.training.sources.kind import Decoded, SourceKind, Split, stamps

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def _class_folders(root: Path | None, split: Split) -> list[Path]:
    """The class directories of a split, sorted by name; hidden ones are ignored.

    Raises:
        ValueError: If there is no such directory, or fewer than two classes in it.
    """
    assert root is not None
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


def _files(folder: Path) -> list[Path]:
    """All files below a folder, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _content(root: Path | None, split: Split) -> str:
    return stamps(path for folder in _class_folders(root, split) for path in _files(folder))


def _decode(root: Path, split: Split, resolution: int) -> Decoded:
    from ressearch.training.pixels import decode_files

    names = tuple(folder.name for folder in _class_folders(root, "train"))
    folders = _class_folders(root, split)
    if tuple(folder.name for folder in folders) != names:
        found = ", ".join(folder.name for folder in folders)
        raise ValueError(f"folder: {split} must have the classes of train, {', '.join(names)}; found {found}")
    paths: list[Path] = []
    labels: list[int] = []
    others: list[Path] = []
    for label, folder in enumerate(folders):
        files = _files(folder)
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
    return Decoded(labels, names, decode_files(paths, resolution))


FOLDER = SourceKind(
    summary="image files of any size in root/<class>/, or in root/train/<class>/ and root/test/<class>/",
    channels=3,
    needs_root=True,
    num_classes=lambda root: len(_class_folders(root, "train")),
    content=_content,
    decode=_decode,
)
