"""An architecture by its name or by the file of an export."""

import re
from pathlib import Path

import pytest
import yaml

from ressearch.arch import named
from ressearch.images import ImageShape
from ressearch.space.described import described

CIFAR10 = ImageShape(channels=3, resolution=32, num_classes=10)


def test_a_name() -> None:
    assert described("resnet-20") == ("resnet-20", named("resnet-20"), CIFAR10)
    assert described("resnet-18-imagenet")[2] == ImageShape(channels=3, resolution=224, num_classes=1000)


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'resnet-21'"):
        described("resnet-21")


def written(path: Path, **changes: object) -> Path:
    content = {
        "version": 1,
        "name": "found",
        "architecture": named("preresnet-20").to_dict(),
        "images": {"channels": 1, "resolution": 8, "num_classes": 10, "mean": [0.3]},
    }
    path.write_text(yaml.safe_dump(content | changes))
    return path


def test_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "architecture.yaml")
    assert described(path) == ("found", named("preresnet-20"), ImageShape(channels=1, resolution=8, num_classes=10))
    assert described(str(path)) == described(path)


def test_a_file_without_images_or_name(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yml", images=None, name=None)
    assert described(path) == ("mine", named("preresnet-20"), CIFAR10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no YAML file: "),
        ("- 1", "'architecture' is missing, expected a file that `export` or `train` has written"),
        ("architecture: resnet-20", "'architecture' is missing, expected a file"),
        ("architecture: {version: 2}", "architecture: version 1 must be given, got 2"),
        ("!!python/object/apply:os.getcwd []", "no YAML file: could not determine a constructor for the tag"),
    ],
)
def test_files_that_hold_no_architecture(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "architecture.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        described(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        described(tmp_path / "architecture.yaml")
