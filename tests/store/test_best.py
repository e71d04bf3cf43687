"""What is best, what counts as finished, and what is left on the disk when a trial has ended."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ressearch.store.files import DATABASE, read_manifest, write_manifest
from ressearch.store.record import TrialRecord, best_of
from ressearch.store.study_record import ACCURACY
from ressearch.store.trial_store import TrialStore

MANIFEST = {
    "version": 1,
    "seed": 0,
    "shape": {"channels": 3, "resolution": 32, "num_classes": 10},
    "objectives": ["val_accuracy"],
}
Opened = Callable[..., TrialStore]
Running = Callable[..., TrialRecord]


@pytest.fixture
def ended(running: Running) -> Callable[..., TrialRecord]:
    """Return a trial that has ended after epochs of these accuracies."""

    def make(number: int, *accuracies: float, state: str = "complete", **fields: Any) -> TrialRecord:
        curve = tuple({"epoch": epoch, "val_accuracy": value} for epoch, value in enumerate(accuracies, start=1))
        measures = {"val_accuracy": accuracies[-1]}
        return running(number, state=state, curve=curve, **{"measures": measures, **fields})

    return make


def test_the_best_has_the_highest_accuracy_at_its_last_epoch(ended: Callable[..., TrialRecord]) -> None:
    fell, rose = ended(0, 0.9, 0.5), ended(1, 0.1, 0.6)
    assert (fell.val_accuracy, rose.val_accuracy) == (0.5, 0.6)
    assert best_of([fell, rose], ACCURACY) == best_of([rose, fell], ACCURACY) == rose


def test_of_equals_the_earlier_one_is_the_best(ended: Callable[..., TrialRecord]) -> None:
    trials = [ended(number, 0.5) for number in range(3)]
    assert best_of(trials, ACCURACY) == best_of(reversed(trials), ACCURACY) == trials[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"within_limits": False},
        {"state": "pruned"},
        {"state": "running"},
        {"state": "paused"},
        {"state": "failed", "reason": "non_finite"},
    ],
    ids=str,
)
def test_nothing_else_is_compared(fields: dict[str, Any], ended: Callable[..., TrialRecord]) -> None:
    other = ended(0, 0.99, **fields)
    assert best_of([other], ACCURACY) is None
    assert best_of([other, ended(1, 0.1)], ACCURACY) == ended(1, 0.1)


@pytest.mark.parametrize(
    ("state", "reason", "is_finished"),
    [
        ("complete", None, True),
        ("pruned", None, True),
        ("failed", "non_finite", True),
        ("failed", "out_of_memory", True),
        ("failed", "worker_lost", False),
        ("failed", "error", False),
        ("failed", "lost_driver", False),
        ("failed", "interrupted", False),
        ("running", None, False),
        ("paused", None, False),
    ],
)
def test_a_trial_counts_if_it_ended_for_a_reason_of_its_own(
    state: str, reason: str | None, is_finished: bool, ended: Callable[..., TrialRecord]
) -> None:
    assert ended(0, 0.5, state=state, reason=reason).is_finished is is_finished


@pytest.mark.parametrize("state", ["complete", "pruned", "failed"])
def test_a_trial_that_has_ended_keeps_no_checkpoint(
    state: str, opened: Opened, running: Running, ended: Callable[..., TrialRecord]
) -> None:
    store = opened()
    for number in (0, 1):
        store.begin(running(number))
        store.checkpoint_file(number).parent.mkdir(parents=True)
        store.checkpoint_file(number).write_bytes(b"all that is needed to go on")
    store.close(ended(0, 0.5, state=state, reason="non_finite" if state == "failed" else None))
    assert not store.checkpoint_file(0).exists()
    assert store.checkpoint_file(1).exists()  # another trial's


def test_a_reader_in_the_middle_of_reading_keeps_nobody_from_writing(opened: Opened, running: Running) -> None:
    store = opened()
    store.begin(running(0))
    reader = sqlite3.connect(store.directory / DATABASE, isolation_level=None)
    try:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (1,)
        store.begin(running(1))
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (1,)  # what it saw first
    finally:
        reader.close()
    assert [record.number for record in store.trials()] == [0, 1]


def test_whoever_reads_the_manifest_while_it_is_written_anew_reads_the_old_one(opened: Opened) -> None:
    """So that a process that is killed while it writes leaves a whole file."""
    directory = opened().directory
    write_manifest(directory, MANIFEST)
    path = next(directory.glob("*.json"))
    before = path.read_text()
    with path.open() as reader:
        write_manifest(directory, {**MANIFEST, "question": "Another?"})
        assert reader.read() == before
    assert read_manifest(directory)["question"] == "Another?"
    assert list(directory.glob("*.json")) == [path]
    assert not [each for each in directory.iterdir() if "partial" in each.name]


def test_the_state_comes_last_so_that_a_killed_driver_leaves_no_end_without_its_measures(
    opened: Opened, running: Running, ended: Callable[..., TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.storages import RDBStorage

    store = opened()
    store.begin(running(0))
    final = ended(0, 0.5, measures={"val_accuracy": 0.5}, seconds=3.0)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RDBStorage, "set_trial_user_attr", killed)
    with pytest.raises(KeyboardInterrupt):
        store.close(final)
    monkeypatch.undo()
    (left,) = opened().trials()
    assert left.state == "running"
    assert replace(left, started=None) == running(0)
