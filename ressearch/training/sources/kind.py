"""What a data source states and does. A source imports numpy, torch and the like only in the functions that decode."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ressearch.training.pixels import Pixels

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Decoded:
    """One split of a source: a label per image, and the images, decoded one after the other when they are asked for."""

    labels: Sequence[int]
    """Numbers of classes, from 0."""

    class_names: tuple[str, ...]

    images: "Iterable[Pixels]"
    """uint8 (C, H, W), in the order of the labels."""


@dataclass(frozen=True, kw_only=True)
class SourceKind:
    """A kind of data source.

    Its functions get the root that the user gave, which is not None where `needs_root` is set. They raise ValueError if
    files are missing, wrongly laid out or corrupt, and do not open the files of the other split.
    """

    summary: str
    """One line of help."""

    channels: int
    """Of the decoded images."""

    resolution: int = 32
    """Side length in pixels that images have where the user asks for none."""

    needs_root: bool = False
    """Whether the user must give a root."""

    num_classes: Callable[[Path | None], int]
    """Number of classes at a root; decodes no image."""

    content: Callable[[Path | None, Split], str]
    """A text about a root and a split that changes when the decoded pixels may have changed."""

    decode: Callable[[Path, Split, int], Decoded]
    """Open a split, and decode its images at a resolution. Without a root, the path is a directory for downloads."""

    has_test: Callable[[Path | None], bool] = lambda _: True
    """Whether there are test images at a root; where there are none, some training images are set aside to test."""

    counts: Callable[[Path | None], Mapping[str, int] | None] = lambda _: None
    """Number of training images by the name of their class, in the order of the labels; None if only decoding tells."""

    notes: Callable[[Path | None, Split], list[str]] = lambda *_: []
    """What a user should know of the files of a split, such as which are left out: one line each."""


def stamps(paths: Iterable[Path]) -> str:
    """Paths, sizes and times of change of files; to hash a large data set at every start would cost too much."""
    statuses = ((path.absolute(), path.stat()) for path in paths)
    return "\n".join(f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in statuses)
