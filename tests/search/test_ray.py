"""The bridge to Ray, on real Ray sessions and real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import optuna
import pytest

from ressearch.experiment import Resources, load_experiment
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec
from ressearch.search.session import run_session
from ressearch.store.files import StudyError, database_url
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.loop import EpochResult, TrainingError

# Ray and what it starts leave sockets and log files to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


@pytest.fixture(scope="module")
def ray_session() -> Iterator[None]:
    """One Ray session with logical GPUs for the tests that need no session of their own."""
    import ray

    import ressearch.search.ray_backend  # noqa: F401 - sets Ray's environment

    ray.init(num_cpus=4, num_gpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def on_ray(path: Path, do: TrialFunction, trials: int) -> StudyRecord:
    from ressearch.search.ray_backend import run_on_ray

    backend = partial(run_on_ray, do=do)
    return open_study(run_session(load_experiment(path), path.parent / "study", backend, trials=trials).directory)


ASHA = "{name: asha, reduction_factor: 2, first_rung: 2}"
SLOW_MACHINE = 300
"""Seconds that a process may take to come so far, or to end: the tests may have two busy cores."""


@pytest.mark.usefixtures("ray_session")
def test_stopped_failed_and_complete_are_told_apart(write_space: WriteSpace, scripted: Scripted) -> None:
    def accuracy(spec: TrialSpec, epoch: int) -> float:
        if spec.number == 4:
            raise TrainingError("non_finite", "loss is nan")
        return 0.1 * epoch + 0.01 * (spec.number % 7)

    study = on_ray(write_space(scheduler=ASHA), scripted(accuracy), trials=16)
    stored = optuna.load_study(study_name=None, storage=database_url(study.directory)).trials
    assert len(study.trials) == 16
    assert {trial.state for trial in study.trials} == {"complete", "pruned", "failed"}
    for record, trial in zip(study.trials, stored, strict=True):
        epochs = {"complete": 4, "pruned": 2, "failed": 0}[record.state]
        assert sorted(trial.intermediate_values) == list(range(1, epochs + 1))
        assert record.epochs == epochs
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert [(trial.number, trial.reason, trial.message) for trial in failed] == [
        (4, "non_finite", "non_finite: loss is nan")
    ]


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize(("gpus_per_trial", "at_once"), [(1.0, 4), (0.5, 8)])
def test_every_trial_sees_its_own_share_of_the_devices(
    write_space: WriteSpace, tmp_path: Path, gpus_per_trial: float, at_once: int
) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()

    def function(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        (seen / str(spec.number)).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        deadline = time.monotonic() + 60
        while len(list(seen.iterdir())) < at_once and time.monotonic() < deadline:
            time.sleep(0.05)  # nobody ends before all have begun
        accuracy = len(list(seen.iterdir())) / 100
        epoch = EpochResult(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)
        yield Progress(epoch=epoch, seconds=1.0)
        yield TrialResult(measures={"val_accuracy": accuracy})

    path = write_space(epochs=1)
    path.write_text(path.read_text() + f"resources: {{gpus_per_trial: {gpus_per_trial}}}\n")
    study = on_ray(path, function, trials=at_once)
    assert {trial.val_accuracy for trial in study.trials} == {at_once / 100}
    devices = sorted(file.read_text() for file in seen.iterdir())
    assert devices == sorted(str(gpu) for gpu in range(4) for _ in range(at_once // 4))


@pytest.mark.usefixtures("ray_session")
def test_a_killed_worker_costs_one_trial_which_is_trained_again(
    write_space: WriteSpace, scripted: Scripted, tmp_path: Path
) -> None:
    once = tmp_path / "once"

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        if epoch == 3 and spec.number == 1 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 0.1 * epoch

    trials = on_ray(write_space(), scripted(accuracy), trials=8).trials
    assert (trials[1].state, trials[1].reason, trials[1].epochs) == ("failed", "worker_lost", 2)
    again = [trial for trial in trials if trial.retry_of == 1]
    assert [(trial.state, trial.candidate_id) for trial in again] == [("complete", trials[1].candidate_id)]
    assert sum(trial.is_finished for trial in trials) == 8


@pytest.mark.usefixtures("ray_session")
def test_an_error_of_the_search_itself_reaches_the_caller(write_space: WriteSpace, scripted: Scripted) -> None:
    def broken(spec: TrialSpec, epoch: int) -> float:
        raise OSError("no space left on device")

    with pytest.raises(StudyError, match=r"5 trials in a row broke down.*no space left on device"):
        on_ray(write_space(), scripted(broken), trials=30)
    trials = open_study(write_space().parent / "study").trials
    assert not [trial for trial in trials if trial.state == "running"]


def test_resources_that_do_not_exist_are_refused() -> None:
    from ressearch.search.ray_backend import placement

    with pytest.raises(ValueError, match=r"no trial fits, each asks for .* of 2 CPUs and 0 GPUs"):
        placement(Resources(cpus_per_trial=3), {"CPU": 2.0})
    assert placement(Resources(cpus_per_trial=2), {"CPU": 8.0}) == (4, {"cpu": 2.0})
    assert placement(Resources(workers=3), {"CPU": 8.0}) == (3, {"cpu": 1.0})
    assert placement(Resources(gpus_per_trial=0.25), {"CPU": 2.0, "GPU": 2.0}) == (8, {"cpu": 0.25, "gpu": 0.25})


@pytest.mark.usefixtures("ray_session")
def test_a_worker_that_is_slow_to_clear_up_loses_no_trial(write_space: WriteSpace, scripted: Scripted) -> None:
    """Tune would wait 2 s for it, then end the trial that was to have the worker, and tell nobody."""
    train = scripted(lambda spec, epoch: 0.1 * epoch - 0.01 * spec.number)

    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        seconds = 3
        try:
            yield from train(spec)
            seconds = 0
        finally:
            time.sleep(seconds)

    study = on_ray(write_space(scheduler=ASHA), do, trials=10)
    states = [trial.state for trial in study.trials]
    assert len(states) == 10
    assert set(states) == {"complete", "pruned"}


DRIVER = """
import sys, time
from functools import partial
from pathlib import Path
from ressearch.experiment import load_experiment
from ressearch.search.contract import Progress, TrialResult
from ressearch.search.ray_backend import run_on_ray
from ressearch.search.session import run_session
from ressearch.training.loop import EpochResult

def main():
    def do(spec):
        for epoch in range(1, 5):
            time.sleep(0.15)
            accuracy = 0.1 * epoch + 0.05 * (spec.number % 5)
            last = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.15)
            yield Progress(epoch=last, seconds=0.15 * epoch)
        yield TrialResult(measures={"val_accuracy": accuracy}, seconds=0.6)
    outcome = run_session(load_experiment(sys.argv[1]), Path(sys.argv[2]), partial(run_on_ray, do=do), trials=14)
    print("interrupted" if outcome.was_interrupted else "done", outcome.num_finished)

main()
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_driver_loses_and_repeats_nothing(write_space: WriteSpace, tmp_path: Path, ending: int) -> None:
    path = write_space(scheduler=ASHA, baselines="[resnet-8]")
    directory = tmp_path / "study"
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(path), str(directory)]
    said = tmp_path / "said.txt"
    with said.open("w") as file:  # a pipe would stay open as long as any process of a killed driver's Ray
        driver = subprocess.Popen(command, stdout=file, start_new_session=True)
    try:
        _wait_until(lambda: _num_finished(directory) >= 4)
        driver.send_signal(ending)
        driver.wait(timeout=SLOW_MACHINE)
    finally:
        driver.kill()
        driver.wait()
    output = said.read_text()
    before = open_study(directory).trials
    cut = [trial for trial in before if not trial.is_finished]
    if ending == signal.SIGINT:
        assert driver.returncode == 0
        assert output.startswith("interrupted")
        assert {(trial.state, trial.reason) for trial in cut} == {("failed", "interrupted")}
    with said.open("w") as file:
        subprocess.run(command, stdout=file, check=True)
    assert said.read_text() == "done 14\n"
    after = open_study(directory).trials
    for trial in before:
        if trial.is_finished:
            assert after[trial.number] == trial
    assert {trial.retry_of for trial in after if trial.retry_of is not None} == {trial.number for trial in cut}
    finished = [trial for trial in after if trial.is_finished]
    assert len(finished) == len({trial.candidate_id for trial in finished}) == 14


def _num_finished(directory: Path) -> int:
    try:
        return sum(trial.is_finished for trial in open_study(directory).trials)
    except ValueError:
        return 0  # not there yet


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SLOW_MACHINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.usefixtures("ray_session")
def test_paused_trials_are_continued_by_other_workers(write_space: WriteSpace, scripted: Scripted) -> None:
    def accuracy(spec: TrialSpec, epoch: int) -> float:
        return 0.9 - 0.1 * spec.number + 0.01 * epoch

    path = write_space(epochs=9, scheduler="{name: hyperband, reduction_factor: 3, first_rung: 3}")
    trials = on_ray(path, scripted(accuracy), trials=5).trials
    assert len(trials) == 5
    assert sorted((trial.state, trial.epochs) for trial in trials) == [("complete", 9)] * 3 + [("pruned", 3)] * 2
    for trial in trials:
        assert [epoch["epoch"] for epoch in trial.curve] == list(range(1, trial.epochs + 1))


def test_real_training_on_a_session_of_its_own(write_space: WriteSpace) -> None:
    """The whole way once: images, training, weights, all in processes that Ray has started."""
    from ressearch.search.backends import backend_named

    path = write_space(epochs=2)
    path.write_text(path.read_text() + "resources: {workers: 2}\n")
    outcome = run_session(load_experiment(path), path.parent / "study", backend_named("ray"), trials=3)
    study = open_study(outcome.directory)
    assert [trial.state for trial in study.trials] == ["complete"] * 3
    assert outcome.summary["num_workers"] == 2
    assert 0 < outcome.summary["busy_share"] <= 1
    for trial in study.trials:
        assert study.weights_of(trial).is_file()
        assert (trial.measures or {})["val_accuracy"] == trial.val_accuracy
