"""What is said of an exported network: in architecture.yaml, in the module's docstring, in an ONNX file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ressearch.arch import Architecture, Plan, architecture_id, cost, plan
from ressearch.images import ImageShape
from ressearch.packaging.equivalence import SEED
from ressearch.space.lookup import exported, network_in
from ressearch.space.sections import section
from ressearch.space.yaml_nodes import Entry
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

VERSION = 1
"""Version of architecture.yaml."""
_COUNTS = ("num_images", "num_val_images")
_ROOT = "root"
"""The one field of a source that is not told: where images lie is the user's private matter."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """The images that a network was trained on, but for where they lie.

    Attributes:
        source: The fields of `Source` without its root.
        seed: Fixes which images validate: the study's seed, not the trial's.
        num_images: Images that trained, None where that was not kept.
        num_val_images: Images that validated.
    """

    source: Mapping[str, Any]
    seed: int
    num_images: int | None = None
    num_val_images: int | None = None

    @classmethod
    def of(
        cls, source: Source, *, seed: int, num_images: int | None = None, num_val_images: int | None = None
    ) -> "TrainingData":
        """Tell of a source all but its root."""
        return cls(source=_rootless(source), seed=seed, num_images=num_images, num_val_images=num_val_images)

    def at(self, root: Path | None) -> Source:
        """Return the source, with its images in `root`.

        Raises:
            ValueError: If the source needs a root, and none is given.
        """
        return Source(**self.source, root=root)

    def to_dict(self) -> dict[str, Any]:
        """Return the section `data` of architecture.yaml; counts that are not known are left out."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {**self.source, "seed": self.seed} | {key: value for key, value in counts.items() if value is not None}


def _rootless(source: Source) -> dict[str, Any]:
    return {name: value for name, value in asdict(source).items() if name != _ROOT}


@dataclass(frozen=True, kw_only=True)
class Described:
    """A network, its images, and how it was trained, as far as that is known.

    Attributes:
        name: What the network is called.
        architecture: The network.
        shape: Its images.
        recipe: What it was trained with.
        seed: Of its weights, the order of its images and their augmentation.
        data: What it was trained on.
    """

    name: str
    architecture: Architecture
    shape: ImageShape
    recipe: Recipe | None = None
    seed: int | None = None
    data: TrainingData | None = None


@dataclass(frozen=True, kw_only=True)
class Description(Described):
    """What an export says of its network.

    Attributes:
        origin: Where it comes from and how well it did.
        normalisation: `mean`, `std` and `class_names` of the images that it was trained on.
        has_seeded_weights: Whether its file holds the weights that the seed starts.
    """

    origin: Mapping[str, str | int | float] = field(default_factory=dict)
    normalisation: Mapping[str, list[Any]] = field(default_factory=dict)
    has_seeded_weights: bool = False

    @cached_property
    def plan(self) -> Plan:
        """The network, resolved for its images."""
        return plan(self.architecture, self.shape.channels, self.shape.num_classes)

    @property
    def origin_sentence(self) -> str:
        """Where the network comes from, "" if nothing is known."""
        return f"Origin: {', '.join(f'{key} {value}' for key, value in self.origin.items())}." if self.origin else ""

    @property
    def training_sentence(self) -> str:
        """How the network was trained, "" if nothing is known."""
        told = {
            "recipe": asdict(self.recipe) if self.recipe else {},
            "data": self.data.to_dict() if self.data else {},
        }
        parts = [
            f"{section} {', '.join(f'{key}={value}' for key, value in values.items() if value is not None)}"
            for section, values in told.items()
            if values
        ]
        parts += [] if self.seed is None else [f"seed {self.seed}"]
        return f"Trained with {'; '.join(parts)}." if parts else ""

    @property
    def input_sentence(self) -> str:
        """What images the network expects, "" if nothing is known."""
        if not self.normalisation:
            return ""
        mean, std = (", ".join(f"{value}" for value in self.normalisation[name]) for name in ("mean", "std"))
        return f"It expects (pixels / 255 - mean) / std for every channel, with mean {mean} and std {std}."

    def to_dict(self) -> dict[str, object]:
        """Return the content of architecture.yaml."""
        return {
            "version": VERSION,
            "name": self.name,
            "architecture_id": architecture_id(self.architecture),
            "architecture": self.architecture.to_dict(),
            "images": asdict(self.shape) | dict(self.normalisation),
            "cost": asdict(cost(self.plan, self.shape.resolution)),
            **({"recipe": asdict(self.recipe)} if self.recipe else {}),
            **({"seed": self.seed} if self.seed is not None else {}),
            **({"data": self.data.to_dict()} if self.data else {}),
            **({"origin": dict(self.origin)} if self.origin else {}),
            **({"weights": f"not trained: those that seed {SEED} starts"} if self.has_seeded_weights else {}),
        }

    def metadata(self) -> dict[str, str]:
        """Return the description without the architecture as text by key: words as they are, all else as JSON."""
        return {
            key: value.encode(errors="replace").decode() if isinstance(value, str) else json.dumps(value)
            for key, value in self.to_dict().items()
            if key != "architecture"
        }

    def write(self, file: Path) -> None:
        """Write architecture.yaml; what no file can hold becomes a question mark."""
        text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        file.write_text(text, encoding="utf-8", errors="replace")


def read_description(file: str | Path) -> Described:
    """Read an architecture.yaml; earlier versions told no recipe, seed and data, which are None then.

    Raises:
        ValueError: If it is missing, damaged, or not what `export` or `train` has written, in one line.
    """
    top = exported(file)
    name, architecture, shape = network_in(top)
    given = {key: entry for key, entry in top.items.items() if not entry.is_null}
    return Described(
        name=name,
        architecture=architecture,
        shape=shape,
        recipe=section(given["recipe"], Recipe) if "recipe" in given else None,
        seed=_not_negative(given["seed"]) if "seed" in given else None,
        data=_data(given["data"]) if "data" in given else None,
    )


def _data(entry: Entry) -> TrainingData:
    source = section(entry, Source, also=("seed", *_COUNTS), set_elsewhere={_ROOT: Path()})
    if "seed" not in entry.items:
        raise entry.error("'seed' is missing: it fixes which images validate")
    counts = {name: _not_negative(entry.items[name]) for name in _COUNTS if name in entry.items}
    return TrainingData.of(source, seed=_not_negative(entry.items["seed"]), **counts)


def _not_negative(entry: Entry) -> int:
    number: int = entry.scalar(int)
    if number < 0:
        raise entry.error(f"got {number}, expected a number from 0 on")
    return number
