"""Real trainings of one trial, on the bundled digits."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from ressearch.search.records import read_study
from ressearch.search.run import run
from ressearch.search.worker import Assignment, run_trial
from safetensors.torch import load_file

from ressearch.arch import named
from ressearch.training.data import Prepared, prepare
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

RECIPE = Recipe(epochs=2, batch_size=50, flip=False, crop_padding=4)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    source = Source(name="digits", subset=400, val_images=200)
    return prepare(source, seed=0, cache_dir=tmp_path_factory.mktemp("cache"))


def assignment(digits: Prepared, directory: Path, seed: int = 5) -> Assignment:
    return Assignment(
        number=3,
        seed=seed,
        architecture=named("resnet-8").to_dict(),
        recipe=asdict(RECIPE),
        epochs=RECIPE.epochs,
        images=digits,
        directory=directory,
    )


def test_same_seed_same_numbers_and_same_weights(digits: Prepared, tmp_path: Path) -> None:
    def outcome(name: str, seed: int) -> tuple[list[tuple[float, ...]], dict[str, torch.Tensor]]:
        results = list(run_trial(assignment(digits, tmp_path / name, seed)))
        numbers = [(r.epoch, r.train_loss, r.val_loss, r.val_accuracy) for r in results]
        return numbers, load_file(tmp_path / name / "weights.safetensors")

    first, weights = outcome("one", 5)
    torch.rand(7)  # what else draws in this process changes nothing
    again, same_weights = outcome("two", 5)
    other, _ = outcome("three", 6)
    assert first == again
    assert first != other
    assert weights.keys() == same_weights.keys()
    assert all(torch.equal(weights[name], same_weights[name]) for name in weights)


def test_a_trial_that_is_stopped_saves_no_weights(digits: Prepared, tmp_path: Path) -> None:
    results = run_trial(assignment(digits, tmp_path / "stopped"))
    assert next(results).epoch == 1
    results.close()
    assert not (tmp_path / "stopped").exists()


def test_a_loss_that_is_no_number_fails_the_trial_and_not_the_run(
    write_space: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", str(tmp_path / "cache"))
    path = write_space(epochs=2)
    text = (
        path.read_text().replace("lr: 0.1", "lr: {choice: [0.05, 1.0e+30]}").replace("first_rung: 2", "first_rung: 1")
    )
    path.write_text(text)
    outcome = run(path, trials=8, directory=tmp_path / "study", backend="local")
    trials = read_study(outcome.directory).trials
    assert {(trial.state, trial.recipe["lr"]) for trial in trials} == {("complete", 0.05), ("failed", 1e30)}
    for trial in trials:
        if trial.state == "failed":
            assert trial.reason == "non_finite"
            assert "epoch 1" in (trial.message or "")
        else:
            assert (outcome.directory / "trials" / f"{trial.number:06d}" / "weights.safetensors").is_file()
