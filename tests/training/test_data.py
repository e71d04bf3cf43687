import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ressearch.training import data
from ressearch.training.cache import default_cache_dir
from ressearch.training.data import (
    ImageRows,
    Images,
    channel_statistics,
    load,
    load_test,
    prepare,
)
from ressearch.training.division import divide, stratified_order
from ressearch.training.source import Source
from ressearch.training.sources import SOURCES, SourceKind
from ressearch.training.sources.kind import Decoded, Split

CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar10-jpeg"


def some_labels(counts: list[int]) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(0).permutation(labels)


def names(counts: list[int]) -> tuple[str, ...]:
    return tuple(f"class{label}" for label in range(len(counts)))


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=8), seed=st.integers(0, 5), share=st.floats(0, 1))
def test_every_beginning_of_a_stratified_order_is_in_proportion(counts: list[int], seed: int, share: float) -> None:
    labels = some_labels(counts)
    order = stratified_order(labels, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    length = round(share * len(labels))
    taken = np.bincount(labels[order[:length]], minlength=len(counts))
    assert np.all(np.abs(taken - np.array(counts) * length / len(labels)) <= 1 + 1e-9 + len(counts) / 2)
    assert set(labels[order[: len(counts)]]) == set(labels)


def test_balanced_classes_are_split_evenly() -> None:
    counts = [50] * 4
    labels = some_labels(counts)
    train, val = divide(labels, names(counts), Source(val_images=40, subset=80), seed=3)
    assert np.bincount(labels[train]).tolist() == [20] * 4
    assert np.bincount(labels[val]).tolist() == [10] * 4


@given(counts=st.lists(st.integers(4, 40), min_size=2, max_size=6), seed=st.integers(0, 5), data=st.data())
def test_split_is_disjoint_nested_stable_and_independent_of_subset(
    counts: list[int], seed: int, data: st.DataObject
) -> None:
    labels, num_classes = some_labels(counts), len(counts)
    whole, val = divide(labels, names(counts), Source(), seed)
    assert set(whole).isdisjoint(val)
    assert len(whole) + len(val) == len(labels)
    large = data.draw(st.integers(num_classes, len(whole)))
    small = data.draw(st.integers(num_classes, large))
    parts = [divide(labels, names(counts), Source(subset=subset), seed) for subset in (small, large, small)]
    assert [len(train) for train, _ in parts] == [small, large, small]
    assert set(parts[0][0]) <= set(parts[1][0]) <= set(whole)
    assert np.array_equal(parts[0][0], parts[2][0])
    for train, validation in parts:
        assert np.array_equal(validation, val)
        assert set(labels[train]) == set(labels[validation]) == set(range(num_classes))


def test_another_seed_sets_other_images_aside() -> None:
    labels = some_labels([40, 40])
    (_, first), (_, second) = (divide(labels, names([40, 40]), Source(), seed) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("counts", "values", "message"),
    [
        ([5, 1, 5], {}, "class 'class1' must have 2 or more images, one to train and one to validate, got 1"),
        ([5, 0], {}, "class 'class1' must have 2 or more images, .* got 0"),
        ([9, 9, 9], {"val_images": 2}, "an image of each of the 3 classes .* got val_images=2 of 27"),
        ([9, 9, 9], {"val_images": 27}, "an image of each of the 3 classes .* got val_images=27 of 27"),
        ([9, 9], {"val_images": 6, "subset": 13}, r"2 \(classes\) <= subset <= 12 \(.*\) must hold, got 13"),
        ([9, 9], {"subset": 1}, r"2 \(classes\) <= subset <= .* must hold, got 1"),
    ],
)
def test_too_few_images_are_named(counts: list[int], values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        divide(some_labels(counts), names(counts), Source(**values), seed=0)


def test_channel_statistics_are_those_of_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the training images alone, and of those alone that a subset takes."""
    images = load(prepare(colours(monkeypatch, num_images=900, side=6), seed=1, cache_dir=tmp_path), "cpu")
    pixels = images.train_images[:].numpy().astype(np.float64) / 255
    assert pixels.shape == (700, 3, 6, 6)
    np.testing.assert_allclose(images.mean, pixels.mean((0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(images.std, pixels.std((0, 2, 3)), rtol=1e-7)


def colours(monkeypatch: pytest.MonkeyPatch, *, num_images: int, side: int) -> Source:
    """Noise whose channels differ, of two classes; 700 images train."""

    def decode(_: Path, __: Split, resolution: int) -> Decoded:
        noise = np.random.default_rng(0).integers(0, (256, 99, 7), (num_images, side, side, 3), dtype=np.uint8)
        return Decoded([0, 1] * (num_images // 2), ("a", "b"), (image.transpose(2, 0, 1) for image in noise))

    kind = SourceKind(summary="", channels=3, num_classes=lambda _: 2, content=lambda *_: "", decode=decode)
    monkeypatch.setitem(SOURCES, "colours", kind)
    return Source(name="colours", resolution=side, subset=700, val_images=40)


def test_images_of_one_colour_have_a_deviation_to_divide_by() -> None:
    assert channel_statistics(np.array([[[7 * 4, 49 * 4]]] * 4), num_pixels=4)[1] > 0


def test_digits_are_loaded(digits: Images) -> None:
    train, val = digits.train_images[:], digits.val_images[:]
    assert train.shape[1:] == val.shape[1:] == (1, 8, 8)
    assert train.dtype == torch.uint8
    assert digits.train_labels.dtype == torch.int64
    assert (train.min(), train.max()) == (0, 255)
    assert len(digits.val_images) == round(0.1 * (len(digits.train_images) + len(digits.val_images)))
    assert digits.class_names == tuple("0123456789")


def test_images_are_copied_to_a_device_in_parts(digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "COPIED_AT_A_TIME", 50)
    assert isinstance(digits.val_images, ImageRows)
    assert len(digits.val_images) % 50
    copy = digits.val_images.copied("cpu")
    assert torch.equal(copy, digits.val_images[:])
    copy.zero_()
    assert digits.val_images[:].max() == 255


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is told by Linux only")
def test_images_are_not_copied_into_the_memory_of_every_process(tmp_path: Path) -> None:
    """All of them are read, in batches, as an epoch does; a copy would take 48 MB."""
    code = f"""
from pathlib import Path
import torch
from ressearch.training.data import load, prepare
from ressearch.training.source import Source

def own():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024

prepared = prepare(Source(resolution=192), seed=0, cache_dir=Path({str(tmp_path)!r}))
load(prepare(Source(resolution=8), seed=0, cache_dir=Path({str(tmp_path)!r})), "cpu").train_images[:]
before = own()
images = load(prepared, "cpu")
total = 0
for some in (images.train_images, images.val_images):
    for rows in torch.split(torch.randperm(len(some)), 20):
        total += some[rows].numel()
print(total / 2**20, own() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read, grown = map(float, done.stdout.split())
    assert read > 48
    assert grown < 12


def test_digits_of_train_validation_and_test_never_overlap(digits: Images, digits_cache: Path) -> None:
    from sklearn.datasets import load_digits

    test_images, test_labels = load_test(prepare(Source(), seed=0, cache_dir=digits_cache, split="test"), "cpu")
    parts = [some[:] for some in (digits.train_images, digits.val_images, test_images)]
    assert sum(len(part) for part in parts) == len(load_digits().target)
    contents = [{image.numpy().tobytes() for image in part} for part in parts]
    assert sum(len(content) for content in contents) == len(set.union(*contents))
    assert torch.bincount(test_labels).min() > 30


def test_test_images_do_not_depend_on_the_seed(digits_cache: Path) -> None:
    (first, _), (second, _) = (
        load_test(prepare(Source(), seed=seed, cache_dir=digits_cache, split="test"), "cpu") for seed in (0, 1)
    )
    assert torch.equal(first[:], second[:])


def test_each_split_has_its_own_loader(digits_cache: Path) -> None:
    with pytest.raises(ValueError, match="got split='test'; use load_test"):
        load(prepare(Source(), seed=0, cache_dir=digits_cache, split="test"), "cpu")
    with pytest.raises(ValueError, match="prepared with split='test' must hold, got split='train'"):
        load_test(prepare(Source(), seed=0, cache_dir=digits_cache), "cpu")


def test_prepared_may_be_sent_to_another_process(digits_cache: Path, digits: Images) -> None:
    prepared = pickle.loads(pickle.dumps(prepare(Source(), seed=0, cache_dir=digits_cache)))
    assert torch.equal(load(prepared, "cpu").train_images[:], digits.train_images[:])


def test_prepare_checks_the_split_before_anything_is_trained(digits_cache: Path) -> None:
    with pytest.raises(ValueError, match=r"subset <= 1298 .* must hold, got 5000"):
        prepare(Source(subset=5000), seed=0, cache_dir=digits_cache)


def test_resolution_is_part_of_the_cache(digits_cache: Path) -> None:
    images = load(prepare(Source(resolution=16), seed=0, cache_dir=digits_cache), "cpu")
    assert images.train_images[:].shape[2:] == (16, 16)
    assert images.shape.resolution == 16


def test_default_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert default_cache_dir() == Path("/a")
    monkeypatch.delenv("RESSEARCH_CACHE")
    assert default_cache_dir() == Path("/b/ressearch")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache" / "ressearch"


@pytest.mark.skipif(not CIFAR.is_dir(), reason="CIFAR-10 as Parquet is not beside the checkout")
def test_real_cifar10_is_read(tmp_path: Path) -> None:
    source = Source(name="parquet", root=CIFAR, val_images=10)
    images = load(prepare(source, seed=0, cache_dir=tmp_path), "cpu")
    assert images.train_images[:].shape == (49990, 3, 32, 32)
    assert images.class_names[:3] == ("airplane", "automobile", "bird")
    torch.testing.assert_close(images.mean, torch.tensor([0.4913, 0.4821, 0.4465]), atol=5e-4, rtol=0)
    torch.testing.assert_close(images.std, torch.tensor([0.2452, 0.2428, 0.2606]), atol=5e-4, rtol=0)
