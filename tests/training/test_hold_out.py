"""Images set aside to test where a source has no test images: no training sees them, whatever else is asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ressearch.space.sections import section
from ressearch.space.yaml_nodes import SpaceError, compose
from ressearch.training.data import Prepared, counted, fingerprint, load, load_test, prepare
from ressearch.training.division import counts_of, divide, hold_out
from ressearch.training.source import Counts, DivisionError, Source
from ressearch.training.sources import SOURCES

PER_CLASS = 20


def level(label: int, index: int) -> int:
    """A grey level that tells which image it is."""
    return 100 * label + 5 * index


def folder(root: Path) -> Source:
    for label, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for index in range(PER_CLASS):
            Image.new("RGB", (4, 4), (level(label, index),) * 3).save(root / name / f"{index:02d}.png")
    return Source(name="folder", root=root, resolution=4)


def parquet(root: Path) -> Source:
    """One file, whose classes take turns."""
    source = folder(root / "pictures")
    cells = [
        {"bytes": (root / "pictures" / name / f"{index:02d}.png").read_bytes()}
        for index in range(PER_CLASS)
        for name in ("cat", "dog")
    ]
    table = pyarrow.table({"img": cells, "label": [0, 1] * PER_CLASS})
    pyarrow.parquet.write_table(table, root / "some.parquet")
    return replace(source, name="parquet", root=root / "some.parquet")


@pytest.fixture(params=[folder, parquet])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    make: Callable[[Path], Source] = request.param
    return make(tmp_path / "root")


def held_out_of(source: Source, cache: Path, seed: int = 0) -> list[tuple[int, int]]:
    """The level and the label of every test image."""
    images, labels = load_test(prepare(source, seed=seed, cache_dir=cache, split="test"), "cpu")
    return list(zip(images[:][:, 0, 0, 0].tolist(), labels.tolist(), strict=True))


def test_a_tenth_is_set_aside_and_no_training_sees_it(source: Source, tmp_path: Path) -> None:
    images = load(prepare(source, seed=0, cache_dir=tmp_path), "cpu")
    parts = [images.train_images[:], images.val_images[:]]
    seen = [pixels[:, 0, 0, 0].tolist() for pixels in parts]
    held_out = held_out_of(source, tmp_path)
    assert [len(part) for part in (*seen, held_out)] == [32, 4, 4]
    every = sorted(level(label, index) for label in (0, 1) for index in range(PER_CLASS))
    assert sorted([*seen[0], *seen[1], *(value for value, _ in held_out)]) == every
    for values, labels in zip(seen, (images.train_labels, images.val_labels), strict=True):
        assert [value >= 100 for value in values] == [label == 1 for label in labels.tolist()]
    assert [value >= 100 for value, _ in held_out] == [label == 1 for _, label in held_out]
    assert images.mean[0].item() == pytest.approx(np.mean(seen[0]) / 255)


@pytest.mark.parametrize(("test_images", "number"), [(None, 4), (10, 10), (0.25, 10), (2, 2)])
def test_the_hold_out_depends_on_the_labels_alone(
    source: Source, tmp_path: Path, test_images: float | None, number: int
) -> None:
    source = replace(source, test_images=test_images)
    found = held_out_of(source, tmp_path)
    assert [label for _, label in found].count(0) == number / 2 == len(found) / 2
    others = [(source, 1), (replace(source, subset=8, val_images=6), 5)]
    assert all(held_out_of(other, tmp_path, seed) == found for other, seed in others)


@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=6),
    share=st.floats(0, 0.6),
    seed=st.integers(0, 5),
)
def test_all_parts_have_every_class_or_the_division_is_refused(counts: list[int], share: float, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    names = tuple(f"class{label}" for label in range(len(counts)))
    number = max(round(share * len(labels)), len(counts))
    held_out = hold_out(labels, number)
    try:
        train, val = divide(labels, names, Source(), seed, number)
    except DivisionError as error:
        assert np.bincount(np.delete(labels, held_out), minlength=len(counts)).min() < 2
        assert error.field == "test_images"  # noqa: PT017
        return
    assert sorted([*train, *val, *held_out]) == list(range(len(labels)))
    assert all(set(labels[part]) == set(range(len(counts))) for part in (train, val, held_out))


def test_nothing_is_set_aside_where_there_are_test_images(tmp_path: Path) -> None:
    source = folder(tmp_path / "root" / "train")
    (tmp_path / "root" / "test").mkdir()
    source = replace(source, root=tmp_path / "root")
    prepared = prepare(source, seed=0, cache_dir=tmp_path)
    assert counted(prepared) == counts_of(source, 0) == Counts(36, 4, 0)
    refused = replace(source, test_images=4)
    with pytest.raises(DivisionError, match=r"folder has test images of its own, .* leave test_images out, got 4"):
        prepare(refused, seed=0, cache_dir=tmp_path)
    with pytest.raises(DivisionError, match="has test images of its own"):
        counts_of(refused, 0)
    assert counts_of(replace(source, test_images=0), 0) == Counts(36, 4, 0)


@pytest.mark.parametrize(
    ("test_images", "message"),
    [
        (40, r"2 \(classes\) <= test_images < 40 \(images\) must hold, got 40"),
        (99, "must hold, got 99"),
        (1, "must hold, got 1"),
        (0.01, "must hold, got 0, the share 0.01 of them"),
        (38, "class 'cat' must have 2 or more images, .* got 1 beside the 38 images that are set aside to test"),
    ],
)
def test_a_hold_out_that_leaves_too_little_is_refused(
    source: Source, tmp_path: Path, test_images: float, message: str
) -> None:
    source = replace(source, test_images=test_images)
    if source.name == "parquet":
        message = message.replace("'cat'", "'0'")
    with pytest.raises(DivisionError, match=message) as from_images:
        prepare(source, seed=0, cache_dir=tmp_path)
    with pytest.raises(DivisionError, match=message) as from_labels:
        counts_of(source, 0)
    assert from_images.value.field == from_labels.value.field == "test_images"


def test_labels_alone_tell_how_many_images_train_validate_and_test(source: Source, tmp_path: Path) -> None:
    for values in ({}, {"subset": 7, "val_images": 5}, {"test_images": 0}, {"test_images": 0.5}):
        some = replace(source, **values)
        assert counted(prepare(some, seed=1, cache_dir=tmp_path)) == counts_of(some, 1), values


def test_the_numbers_of_digits_are_those_of_its_images(digits_cache: Path) -> None:
    prepared = prepare(Source(), seed=0, cache_dir=digits_cache)
    assert list((SOURCES["digits"].counts(None) or {}).values()) == list(fingerprint(prepared).num_images)
    assert counted(prepared) == counts_of(Source(), 0)


def test_numbers_of_cifar_are_known_before_the_download() -> None:
    assert counts_of(Source(name="cifar10"), 0) == counts_of(Source(name="cifar100"), 0) == Counts(45_000, 5_000, 0)


def test_fingerprints_tell_another_hold_out(source: Source, tmp_path: Path) -> None:
    def prints(of: Source) -> tuple[object, ...]:
        return tuple(fingerprint(prepare(of, seed=0, cache_dir=tmp_path, split=split)) for split in ("train", "test"))

    train, test = prints(source)
    assert (train, test) == prints(replace(source, test_images=4, val_images=8))
    more_train, more_test = prints(replace(source, test_images=6))
    assert more_train != train
    assert more_test != test


def test_a_hold_out_travels_to_other_processes_though_the_root_is_gone(source: Source, tmp_path: Path) -> None:
    prepared: Prepared = prepare(source, seed=0, cache_dir=tmp_path)
    assert source.root is not None
    source.root.rename(source.root.with_name("gone"))
    assert len(load(prepared, "cpu").train_labels) == 32
    assert counted(prepared) == Counts(32, 4, 4)


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("0", 0), ("0.0", 0), ("0.25", 0.25), ("null", None)])
def test_a_file_gives_a_number_or_a_share(text: str, value: float | None) -> None:
    found = section(compose(f"test_images: {text}", "space.yaml"), Source).test_images
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1", "test_images must be a whole number >= 0, or a share between 0 and 1, got -1"),
        ("1.0", "or a share between 0 and 1, got 1.0"),
        ("-0.1", "or a share between 0 and 1, got -0.1"),
        (".nan", "or a share between 0 and 1, got nan"),
        (".inf", "or a share between 0 and 1, got inf"),
        ("some", "got 'some', expected a number"),
        ("true", "got true, expected a whole number"),
        ("[1]", "got a list"),
    ],
)
def test_what_is_neither_is_refused_at_its_line(text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=f"space.yaml:2: test_images: .*{message}") as error:
        section(compose(f"name: digits\ntest_images: {text}", "space.yaml"), Source)
    assert "\n" not in str(error.value)
