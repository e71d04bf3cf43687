"""The bridge on real Ray, one fault each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from ressearch.search.records import StudyRecord, read_study
from ressearch.search.run import run
from ressearch.search.storage import StudyError, database_url
from ressearch.search.worker import Assignment, TrialFunction
from ressearch.space.settings import Resources

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


def search(path: Path, function: TrialFunction, trials: int) -> StudyRecord:
    return read_study(run(path, trials=trials, directory=path.parent / "study", function=function).directory)


@pytest.mark.usefixtures("ray_session")
def test_stopped_failed_and_complete_are_told_apart(write_space: WriteSpace, scripted: Scripted) -> None:
    def accuracy(assignment: Assignment, epoch: int) -> float:
        if assignment.number == 4:
            raise TrainingError("non_finite", "loss is nan")
        return 0.1 * epoch + 0.01 * (assignment.number % 7)

    study = search(write_space(scheduler="asha"), scripted(accuracy), trials=16)
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

    def function(assignment: Assignment) -> Iterator[EpochResult]:
        (seen / str(assignment.number)).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        deadline = time.monotonic() + 60
        while len(list(seen.iterdir())) < at_once and time.monotonic() < deadline:
            time.sleep(0.05)  # nobody ends before all have begun
        accuracy = len(list(seen.iterdir())) / 100
        yield EpochResult(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)

    path = write_space(epochs=1)
    path.write_text(
        path.read_text().replace("first_rung: 2", "first_rung: 1")
        + f"resources: {{gpus_per_trial: {gpus_per_trial}}}\n"
    )
    study = search(path, function, trials=at_once)
    assert {trial.val_accuracy for trial in study.trials} == {at_once / 100}
    devices = sorted(file.read_text() for file in seen.iterdir())
    assert devices == sorted(str(gpu) for gpu in range(4) for _ in range(at_once // 4))


@pytest.mark.usefixtures("ray_session")
def test_a_killed_worker_costs_one_trial_which_is_trained_again(
    write_space: WriteSpace, scripted: Scripted, tmp_path: Path
) -> None:
    once = tmp_path / "once"

    def accuracy(assignment: Assignment, epoch: int) -> float:
        if epoch == 3 and assignment.number == 1 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 0.1 * epoch

    trials = search(write_space(), scripted(accuracy), trials=8).trials
    assert (trials[1].state, trials[1].reason, trials[1].epochs) == ("failed", "worker_lost", 2)
    again = [trial for trial in trials if trial.retry_of == 1]
    assert [(trial.state, trial.candidate_id) for trial in again] == [("complete", trials[1].candidate_id)]
    assert sum(trial.is_finished for trial in trials) == 8


@pytest.mark.usefixtures("ray_session")
def test_an_error_of_the_search_itself_reaches_the_caller(write_space: WriteSpace, scripted: Scripted) -> None:
    def broken(assignment: Assignment, epoch: int) -> float:
        raise OSError("no space left on device")

    with pytest.raises(StudyError, match=r"5 trials in a row broke down.*no space left on device"):
        search(write_space(), scripted(broken), trials=30)
    trials = read_study(write_space().parent / "study").trials
    assert not [trial for trial in trials if trial.state == "running"]


def test_resources_that_do_not_exist_are_refused() -> None:
    from ressearch.search.ray_backend import placement

    with pytest.raises(ValueError, match=r"no trial fits, each asks for .* of 2 CPUs and 0 GPUs"):
        placement(Resources(cpus_per_trial=3), {"CPU": 2.0})
    assert placement(Resources(cpus_per_trial=2), {"CPU": 8.0}) == (4, {"cpu": 2.0})
    assert placement(Resources(workers=3), {"CPU": 8.0}) == (3, {"cpu": 1.0})
    assert placement(Resources(gpus_per_trial=0.25), {"CPU": 2.0, "GPU": 2.0}) == (8, {"cpu": 0.25, "gpu": 0.25})


DRIVER = """
import sys, time
from pathlib import Path
from ressearch.search.run import run
from ressearch.training.loop import EpochResult

def main():
    def function(assignment):
        for epoch in range(1, 5):
            time.sleep(0.15)
            accuracy = 0.1 * epoch + 0.05 * (assignment.number % 5)
            yield EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.15)
    outcome = run(Path(sys.argv[1]), trials=14, directory=Path(sys.argv[2]), function=function)
    print("interrupted" if outcome.was_interrupted else "done", outcome.num_finished)

main()
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_driver_loses_and_repeats_nothing(write_space: WriteSpace, tmp_path: Path, ending: int) -> None:
    path = write_space(scheduler="asha", ancestors="[resnet-8]")
    directory = tmp_path / "study"
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(path), str(directory)]
    said = tmp_path / "said.txt"
    with said.open("w") as file:  # a pipe would stay open as long as any process of a killed driver's Ray
        driver = subprocess.Popen(command, stdout=file, start_new_session=True)
    _wait_until(lambda: _num_finished(directory) >= 4)
    driver.send_signal(ending)
    driver.wait(timeout=60)
    output = said.read_text()
    before = read_study(directory).trials
    cut = [trial for trial in before if not trial.is_finished]
    if ending == signal.SIGINT:
        assert driver.returncode == 0
        assert output.startswith("interrupted")
        assert {(trial.state, trial.reason) for trial in cut} == {("failed", "interrupted")}
    with said.open("w") as file:
        subprocess.run(command, stdout=file, check=True)
    assert said.read_text() == "done 14\n"
    after = read_study(directory).trials
    for trial in before:
        if trial.is_finished:
            assert after[trial.number] == trial
    assert {trial.retry_of for trial in after if trial.retry_of is not None} == {trial.number for trial in cut}
    finished = [trial for trial in after if trial.is_finished]
    assert len(finished) == len({trial.candidate_id for trial in finished}) == 14


def _num_finished(directory: Path) -> int:
    try:
        return sum(trial.is_finished for trial in read_study(directory).trials)
    except ValueError:
        return 0  # not there yet


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
