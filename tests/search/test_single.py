"""One architecture trained by itself, on the real digits."""

from pathlib import Path

import pytest
import torch

from ressearch.arch import named, plan
from ressearch.model import build
from ressearch.search.single import train_single
from ressearch.training.data import load, load_test, prepare
from ressearch.training.loop import EpochResult, evaluate
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

RECIPE = Recipe(epochs=2, lr=0.2, flip=False, crop_padding=2)
SOURCE = Source(name="digits", subset=300)


@pytest.fixture(autouse=True)
def _cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", str(tmp_path / "cache"))


def test_training_ends_in_weights_and_their_accuracy_on_the_test_images() -> None:
    epochs: list[EpochResult] = []
    trained = train_single(named("resnet-8"), SOURCE, RECIPE, seed=3, observe=epochs.append)
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert trained.last == epochs[-1]
    images = load(prepare(SOURCE, seed=3), "cpu")
    network = build(plan(named("resnet-8"), images.shape.channels, images.shape.num_classes))
    network.load_state_dict(trained.state)
    test = load_test(prepare(SOURCE, seed=3, split="test"), "cpu")
    again = evaluate(network.to(memory_format=torch.channels_last), *test, images.mean, images.std, "cpu")  # type: ignore
    assert trained.test_accuracy == again[1]
    assert trained.normalisation["class_names"] == [str(digit) for digit in range(10)]


@pytest.mark.parametrize("name", ["resnet-8", "stochastic-depth-resnet-14", "wrn-10-1-dropout"])
def test_the_seed_decides(name: str) -> None:
    """What is random inside a network follows it, too: which branches are left out, which elements are dropped."""
    first, again, other = (
        train_single(named(name), SOURCE, RECIPE, seed=seed, observe=lambda _: None) for seed in (1, 1, 2)
    )
    assert first.last.train_loss == again.last.train_loss != other.last.train_loss
