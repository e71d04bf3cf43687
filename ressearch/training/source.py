"""Where the images of a study come from, and how many of them it uses. Importing this loads no torch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ressearch.images import ImageShape
from ressearch.messages import expected
from ressearch.training.sources import SOURCES
from ressearch.training.sources.kind import Decoded, Split


class Counts(NamedTuple):
    """Number of images that train, that validate, and that were set aside from these to test."""

    train: int
    val: int
    test: int


class DivisionError(ValueError):
    """Images that cannot be divided as asked; `field` is that of the `Source` which asks for it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


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

    test_images: int | float | None = None
    """Number of images, or as a fraction their share, that are set aside to test before all else where the source has
    no test images of its own; None is a tenth there, 0 sets none aside."""

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
        self._check_test_images()

    def _check_test_images(self) -> None:
        value = self.test_images
        if value is None:
            return
        if isinstance(value, float) and value == 0:
            object.__setattr__(self, "test_images", 0)
        elif not (0 < value < 1 if isinstance(value, float) else value >= 0):
            raise ValueError(f"test_images must be a whole number >= 0, or a share between 0 and 1, got {value}")

    def describe(self) -> ImageShape:
        """Channels, resolution and number of classes, from names and labels alone.

        Raises:
            ValueError: If files are missing or wrongly laid out.
        """
        kind = SOURCES[self.name]
        resolution = self.resolution or kind.resolution
        return ImageShape(channels=kind.channels, resolution=resolution, num_classes=kind.num_classes(self.root))

    def has_test_images(self) -> bool:
        """Tell whether the source has test images of its own, apart from those that train."""
        return SOURCES[self.name].has_test(self.root)

    def lacks_test_images(self) -> ValueError:
        """Return the error of a source that has no test images and sets none aside."""
        reason = f"{self.name}: there are no test images"
        try:
            self.content("test")
        except ValueError as error:
            reason = str(error)
        return ValueError(
            f"{reason}; and with data.test_images 0 none were set aside from the training images, all of which a "
            "search sees: a new study with another value can be tested"
        )

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
