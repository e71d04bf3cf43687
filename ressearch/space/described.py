"""One architecture, by the name of the literature or by the file of an export."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from ressearch.arch import Architecture, named
from ressearch.arch.literature import DATASETS, dataset_of
from ressearch.images import ImageShape


def described(text: str | Path) -> tuple[str, Architecture, ImageShape]:
    """Return the name of an architecture, the architecture, and the images that it was made for.

    `text` is a name such as resnet-110, or a YAML file with an `architecture`, as `export` and `train` write it; a file
    that names no images is taken to be for CIFAR-10.

    Raises:
        ValueError: If there is no such name, or the file holds no architecture.
        OSError: If the file cannot be read.
    """
    if not str(text).endswith((".yaml", ".yml")):
        return str(text), named(str(text)), ImageShape(**DATASETS[dataset_of(str(text))]._asdict())
    path = Path(text)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("architecture"), Mapping):
        raise ValueError(f"{path}: 'architecture' is missing, expected a file that `export` or `train` has written")
    try:
        architecture = Architecture.from_dict(content["architecture"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    name = content.get("name")
    return name if isinstance(name, str) else path.stem, architecture, _shape(content.get("images"))


def _shape(images: object) -> ImageShape:
    """Return the images that a file names, CIFAR-10's where it does not say them whole."""
    names = images if isinstance(images, Mapping) else {}
    values = [names.get(name) for name in ("channels", "resolution", "num_classes")]
    numbers = [value for value in values if isinstance(value, int) and value > 0]
    channels, resolution, num_classes = numbers if len(numbers) == 3 else DATASETS["cifar10"]
    return ImageShape(channels=channels, resolution=resolution, num_classes=num_classes)
