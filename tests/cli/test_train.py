"""`train` on the command line: what is trained, with which recipe, on which images; how it ends."""

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

import ressearch
from ressearch import verbs
from ressearch.arch import architecture_id
from ressearch.search import training_run
from ressearch.search.contract import TrialSpec
from ressearch.store.study_record import open_study
from ressearch.training.recipe import FAST, HE2016, WRN, Recipe

Call = Callable[..., Any]


@pytest.fixture
def here(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the study, with its cache of images."""
    monkeypatch.setenv("RESSEARCH_CACHE", str(at_home / "cache"))
    return at_home


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[TrialSpec]:
    """What the training is given, instead of one."""
    found: list[TrialSpec] = []

    def spied(spec: TrialSpec) -> Iterator[Any]:
        found.append(spec)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(training_run, "train_once", spied)
    return found


@pytest.fixture
def given(call: Call, here: Path, specs: list[TrialSpec], tmp_path: Path) -> Callable[..., TrialSpec]:
    """Return what a command gives the training."""

    def of(*arguments: object) -> TrialSpec:
        ended = call("train", *arguments, "-o", tmp_path / f"network-{len(specs)}")
        assert ended.code == 130, ended.err
        return specs[-1]

    return of


def test_train_ends_in_an_export_with_its_test_accuracy(call: Call, here: Path, tmp_path: Path) -> None:
    directory = tmp_path / "network"
    command = ("train", "se-resnet-8", "digits.yaml", "--epochs", 1, "--seed", 5, "-o", directory)
    ended = call(*command)
    assert ended.code == 0, ended.err
    opening, epoch, tested, where = ended.out.splitlines()
    assert opening.startswith("se-resnet-8 on ")
    assert opening.endswith(f": 1,342 images train, 100 validate, 355 test, 1 epoch; in {directory}")
    assert epoch.startswith("epoch 1/1: val_accuracy 0.")
    described = yaml.safe_load((directory / "architecture.yaml").read_text())
    origin = described["origin"]
    assert tested.startswith(f"test_accuracy {origin['test_accuracy']:.4f} ±0.0")
    assert (where, origin["epochs"], origin["space"], described["seed"]) == (str(directory), 1, "digits", 5)
    assert described["recipe"]["epochs"] == 1
    assert described["data"] == {
        "name": "digits",
        "resolution": None,
        "subset": None,
        "val_images": 100,
        "test_images": None,
        "seed": 0,
        "num_images": 1342,
        "num_val_images": 100,
    }
    assert (directory / "weights.safetensors").is_file()
    assert call(*command) == (
        0,
        f"finished by an earlier call; nothing is left to train\n{tested}\n{directory}\n",
        "",
    )
    other = call("train", "se-resnet-8", "digits.yaml", "-o", directory)
    assert other.code == 1
    assert "another training was begun here: seed is 0, and was 5; recipe.epochs is 2, and was 1" in other.err


def test_a_trial_is_trained_with_its_own_recipe_and_the_studys_validation_images(
    given: Callable[..., TrialSpec], here: Path
) -> None:
    study = open_study("digits")
    for which in ("best", "0", "2"):
        trial = study.trial(which)
        spec = given(f"digits:{which}", "--seed", 9)
        assert architecture_id(spec.architecture) == trial.architecture_id
        assert spec.recipe == trial.build_recipe()
        assert (spec.images.source.name, spec.images.source.val_images) == ("digits", 100)
        assert spec.images.source.subset is None
        assert (spec.images.seed, spec.seed) == (study.manifest["seed"], 9)
        assert spec.test is not None
        assert spec.test.split == "test"
    assert given("trials/digits:1").architecture == given(f"{here}/trials/digits:1").architecture


def test_the_recipe_is_named_or_found_and_single_fields_override_it(given: Callable[..., TrialSpec]) -> None:
    own = open_study("digits").trial("1").build_recipe()
    space = Recipe(epochs=2, warmup_epochs=0, batch_size=50, crop_padding=1, flip=False)
    assert given("resnet-8", "--data", "digits").recipe == FAST
    assert given("resnet-8", "digits.yaml").recipe == space
    assert given("resnet-8", "digits.yaml", "--recipe", "wrn").recipe == WRN
    assert given("digits:1", "--recipe", "he2016").recipe == HE2016
    assert given("digits:1", "--recipe", "found").recipe == own
    assert given("digits:1", "digits.yaml").recipe == own
    changed = given("digits:1", "--epochs", 7, "--set", "lr=0.123456789", "--set", "flip=true").recipe
    assert asdict(changed) == asdict(own) | {"epochs": 7, "lr": 0.123456789, "flip": True}


def test_an_exported_file_brings_its_recipe_and_its_images(
    call: Call, given: Callable[..., TrialSpec], here: Path, tmp_path: Path
) -> None:
    trial = open_study("digits").trial("1")
    assert call("export", "digits", "1", "-o", tmp_path / "exported").code == 0
    for what in (tmp_path / "exported", tmp_path / "exported" / "architecture.yaml"):
        spec = given(what)
        assert (architecture_id(spec.architecture), spec.recipe) == (trial.architecture_id, trial.build_recipe())
        assert (spec.images.source.name, spec.images.source.val_images, spec.images.seed) == ("digits", 100, 0)
    assert given(tmp_path / "exported", "--recipe", "fast", "--subset", 50).images.source.subset == 50


def test_an_export_that_was_never_trained_does_not_say_its_images(
    call: Call, given: Callable[..., TrialSpec], tmp_path: Path
) -> None:
    assert call("export", "wrn-10-1", "-o", tmp_path / "untrained").code == 0
    ended = call("train", tmp_path / "untrained")
    assert (ended.code, ended.out) == (1, "")
    assert "which images? Say --data NAME[:ROOT], such as folder:DIR, or SPACE" in ended.err
    assert given(tmp_path / "untrained", "--data", "digits").recipe == FAST


def test_images_are_chosen_by_data_and_resolution(given: Callable[..., TrialSpec]) -> None:
    source = given("resnet-8", "--data", "digits", "--resolution", 16, "--subset", 99).images.source
    assert (source.name, source.resolution, source.subset, source.val_images) == ("digits", 16, 99, None)
    source = given("digits:1", "--data", "digits").images.source
    assert (source.name, source.val_images) == ("digits", 100)


def test_a_study_with_other_images_is_refused(call: Call, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ressearch.verbs import subject

    other = {"class_names": ["a", "b"], "num_images": [1, 2], "digest": "0"}
    monkeypatch.setattr(subject, "kept_images", lambda _: {"train": other})
    ended = call("train", "digits:1", "-o", here / "other")
    assert ended.code == 1
    assert "digits:1: its study was begun with other images. Of the train images: " in ended.err
    assert not (here / "other").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        named = call("train", "digits:1", "--data", "digits", "--epochs", 1, "-o", here / "other")
    assert named.code == 0
    assert "ressearch: note: digits:1: its study was begun with other images. Of the train images" in named.err


def test_a_study_needs_a_trial(call: Call, here: Path) -> None:
    ended = call("train", "digits")
    assert ended == (1, "", "ressearch: digits is a study: say which trial, as in `ressearch train digits:best`\n")
    assert "there is no trial '7'; say 'best' or a number, it holds 0 to 2" in call("train", "digits:7").err


def test_the_directory_is_named_after_the_trial(call: Call, here: Path, tmp_path: Path) -> None:
    os.chdir(tmp_path)
    ended = call("train", f"{here}/trials/digits:1", "--epochs", 1)
    assert ended.out.splitlines()[-1] == "trained/digits-1"
    described = yaml.safe_load(Path("trained/digits-1/architecture.yaml").read_text())
    assert (described["name"], described["origin"]["study"], described["origin"]["trial"]) == ("digits-1", "digits", 1)
    again = call("train", "trained/digits-1")
    assert again.code == 0, again.err  # the same recipe, images and seed: the same training
    assert again.out.startswith("finished by an earlier call")


def test_a_name_in_a_file_is_no_path(call: Call, here: Path, tmp_path: Path) -> None:
    text = (here / "trials" / "digits" / "best" / "architecture.yaml").read_text()
    described = yaml.safe_load(text) | {"name": "../../else/\x1b[31mwhere"}
    os.chdir(tmp_path)
    Path("network.yaml").write_text(yaml.safe_dump(described))
    ended = call("train", "network.yaml", "--epochs", 1)
    assert ended.code == 0, ended.err
    assert [path.name for path in Path("trained").iterdir()] == ["_.._else_31mwhere"]


def test_a_diverging_training_ends_with_code_3(call: Call, here: Path, tmp_path: Path) -> None:
    command = ("train", "plain-8", "digits.yaml", "--set", "lr=1e30", "-o", tmp_path / "network")
    ended = call(*command)
    assert ended.code == 3
    assert ended.err.startswith("ressearch: non_finite: training loss of epoch 1")
    assert "try a smaller learning rate, as in --set lr=1e+29 -o DIR" in ended.err
    assert ended.err.count("\n") == 1
    assert (tmp_path / "network" / "metrics.csv").is_file()
    assert call(*command).code == 3


def test_train_can_be_ended(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "train", interrupted)
    ended = call("train", "resnet-8", "space.yaml")
    assert ended.code == 130
    assert "the same command carries on" in ended.err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_training_that_goes_on(
    call: Call, here: Path, tmp_path: Path, environment: dict[str, str], signum: signal.Signals
) -> None:
    directory = tmp_path / "network"
    arguments = ["train", "resnet-8", "digits.yaml", "--epochs", "300", "--subset", "100", "-o", str(directory)]
    process = subprocess.Popen(
        [sys.executable, "-c", f"{RESET}; from ressearch.__main__ import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"RESSEARCH_CACHE": os.environ["RESSEARCH_CACHE"]},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("resnet-8 on ")
        assert process.stdout.readline().startswith("epoch 1/300: ")
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + signum
    assert err == "\nressearch: ended; the same command carries on\n"
    done = 1 + out.count("epoch ")
    assert {path.name for path in directory.iterdir()} == {
        "training.json",
        "checkpoint.pt",
        "metrics.csv",
        "tensorboard",
        ".training.lock",
    }

    def interrupt(start: Any) -> Any:
        assert len(start.curve) in (done, done + 1)  # one more where its line was not written
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ressearch.train("resnet-8", "digits.yaml", epochs=300, subset=100, directory=directory, observe=interrupt)


RESET = "import signal; [signal.signal(each, signal.default_int_handler if each == 2 else 0) for each in (1, 2, 15)]"
"""Forget what is ignored around the tests, as under nohup."""
