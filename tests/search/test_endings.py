"""How a run ends that is told to, or whose processes are killed: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from ressearch.search.contract import Progress, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.search.warden import descendants
from ressearch.store.study_record import open_study
from ressearch.training.loop import EpochResult

WriteSpace = Callable[..., Path]
MARK = "RESSEARCH_TEST_ENDING"

SCRIPT = """
import sys, time
from functools import partial
from pathlib import Path
from ressearch import ending
from ressearch.experiment import load_experiment
from ressearch.search.contract import Progress, TrialResult
from ressearch.search.ray_backend import run_on_ray
from ressearch.search.session import run_session
from ressearch.store.files import StudyError
from ressearch.training.loop import EpochResult

def main():
    home = Path(sys.argv[1])
    def do(spec):
        for epoch in (1, 2):
            last = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=0.1)
            if spec.number == 1 and epoch == 2:
                (home / "stuck").touch()
                time.sleep(600)
            yield Progress(epoch=last, seconds=0.1)
        (home / "trained").touch()
        while not (home / "told").exists():
            time.sleep(0.02)
        yield TrialResult(measures={"val_accuracy": 0.5}, seconds=0.6)
    try:
        backend = partial(run_on_ray, do=do)
        outcome = run_session(load_experiment(home / "space.yaml"), home / "study", backend, trials=8)
    except StudyError as error:
        sys.exit(f"refused: {error}")
    print("interrupted" if outcome.was_interrupted else "done")

main()
"""


@dataclass
class Run:
    """A process that searches on Ray: trial 0 has trained its last epoch, trial 1 is in an epoch without end."""

    home: Path
    mark: str
    process: "subprocess.Popen[bytes]"

    def child(self, name: str) -> int:
        for pid in descendants(self.process.pid):
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    return pid
        raise AssertionError(f"no {name}")

    @property
    def said(self) -> str:
        return (self.home / "said").read_text()

    def states(self) -> list[tuple[str, str | None]]:
        return [(trial.state, trial.reason) for trial in open_study(self.home / "study").trials]

    def leaves_nothing(self) -> None:
        """Wait for the kernel to take the last processes away, and for the folder to be removed."""
        _wait_until(lambda: not list(_marked(self.mark)), seconds=20)
        _wait_until(lambda: not list((self.home / "tmp").glob("*ray*")), seconds=20)


@pytest.fixture
def running(write_space: WriteSpace, tmp_path: Path) -> Iterator[Run]:
    path = write_space(epochs=2)
    path.write_text(path.read_text() + "resources: {workers: 2}\n")
    (tmp_path / "tmp").mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark, "TMPDIR": str(tmp_path / "tmp"), "RAY_TMPDIR": str(tmp_path / "tmp")}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, str(script), str(tmp_path)], stdout=said, stderr=subprocess.STDOUT, env=environment
        )
    try:
        _wait_until(lambda: (tmp_path / "trained").exists() and (tmp_path / "stuck").exists())
        yield Run(tmp_path, mark, process)
    finally:
        for pid in _marked(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _marked(mark: str) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                yield int(entry.name)


def _wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "signals", [[signal.SIGTERM], [signal.SIGHUP], [signal.SIGINT, signal.SIGINT]], ids=["SIGTERM", "SIGHUP", "twice"]
)
def test_a_signal_keeps_what_is_trained_and_ends_the_rest(running: Run, signals: list[signal.Signals]) -> None:
    for signum in signals:
        running.process.send_signal(signum)
        time.sleep(0.2)
    (running.home / "told").touch()
    code = running.process.wait(timeout=60)
    assert running.states() == [("complete", None), ("failed", "interrupted")]
    assert code == (0 if signals[0] == signal.SIGINT else -signals[0])  # a script gets its signal after all
    assert running.said == ("interrupted\n" if signals[0] == signal.SIGINT else "")
    running.leaves_nothing()


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_dead_process_of_ray_ends_the_run_in_one_line(running: Run, name: str) -> None:
    os.kill(running.child(name), signal.SIGKILL)
    assert running.process.wait(timeout=60) == 1
    assert running.said == (
        f"refused: Ray's {name} has ended, killed from outside or for want of memory; the same command carries on\n"
    )
    assert running.states() == [("failed", "interrupted")] * 2
    running.leaves_nothing()


def test_a_killed_run_leaves_no_process_and_no_folder(running: Run) -> None:
    assert len(list(_marked(running.mark))) > 5
    running.process.kill()
    running.process.wait()
    running.leaves_nothing()


def test_a_killed_driver_and_warden_leave_no_process(running: Run) -> None:
    tree = descendants(running.process.pid)
    for pid in tree:
        with suppress(OSError):
            if b"ray_driver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    assert running.process.wait(timeout=60) == 1
    assert running.said.startswith("refused: Ray's ")  # its driver, or a process that the kernel has ended with it
    assert running.said.count("\n") == 1
    _wait_until(lambda: not list(_marked(running.mark)), seconds=20)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_in_process_a_trial_that_has_trained_its_last_epoch_is_kept(write_space: WriteSpace, signum: int) -> None:
    """The signal comes after the last epoch of trial 0, and in a second session in mid-epoch of trial 1."""
    before = signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # what is sent again arrives as KeyboardInterrupt
    path = write_space(epochs=2)
    told: list[tuple[int, int]] = []

    def function(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        for epoch in (1, 2):
            if (spec.number, epoch) == (1, 2):
                signal.raise_signal(signum)
                raise AssertionError("it goes on")
            told.append((spec.number, epoch))
            last = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=0.1)
            yield Progress(epoch=last, seconds=0.1)
        signal.raise_signal(signum)
        yield TrialResult(measures={"val_accuracy": 0.5}, seconds=0.6)

    try:
        for _ in range(2):
            with suppress(KeyboardInterrupt):
                run_session_in_process(path, function)
    finally:
        signal.signal(signal.SIGTERM, before)
    trials = open_study(path.parent / "study").trials
    assert [(trial.state, trial.reason) for trial in trials] == [("complete", None), ("failed", "interrupted")]
    assert told == [(0, 1), (0, 2), (1, 1)]


def run_session_in_process(path: Path, do: Callable[[TrialSpec], Iterator[Progress | TrialResult]]) -> None:
    from functools import partial

    from ressearch.experiment import load_experiment

    run_session(load_experiment(path), path.parent / "study", partial(run_in_process, do=do), trials=4)


def test_the_end_of_rays_driver_alone_is_no_end_of_the_work() -> None:
    """Where Ray's servers live on, only the closed pipe tells."""
    from ressearch.search.ray_backend import Bridge, _serve

    ours, theirs = Pipe()
    theirs.close()
    work: Any = None  # nobody asks it for anything
    assert _serve(ours, Bridge(work), os.getpid()) == "driver"
