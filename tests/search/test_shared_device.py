"""Trials that share a device: each is told of its share, and pays for what it asked for itself, not for the others."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ressearch.search.confirm import confirm_study
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.store.files import StudyError
from ressearch.store.study_record import StudyRecord
from ressearch.training.device_memory import allowance, blame
from ressearch.training.loop import TrainingError

Scripted = Callable[..., TrialFunction]
Search = Callable[..., StudyRecord]
WriteSpace = Callable[..., Path]
GIB = 2**30
TOTAL = 40 * GIB


@pytest.fixture(autouse=True)
def _a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainings of these tests only follow a script, so that nothing touches it."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


def halves(path: Path) -> Path:
    path.write_text(path.read_text() + "resources: {gpus_per_trial: 0.5}\n")
    return path


class Device:
    """Memory of 40 GiB, of which a neighbour holds a part."""

    def __init__(self) -> None:
        self.neighbours = 0

    def allocate(self, asked: int, share: float) -> None:
        """Fail as CUDA's allocator does, beyond the share or where the device is full."""
        allowed = allowance(TOTAL, share)
        if asked > min(allowed, TOTAL - self.neighbours):
            raise TrainingError(blame(reserved=0, requested=asked, allowed=allowed), "Tried to allocate")


def test_a_trial_pays_for_what_it_asked_for_itself(write_space: WriteSpace, scripted: Scripted, search: Search) -> None:
    """Trial 2 asks for more than its share; trial 4 for less, while a neighbour fills the device."""
    device = Device()

    def allocate(spec: TrialSpec) -> None:
        device.neighbours = 35 * GIB if spec.number == 4 else 0
        device.allocate(30 * GIB if spec.number == 2 else 15 * GIB, spec.device_share)

    study = search(halves(write_space()), scripted(lambda *_: 0.5, before=allocate), trials=8)
    ends = {trial.number: (trial.state, trial.reason) for trial in study.trials}
    assert ends[2] == ("failed", "out_of_memory")
    assert ends[4] == ("failed", "device_full")
    again = [trial for trial in study.trials if trial.retry_of is not None]
    assert [(trial.retry_of, trial.state) for trial in again] == [(4, "complete")]
    assert again[0].candidate_id == study.trials[4].candidate_id
    assert sum(trial.is_finished for trial in study.trials) == 8, "the trial that was full does not count"


def test_a_device_that_stays_full_ends_the_run(write_space: WriteSpace, scripted: Scripted, search: Search) -> None:
    device = Device()
    device.neighbours = 39 * GIB

    def allocate(spec: TrialSpec) -> None:
        device.allocate(15 * GIB, spec.device_share)

    with pytest.raises(StudyError, match=r"trials in a row broke down, the last one with 'device_full: "):
        search(halves(write_space()), scripted(lambda *_: 0.5, before=allocate), trials=8)


def test_confirmations_have_the_same_share(write_space: WriteSpace, scripted: Scripted, search: Search) -> None:
    shares: list[float] = []

    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        shares.append(spec.device_share)
        yield TrialResult(measures={"test_accuracy": 0.5}, seconds=1.0)

    study = search(halves(write_space()), scripted(lambda *_: 0.5), trials=1)
    confirm_study(study.directory, partial(run_in_process, do=do), top=1, num_seeds=2, epochs=None, subset=None)
    assert shares == [0.5, 0.5]
