"""What is wrong with a folder of images is told by every verb alike, before any training."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ressearch
from ressearch import verbs

SPACE = """\
version: 1
data: {name: folder, root: pictures, resolution: 8, val_images: 2}
architecture: {stages: 1, stem_width: 4, depth: {choice: [1, 2]}, width: 4}
recipe: {epochs: 1, warmup_epochs: 0, batch_size: 4}
sampler: {name: random}
scheduler: {name: none}
"""
VERBS = {
    "check": ("check", "photos.yaml"),
    "run": ("run", "photos.yaml", "--trials", "2", "--backend", "local"),
    "confirm": ("confirm", "photos", "--top", "1", "--seeds", "1", "--backend", "local"),
    "train": ("train", "resnet-8", "photos.yaml", "-o", "trained"),
}


Call = Callable[..., Any]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a finished study of photographs, all of which are decoded."""
    home = tmp_path_factory.mktemp("photos")
    (home / "photos.yaml").write_text(SPACE)
    for part in ("train", "test"):
        for shade, name in enumerate(("cat", "dog")):
            (home / "pictures" / part / name).mkdir(parents=True)
            for index in range(4):
                colour = (100 * shade, 20 * index, 0)
                Image.new("RGB", (9, 9), colour).save(home / "pictures" / part / name / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("RESSEARCH_CACHE", str(home / "cache"))
        ressearch.run("photos.yaml", trials=2, backend="local")
        ressearch.confirm("photos", top=1, seeds=1, backend="local")
    return home


@pytest.fixture
def at_photos(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(photos)
    monkeypatch.setenv("RESSEARCH_CACHE", str(photos / "cache"))
    return photos


@contextmanager
def present(*files: Path) -> Iterator[None]:
    """Empty files for a while."""
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    try:
        yield
    finally:
        for file in files:
            file.unlink()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("part", "files", "message"),
    [
        ("train", [], "there are no images in pictures/train/owl, found nothing"),
        (
            "train",
            ["a.heic", "b.heic"],
            "there are no images in pictures/train/owl, found a.heic, b.heic; convert photographs to JPEG or PNG",
        ),
        ("test", ["0.png"], "pictures/test must have the classes of train: pictures/train lacks owl"),
    ],
    ids=["empty", "no images", "test alone"],
)
def test_every_verb_refuses_a_class_without_images(
    verb: str, part: str, files: list[str], message: str, at_photos: Path, call: Call
) -> None:
    owl = at_photos / "pictures" / part / "owl"
    owl.mkdir()
    try:
        with present(*(owl / name for name in files)):
            where = "" if verb == "confirm" else "photos.yaml:2: data.root: "  # a study knows no line
            assert call(*VERBS[verb]) == (1, "", f"ressearch: {where}folder: {message}\n")
    finally:
        owl.rmdir()
    assert not (at_photos / "trained").exists()


@pytest.mark.filterwarnings("default::ressearch.messages.Note")
@pytest.mark.parametrize("verb", ["run", "confirm"])
def test_what_is_left_out_is_told_in_one_line(verb: str, at_photos: Path, call: Call) -> None:
    with present(at_photos / "pictures" / "train" / "dog" / "4.HEIC"):
        ended = call(*VERBS[verb])
    note = (
        "folder: left out of pictures/train what is no image in a format that is read: 1 .heic (dog/4.HEIC); "
        "convert photographs to JPEG or PNG"
    )
    assert (ended.code, ended.err) == (0, f"ressearch: note: {note}\n")


def test_warnings_of_other_packages_name_the_place(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def warned(*_: object, **__: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("this will change", DeprecationWarning, stacklevel=1)

    monkeypatch.setattr(verbs, "export", warned)
    ended = call("export", "resnet-8")
    assert re.fullmatch(r"\S*test_image_folders\.py:\d+: DeprecationWarning: this will change\n.*\n", ended.err)


def test_check_tells_what_is_left_out(at_photos: Path, call: Call) -> None:
    with present(at_photos / "pictures" / "train" / "cat" / "notes.txt"):
        ended = call(*VERBS["check"])
    assert ended.code == 0
    text = " ".join(ended.out.split())
    assert "note: folder: left out of pictures/train what is no image in a format that is read: 1 .txt" in text
