"""One architecture, by the name of the literature or by the file of an export."""

from dataclasses import fields
from pathlib import Path

from ressearch.arch import Architecture, named
from ressearch.arch.literature import DATASETS, dataset_of
from ressearch.images import ImageShape
from ressearch.space.yaml_nodes import Entry, compose, read_text

_EXPORTED = "a file that `export` or `train` has written"


def find_architecture(what: str | Path) -> tuple[str, Architecture, ImageShape]:
    """Return the name of an architecture, the architecture, and the images that it was made for.

    `what` is a name such as resnet-110, or a YAML file with an `architecture`, as `export` and `train` write it; a file
    that does not name its images is taken to be for CIFAR-10.

    Raises:
        ValueError: If there is no such name or file, or the file holds no architecture.
    """
    if not str(what).endswith((".yaml", ".yml")):
        return str(what), named(str(what)), DATASETS[dataset_of(str(what))]
    return network_in(exported(what))


def exported(file: str | Path) -> Entry:
    """Read a YAML file with an `architecture`; nothing below it is looked at.

    Raises:
        SpaceError: If there is no such file, or it holds no architecture.
    """
    top = compose(read_text(Path(file)), str(file), holds=_EXPORTED)
    if not top.is_mapping or "architecture" not in top.items:
        raise top.error(f"'architecture' is missing, expected {_EXPORTED}")
    return top


def network_in(top: Entry) -> tuple[str, Architecture, ImageShape]:
    """Return what `find_architecture` does, of a file that was read.

    Raises:
        ValueError: If its name, architecture or images are none.
    """
    name = top.items.get("name")
    name_in_file = Path(top.file).stem if name is None or name.is_null else str(name.scalar(str))
    return name_in_file, _architecture(top.items["architecture"]), _shape(top)


def _architecture(entry: Entry) -> Architecture:
    if not entry.is_mapping:
        raise entry.error(f"got {entry.text}, expected the axes of an architecture; names are for the command line")
    data = entry.data
    try:
        return Architecture.from_dict(data)
    except ValueError as error:
        raise ValueError(f"{entry.file}:{entry.line}: {error}") from None


def _shape(top: Entry) -> ImageShape:
    """Return the images that a file names, CIFAR-10's where it does not say all of them."""
    images = top.items.get("images")
    names = [spec.name for spec in fields(ImageShape)]
    if images is None or images.is_null or not all(name in images.items for name in names):
        return DATASETS["cifar10"]
    return ImageShape(**{name: _positive(images.items[name]) for name in names})


def _positive(entry: Entry) -> int:
    number: int = entry.scalar(int)
    if number < 1:
        raise entry.error(f"got {number}, expected a positive number")
    return number
