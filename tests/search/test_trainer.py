"""The one training: real trainings of one trial, on the bundled digits."""

import weakref
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ressearch.arch import cost, named, plan
from ressearch.experiment import OBJECTIVES, Objective, load_experiment
from ressearch.model import build
from ressearch.search import trainer
from ressearch.search.contract import Progress, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.search.trainer import train_once
from ressearch.store.study_record import open_study
from ressearch.training.data import Prepared, load, load_test, prepare
from ressearch.training.loop import evaluate, train
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

RECIPE = Recipe(epochs=2, batch_size=50, flip=False, crop_padding=4)
SOURCE = Source(name="digits", subset=400, val_images=200)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(SOURCE, seed=0, cache_dir=tmp_path_factory.mktemp("digits"))


@pytest.fixture
def spec(digits: Prepared, tmp_path: Path) -> TrialSpec:
    return TrialSpec(
        number=3,
        architecture=named("resnet-8"),
        recipe=RECIPE,
        images=digits,
        seed=5,
        weights=tmp_path / "trial" / "weights.safetensors",
        num_threads=1,
    )


def trained(spec: TrialSpec) -> tuple[list[tuple[float, ...]], TrialResult]:
    *epochs, result = train_once(spec)
    assert isinstance(result, TrialResult)
    found = [event.epoch for event in epochs if isinstance(event, Progress)]
    assert len(found) == len(epochs)
    return [(r.epoch, r.train_loss, r.val_loss, r.val_accuracy) for r in found], result


def test_same_seed_same_numbers_and_same_weights(spec: TrialSpec, tmp_path: Path) -> None:
    def outcome(name: str, seed: int) -> tuple[list[tuple[float, ...]], dict[str, torch.Tensor]]:
        numbers, _ = trained(replace(spec, seed=seed, weights=tmp_path / name / "weights.safetensors"))
        return numbers, load_file(tmp_path / name / "weights.safetensors")

    first, weights = outcome("one", 5)
    torch.rand(7)  # what else draws in this process changes nothing
    again, same_weights = outcome("two", 5)
    other, _ = outcome("three", 6)
    assert first == again
    assert first != other
    assert weights.keys() == same_weights.keys()
    assert all(torch.equal(weights[name], same_weights[name]) for name in weights)


def test_the_result_holds_the_curve_and_the_measures_that_were_asked_for(spec: TrialSpec) -> None:
    epochs, result = trained(replace(spec, measures=("val_accuracy", "num_macs", "seconds")))
    assert result.reason is None
    assert [epoch["epoch"] for epoch in result.curve] == [1, 2]
    assert result.measures.keys() == {"val_accuracy", "num_macs", "seconds"}
    assert result.measures["val_accuracy"] == epochs[-1][3]
    assert result.measures["num_macs"] == cost(plan(named("resnet-8"), 1, 10), 8).num_macs
    assert result.seconds is not None
    assert result.seconds >= result.measures["seconds"] > sum(epoch["seconds"] for epoch in result.curve) > 0


def test_a_new_objective_is_one_row(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def largest_weight(trained: object) -> float:
        network = trained.network  # type: ignore[attr-defined]
        assert not network.training
        return max(float(parameter.abs().max()) for parameter in network.parameters())

    monkeypatch.setitem(OBJECTIVES, "largest_weight", Objective("minimize", "largest weight", largest_weight))
    _, result = trained(replace(spec, measures=("val_accuracy", "largest_weight")))
    assert spec.weights is not None
    saved = load_file(spec.weights)
    running = ("running_mean", "running_var", "num_batches_tracked")
    assert result.measures["largest_weight"] == pytest.approx(
        max(float(value.abs().max()) for name, value in saved.items() if not name.endswith(running))
    )


def test_test_images_are_read_when_asked_for_and_never_else(spec: TrialSpec) -> None:
    assert "test_accuracy" not in trained(spec)[1].measures
    test = prepare(SOURCE, seed=0, split="test")
    _, result = trained(replace(spec, test=test))
    images = load(spec.images, "cpu")
    network = build(plan(named("resnet-8"), 1, 10))
    assert spec.weights is not None
    network.load_state_dict(load_file(spec.weights))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = evaluate(network, *load_test(test, "cpu"), images.mean, images.std, "cpu")[1]
    assert result.measures["test_accuracy"] == found


def test_a_paused_trial_ends_like_one_that_never_paused(spec: TrialSpec, tmp_path: Path) -> None:
    whole, _ = trained(replace(spec, recipe=replace(RECIPE, epochs=3)))
    assert spec.weights is not None
    weights = load_file(spec.weights)
    spec.weights.unlink()
    checkpoint = tmp_path / "trial" / "checkpoint.pt"
    pausing = replace(spec, recipe=replace(RECIPE, epochs=3), checkpoint=checkpoint, checkpoint_epochs=frozenset({2}))
    run = train_once(pausing)
    first = [next(run), next(run)]
    run.close()
    assert not spec.weights.exists()
    last = first[-1]
    assert isinstance(last, Progress)
    rest, result = trained(replace(pausing, resumes=True, seconds=last.seconds))
    assert rest == whole[2:]
    assert result.curve[:2] == tuple(asdict(event.epoch) for event in first if isinstance(event, Progress))
    assert [epoch["epoch"] for epoch in result.curve] == [1, 2, 3]
    assert result.seconds is not None
    assert result.seconds > last.seconds
    again = load_file(spec.weights)
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("end", ["trained", "stopped", "failed", "broken"])
def test_memory_is_handed_back_when_nothing_holds_the_network(
    spec: TrialSpec, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device frees only what no tensor uses; it is shared, so that this must not wait for the next trial."""
    networks: list[weakref.ref[torch.nn.Module]] = []
    alive: list[int] = []

    def built(*arguments: Any) -> torch.nn.Module:
        network = build(*arguments)
        networks.append(weakref.ref(network))
        return network

    def no_test_images(*_: object) -> None:
        raise KeyError("no test images")

    monkeypatch.setattr(trainer, "build", built)
    monkeypatch.setattr(trainer, "load_test", no_test_images)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(sum(ref() is not None for ref in networks)))
    if end == "failed":
        spec = replace(spec, recipe=replace(RECIPE, lr=1e30))
    run = train_once(replace(spec, test=spec.images) if end == "broken" else spec)
    assert isinstance(next(run), TrialResult if end == "failed" else Progress)
    if end == "stopped":
        run.close()
    else:
        rest = list(run)
        assert end == "failed" or rest[-1].reason == ("error" if end == "broken" else None)
    assert len(networks) == 1
    assert alive == [0]


def test_a_trial_is_limited_to_its_share_of_the_device(spec: TrialSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[torch.device, float]] = []
    monkeypatch.setattr(trainer, "limit_memory", lambda *given: limits.append(given))
    next(train_once(replace(spec, device_share=0.25)))
    assert limits == [(torch.device("cpu"), 0.25)]


def test_a_network_too_large_to_be_built_is_a_failure_of_its_own(
    spec: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def huge(*_: object) -> None:
        torch.empty(2**55)

    monkeypatch.setattr(trainer, "build", huge)
    _, result = trained(spec)
    assert result.reason == "out_of_memory"


def test_the_accuracy_is_that_of_the_saved_weights_on_the_images_set_aside(spec: TrialSpec) -> None:
    _, result = trained(spec)
    images = load(prepare(SOURCE, seed=0), "cpu")
    network = build(plan(named("resnet-8"), 1, 10))
    assert spec.weights is not None
    network.load_state_dict(load_file(spec.weights))
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    held = (images.val_images, images.val_labels, images.mean, images.std)
    assert result.measures["val_accuracy"] == evaluate(network, *held, "cpu")[1]


def test_the_seed_of_a_trial_is_that_of_its_weights_and_of_its_training(spec: TrialSpec) -> None:
    torch.manual_seed(11)
    network = build(plan(named("resnet-8"), 1, 10))
    images = load(spec.images, "cpu")
    expected = [
        (r.epoch, r.train_loss, r.val_loss, r.val_accuracy)
        for r in train(network, images, RECIPE, seed=11, device="cpu")
    ]
    assert trained(replace(spec, seed=11))[0] == expected


def test_a_search_never_opens_the_test_images(write_space: Callable[..., Path], tmp_path: Path) -> None:
    """A study of image files whose test half cannot be read is searched like any other."""
    pictures = tmp_path / "pictures"
    for label, name in enumerate(("dark", "light")):
        (pictures / "train" / name).mkdir(parents=True)
        (pictures / "test" / name).mkdir(parents=True)
        (pictures / "test" / name / "0.png").write_bytes(b"to open this is to fail")
        for index in range(12):
            shade = 200 * label + index
            Image.new("RGB", (8, 8), (shade, shade, shade)).save(pictures / "train" / name / f"{index}.png")
    path = write_space(epochs=1)
    data = f"data: {{name: folder, root: {pictures}, resolution: 8, val_images: 8}}"
    path.write_text(path.read_text().replace("data: {name: digits, subset: 400, val_images: 200}", data))
    directory = tmp_path / "study"
    run_session(load_experiment(path), directory, partial(run_in_process, do=train_once), trials=2)
    trials = open_study(directory).trials
    assert [(trial.state, trial.message) for trial in trials] == [("complete", None)] * 2
    for trial in trials:
        assert (8 * (trial.val_accuracy or 0.5)).is_integer()  # a share of the eight images set aside


def test_a_trial_that_goes_on_is_scored_by_its_last_epoch_and_billed_for_all(spec: TrialSpec, tmp_path: Path) -> None:
    """The epoch before the pause was as good as can be: it counts for nothing."""
    pausing = replace(spec, checkpoint=tmp_path / "checkpoint.pt", checkpoint_epochs=frozenset({1}))
    run = train_once(pausing)
    first = next(run)
    assert isinstance(first, Progress)
    run.close()
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    content["curve"][0]["val_accuracy"] = 1.0
    torch.save(content, tmp_path / "checkpoint.pt")
    (last,), result = trained(replace(pausing, resumes=True, seconds=1000.0))
    assert result.measures["val_accuracy"] == last[3] < 1.0
    assert 1000 < result.measures["seconds"] <= (result.seconds or 0) < 2000


def test_a_trial_whose_earlier_part_nobody_remembers_is_billed_for_its_epochs(spec: TrialSpec, tmp_path: Path) -> None:
    spec = replace(spec, checkpoint=tmp_path / "checkpoint.pt", checkpoint_epochs=range(1, 3))
    trained(spec)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    content["curve"][0]["seconds"] = 1000.0
    torch.save(content, tmp_path / "checkpoint.pt")
    epochs, result = trained(replace(spec, resumes=True))
    assert epochs == []  # it had ended: its measures are taken again, and its weights written
    assert [epoch["epoch"] for epoch in result.curve] == [1, 2]
    assert 1000 < result.measures["seconds"] <= (result.seconds or 0) < 2000


def test_a_trial_whose_checkpoint_is_not_there_starts_anew(spec: TrialSpec, tmp_path: Path) -> None:
    assert trained(replace(spec, checkpoint=tmp_path / "none", resumes=True))[0] == trained(spec)[0]
    (tmp_path / "none").write_bytes(b"damaged")
    epochs, result = trained(replace(spec, checkpoint=tmp_path / "none", resumes=True))
    assert (epochs, result.curve, result.reason) == ([], (), "error")
    assert result.message.startswith(f"ValueError: {tmp_path / 'none'}: the checkpoint is damaged")
    trained(replace(spec, checkpoint=tmp_path / "none", checkpoint_epochs={1}))  # without `resumes` it is written anew
    assert trained(replace(spec, checkpoint=tmp_path / "none", resumes=True))[1].curve[1]["epoch"] == 2


@pytest.mark.parametrize("what", ["weights", "checkpoint"])
def test_whoever_reads_a_file_while_it_is_written_anew_reads_the_old_one(
    what: str, spec: TrialSpec, tmp_path: Path
) -> None:
    """So that a worker that is killed while it writes leaves a whole file."""
    spec = replace(spec, checkpoint=tmp_path / "checkpoint", checkpoint_epochs=frozenset({1, 2}))
    trained(spec)
    file = getattr(spec, what)
    before = file.read_bytes()
    with file.open("rb") as reader:
        trained(replace(spec, seed=6))
        assert reader.read() == before
    assert file.read_bytes() != before
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


def test_a_worker_computes_with_the_threads_of_its_trial(spec: TrialSpec) -> None:
    threads = torch.get_num_threads()
    try:
        for num_threads in (2, 1):
            trained(replace(spec, recipe=replace(RECIPE, epochs=1), num_threads=num_threads))
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(threads)


def test_a_trial_that_is_stopped_saves_no_weights(spec: TrialSpec) -> None:
    run = train_once(spec)
    first = next(run)
    assert isinstance(first, Progress)
    assert first.epoch.epoch == 1
    run.close()
    assert spec.weights is not None
    assert not spec.weights.parent.exists()


def test_whatever_goes_wrong_ends_in_a_result(spec: TrialSpec) -> None:
    _, diverged = trained(replace(spec, recipe=replace(RECIPE, lr=1e30)))
    assert diverged.reason == "non_finite"
    assert "epoch 1" in diverged.message
    _, broken = trained(replace(spec, images=replace(spec.images, directory=Path("nowhere"))))
    assert broken.reason == "error"
    assert broken.message.startswith("FileNotFoundError: ")
    assert broken.measures == {}


def test_a_loss_that_is_no_number_fails_the_trial_and_not_the_run(
    write_space: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_space(epochs=2)
    path.write_text(path.read_text().replace("lr: 0.1", "lr: {choice: [0.05, 1.0e+30]}"))
    backend = partial(run_in_process, do=train_once)
    study = open_study(run_session(load_experiment(path), tmp_path / "study", backend, trials=8).directory)
    found = {(trial.state, trial.recipe["lr"]) for trial in study.trials}
    assert found == {("complete", 0.05), ("failed", 1e30)}
    for trial in study.trials:
        if trial.state == "failed":
            assert trial.reason == "non_finite"
            assert "epoch 1" in (trial.message or "")
        else:
            assert study.weights_of(trial).is_file()


@pytest.mark.parametrize("name", ["resnet-8", "stochastic-depth-resnet-14", "wrn-10-1-dropout"])
def test_the_seed_decides(spec: TrialSpec, name: str) -> None:
    """What is random inside a network follows it, too: which branches are left out, which elements are dropped."""
    first, again, other = (
        trained(replace(spec, architecture=named(name), seed=seed, weights=None))[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
