import io
import itertools
import re
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import ExifTags, Image
from torch import nn

from ressearch.images import ImageShape
from ressearch.messages import Note
from ressearch.space.sections import section
from ressearch.space.yaml_nodes import compose
from ressearch.training.cache import ensure_cached
from ressearch.training.data import load, load_test, prepare
from ressearch.training.loop import train
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source
from ressearch.training.sources import SOURCES, SourceKind
from ressearch.training.sources.kind import Decoded, Split

RED = (200, 30, 40)


def stripes(_: Path, split: Split, resolution: int) -> Decoded:
    level = np.zeros((1, resolution, resolution), dtype=np.uint8)
    level[:, ::2] = 255
    labels = [0, 1] * (50 if split == "train" else 5)
    return Decoded(labels, ("level", "upright"), (level.transpose(0, 2, 1) if label else level for label in labels))


STRIPES = SourceKind(
    summary="level and upright stripes",
    channels=1,
    resolution=8,
    num_classes=lambda _: 2,
    content=lambda *_: "stripes",
    decode=stripes,
)


def test_a_source_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "stripes", STRIPES)
    source = section(compose("name: stripes", "space.yaml"), Source)
    assert source.describe() == ImageShape(channels=1, resolution=8, num_classes=2)
    images = load(prepare(source, seed=0, cache_dir=tmp_path), "cpu")
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    recipe = Recipe(epochs=2, batch_size=10, crop_padding=0)
    assert list(train(module, images, recipe, seed=0, device="cpu"))[-1].val_accuracy == 1
    test_images, test_labels = load_test(prepare(source, seed=0, cache_dir=tmp_path, split="test"), "cpu")
    assert (test_images[:].shape, test_labels.tolist()) == ((10, 1, 8, 8), [0, 1] * 5)
    with pytest.raises(ValueError, match=r"expected one of digits, .*, stripes; did you mean 'stripes'\?"):
        Source(name="stripe")


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_says_in_a_line_what_it_is(name: str) -> None:
    assert 10 < len(SOURCES[name].summary) <= 100
    assert "\n" not in SOURCES[name].summary


@pytest.mark.parametrize("name", [name for name, kind in SOURCES.items() if kind.needs_root])
def test_a_source_that_needs_a_root_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=f"root must be given for the source {name}, got none"):
        Source(name=name)


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def noise(size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def folder_of(root: Path, per_class: int = 4, classes: tuple[str, ...] = ("cat", "dog")) -> Source:
    """JPEGs and PNGs of mixed sizes."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(per_class):
            suffix = ("jpg", "png")[index % 2]
            noise((20 + 7 * index, 50 - 5 * index), seed=100 * label + index).save(root / name / f"{index}.{suffix}")
    return Source(name="folder", root=root, resolution=16)


def decoded(source: Source, tmp_path: Path) -> np.ndarray:
    return np.stack(list(source.decode("train", tmp_path).images))


MODES = {
    "palette.png": noise().convert("P"),
    "palette-transparent.gif": Image.new("RGB", (9, 9), RED).convert("P"),
    "rgba.png": Image.new("RGBA", (50, 20), (*RED, 255)),
    "grey.png": Image.new("L", (5, 70), 120),
    "grey-alpha.png": Image.new("LA", (5, 7), (120, 255)),
    "grey16.png": Image.fromarray(np.full((12, 12), 30000, dtype=np.uint16)),
    "grey16.tif": Image.fromarray(np.full((12, 12), 30000, dtype=np.uint16)),
    "cmyk.jpg": Image.new("CMYK", (64, 48), (10, 200, 200, 30)),
    "bilevel.png": Image.new("1", (30, 30), 1),
    "photo.webp": noise((200, 100)),
    "UPPER.JPG": noise((33, 33)),
    "bitmap.bmp": noise((8, 8)),
}


def test_any_mode_and_size_becomes_rgb(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for file, image in MODES.items():
        image.save(tmp_path / "a" / file)
    noise().save(tmp_path / "b" / "x.png")
    images = decoded(Source(name="folder", root=tmp_path, resolution=16), tmp_path)
    assert images.shape == (len(MODES) + 1, 3, 16, 16)
    assert images.dtype == np.uint8
    of = dict(zip(sorted(MODES), images, strict=False))
    assert np.all(of["grey.png"] == 120)
    assert np.all(of["grey16.png"] == 30000 // 257)
    assert np.all(of["grey16.tif"] == 30000 // 257)
    assert np.all(of["bilevel.png"] == 255)
    assert np.all(of["rgba.png"] == np.array(RED)[:, None, None])


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGBA", (8, 8), (*RED, 0)).save(tmp_path / name / "clear.png")
    assert np.all(decoded(Source(name="folder", root=tmp_path), tmp_path) == 255)


def test_pixels_of_the_right_size_are_kept_exactly(tmp_path: Path) -> None:
    pictures = [noise((16, 16), seed) for seed in range(2)]
    for name, picture in zip(("a", "b"), pictures, strict=True):
        (tmp_path / name).mkdir()
        picture.save(tmp_path / name / "x.png")
    images = decoded(Source(name="folder", root=tmp_path, resolution=16), tmp_path)
    np.testing.assert_array_equal(images, [np.asarray(picture).transpose(2, 0, 1) for picture in pictures])


def test_folder_is_prepared_with_its_labels(tmp_path: Path) -> None:
    source = replace(folder_of(tmp_path / "pictures", per_class=5), test_images=0)
    images = load(prepare(source, seed=0, cache_dir=tmp_path / "cache"), "cpu")
    assert images.class_names == ("cat", "dog")
    assert sorted([*images.train_labels.tolist(), *images.val_labels.tolist()]) == [0] * 5 + [1] * 5


@pytest.mark.parametrize("file", ["1.png", "2.jpg"])
def test_a_truncated_image_is_named_and_nothing_is_cached(file: str, tmp_path: Path) -> None:
    source = folder_of(tmp_path / "pictures")
    broken = tmp_path / "pictures" / "dog" / file
    broken.write_bytes(broken.read_bytes()[:-300])
    with pytest.raises(ValueError, match=rf"dog/{file}: the image cannot be decoded: .*truncated"):
        prepare(source, seed=0, cache_dir=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    broken.unlink()
    prepare(source, seed=0, cache_dir=tmp_path / "cache")


def test_hidden_files_are_ignored_and_others_are_told(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "pictures")
    cat, dog = (tmp_path / "pictures" / name for name in ("cat", "dog"))
    (cat / ".DS_Store").touch()
    (cat / ".thumbnails").mkdir()
    (cat / ".thumbnails" / "0.png").touch()
    before = prepare(source, seed=0, cache_dir=tmp_path / "cache")  # says nothing: a warning would be an error
    (dog / "notes.txt").touch()
    (dog / "phone").mkdir()
    for index in range(6):
        (dog / "phone" / f"{index}.HEIC").touch()
    (cat / "README").touch()
    expected = re.escape(
        f"folder: left out of {tmp_path / 'pictures'} what is no image in a format that is read: "
        "6 .heic, 1 without a suffix, 1 .txt (cat/README, dog/notes.txt, dog/phone/0.HEIC, dog/phone/1.HEIC, "
        "dog/phone/2.HEIC, ...); convert photographs to JPEG or PNG"
    )
    for _ in range(2):  # whether the images are decoded or are there already
        with pytest.warns(Note, match=f"^{expected}$"):
            prepared = prepare(source, seed=0, cache_dir=tmp_path / "cache")
    assert prepared.directory == before.directory, "what is left out changes no pixel"


def ways_to_ask(source: Source, *, split: Split = "train") -> list[Callable[[], object]]:
    """All ways to ask for images."""
    return [source.describe, lambda: source.content(split), lambda: prepare(source, seed=0, split=split)]


def test_a_class_without_images_is_named_even_if_the_images_are_decoded_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", str(tmp_path / "cache"))
    source = folder_of(tmp_path / "pictures")
    prepare(source, seed=0)
    owl = tmp_path / "pictures" / "owl"
    owl.mkdir()
    for ask in ways_to_ask(source):
        with pytest.raises(ValueError, match=rf"^folder: there are no images in {owl}, found nothing$"):
            ask()
    for name in ("a.heic", "b.heic"):
        (owl / name).touch()
    for ask in ways_to_ask(source):
        with pytest.raises(
            ValueError,
            match=rf"^folder: there are no images in {owl}, found a\.heic, b\.heic; "
            "convert photographs to JPEG or PNG$",
        ):
            ask()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("cat",), r"^folder: .*/test must have the classes of train: it lacks dog$"),
        (("cat", "dog", "owl"), r"^folder: .*/test must have the classes of train: .*/train lacks owl$"),
        (("cat", "cow"), r"^folder: .*/test must have the classes of train: it lacks dog; .*/train lacks cow$"),
    ],
)
def test_a_test_set_with_other_classes_is_refused_before_any_training(
    classes: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    source = folder_of(tmp_path / "train")
    folder_of(tmp_path / "test", classes=classes)
    source = replace(source, root=tmp_path)
    for split in ("train", "test"):
        for ask in ways_to_ask(source, split=split):
            with pytest.raises(ValueError, match=message):
                ask()


def test_a_test_class_without_images_is_refused_before_any_training(tmp_path: Path) -> None:
    folder_of(tmp_path / "train")
    folder_of(tmp_path / "test")
    for file in (tmp_path / "test" / "dog").iterdir():
        file.unlink()
    source = Source(name="folder", root=tmp_path)
    for split in ("train", "test"):
        for ask in ways_to_ask(source, split=split):
            with pytest.raises(ValueError, match=r"^folder: there are no images in .*/test/dog, found nothing$"):
                ask()


def test_test_images_without_classes_hinder_no_search(tmp_path: Path) -> None:
    """Pictures whose classes nobody knows, as competitions give them."""
    source = replace(folder_of(tmp_path / "pictures" / "train"), root=tmp_path / "pictures")
    (tmp_path / "pictures" / "test").mkdir()
    for name in ("flat.png", "unknown/a.png"):
        (tmp_path / "pictures" / "test" / name).parent.mkdir(exist_ok=True)
        noise().save(tmp_path / "pictures" / "test" / name)
        prepare(source, seed=0, cache_dir=tmp_path / "cache")
        with pytest.raises(ValueError, match=r"test must have the classes of train: it lacks cat, dog"):
            prepare(source, seed=0, cache_dir=tmp_path / "cache", split="test")


def held(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores that was held so: the standard says which side its first row and first column show."""
    row, column = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    rows_are_rows = row in ("top", "bottom")
    stored = upright if rows_are_rows else upright.swapaxes(0, 1)
    stored = stored if row in ("top", "left") else stored[::-1]
    return stored if column in ("top", "left") else stored[:, ::-1]


def scene(block: int) -> np.ndarray:
    """Two by three squares, each of a colour of its own, which survives JPEG."""
    squares = np.random.default_rng(1).integers(0, 256, (2, 3, 3), dtype=np.uint8)
    return squares.repeat(block, 0).repeat(block, 1)


LOSSLESS = {"JPEG": {"quality": 100, "subsampling": 0}, "PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("block", [16, 240], ids=["small", "large"])  # of large JPEGs, detail is skipped
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", LOSSLESS)
def test_photographs_are_turned_upright(kind: str, orientation: int, block: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(held(scene(block), orientation))).save(
        buffer, kind, exif=exif, **LOSSLESS[kind]
    )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"x.{kind}").write_bytes(buffer.getvalue())
    table = pyarrow.table({"img": [{"bytes": buffer.getvalue(), "path": "x"}], "label": [1]})
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    found = decoded(Source(name="folder", root=tmp_path, resolution=32), tmp_path)
    found = [*found, *decoded(Source(name="parquet", root=tmp_path, resolution=32), tmp_path)]
    middle = scene(block)[:, block // 2 : block // 2 + 2 * block]  # the centred square of the upright picture
    for image in found:
        for y, x in itertools.product((4, 12, 20, 28), (2, 16, 30)):  # far from the edges, which resizing blurs
            expected = middle[y * 2 * block // 32, x * 2 * block // 32].astype(int)
            np.testing.assert_allclose(image[:, y, x].astype(int), expected, atol=3)


BROKEN_EXIF = [
    b"Exif\0\0garbage",
    b"Exif\0\0",
    b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01A\0\0\0\0\0\0\0",  # the orientation is text
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\0",  # a fraction that is not there
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0\0\0\0\0",  # it is 9
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0",  # it is 0
]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_metadata_fails_no_image(kind: str, tmp_path: Path) -> None:
    """Nor does it warn: every warning is an error here."""
    for label in ("a", "b"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for index, exif in enumerate(BROKEN_EXIF):
            file = tmp_path / "pictures" / label / f"{index}.{kind}"
            Image.fromarray(scene(16)).save(file, kind, exif=exif, **LOSSLESS[kind])
    source = Source(name="folder", root=tmp_path / "pictures", val_images=2, test_images=0)
    images = load(prepare(source, seed=0, cache_dir=tmp_path / "cache"), "cpu").train_images[:]
    assert len(images) == 2 * len(BROKEN_EXIF) - 2
    assert (images == images[0]).all()


def test_a_format_that_cannot_be_read_is_told_with_a_way_out(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "pictures")
    (tmp_path / "pictures" / "dog" / "9.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(
        ValueError,
        match=r"dog/9\.jpg: the image cannot be decoded: it is no JPEG, PNG, WebP, TIFF, GIF, BMP or PNM; convert it$",
    ):
        prepare(source, seed=0, cache_dir=tmp_path / "cache")


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path)
    Image.new("F", (8, 8), 0.5).save(tmp_path / "cat" / "9.tif")
    with pytest.raises(ValueError, match=r"cat/9\.tif: .* floating-point pixels have no known range"):
        decoded(source, tmp_path)


def test_training_images_are_prepared_without_a_look_at_the_test_images(tmp_path: Path) -> None:
    folder_of(tmp_path / "pictures" / "train")
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / "test" / name).mkdir(parents=True)
        (tmp_path / "pictures" / "test" / name / "0.png").write_bytes(b"broken")
    source = Source(name="folder", root=tmp_path / "pictures")
    assert source.describe().num_classes == 2
    prepare(source, seed=0, cache_dir=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"test/cat/0\.png: the image cannot be decoded"):
        prepare(source, seed=0, cache_dir=tmp_path / "cache", split="test")


def test_test_folder_is_read_when_asked_for(tmp_path: Path) -> None:
    folder_of(tmp_path / "pictures" / "train")
    folder_of(tmp_path / "pictures" / "test", per_class=3)
    source = Source(name="folder", root=tmp_path / "pictures")
    images, labels = load_test(prepare(source, seed=0, cache_dir=tmp_path / "cache", split="test"), "cpu")
    assert images[:].shape == (6, 3, 32, 32)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_absent_test_images_are_told(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "pictures")
    none = replace(source, test_images=0)
    with pytest.raises(ValueError, match=r"there are no test images; expected .*/test/<class>/.*test_images 0 none"):
        prepare(none, seed=0, cache_dir=tmp_path / "cache", split="test")


def parquet_of(path: Path, num_rows: int = 12, column: str = "img", broken_row: int | None = None) -> Source:
    cells = [{"bytes": encoded(noise(seed=row), "PNG"), "path": f"{row}.png"} for row in range(num_rows)]
    if broken_row is not None:
        cells[broken_row]["bytes"] = cells[broken_row]["bytes"][:100]
    labels = [row % 3 for row in range(num_rows)]
    pyarrow.parquet.write_table(pyarrow.table({column: cells, "label": labels}), path)
    return Source(name="parquet", root=path.parent)


@pytest.mark.parametrize("column", ["img", "image"])
def test_parquet_is_prepared_without_opening_the_test_file(column: str, tmp_path: Path) -> None:
    source = parquet_of(tmp_path / "train.parquet", column=column)
    (tmp_path / "test.parquet").write_bytes(b"to open this is to fail")
    images = load(prepare(source, seed=0, cache_dir=tmp_path / "cache"), "cpu")
    assert images.train_images[:].shape == (9, 3, 32, 32)
    with pytest.raises(ValueError, match=r"test\.parquet: cannot be read as Parquet"):
        prepare(source, seed=0, cache_dir=tmp_path / "cache", split="test")


def test_one_parquet_file_has_no_test_images(tmp_path: Path) -> None:
    parquet_of(tmp_path / "some.parquet")
    source = Source(name="parquet", root=tmp_path / "some.parquet", test_images=0)
    prepare(source, seed=0, cache_dir=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"there are no test images beside the one file .* all of which a search sees"):
        prepare(source, seed=0, cache_dir=tmp_path / "cache", split="test")


def test_a_corrupt_parquet_image_names_file_and_row(tmp_path: Path) -> None:
    source = parquet_of(tmp_path / "train.parquet", broken_row=7)
    with pytest.raises(ValueError, match=r"train\.parquet: row 7: the image cannot be decoded"):
        prepare(source, seed=0, cache_dir=tmp_path / "cache")


def test_a_test_label_unknown_to_train_is_named(tmp_path: Path) -> None:
    source = parquet_of(tmp_path / "train.parquet")
    cell = {"bytes": encoded(noise(), "PNG"), "path": "x.png"}
    table = pyarrow.table({"img": [cell, cell], "label": [0, 3]})
    pyarrow.parquet.write_table(table, tmp_path / "test.parquet")
    with pytest.raises(ValueError, match=r"test\.parquet: row 1: label < 3 must hold, got 3"):
        source.decode("test", tmp_path)


@pytest.mark.parametrize(("name", "kind", "num_classes"), [("cifar10", "CIFAR10", 10), ("cifar100", "CIFAR100", 100)])
def test_cifar_keeps_its_splits_apart_and_its_images_upright(
    name: str, kind: str, num_classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a stand-in for torchvision's class: images (N, 32, 32, 3), of which those that train are darker."""
    from torchvision import datasets

    class StandIn:
        def __init__(self, root: str, train: bool, download: bool) -> None:  # noqa: ARG002
            generator = np.random.default_rng(int(train))
            self.data = generator.integers(0, 100, (2 * num_classes, 32, 32, 3), dtype=np.uint8) + 150 * (not train)
            self.data = self.data.astype(np.uint8)
            self.targets = [index % num_classes for index in range(2 * num_classes)]
            self.classes = [f"class {label}" for label in range(num_classes)]

    monkeypatch.setattr(datasets, kind, StandIn)
    source = Source(name=name, root=tmp_path)
    for split, is_train in (("train", True), ("test", False)):
        expected, found = StandIn("", is_train, True), source.decode(split, tmp_path)
        pixels = np.stack(list(found.images))
        assert pixels.shape == (2 * num_classes, 3, 32, 32)
        assert (found.labels, found.class_names) == (expected.targets, tuple(expected.classes))
        for row, column, channel in ((0, 31, 0), (5, 7, 1), (30, 2, 2)):
            np.testing.assert_array_equal(pixels[:, channel, row, column], expected.data[:, row, column, channel])


@pytest.mark.parametrize(("name", "archive"), [("cifar10", "cifar-10-python"), ("cifar100", "cifar-100-python")])
def test_cifar_without_network_names_the_ways_out(
    name: str, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    message = (
        rf"{archive}\.tar\.gz is not in .* cannot be downloaded .*copy {archive}\.tar\.gz .* digits.*folder or parq"
    )
    with pytest.raises(ValueError, match=message):
        ensure_cached(Source(name=name, root=tmp_path / "root"), "train", tmp_path / "cache")
