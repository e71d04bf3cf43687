import json
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import optuna
import pytest
from ressearch.search.records import read_study
from ressearch.search.run import LOCK, Outcome, run
from ressearch.search.storage import DATABASE, StudyError, database_url, load_study, open_book
from ressearch.search.worker import Assignment, TrialFunction, trial_seed

from ressearch.arch import InfeasibleError
from ressearch.space import load_space
from ressearch.training.loop import TrainingError

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


def by_width(assignment: Assignment, epoch: int) -> float:
    """Wider is better, later is better, and no two widths are equal."""
    widths = [stage["width"] for stage in assignment.architecture["stages"]]
    return min(0.99, 0.1 * epoch + 0.01 * widths[0] + 0.001 * widths[1])


def search(path: Path, function: TrialFunction, trials: int = 10, name: str = "study") -> Outcome:
    return run(path, trials=trials, directory=path.parent / name, backend="local", function=function)


def test_complete_means_trained_to_the_end_and_pruned_keeps_every_epoch(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space(scheduler="asha")
    outcome = search(path, scripted(by_width), trials=20)
    study = optuna.load_study(study_name=None, storage=database_url(outcome.directory))
    states = [trial.state.name for trial in study.trials]
    assert states.count("COMPLETE") + states.count("PRUNED") == 20
    assert "PRUNED" in states
    for trial in study.trials:
        epochs = 4 if trial.state.name == "COMPLETE" else 2
        assert sorted(trial.intermediate_values) == list(range(1, epochs + 1))
        assert [epoch["epoch"] for epoch in trial.user_attrs["curve"]] == list(range(1, epochs + 1))
        assert trial.value == trial.intermediate_values[epochs]
    best = read_study(outcome.directory).best()
    assert best.val_accuracy == max(trial.value for trial in study.trials if trial.state.name == "COMPLETE")


def test_failures_have_reasons_and_the_others_go_on(write_space: WriteSpace, scripted: Scripted) -> None:
    def before(assignment: Assignment) -> None:
        if assignment.number == 2:
            raise TrainingError("non_finite", "loss is nan in epoch 1")

    outcome = search(write_space(), scripted(by_width, before), trials=6)
    trials = read_study(outcome.directory).trials
    assert [trial.state for trial in trials] == ["complete"] * 2 + ["failed"] + ["complete"] * 3
    assert (trials[2].reason, trials[2].message) == ("non_finite", "non_finite: loss is nan in epoch 1")
    assert outcome.num_finished == 6  # its own failure is an end, too


def test_a_breakdown_is_trained_again_twice_and_then_given_up(write_space: WriteSpace, scripted: Scripted) -> None:
    broken: list[object] = []

    def before(assignment: Assignment) -> None:
        if not broken or assignment.architecture == broken[0]:
            broken.append(assignment.architecture)
            raise OSError("no such device")

    outcome = search(write_space(), scripted(by_width, before), trials=5)
    trials = read_study(outcome.directory).trials
    failed = [trial for trial in trials if trial.state == "failed"]
    assert [trial.reason for trial in failed] == ["error"] * 3
    assert {trial.message for trial in failed} == {"OSError: no such device"}
    assert [trial.retry_of for trial in failed] == [None, failed[0].number, failed[1].number]
    assert sum(trial.is_finished for trial in trials) == 5


def test_the_run_ends_when_everything_breaks_down(write_space: WriteSpace, scripted: Scripted) -> None:
    def before(assignment: Assignment) -> None:
        raise OSError("disk gone")

    with pytest.raises(StudyError, match=r"5 trials in a row broke down, the last one with 'OSError: disk gone'"):
        search(write_space(), scripted(by_width, before))


def test_infeasible_and_duplicate_candidates_cost_no_trial(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(sampler="tpe")
    outcome = search(path, scripted(by_width), trials=40)
    trials = read_study(outcome.directory).trials
    space = load_space(path)
    shape = space.source.describe()
    assert [trial.number for trial in trials] == list(range(40))
    assert len({trial.candidate_id for trial in trials}) == 40
    for trial in trials:
        assert space.candidate(trial.params, shape).id == trial.candidate_id  # raises were it infeasible
    assert set(outcome.refused) <= {"cardinality", "num_params", "duplicate", "shortcut"}
    assert sum(outcome.refused.values()) > 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_small_space_is_exhausted_by_every_sampler(write_space: WriteSpace, scripted: Scripted, sampler: str) -> None:
    path = write_space(sampler=sampler, epochs=1)
    path.write_text(
        path.read_text()
        .replace("depth: {int: {low: 1, high: 3}}", "depth: 1")
        .replace("width: [{choice: [8, 12, 16]}, {choice: [16, 24, 32]}]", "width: [8, {choice: [16, 24]}]")
        .replace("first_rung: 2", "first_rung: 1")
    )
    space = load_space(path)
    feasible = {found for params in space.enumerate() if (found := _id(space, params))}
    outcome = search(path, scripted(by_width), trials=1000)
    trials = read_study(outcome.directory).trials
    assert {trial.candidate_id for trial in trials} == feasible
    assert outcome.exhausted
    assert not outcome.was_interrupted


def _id(space, params):
    try:
        return space.candidate(params, space.source.describe()).id
    except InfeasibleError:
        return None


def test_tpe_finds_better_candidates_than_random_draws(write_space: WriteSpace, scripted: Scripted) -> None:
    def by_lr(assignment: Assignment, epoch: int) -> float:
        return 0.9 - 0.2 * abs(math.log10(assignment.recipe["lr"]) + 1) - 0.05 * (2 - epoch)

    def mean(sampler: str) -> float:
        path = write_space(f"{sampler}.yaml", sampler=sampler, epochs=2)
        path.write_text(path.read_text().replace("lr: 0.1", "lr: {float: {low: 0.001, high: 10.0, log: true}}"))
        outcome = search(path, scripted(by_lr), trials=50, name=sampler)
        trials = read_study(outcome.directory).trials[20:]
        return sum(trial.val_accuracy for trial in trials) / len(trials)

    assert mean("tpe") > mean("random") + 0.05


def test_same_seed_same_trials(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(sampler="tpe", scheduler="asha", ancestors="[resnet-8]")
    runs = [
        read_study(search(path, scripted(by_width), trials=25, name=name).directory).trials for name in ("one", "two")
    ]
    first, second = ([(t.candidate_id, t.seed, t.state, t.val_accuracy) for t in trials] for trials in runs)
    assert first == second
    assert len({trial.seed for trial in runs[0]}) == 25
    assert trial_seed(0, 1) != trial_seed(1, 0)


def test_ancestors_come_first_are_never_stopped_and_never_best_outside_the_limits(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    def accuracy(assignment: Assignment, epoch: int) -> float:
        return {0: 0.99, 1: 0.01}.get(assignment.number, by_width(assignment, epoch))

    path = write_space(scheduler="asha", ancestors="[resnet-8, plain-8]")
    study = read_study(search(path, scripted(accuracy), trials=8).directory)
    assert [trial.ancestor for trial in study.trials[:3]] == ["resnet-8", "plain-8", None]
    assert [trial.state for trial in study.trials[:2]] == ["complete", "complete"]
    assert not study.trials[0].within_limits  # 75,002 parameters
    assert study.best().number > 1


def test_the_same_command_extends_a_study(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(scheduler="asha", sampler="tpe", ancestors="[resnet-8]")
    first = search(path, scripted(by_width), trials=6)
    before = read_study(first.directory).trials
    assert search(path, scripted(by_width), trials=6).num_finished == 6
    assert read_study(first.directory).trials == before
    search(path, scripted(by_width), trials=15)
    study = read_study(first.directory)
    assert study.trials[:6] == before
    assert len(study.trials) == 15
    assert len({trial.candidate_id for trial in study.trials}) == 15
    assert [session["num_trials"] for session in study.manifest["sessions"]] == [6, 9]


def test_interrupted_trials_are_trained_again(write_space: WriteSpace, scripted: Scripted) -> None:
    def interrupt(assignment: Assignment, epoch: int) -> float:
        if (assignment.number, epoch) == (3, 2):
            raise KeyboardInterrupt
        return by_width(assignment, epoch)

    path = write_space(ancestors="[resnet-8]")
    outcome = search(path, scripted(interrupt), trials=8)
    assert outcome.was_interrupted
    cut = read_study(outcome.directory).trials[3]
    assert (cut.state, cut.reason, cut.epochs) == ("failed", "interrupted", 1)
    search(path, scripted(by_width), trials=8)
    trials = read_study(outcome.directory).trials
    assert trials[4].retry_of == 3
    assert trials[4].candidate_id == cut.candidate_id
    assert [trial.is_finished for trial in trials] == [True] * 3 + [False] + [True] * 5


def test_several_objectives_are_all_told(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(objectives="[val_accuracy, num_params]", sampler="tpe", scheduler="asha")
    outcome = search(path, scripted(by_width), trials=30)
    study = optuna.load_study(study_name=None, storage=database_url(outcome.directory))
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["val_accuracy", "num_params"]
    for trial, record in zip(study.trials, read_study(outcome.directory).trials, strict=True):
        assert trial.values == [record.val_accuracy, record.num_params]
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED"}


def test_a_second_driver_is_refused(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    (path.parent / "study").mkdir()
    with (
        filelock.FileLock(path.parent / "study" / LOCK),
        pytest.raises(StudyError, match="another `ressearch run` is working on this study"),
    ):
        search(path, scripted(by_width))


def test_a_study_of_another_space_is_refused(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    search(path, scripted(by_width), trials=2)
    path.write_text(path.read_text().replace("high: 3", "high: 2"))
    with pytest.raises(StudyError, match=r"begun with another space: parameters differs between .*--study"):
        search(path, scripted(by_width), trials=2)
    path.write_text(path.read_text().replace("high: 2", "high: 3") + "resources: {workers: 1}\n")
    assert search(path, scripted(by_width), trials=3).num_finished == 3


def test_damaged_and_missing_studies_are_named(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    directory = path.parent / "study"
    directory.mkdir()
    with pytest.raises(StudyError, match=r"no study here \(study.db is missing\)"):
        read_study(directory)
    (directory / DATABASE).write_bytes(b"no database " * 1000)
    with pytest.raises(StudyError, match=r"study.db: cannot be used as a study: .*not a database"):
        search(path, scripted(by_width))


def test_readers_never_see_a_half_made_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    replace = os.replace

    def watched(partial: Path, path: Path) -> None:
        seen.append(path.exists())
        replace(partial, path)
        assert load_study(tmp_path).trials == []  # from its first moment on it can be read

    monkeypatch.setattr(os, "replace", watched)
    open_book(tmp_path, ["val_accuracy"], ["maximize"])
    assert seen == [False]
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def test_unknown_trials_and_a_study_without_a_best_are_named(write_space: WriteSpace, scripted: Scripted) -> None:
    def fail(assignment: Assignment) -> None:
        raise TrainingError("non_finite", "nan")

    study = read_study(search(write_space(), scripted(by_width, fail), trials=2).directory)
    with pytest.raises(StudyError, match="no trial has finished within the limits yet"):
        study.best()
    with pytest.raises(StudyError, match=r"there is no trial '7'; say 'best' or a number, it holds 0 to 1"):
        study.trial("7")


def test_a_full_disk_ends_in_one_message_and_loses_nothing(write_space: WriteSpace, tmp_path: Path) -> None:
    path = write_space()
    script = tmp_path / "driver.py"
    script.write_text(
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from ressearch.search.run import run\n"
        "from ressearch.training.loop import EpochResult\n"
        "def function(assignment):\n"
        "    for epoch in range(1, 5):\n"
        "        yield EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=0.0)\n"
        "    if assignment.number == 5:\n"  # from here on no file may grow, as on a full disk
        "        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "        size = (Path(sys.argv[2]) / 'study.db-wal').stat().st_size\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "run(Path(sys.argv[1]), trials=500, directory=Path(sys.argv[2]), backend='local', function=function)\n"
    )
    directory = tmp_path / "study"
    found = subprocess.run([sys.executable, script, path, directory], capture_output=True, text=True, check=False)
    assert "StudyError" in found.stderr
    assert "the study cannot be written" in found.stderr
    assert "make room and run the same command again" in found.stderr
    finished = [trial for trial in read_study(directory).trials if trial.is_finished]
    assert len(finished) >= 5
    assert {trial.epochs for trial in finished} == {4}


def test_the_manifest_tells_where_results_come_from(write_space: WriteSpace, scripted: Scripted) -> None:
    outcome = search(write_space(seed=7), scripted(by_width), trials=2)
    manifest = json.loads((outcome.directory / "manifest.json").read_text())
    assert manifest["seed"] == 7
    assert manifest["shape"] == {"channels": 1, "resolution": 8, "num_classes": 10}
    assert {"python", "torch", "torchvision", "optuna", "ray"} <= set(manifest["versions"])
    assert manifest["device"]["cpus"] == os.cpu_count()
    assert manifest["command"]
    assert manifest["sessions"][0]["num_trials"] == 2


def test_kill_minus_nine_loses_and_repeats_nothing(write_space: WriteSpace, tmp_path: Path) -> None:
    path = write_space(scheduler="asha")
    script = tmp_path / "driver.py"
    script.write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from ressearch.search.run import run\n"
        "from ressearch.training.loop import EpochResult\n"
        "def function(assignment):\n"
        "    for epoch in range(1, 5):\n"
        "        if (assignment.number, epoch) == (int(sys.argv[3]), 3):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        accuracy = 0.1 * epoch + 0.5 / (1 + assignment.number % 3)\n"
        "        yield EpochResult(\n"
        "            epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)\n"
        "run(Path(sys.argv[1]), trials=12, directory=Path(sys.argv[2]), backend='local', function=function)\n"
    )
    directory = tmp_path / "study"
    killed = subprocess.run([sys.executable, script, path, directory, "6"], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = {trial.number: trial for trial in read_study(directory).trials}
    assert before[6].state == "running"
    subprocess.run([sys.executable, script, path, directory, "-1"], check=True)
    trials = read_study(directory).trials
    for trial in trials[:6]:
        assert trial == before[trial.number]
    assert (trials[6].reason, trials[6].epochs) == ("lost_driver", 2)
    assert trials[7].retry_of == 6
    finished = [trial for trial in trials if trial.is_finished]
    assert len(finished) == 12
    assert len({trial.candidate_id for trial in finished}) == 12


def test_random_draws_do_not_repeat_after_a_resume(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    search(path, scripted(by_width), trials=3)
    search(path, scripted(by_width), trials=6)
    once = read_study(path.parent / "study").trials
    assert len({trial.candidate_id for trial in once}) == 6
    assert random.Random(0).random() != random.Random(trial_seed(0, -4)).random()
