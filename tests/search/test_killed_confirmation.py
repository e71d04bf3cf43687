"""A confirmation that is killed, with real trainings: the same call goes on, and comes to the bit-equal end."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ressearch.search.confirm import confirm_study
from ressearch.search.contract import Backend, Progress, TrialFunction, TrialResult, TrialSpec, failed
from ressearch.search.local_backend import run_in_process
from ressearch.search.trainer import train_once
from ressearch.store.files import StudyError
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord, open_study

EPOCHS = 4

DRIVER = f"""
import os, signal, sys
from functools import partial
from pathlib import Path
from ressearch.search.confirm import confirm_study
from ressearch.search.contract import Progress
from ressearch.search.local_backend import run_in_process
from ressearch.search.trainer import train_once

number, last = map(int, sys.argv[2:])

def do(spec):
    for event in train_once(spec):
        if spec.number == number and isinstance(event, Progress) and event.epoch.epoch > last:
            os.kill(os.getpid(), signal.SIGKILL)
        yield event

backend = partial(run_in_process, do=do)
confirm_study(Path(sys.argv[1]), backend, top=1, num_seeds=1, epochs={EPOCHS}, subset=200)
"""


@pytest.fixture
def study(write_space: Callable[..., Path], scripted: Callable[..., Any], search: Callable[..., Any]) -> StudyRecord:
    path = write_space(baselines="[resnet-8]")
    found: StudyRecord = search(path, scripted(lambda spec, epoch: 0.1 * epoch + 0.01 * spec.number), trials=2)
    return found


def confirm(directory: Path, do: TrialFunction = train_once) -> tuple[TrialRecord, ...]:
    backend: Backend = partial(run_in_process, do=do)
    confirm_study(directory, backend, top=1, num_seeds=1, epochs=EPOCHS, subset=200)
    return open_study(directory).confirmations


def results(records: tuple[TrialRecord, ...]) -> list[Any]:
    """All that trainings come to but for times and, where they began anew, numbers."""
    return [
        (record.group, record.seed, (record.measures or {})["test_accuracy"], timeless(record))
        for record in records
        if record.state == "complete"
    ]


def timeless(record: TrialRecord) -> list[dict[str, float]]:
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in record.curve]


def copied(study: StudyRecord, name: str) -> Path:
    """Return a copy of a study."""
    return Path(shutil.copytree(study.directory, study.directory.parent / name / study.directory.name))


def watched(seen: list[tuple[int, int]]) -> TrialFunction:
    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        for event in train_once(spec):
            if isinstance(event, Progress):
                seen.append((spec.number, event.epoch.epoch))
            yield event

    return do


def test_after_kill_minus_nine_the_same_call_goes_on_to_the_bit_equal_end(study: StudyRecord) -> None:
    """Killed after the second epoch has left its checkpoint, and before the driver has heard of it."""
    undisturbed = results(confirm(copied(study, "undisturbed")))
    assert len(undisturbed) == 2
    killed = subprocess.run([sys.executable, "-c", DRIVER, study.directory, "1", "1"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (study.directory / "confirmation" / "000001" / "checkpoint.pt").is_file()
    before = open_study(study.directory).confirmations
    assert [(record.state, record.epochs) for record in before] == [("complete", 4), ("running", 1)]
    seen: list[tuple[int, int]] = []
    after = confirm(study.directory, watched(seen))
    assert seen == [(1, 3), (1, 4)]  # under its own number, from the epoch after the checkpoint
    assert results(after) == undisturbed
    assert after[0] == before[0]
    assert not (study.directory / "confirmation").exists()
    assert list((study.directory / "trials").rglob("checkpoint.pt")) == []


def test_killed_in_the_first_epoch_a_training_begins_anew_with_its_seed(study: StudyRecord) -> None:
    undisturbed = results(confirm(copied(study, "undisturbed")))
    killed = subprocess.run([sys.executable, "-c", DRIVER, study.directory, "0", "0"], check=False)
    assert killed.returncode == -signal.SIGKILL
    checkpoint = study.directory / "confirmation" / "000000" / "checkpoint.pt"
    checkpoint.unlink()  # as if it had been killed a moment earlier
    after = confirm(study.directory)
    assert [record.reason for record in after] == ["lost_driver", None, None]
    assert results(after) == undisturbed


def test_an_interrupted_training_waits_and_goes_on(study: StudyRecord) -> None:
    undisturbed = results(confirm(copied(study, "undisturbed")))

    def interrupted(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        for event in train_once(spec):
            yield event
            if isinstance(event, Progress) and event.epoch.epoch == 2:
                raise KeyboardInterrupt

    (waiting,) = confirm(study.directory, interrupted)
    assert (waiting.state, waiting.epochs) == ("paused", 2)
    seen: list[tuple[int, int]] = []
    after = confirm(study.directory, watched(seen))
    assert seen[:2] == [(0, 3), (0, 4)]
    assert results(after) == undisturbed
    assert after[0].seconds > waiting.seconds


def test_a_worker_that_is_lost_costs_no_epoch_and_a_damaged_checkpoint_costs_the_training_only(
    study: StudyRecord,
) -> None:
    undisturbed = results(confirm(copied(study, "undisturbed")))

    def lost(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        for event in train_once(spec):
            yield event
            if isinstance(event, Progress) and event.epoch.epoch == 2:
                yield failed("worker_lost", "the worker process ended")

    with pytest.raises(StudyError, match="a training broke down"):
        confirm(study.directory, lost)
    checkpoint = study.directory / "confirmation" / "000000" / "checkpoint.pt"
    assert checkpoint.is_file()
    checkpoint.write_bytes(b"damaged")
    with pytest.raises(StudyError, match=r"checkpoint.pt: the checkpoint is damaged"):
        confirm(study.directory)
    assert not checkpoint.exists()
    assert results(confirm(study.directory)) == undisturbed


def test_a_training_that_waits_is_left_alone_by_a_call_for_others(study: StudyRecord) -> None:
    def interrupted(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        yield next(iter(train_once(spec)))
        raise KeyboardInterrupt

    (waiting,) = confirm(study.directory, interrupted)
    backend = partial(run_in_process, do=train_once)
    confirm_study(study.directory, backend, top=1, num_seeds=1, epochs=1, subset=200)
    now = open_study(study.directory).confirmations
    assert replace(now[0], started=waiting.started) == waiting
    assert [record.state for record in now] == ["paused", "complete", "complete"]
    assert [record.number for record in confirm(study.directory) if record.epochs == EPOCHS] == [0, 3]


def test_trainings_have_the_threads_that_the_study_says(study: StudyRecord) -> None:
    """Threads change sums of floats: their number must not be the machine's."""
    threads: set[int | None] = set()

    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        threads.add(spec.num_threads)
        yield failed("non_finite", "nan")

    confirm(study.directory, do)
    assert threads == {1}
