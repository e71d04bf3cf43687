import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from ressearch.images import ImageShape
from ressearch.training.source import Source


def test_room_is_torch_free_where_it_says_so() -> None:
    code = "import sys, ressearch.training.source, ressearch.training.recipe; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_root_is_sent_as_an_absolute_path() -> None:
    assert Source(name="folder", root=Path("pictures")).to_dict()["root"] == str(Path.cwd() / "pictures")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "cifar"}, r"name: got 'cifar', expected one of digits, cifar10, .*; did you mean 'cifar10'\?"),
        ({"name": "folder"}, "root must be given for the source folder, got none"),
        ({"name": "parquet"}, "root must be given for the source parquet, got none"),
        ({"resolution": 0}, "resolution >= 1 must hold, got 0"),
        ({"subset": 0}, "subset >= 1 must hold, got 0"),
        ({"val_images": -5}, "val_images >= 1 must hold, got -5"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Source(**values)


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (Source(), ImageShape(channels=1, resolution=8, num_classes=10)),
        (Source(resolution=16), ImageShape(channels=1, resolution=16, num_classes=10)),
        (Source(name="cifar10"), ImageShape(channels=3, resolution=32, num_classes=10)),
        (Source(name="cifar100", resolution=16), ImageShape(channels=3, resolution=16, num_classes=100)),
    ],
)
def test_describe_needs_no_files_for_known_sets(source: Source, shape: ImageShape) -> None:
    assert source.describe() == shape


def test_describe_counts_class_folders_and_opens_no_image(tmp_path: Path) -> None:
    for name in ("cat", "dog", "owl", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_bytes(b"this is no image")
    (tmp_path / "notes.txt").touch()
    shape = Source(name="folder", root=tmp_path).describe()
    assert shape == ImageShape(channels=3, resolution=32, num_classes=3)


def test_folder_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absent is no directory"):
        Source(name="folder", root=tmp_path / "absent").describe()
    (tmp_path / "only").mkdir()
    with pytest.raises(ValueError, match="must hold two or more class folders, found only"):
        Source(name="folder", root=tmp_path).describe()


def write_table(path: Path, columns: dict[str, list[object]]) -> Source:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return Source(name="parquet", root=path)


def test_parquet_classes_come_from_labels(tmp_path: Path) -> None:
    source = write_table(tmp_path / "a.parquet", {"image": [b"", b"", b""], "label": [0, 2, 1]})
    assert source.describe().num_classes == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"picture": [b""], "label": [0]},
            r"columns 'label' and 'img' \(or 'image'\) must be there, found picture, label",
        ),
        ({"img": [b""], "target": [0]}, "must be there, found img, target"),
        ({"img": [b""], "label": ["cat"]}, "column 'label' must hold integers, got string"),
        ({"img": [b"", b""], "label": [0, -1]}, "row 1: label >= 0 must hold, got -1"),
        ({"img": [b"", b""], "label": [0, None]}, "row 1: label >= 0 must hold, got None"),
        ({"img": [b""], "label": [0]}, "two or more classes must be there, found 1"),
    ],
)
def test_parquet_mistakes_are_named(columns: dict[str, list[object]], message: str, tmp_path: Path) -> None:
    source = write_table(tmp_path / "a.parquet", columns)
    with pytest.raises(ValueError, match=message):
        source.describe()


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(ValueError, match=r"train\.parquet: cannot be read as Parquet"):
        Source(name="parquet", root=tmp_path).describe()
    with pytest.raises(ValueError, match=r"train\.parquet is missing"):
        Source(name="parquet", root=tmp_path / "absent").describe()
