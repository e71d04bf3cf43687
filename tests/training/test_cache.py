import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ressearch.training.data import Prepared, fingerprint, load, prepare
from ressearch.training.fingerprint import Fingerprint
from ressearch.training.source import Source

PREPARE = "cache.ensure_cached(Source(), 'train', cache_dir)"


def python(code: str, cache_dir: Path) -> subprocess.Popen[str]:
    """A process of its own that runs `code` where `cache_dir` and the room's names are known."""
    head = f"""
import os, resource, time
from pathlib import Path
from ressearch.training import cache
from ressearch.training.source import Source
cache_dir = Path({str(cache_dir)!r})
"""
    return subprocess.Popen([sys.executable, "-c", head + code], stderr=subprocess.PIPE, text=True)


def directories(cache_dir: Path) -> list[Path]:
    return [path for path in cache_dir.iterdir() if path.is_dir()]


def decodes_again(monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> bool:
    """Whether preparing digits decodes them, rather than reading what is there."""
    calls = []
    real = Source.decode
    monkeypatch.setattr(Source, "decode", lambda *arguments: calls.append(arguments) or real(*arguments))
    prepare(Source(), seed=0, cache_dir=cache_dir)
    return bool(calls)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepare(Source(), seed=0, cache_dir=tmp_path)


def test_what_is_decoded_is_used_again(prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not decodes_again(monkeypatch, tmp_path)


def test_processes_that_start_at_once_decode_once(tmp_path: Path) -> None:
    code = f"""
real = Source.decode
def slow(*arguments):
    with open(cache_dir / "decoded.log", "a") as log:
        log.write("once\\n")
    time.sleep(0.5)
    return real(*arguments)
Source.decode = slow
{PREPARE}
"""
    processes = [python(code, tmp_path) for _ in range(3)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert (tmp_path / "decoded.log").read_text() == "once\n"
    assert len(directories(tmp_path)) == 1


def test_a_killed_decoder_leaves_nothing_that_looks_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"""
def killed(file, *_):
    file.write(b"half")
    file.flush()
    os._exit(9)
cache._write_array = killed
{PREPARE}
"""
    process = python(code, tmp_path)
    process.communicate()
    assert process.returncode == 9
    assert [path.suffix for path in directories(tmp_path)] == [".partial"]
    assert decodes_again(monkeypatch, tmp_path)
    assert [path.suffix for path in directories(tmp_path)] == [""]


def test_a_full_disk_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"  # as a full disk: writing fails half-way
    process = python(limit + PREPARE, tmp_path)
    error = process.communicate()[1]
    assert process.returncode == 1
    assert "OSError: [Errno 27] the image cache cannot be written ([Errno 27] File too large)" in error
    assert "make room, or set RESSEARCH_CACHE" in error
    assert not directories(tmp_path)


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="the image cache cannot be written"):
        prepare(Source(), seed=0, cache_dir=tmp_path / "file" / "cache")


def truncate_images(directory: Path) -> None:
    os.truncate(directory / "images.npy", 5000)


def remove_labels(directory: Path) -> None:
    (directory / "labels.npy").unlink()


def remove_moments(directory: Path) -> None:
    (directory / "moments.npy").unlink()


def garble_description(directory: Path) -> None:
    (directory / "cache.json").write_text('{"version": 1, "by')


def replace_description(directory: Path) -> None:
    (directory / "cache.json").write_text("[]")


def age(directory: Path) -> None:
    description = json.loads((directory / "cache.json").read_text())
    (directory / "cache.json").write_text(json.dumps(description | {"version": 0}))


@pytest.mark.parametrize(
    "damage", [truncate_images, remove_labels, remove_moments, garble_description, replace_description, age]
)
def test_a_damaged_cache_is_decoded_again(
    damage, prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(prepared, "cpu").train_images[:]
    damage(prepared.directory)
    assert decodes_again(monkeypatch, tmp_path)
    assert torch.equal(load(prepared, "cpu").train_images[:], before)


def test_changed_files_are_decoded_again(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (4, 4), (index, 0, 0)).save(tmp_path / "pictures" / name / f"{index}.png")
    source = Source(name="folder", root=tmp_path / "pictures", test_images=0)
    first = prepare(source, seed=0, cache_dir=tmp_path / "cache")
    assert prepare(source, seed=0, cache_dir=tmp_path / "cache").directory == first.directory
    Image.new("RGB", (4, 4), (0, 0, 255)).save(tmp_path / "pictures" / "a" / "2.png")
    second = prepare(source, seed=0, cache_dir=tmp_path / "cache")
    assert second.directory != first.directory
    assert len(load(second, "cpu").train_images) == len(load(first, "cpu").train_images) + 1


def test_a_file_that_changes_without_changing_its_size_is_decoded_again(tmp_path: Path) -> None:
    from PIL import Image

    for name, shade in (("a", 10), ("b", 20)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for index in range(2):
            Image.new("L", (32, 32), shade).save(tmp_path / "pictures" / name / f"{index}.bmp")
    source = Source(name="folder", root=tmp_path / "pictures", test_images=0)
    first = load(prepare(source, seed=0, cache_dir=tmp_path / "cache"), "cpu")
    changed = tmp_path / "pictures" / "b"
    for file in changed.iterdir():
        size = file.stat().st_size
        Image.new("L", (32, 32), 200).save(file)
        assert file.stat().st_size == size
        os.utime(file, (2_000_000_000, 2_000_000_000))  # clocks are coarse
    second = load(prepare(source, seed=0, cache_dir=tmp_path / "cache"), "cpu")
    assert (first.train_images[:].max(), second.train_images[:].max()) == (20, 200)


def test_the_same_pixels_under_other_labels_are_other_images(tmp_path: Path) -> None:
    import io

    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    def print_of(name: str, labels: list[int]) -> Fingerprint:
        cells = []
        for shade in range(4):
            Image.new("L", (32, 32), 50 * shade).save(cell := io.BytesIO(), "PNG")
            cells.append(cell.getvalue())
        pyarrow.parquet.write_table(pyarrow.table({"img": cells, "label": labels}), tmp_path / name)
        source = Source(name="parquet", root=tmp_path / name, test_images=0)
        return fingerprint(prepare(source, seed=0, cache_dir=tmp_path / "cache"))

    first, again, other = (
        print_of("a.parquet", [0, 0, 1, 1]),
        print_of("b.parquet", [0, 0, 1, 1]),
        print_of("c.parquet", [0, 1, 0, 1]),
    )
    assert again.change_since(first) is None
    assert other.change_since(first) == "some have other pixels or labels; their classes and numbers are equal"
