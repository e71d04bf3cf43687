"""The search: what Optuna reads back from the file, what workers are really given, what a resumed study does."""

import json
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import filelock
import optuna
import pytest

from ressearch.arch import InfeasibleError
from ressearch.experiment import Experiment, load_experiment
from ressearch.search.contract import TrialFunction, TrialSpec, trial_seed
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import Outcome, account, run_session
from ressearch.store.files import LOCK, StudyError, database_url
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.loop import TrainingError

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]
Run = Callable[..., StudyRecord]

ASHA = "{name: asha, reduction_factor: 2, first_rung: 2}"


def by_width(spec: TrialSpec, epoch: int) -> float:
    """Wider is better, later is better, and no two widths are equal."""
    widths = [stage.width or 0 for stage in spec.architecture.stages]
    return min(0.99, 0.1 * epoch + 0.01 * widths[0] + 0.001 * widths[1])


def session(path: Path, do: TrialFunction, trials: int = 10, name: str = "study") -> Outcome:
    return run_session(load_experiment(path), path.parent / name, partial(run_in_process, do=do), trials=trials)


def test_complete_means_trained_to_the_end_and_pruned_keeps_every_epoch(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space(scheduler=ASHA)
    outcome = session(path, scripted(by_width), trials=20)
    study = optuna.load_study(study_name=None, storage=database_url(outcome.directory))
    states = [trial.state.name for trial in study.trials]
    assert states.count("COMPLETE") + states.count("PRUNED") == 20
    assert "PRUNED" in states
    for trial in study.trials:
        epochs = 4 if trial.state.name == "COMPLETE" else 2
        assert sorted(trial.intermediate_values) == list(range(1, epochs + 1))
        assert [epoch["epoch"] for epoch in trial.user_attrs["curve"]] == list(range(1, epochs + 1))
        assert trial.value == trial.intermediate_values[epochs]
    best = open_study(outcome.directory).best
    assert best.val_accuracy == max(trial.value for trial in study.trials if trial.state.name == "COMPLETE")


def test_failures_have_reasons_and_the_others_go_on(write_space: WriteSpace, scripted: Scripted) -> None:
    def before(spec: TrialSpec) -> None:
        if spec.number == 2:
            raise TrainingError("non_finite", "loss is nan in epoch 1")

    outcome = session(write_space(), scripted(by_width, before), trials=6)
    trials = open_study(outcome.directory).trials
    assert [trial.state for trial in trials] == ["complete"] * 2 + ["failed"] + ["complete"] * 3
    assert (trials[2].reason, trials[2].message) == ("non_finite", "non_finite: loss is nan in epoch 1")
    assert outcome.num_finished == 6  # its own failure is an end, too


def test_a_breakdown_is_trained_again_twice_and_then_given_up(write_space: WriteSpace, scripted: Scripted) -> None:
    broken: list[object] = []

    def before(spec: TrialSpec) -> None:
        if not broken or spec.architecture == broken[0]:
            broken.append(spec.architecture)
            raise OSError("no such device")

    outcome = session(write_space(), scripted(by_width, before), trials=5)
    trials = open_study(outcome.directory).trials
    failed = [trial for trial in trials if trial.state == "failed"]
    assert [trial.reason for trial in failed] == ["error", "error", "given_up"]
    assert [trial.message for trial in failed[:2]] == ["OSError: no such device"] * 2
    assert failed[2].message == "given up after breaking down again: OSError: no such device"
    assert [trial.retry_of for trial in failed] == [None, failed[0].number, failed[1].number]
    assert sum(trial.is_finished for trial in trials) == 5
    assert len(broken) == 3
    session(write_space(), scripted(by_width, before), trials=8)
    assert len(broken) == 3  # not in a later session either


def test_the_run_ends_when_everything_breaks_down(write_space: WriteSpace, scripted: Scripted) -> None:
    def before(spec: TrialSpec) -> None:
        raise OSError("disk gone")

    with pytest.raises(StudyError, match=r"5 trials in a row broke down, the last one with 'OSError: disk gone'"):
        session(write_space(), scripted(by_width, before))


def test_infeasible_and_duplicate_candidates_cost_no_trial(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(sampler="tpe")
    outcome = session(path, scripted(by_width), trials=40)
    trials = open_study(outcome.directory).trials
    experiment = load_experiment(path)
    assert [trial.number for trial in trials] == list(range(40))
    networks = [trial.candidate_id for trial in trials if trial.trial_of is None]  # the others are repeats
    assert len(set(networks)) == len(networks) > 30
    for trial in trials:
        assert experiment.candidate(trial.params).id == trial.candidate_id  # raises were it infeasible
    assert set(outcome.refused) <= {"cardinality", "num_params", "duplicate", "shortcut"}
    assert sum(outcome.refused.values()) > 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_small_space_is_exhausted_by_every_sampler(write_space: WriteSpace, scripted: Scripted, sampler: str) -> None:
    path = write_space(sampler=sampler, epochs=1)
    path.write_text(
        path.read_text()
        .replace("depth: {int: {low: 1, high: 3}}", "depth: 1")
        .replace("width: [{choice: [8, 12, 16]}, {choice: [16, 24, 32]}]", "width: [8, {choice: [16, 24]}]")
    )
    experiment = load_experiment(path)
    feasible = {found for params in experiment.space.enumerate() if (found := _id(experiment, params))}
    outcome = session(path, scripted(by_width), trials=1000)
    trials = open_study(outcome.directory).trials
    assert {trial.candidate_id for trial in trials} == feasible
    assert outcome.exhausted
    assert not outcome.was_interrupted


def _id(experiment: Experiment, params: dict[str, object]) -> str | None:
    try:
        return experiment.candidate(params).id  # type: ignore[arg-type]
    except InfeasibleError:
        return None


def test_tpe_finds_better_candidates_than_random_draws(write_space: WriteSpace, scripted: Scripted) -> None:
    def by_lr(spec: TrialSpec, epoch: int) -> float:
        return 0.9 - 0.2 * abs(math.log10(spec.recipe.lr) + 1) - 0.05 * (2 - epoch)

    def mean(sampler: str) -> float:
        path = write_space(f"{sampler}.yaml", sampler=sampler, epochs=2)
        path.write_text(path.read_text().replace("lr: 0.1", "lr: {float: {low: 0.001, high: 10.0, log: true}}"))
        outcome = session(path, scripted(by_lr), trials=50, name=sampler)
        trials = open_study(outcome.directory).trials[20:]
        return sum(trial.val_accuracy for trial in trials) / len(trials)

    assert mean("tpe") > mean("random") + 0.05


def test_same_seed_same_trials(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(sampler="tpe", scheduler=ASHA, baselines="[resnet-8]")
    runs = [
        open_study(session(path, scripted(by_width), trials=25, name=name).directory).trials for name in ("one", "two")
    ]
    first, second = ([(t.candidate_id, t.seed, t.state, t.val_accuracy) for t in trials] for trials in runs)
    assert first == second
    assert len({trial.seed for trial in runs[0]}) == 25
    assert trial_seed(0, 1) != trial_seed(1, 0)


def test_ancestors_come_first_are_never_stopped_and_never_best_outside_the_limits(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    def accuracy(spec: TrialSpec, epoch: int) -> float:
        return {0: 0.99, 1: 0.01}.get(spec.number, by_width(spec, epoch))

    path = write_space(scheduler=ASHA, baselines="[resnet-8, plain-8]")
    study = open_study(session(path, scripted(accuracy), trials=8).directory)
    assert [trial.baseline for trial in study.trials[:3]] == ["resnet-8", "plain-8", None]
    assert [trial.state for trial in study.trials[:2]] == ["complete", "complete"]
    assert not study.trials[0].within_limits  # 75,002 parameters
    assert study.best.number > 1


def test_the_same_command_extends_a_study(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(scheduler=ASHA, sampler="tpe", baselines="[resnet-8]")
    first = session(path, scripted(by_width), trials=6)
    before = open_study(first.directory).trials
    assert session(path, scripted(by_width), trials=6).num_finished == 6
    assert open_study(first.directory).trials == before
    session(path, scripted(by_width), trials=15)
    study = open_study(first.directory)
    assert study.trials[:6] == before
    assert len(study.trials) == 15
    assert len({trial.candidate_id for trial in study.trials}) == 15
    assert [session["num_trials"] for session in study.sessions] == [6, 9]


def test_interrupted_trials_are_trained_again(write_space: WriteSpace, scripted: Scripted) -> None:
    def interrupt(spec: TrialSpec, epoch: int) -> float:
        if (spec.number, epoch) == (3, 2):
            raise KeyboardInterrupt
        return by_width(spec, epoch)

    path = write_space(baselines="[resnet-8]")
    outcome = session(path, scripted(interrupt), trials=8)
    assert outcome.was_interrupted
    cut = open_study(outcome.directory).trials[3]
    assert (cut.state, cut.reason, cut.epochs) == ("failed", "interrupted", 1)
    session(path, scripted(by_width), trials=8)
    trials = open_study(outcome.directory).trials
    assert trials[4].retry_of == 3
    assert trials[4].candidate_id == cut.candidate_id
    assert [trial.is_finished for trial in trials] == [True] * 3 + [False] + [True] * 5


def test_several_objectives_are_all_told(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(objectives="[val_accuracy, num_params]", sampler="tpe", scheduler=ASHA)
    outcome = session(path, scripted(by_width), trials=30)
    study = optuna.load_study(study_name=None, storage=database_url(outcome.directory))
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["val_accuracy", "num_params"]
    for trial, record in zip(study.trials, open_study(outcome.directory).trials, strict=True):
        assert trial.values == [record.val_accuracy, record.num_params]
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED"}


def test_a_second_driver_is_refused(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    (path.parent / "study").mkdir()
    with (
        filelock.FileLock(path.parent / "study" / LOCK),
        pytest.raises(StudyError, match="another `ressearch` is working on this study"),
    ):
        session(path, scripted(by_width))


def test_a_study_of_another_experiment_is_refused_and_the_difference_named(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space()
    session(path, scripted(by_width), trials=2)
    text = path.read_text()
    path.write_text(text.replace("high: 3", "high: 2"))
    with pytest.raises(StudyError, match=r"experiment: architecture.depth is 1 to 2, and was 1 to 3; .*--study"):
        session(path, scripted(by_width), trials=2)
    path.write_text(text.replace("lr: 0.1", "lr: 0.2"))
    with pytest.raises(StudyError, match=r"recipe.lr is 0.2, and was 0.1"):
        session(path, scripted(by_width), trials=2)
    path.write_text(text + "resources: {workers: 1}\nbudget: {trials: 3}\n")
    directory = path.parent / "study"
    outcome = run_session(load_experiment(path), directory, partial(run_in_process, do=scripted(by_width)))
    assert outcome.num_finished == outcome.budget.trials == 3


def test_a_study_of_a_changed_experiment_keeps_no_file_that_says_otherwise(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    experiment = load_experiment(write_space())
    changed = replace(experiment, recipe=replace(experiment.recipe, lr=0.3))
    directory = Path(experiment.origin.path).parent / "study"
    do = partial(run_in_process, do=scripted(by_width))
    run_session(changed, directory, do, trials=2)
    assert not (directory / "space.yaml").exists()
    with pytest.raises(StudyError, match=r"recipe.lr is 0.1, and was 0.3"):
        run_session(experiment, directory, do, trials=3)
    assert run_session(changed, directory, do, trials=3).num_finished == 3


def test_without_a_number_of_trials_nothing_begins(write_space: WriteSpace, scripted: Scripted) -> None:
    experiment = load_experiment(write_space())
    with pytest.raises(ValueError, match=r"say when to end: --trials N, --hours H, .*, or `budget: \{trials: N\}`"):
        run_session(experiment, Path("nowhere"), partial(run_in_process, do=scripted(by_width)))
    assert not Path("nowhere").exists()


def test_unknown_trials_and_a_study_without_a_best_are_named(write_space: WriteSpace, scripted: Scripted) -> None:
    def fail(spec: TrialSpec) -> None:
        raise TrainingError("non_finite", "nan")

    study = open_study(session(write_space(), scripted(by_width, fail), trials=2).directory)
    with pytest.raises(StudyError, match="no trial has finished within the limits yet"):
        _ = study.best
    with pytest.raises(StudyError, match=r"there is no trial '7'; say 'best' or a number, it holds 0 to 1"):
        study.trial("7")


def test_a_full_disk_ends_in_one_message_and_loses_nothing(write_space: WriteSpace, tmp_path: Path) -> None:
    path = write_space()
    script = tmp_path / "driver.py"
    script.write_text(
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from functools import partial\n"
        "from ressearch.experiment import load_experiment\n"
        "from ressearch.search.contract import Progress, TrialResult\n"
        "from ressearch.search.local_backend import run_in_process\n"
        "from ressearch.search.session import run_session\n"
        "from ressearch.training.loop import EpochResult\n"
        "def function(spec):\n"
        "    for epoch in range(1, 5):\n"
        "        last = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=0.0)\n"
        "        yield Progress(epoch=last, seconds=epoch)\n"
        "    if spec.number == 5:\n"  # from here on no file may grow, as on a full disk
        "        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "        size = (Path(sys.argv[2]) / 'study.db-wal').stat().st_size\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))\n"
        "    yield TrialResult(measures={'val_accuracy': 0.5})\n"
        "backend = partial(run_in_process, do=function)\n"
        "run_session(load_experiment(sys.argv[1]), Path(sys.argv[2]), backend, trials=500)\n"
    )
    directory = tmp_path / "study"
    found = subprocess.run([sys.executable, script, path, directory], capture_output=True, text=True, check=False)
    assert "StudyError" in found.stderr
    assert "the study cannot be written" in found.stderr
    assert "make room and run the same command again" in found.stderr
    finished = [trial for trial in open_study(directory).trials if trial.is_finished]
    assert len(finished) >= 5
    assert {trial.epochs for trial in finished} == {4}


def test_the_manifest_tells_where_results_come_from(write_space: WriteSpace, scripted: Scripted) -> None:
    outcome = session(write_space(seed=7), scripted(by_width), trials=2)
    manifest = json.loads((outcome.directory / "manifest.json").read_text())
    assert manifest["seed"] == 7
    assert manifest["shape"] == {"channels": 1, "resolution": 8, "num_classes": 10}
    assert {"python", "torch", "torchvision", "optuna", "ray"} <= set(manifest["versions"])
    assert manifest["device"]["cpus"] == os.cpu_count()
    assert manifest["command"]
    (kept,) = open_study(outcome.directory).sessions
    assert kept["num_trials"] == 2
    assert kept["command"] == manifest["command"]


def test_kill_minus_nine_loses_and_repeats_nothing(write_space: WriteSpace, tmp_path: Path) -> None:
    path = write_space(scheduler=ASHA)
    script = tmp_path / "driver.py"
    script.write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from functools import partial\n"
        "from ressearch.experiment import load_experiment\n"
        "from ressearch.search.contract import Progress, TrialResult\n"
        "from ressearch.search.local_backend import run_in_process\n"
        "from ressearch.search.session import run_session\n"
        "from ressearch.training.loop import EpochResult\n"
        "def function(spec):\n"
        "    for epoch in range(1, 5):\n"
        "        if (spec.number, epoch) == (int(sys.argv[3]), 3):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        accuracy = 0.1 * epoch + 0.5 / (1 + spec.number % 3)\n"
        "        last = EpochResult(\n"
        "            epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)\n"
        "        yield Progress(epoch=last, seconds=epoch)\n"
        "    yield TrialResult(measures={'val_accuracy': accuracy})\n"
        "backend = partial(run_in_process, do=function)\n"
        "run_session(load_experiment(sys.argv[1]), Path(sys.argv[2]), backend, trials=12)\n"
    )
    directory = tmp_path / "study"
    killed = subprocess.run([sys.executable, script, path, directory, "6"], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = {trial.number: trial for trial in open_study(directory).trials}
    assert before[6].state == "running"
    subprocess.run([sys.executable, script, path, directory, "-1"], check=True)
    trials = open_study(directory).trials
    for trial in trials[:6]:
        assert trial == before[trial.number]
    assert (trials[6].reason, trials[6].epochs) == ("lost_driver", 2)
    assert trials[7].retry_of == 6
    finished = [trial for trial in trials if trial.is_finished]
    assert len(finished) == 12
    assert len({trial.candidate_id for trial in finished}) == 12


def test_random_draws_do_not_repeat_after_a_resume(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    session(path, scripted(by_width), trials=3)
    session(path, scripted(by_width), trials=6)
    once = open_study(path.parent / "study").trials
    assert len({trial.candidate_id for trial in once}) == 6
    assert random.Random(0).random() != random.Random(trial_seed(0, -4)).random()


def test_workers_are_given_what_the_experiment_says(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    given: list[TrialSpec] = []
    path = write_space(seed=3, baselines="[resnet-8]")
    path.write_text(path.read_text().replace("lr: 0.1", "lr: {float: {low: 0.01, high: 0.5, log: true}}"))
    study = search(path, scripted(by_width, given.append), trials=5)
    experiment = load_experiment(path)
    assert [spec.number for spec in given] == [0, 1, 2, 3, 4]
    assert len({spec.seed for spec in given}) == 5
    for spec, record in zip(given, study.trials, strict=True):
        assert spec.seed == record.seed
        assert spec.architecture == record.build_architecture()
        assert spec.recipe == replace(experiment.recipe, lr=record.recipe["lr"])
        assert (spec.images.source, spec.images.seed, spec.images.split) == (experiment.images, 3, "train")
        assert spec.test is None  # a search never opens test images
        assert spec.weights == (path.parent / "study" / "trials" / f"{spec.number:06d}" / "weights.safetensors")
        assert (spec.checkpoint, spec.checkpoint_epochs, spec.resumes) == (None, frozenset(), False)
        assert spec.num_threads == 1
    assert given[0].recipe.lr == 0.1 == experiment.recipe.lr  # what a baseline is trained with
    assert len({spec.recipe.lr for spec in given[1:]}) == 4


def test_paused_trials_go_on_from_their_checkpoints(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    """A bracket of three is judged after epoch 3 of 9; the two trials of the next one are trained without a pause."""
    begun: list[tuple[int, int]] = []

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        if epoch == (4 if spec.resumes else 1):
            begun.append((spec.number, epoch))
        return 0.9 - 0.1 * spec.number + 0.01 * epoch

    path = write_space(epochs=9, scheduler="{name: hyperband, reduction_factor: 3, first_rung: 3}")
    study = search(path, scripted(accuracy), trials=5)
    assert begun == [(0, 1), (1, 1), (2, 1), (0, 4), (3, 1), (4, 1)]
    assert [(trial.state, trial.epochs) for trial in study.trials] == [
        ("complete", 9),
        ("pruned", 3),
        ("pruned", 3),
        ("complete", 9),
        ("complete", 9),
    ]
    stored = optuna.load_study(study_name=None, storage=database_url(study.directory)).trials
    assert sorted(stored[0].intermediate_values) == list(range(1, 10))
    assert [epoch["epoch"] for epoch in study.trials[0].curve] == list(range(1, 10))


def test_a_paused_trial_whose_checkpoint_disappears_starts_anew(
    write_space: WriteSpace, scripted: Scripted, search: Run
) -> None:
    """What its first part told is told again, once."""
    path = write_space(epochs=9, scheduler="{name: hyperband, reduction_factor: 3, first_rung: 3}")

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        return 0.9 - 0.1 * spec.number + 0.01 * epoch

    def clean(spec: TrialSpec) -> TrialSpec:
        if spec.resumes:
            assert spec.checkpoint
            spec.checkpoint.unlink()
            spec = replace(spec, resumes=False)  # as `train_once` takes it
        return spec

    do = scripted(accuracy)
    study = search(path, lambda spec: do(clean(spec)), trials=5)
    assert (study.trials[0].state, study.trials[0].epochs) == ("complete", 9)
    assert [epoch["epoch"] for epoch in study.trials[0].curve] == list(range(1, 10))


def test_paused_trials_survive_the_end_of_a_session(write_space: WriteSpace, scripted: Scripted) -> None:
    def accuracy(spec: TrialSpec, epoch: int) -> float:
        assert spec.checkpoint is not None
        spec.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        spec.checkpoint.touch()  # what a training would save there
        if (spec.number, epoch) == (2, 2) and not (path.parent / "once").exists():
            (path.parent / "once").touch()
            raise KeyboardInterrupt
        return 0.9 - 0.1 * spec.number

    path = write_space(epochs=9, scheduler="{name: hyperband, reduction_factor: 3, first_rung: 3}")
    session(path, scripted(accuracy), trials=5)
    first = open_study(path.parent / "study").trials
    assert [(trial.state, trial.reason) for trial in first] == [
        ("paused", None),
        ("paused", None),
        ("failed", "interrupted"),
    ]
    session(path, scripted(accuracy), trials=5)
    trials = open_study(path.parent / "study").trials
    assert [(trial.state, trial.epochs) for trial in trials[:2]] == [("complete", 9), ("pruned", 3)]
    assert trials[3].retry_of == 2
    assert sum(trial.is_finished for trial in trials) == 5
    assert not list(path.parent.glob("study/trials/*/checkpoint*"))


@pytest.mark.parametrize("max_params", [90_000, 60_000])
def test_baselines_are_judged_by_nobody_but_count_for_others_within_the_limits(
    max_params: int, write_space: WriteSpace, scripted: Scripted
) -> None:
    """One outside the limits is no rival: were it one, a space of small networks could end without a best one."""

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        return 0.9 if spec.number == 0 else 0.1 - 0.01 * spec.number

    path = write_space(scheduler=ASHA, baselines="[resnet-8]", max_params=max_params)
    for trials in (3, 4):  # the second session sees the first one's trials
        study = open_study(session(path, scripted(accuracy), trials=trials).directory)
    ends = [(trial.state, trial.epochs) for trial in study.trials]
    assert ends[0] == ("complete", 4)
    assert ends[1] == (("pruned", 2) if max_params == 90_000 else ("complete", 4))
    assert ends[2:] == [("pruned", 2)] * 2


def test_early_stopping_remembers_earlier_sessions(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(scheduler=ASHA)
    session(path, scripted(lambda *_: 0.9), trials=2)
    outcome = session(path, scripted(lambda *_: 0.1), trials=3)
    assert open_study(outcome.directory).trials[2].state == "pruned"


def test_the_score_is_that_of_the_last_epoch(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    outcome = session(path, scripted(lambda spec, epoch: 0.9 - 0.1 * epoch - 0.01 * spec.number), trials=2)
    study = optuna.load_study(study_name=None, storage=database_url(outcome.directory))
    assert [trial.value for trial in study.trials] == pytest.approx([0.5, 0.49])
    assert open_study(outcome.directory).best.number == 0


def test_displays_are_told_of_every_change(write_space: WriteSpace, scripted: Scripted) -> None:
    from contextlib import contextmanager

    from ressearch.search.session import Start
    from ressearch.store.record import TrialRecord

    told: list[tuple[int, str, int]] = []
    starts: list[Start] = []

    @contextmanager
    def observe(start: Start):  # type: ignore[no-untyped-def]
        starts.append(start)

        def tell(record: TrialRecord) -> None:
            told.append((record.number, record.state, record.epochs))

        yield tell

    path = write_space(epochs=2)
    backend = partial(run_in_process, do=scripted(by_width))
    run_session(load_experiment(path), path.parent / "study", backend, trials=1, observe=observe)
    assert told == [(0, "running", 0), (0, "running", 1), (0, "running", 2), (0, "complete", 2)]
    assert (starts[0].budget.trials, starts[0].num_epochs, starts[0].records) == (1, 2, ())
    assert starts[0].directory == path.parent / "study"  # as it was given
    run_session(load_experiment(path), path.parent / "study", backend, trials=2, observe=observe)
    assert [record.number for record in starts[1].records] == [0]
    assert {number for number, _, _ in told[4:]} == {1}


def test_the_account_is_worked_out_from_the_trials_own_times(write_space: WriteSpace, scripted: Scripted) -> None:
    study = open_study(session(write_space(), scripted(by_width), trials=2).directory)
    first, second = (replace(trial, seconds=4.0, ended=100.0 + 5 * trial.number) for trial in study.trials)
    found = account([first, second], num_workers=2, seconds=30.0)
    # from 96 (100 - 4) to 105 two workers have 18 s, of which trials took 8
    assert found == {
        "seconds": 30.0,
        "num_trials": 2,
        "num_workers": 2,
        "busy_share": pytest.approx(8 / 18),
        "overhead_per_trial": pytest.approx(5.0),
    }
    assert account([], num_workers=0, seconds=1.0)["busy_share"] == 0.0


def test_a_worker_that_ends_without_a_result_is_lost(write_space: WriteSpace, scripted: Scripted) -> None:
    def silent(spec: TrialSpec):  # type: ignore[no-untyped-def]
        if spec.number == 1:
            return
        yield from scripted(by_width)(spec)

    study = open_study(session(write_space(), silent, trials=3).directory)
    assert (study.trials[1].state, study.trials[1].reason) == ("failed", "worker_lost")
    assert study.trials[2].retry_of == 1


def test_a_stopped_trial_is_not_finished_twice(write_space: WriteSpace, scripted: Scripted) -> None:
    """After STOP a backend closes the worker's run and says no more of it."""
    closed: list[int] = []

    def do(spec: TrialSpec):  # type: ignore[no-untyped-def]
        try:
            yield from scripted(lambda spec, _: 0.5 - 0.1 * spec.number)(spec)
        finally:
            closed.append(spec.number)

    study = open_study(session(write_space(scheduler=ASHA), do, trials=3).directory)
    assert [trial.state for trial in study.trials] == ["complete", "pruned", "pruned"]
    assert closed == [0, 1, 2]
