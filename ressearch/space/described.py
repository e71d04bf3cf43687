"""One architecture, by the name of the literature or by the file of an export."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from ressearch.arch import Architecture, named
from ressearch.train.source import ImageShape


def described(text: str | Path) -> tuple[str, Architecture, ImageShape | None]:
    """Return the name of an architecture, the architecture, and the images that its file was made for.

    `text` is a name such as resnet-110, or a YAML file with an `architecture`, as `export` and `train` write it.

    Raises:
        ValueError: If there is no such name, or the file holds no architecture.
        OSError: If the file cannot be read.
    """
    if not str(text).endswith((".yaml", ".yml")):
        return str(text), named(str(text)), None
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


def _shape(images: object) -> ImageShape | None:
    """Return the images that the file names, None where it does not say them whole."""
    if not isinstance(images, Mapping):
        return None
    values = {name: images.get(name) for name in ("channels", "resolution", "num_classes")}
    if not all(isinstance(value, int) and value > 0 for value in values.values()):
        return None
    return ImageShape(**values)
