"""An architecture by its name or by the file of an export."""

import re
from pathlib import Path

import pytest
import yaml

from ressearch.arch import named
from ressearch.images import ImageShape
from ressearch.space.lookup import find_architecture

CIFAR10 = ImageShape(channels=3, resolution=32, num_classes=10)


def test_a_name() -> None:
    assert find_architecture("resnet-20") == ("resnet-20", named("resnet-20"), CIFAR10)
    assert find_architecture("resnet-18-imagenet")[2] == ImageShape(channels=3, resolution=224, num_classes=1000)


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'resnet-21'"):
        find_architecture("resnet-21")


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
    assert find_architecture(path) == (
        "found",
        named("preresnet-20"),
        ImageShape(channels=1, resolution=8, num_classes=10),
    )
    assert find_architecture(str(path)) == find_architecture(path)


def test_a_file_without_images_or_name(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.yml", images=None, name=None)
    assert find_architecture(path) == ("mine", named("preresnet-20"), CIFAR10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", ":1:2: broken YAML: while parsing a flow node"),
        ("", ":1: the file is empty, expected a file that `export` or `train` has written"),
        ("- 1", ":1: 'architecture' is missing, expected a file that `export` or `train` has written"),
        ("name: mine", ":1: 'architecture' is missing, expected a file"),
        ("architecture: resnet-20", ":1: architecture: got 'resnet-20', expected the axes of an architecture"),
        ("name: a\narchitecture: {version: 2}", ":2: architecture: version 1 must be given, got 2"),
        (
            "architecture:\n  version: 1\n  stages: [{depth: 1, width: 8, se: standrad}]",
            ":2: stages[0].se: got 'standrad', expected one of none, standard, pre, post, identity; "
            "did you mean 'standard'?",
        ),
        ("architecture: {stages: 1, stages: 2}", ":1: architecture: the key 'stages' is given twice"),
        ("!!python/object/apply:os.getcwd []", ":1: 'architecture' is missing"),
        ("architecture: !!python/object/apply:os.getcwd []", ":1: architecture: got a list, expected the axes"),
    ],
)
def test_files_that_hold_no_architecture(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "architecture.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(f"{path}{message}")):
        find_architecture(path)


@pytest.mark.parametrize(("resolution", "message"), [(0, "got 0, expected a positive number"), ("8", "got '8', exp")])
def test_images_that_are_none(tmp_path: Path, resolution: object, message: str) -> None:
    path = written(tmp_path / "a.yaml", images={"channels": 1, "resolution": resolution, "num_classes": 10})
    with pytest.raises(ValueError, match=re.escape(f"images.resolution: {message}")):
        find_architecture(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"architecture\.yaml: there is no such file"):
        find_architecture(tmp_path / "architecture.yaml")
