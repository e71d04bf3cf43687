"""A study that is carried on: what must be as it was, what may be added, and what is remembered."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from PIL import Image

from ressearch.experiment import Experiment, load_experiment
from ressearch.search.contract import TrialFunction, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.restore import restated
from ressearch.search.session import run_session
from ressearch.store.files import StudyError, database_url
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.source import Source

Scripted = Callable[..., TrialFunction]
Run = Callable[..., StudyRecord]
WriteSpace = Callable[..., Path]


def by_width(spec: TrialSpec, epoch: int) -> float:
    return sum(stage.width for stage in spec.architecture.stages) / 100 + epoch / 1000


# Images


def photos(folder: Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{seed}-{index}.png")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    for seed, name in enumerate(("ant", "bee", "cat")):
        photos(root / name, 12, seed)
    return root


def rename(root: Path) -> None:
    (root / "bee").rename(root / "wasp")


def swap(root: Path) -> None:
    (root / "ant").rename(root / "x")
    (root / "bee").rename(root / "ant")
    (root / "x").rename(root / "bee")


def repaint(root: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(root / "cat" / "2-3.png")


CHANGED_IMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "renamed class": (rename, "class 'wasp' is new; class 'bee' is gone"),
    "new class": (lambda root: photos(root / "dog", 12, 9), "class 'dog' is new"),
    "more photos": (lambda root: photos(root / "bee", 20, 9), "class 'bee' has 32 images, and had 12"),
    "one photo less": (lambda root: (root / "ant" / "0-0.png").unlink(), "class 'ant' has 11 images, and had 12"),
    "another photo": (repaint, "some have other pixels or labels; their classes and numbers are equal"),
    "swapped classes": (swap, "some have other pixels or labels; their classes and numbers are equal"),
}


@pytest.mark.parametrize(("change", "said"), CHANGED_IMAGES.values(), ids=CHANGED_IMAGES)
def test_a_study_of_other_images_is_refused_and_the_difference_named(
    change: Callable[[Path], None], said: str, write_space: WriteSpace, scripted: Scripted, pictures: Path
) -> None:
    source = Source(name="folder", root=pictures, resolution=8, val_images=6, test_images=0)
    experiment = replace(load_experiment(write_space()), images=source)
    directory, do = pictures.parent / "study", partial(run_in_process, do=scripted(by_width))
    run_session(experiment, directory, do, trials=2)
    before = open_study(directory)
    change(pictures)
    with pytest.raises(StudyError) as caught:
        run_session(fresh(experiment), directory, do, trials=3)
    assert str(caught.value) == (
        f"{directory}: this study was begun with other images. Of the train images: {said}; "
        "name another study with --study, or bring the old images back"
    )
    assert open_study(directory) == before


def test_images_that_were_copied_or_touched_are_the_same(
    write_space: WriteSpace, scripted: Scripted, pictures: Path
) -> None:
    source = Source(name="folder", root=pictures, resolution=8, val_images=6, test_images=0)
    experiment = replace(load_experiment(write_space()), images=source)
    directory, do = pictures.parent / "study", partial(run_in_process, do=scripted(by_width))
    run_session(experiment, directory, do, trials=2)
    for file in pictures.rglob("*.png"):
        file.write_bytes(file.read_bytes())
        file.touch()
    (pictures / "ant" / "0-0.png").rename(pictures / "ant" / "0-00.png")  # between the same neighbours
    assert run_session(fresh(experiment), directory, do, trials=3).num_finished == 3


def fresh(experiment: Experiment) -> Experiment:
    """As another process would read it: nothing is remembered of the images."""
    return replace(experiment, seed=experiment.seed)


# What may be added

LOOSER = {
    "limit": ("max: 60000", "max: 70000", ["limits.num_params.max is 70000, and was 60000"]),
    "no limit": ("limits: {num_params: {max: 60000}}\n", "", ["limits.num_params.max is not given, and was 60000"]),
    "choice": ("[8, 12, 16]", "[12, 8, 20, 16]", ["architecture.width_1 is 12, 8, 20, 16, and was 8, 12, 16"]),
    "range": ("low: 1, high: 3", "low: 1, high: 5", ["architecture.depth is 1 to 5, and was 1 to 3"]),
    "a condition's choice": (
        "[0.25, 0.5], when",
        "[0.5, 1.0, 0.25], when",
        [
            "architecture.bottleneck_ratio is 0.5, 1, 0.25 when transform is bottleneck, "
            "and was 0.25, 0.5 when transform is bottleneck"
        ],
    ),
    "fixed before": (
        "  stem_width: 8",
        "  stem_width: {choice: [4, 8]}",
        ["architecture.stem_width is 4, 8, and was 8"],
    ),
    "fixed recipe": (
        "lr: 0.1",
        "lr: {float: {low: 0.05, high: 0.2}}",
        ["recipe.lr is 0.05 to 0.2, and was 0.1"],
    ),
}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize(("old", "new", "said"), LOOSER.values(), ids=LOOSER)
def test_looser_limits_and_more_choices_are_accepted_and_recorded(
    old: str, new: str, said: list[str], sampler: str, write_space: WriteSpace, scripted: Scripted, search: Run
) -> None:
    path = write_space(sampler=sampler)
    before = search(path, scripted(by_width), trials=12)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    after = search(path, scripted(by_width), trials=18)
    assert list(after.sessions[1]["changes"]) == said
    assert "changes" not in after.sessions[0]
    assert [trial.params for trial in after.trials[:12]] == [trial.params for trial in before.trials]
    assert len({(trial.architecture_id, str(trial.recipe)) for trial in after.trials}) == 18
    (stored,) = optuna.get_all_study_summaries(database_url(after.directory))
    study = optuna.load_study(study_name=stored.study_name, storage=database_url(after.directory))
    assert [trial.params for trial in study.trials] == [dict(trial.params) for trial in after.trials]
    names = {name for trial in study.trials for name in trial.params}
    for name in names:  # else Optuna's own tools take them for different parameters
        assert len({str(trial.distributions[name]) for trial in study.trials if name in trial.params}) == 1
    assert search(path, scripted(by_width), trials=19).sessions[2].get("changes") is None
    path.write_text(text)
    with pytest.raises(StudyError, match=r" is .*, and was "):
        search(path, scripted(by_width), trials=20)


def test_earlier_trials_are_points_of_the_wider_space(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    """So that samplers learn from them, and know their duplicates."""
    path = write_space()
    trials = search(path, scripted(by_width), trials=3).trials
    wider = path.read_text().replace("  stem_width: 8", "  stem_width: {choice: [4, 8]}")
    path.write_text(wider.replace("lr: 0.1", "lr: {choice: [0.1, 0.2]}"))
    experiment = load_experiment(path)
    for trial in trials:
        now = restated(experiment, trial)
        assert now.params == {**trial.params, "stem_width": 8, "lr": 0.1}
        assert now.candidate_id == experiment.candidate(now.params).id != trial.candidate_id
        assert restated(experiment, now) == now


TIGHTER = {
    "limit": ("max: 60000", "max: 59999", "limits.num_params.max is 59999, and was 60000"),
    "least": ("{max: 60000}", "{min: 5, max: 60000}", "limits.num_params.min is 5, and was not given"),
    "choice": ("[8, 12, 16]", "[8, 12, 20]", "architecture.width_1 is 8, 12, 20, and was 8, 12, 16"),
    "range": ("low: 1, high: 3", "low: 2, high: 5", "architecture.depth is 2 to 5, and was 1 to 3"),
    "step": ("low: 1, high: 3", "low: 1, high: 5, step: 2", "architecture.depth is 1 to 5, step 2, and was 1 to 3"),
    "log": ("low: 1, high: 3", "low: 1, high: 3, log: true", "architecture.depth is 1 to 3, log, and was 1 to 3"),
    "kind": ("{int: {low: 1, high: 3}}", "{choice: [1, 2, 3]}", "architecture.depth is 1, 2, 3, and was 1 to 3"),
    "condition": (
        "choice: [1, 4], when: {transform: bottleneck}",
        "choice: [1, 4]",
        "architecture.cardinality is 1, 4, and was 1, 4 when transform is bottleneck",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), TIGHTER.values(), ids=TIGHTER)
def test_what_takes_candidates_away_is_refused(
    old: str, new: str, said: str, write_space: WriteSpace, scripted: Scripted, search: Run
) -> None:
    path = write_space()
    search(path, scripted(by_width), trials=2)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(StudyError) as caught:
        search(path, scripted(by_width), trials=3)
    assert f"another experiment: {said}; name another study" in str(caught.value)


def test_every_value_that_differs_is_named(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    path = write_space()
    search(path, scripted(by_width), trials=2)
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.2").replace("batch_size: 50", "batch_size: 60"))
    with pytest.raises(StudyError, match=r": recipe.batch_size is 60, and was 50; recipe.lr is 0.2, and was 0.1; name"):
        search(path, scripted(by_width), trials=3)


def test_a_baseline_counts_once_the_limits_allow_it(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    path = write_space(baselines="[resnet-8]")  # 75,002 parameters for grey images

    def best_baseline(spec: TrialSpec, epoch: int) -> float:
        return 0.9 if len(spec.architecture.stages) == 3 else 0.1

    assert search(path, scripted(best_baseline), trials=4).best.baseline is None
    path.write_text(path.read_text().replace("max: 60000", "max: 80000"))
    study = search(path, scripted(best_baseline), trials=5)
    assert study.best.baseline == "resnet-8"
    stored = optuna.load_study(study_name=study.name, storage=database_url(study.directory))
    assert stored.best_trial.number == study.best.number


# What is remembered


def test_a_trial_that_is_trained_again_keeps_its_seed(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    path = write_space()
    seeds: dict[int, int] = {}

    def note(spec: TrialSpec) -> None:
        seeds[spec.number] = spec.seed
        if spec.number == 1:
            raise OSError("no such device")
        if spec.number == 3:
            raise KeyboardInterrupt

    search(path, scripted(by_width, note), trials=5)
    trials = search(path, scripted(by_width, lambda spec: seeds.setdefault(spec.number, spec.seed)), trials=5).trials
    retries = [trial for trial in trials if trial.retry_of is not None]
    assert sorted(trial.retry_of or 0 for trial in retries) == [1, 3]
    for retry in retries:
        lost = trials[retry.retry_of or 0]
        assert retry.seed == lost.seed == seeds[retry.number] == seeds[lost.number]
        assert retry.candidate_id == lost.candidate_id
    others = [trial.seed for trial in trials if trial.retry_of is None]
    assert len(set(others)) == len(others)


def test_refusals_are_kept_by_rule_and_session(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    experiment = load_experiment(path)
    text = path.read_text().replace("max: 60000", "max: 12000")
    path.write_text(text)
    experiment = load_experiment(path)
    directory = path.parent / "study"
    outcomes = [
        run_session(experiment, directory, partial(run_in_process, do=scripted(by_width)), trials=trials)
        for trials in (4, 8)
    ]
    study = open_study(directory)
    assert [session["refused"] for session in study.sessions] == [outcome.refused for outcome in outcomes]
    assert outcomes[0].refused["num_params"] > 0
    assert study.refused["num_params"] == sum(outcome.refused["num_params"] for outcome in outcomes)


def test_refusals_survive_a_killed_driver(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    path = write_space()
    path.write_text(path.read_text().replace("max: 60000", "max: 12000"))
    kept: list[Any] = []

    def look(_: TrialSpec) -> None:
        kept.append(open_study(path.parent / "study").sessions[-1].get("refused", {}).get("num_params", 0))

    study = search(path, scripted(by_width, look), trials=8)
    assert kept == sorted(kept)
    assert 0 < kept[-1] <= study.refused["num_params"]


# Provenance


def test_the_commit_is_never_that_of_a_repository_around_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ressearch.search import provenance

    package = tmp_path / "project" / ".venv" / "ressearch" / "search"
    package.mkdir(parents=True)
    copy = package / "provenance.py"
    copy.write_bytes(Path(provenance.__file__).read_bytes())
    (tmp_path / "project" / "notes.txt").write_text("somebody else's")
    git = ["git", "-C", str(tmp_path / "project"), "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "notes.txt"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True)
    monkeypatch.setattr(provenance, "__file__", str(copy))
    assert provenance._commit() is None
    subprocess.run([*git, "add", str(copy)], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "second"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    found = provenance._commit()
    assert found
    assert head.startswith(found)
