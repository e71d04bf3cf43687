"""What is said of an exported network: in architecture.yaml, in the module's docstring, in an ONNX file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ressearch.arch import Architecture, Plan, architecture_id, cost, plan
from ressearch.images import ImageShape
from ressearch.packaging.equivalence import SEED

VERSION = 1
"""Version of architecture.yaml."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an export says of its network.

    Attributes:
        name: What the network is called.
        architecture: The network.
        shape: Its images.
        origin: Where it comes from and how well it did.
        normalisation: `mean`, `std` and `class_names` of the images that it was trained on.
        has_seeded_weights: Whether its file holds the weights that the seed starts.
    """

    name: str
    architecture: Architecture
    shape: ImageShape
    origin: Mapping[str, str | int | float]
    normalisation: Mapping[str, list[Any]]
    has_seeded_weights: bool

    @cached_property
    def plan(self) -> Plan:
        """The network, resolved for its images."""
        return plan(self.architecture, self.shape.channels, self.shape.num_classes)

    @property
    def origin_sentence(self) -> str:
        """Where the network comes from, "" if nothing is known."""
        return f"Origin: {', '.join(f'{key} {value}' for key, value in self.origin.items())}." if self.origin else ""

    @property
    def input_sentence(self) -> str:
        """What images the network expects, "" if nothing is known."""
        if not self.normalisation:
            return ""
        mean, std = (", ".join(f"{value:.4f}" for value in self.normalisation[name]) for name in ("mean", "std"))
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
