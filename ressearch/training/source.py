"""Where the images of a study come from, and how many of them it uses. Importing this loads no torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from ressearch.images import ImageShape
from ressearch.messages import expected
from ressearch.training.sources import SOURCES
from ressearch.training.sources.kind import Decoded, Split


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data source and the part of it that a study trains and validates on.

    Raises:
        ValueError: If a field is out of its range, or a source that needs a root has none.
    """

    name: Annotated[str, SOURCES] = "digits"
    """A name in `SOURCES`, whose summaries say what each is."""

    root: Path | None = None
    """Where the images are, as the source's summary says; None where it needs no root."""

    resolution: int | None = None
    """Side length in pixels that images are resized to; None is the source's own."""

    subset: int | None = None
    """Number of training images, in the classes' proportions, after the validation images were set aside;
    None takes all. A larger subset contains the smaller ones."""

    val_images: int | None = None
    """Number of images set aside from the training images to choose by; None is a tenth of them."""

    def __post_init__(self) -> None:
        if self.name not in SOURCES:
            raise ValueError(f"name: {expected(self.name, SOURCES)}")
        if self.root is not None:
            object.__setattr__(self, "root", Path(self.root).expanduser())
        elif SOURCES[self.name].needs_root:
            raise ValueError(f"root must be given for the source {self.name}, got none")
        for field in ("resolution", "subset", "val_images"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"{field} >= 1 must hold, got {value}")

    def describe(self) -> ImageShape:
        """Channels, resolution and number of classes, from names and labels alone.

        Raises:
            ValueError: If files are missing or wrongly laid out.
        """
        kind = SOURCES[self.name]
        resolution = self.resolution or kind.resolution
        return ImageShape(channels=kind.channels, resolution=resolution, num_classes=kind.num_classes(self.root))

    def content(self, split: Split) -> str:
        """A text that changes when the decoded pixels of a split may have changed.

        Raises:
            ValueError: If files are missing or wrongly laid out.
        """
        return f"{self.name} {split} {self.describe().resolution}\n{SOURCES[self.name].content(self.root, split)}"

    def decode(self, split: Split, downloads: Path) -> Decoded:
        """Open one split. Images are decoded as they are asked for, and the files of the other split stay closed.

        Args:
            split: What to open.
            downloads: Where a source without a root puts what it downloads.

        Raises:
            ValueError: If files are missing, wrongly laid out or corrupt.
        """
        return SOURCES[self.name].decode(self.root or downloads, split, self.describe().resolution)

    def notes(self, split: Split) -> list[str]:
        """What the user should know of the files of a split, such as which of them are left out: one line each.

        Raises:
            ValueError: If files are missing or wrongly laid out.
        """
        return SOURCES[self.name].notes(self.root, split)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with an absolute root."""
        return asdict(self) | {"root": None if self.root is None else str(self.root.absolute())}
