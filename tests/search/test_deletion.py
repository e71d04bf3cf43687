"""Somebody else deletes a trial, or the study, while a search runs: one message, and what is left is kept."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.experiment import load_experiment
from ressearch.search.contract import Progress, TrialResult, Work
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.store.files import StudyError, database_url
from ressearch.store.study_record import StudyRecord, open_study

MESSAGE = r"study.db: trial 3 cannot be written: somebody else has deleted or ended it, or has deleted another"


def by_sql(statement: str, *, cascade: bool) -> Callable[[Path], None]:
    def delete(directory: Path) -> None:
        with closing(sqlite3.connect(directory / "study.db", timeout=60)) as connection:
            connection.execute(f"PRAGMA foreign_keys={'ON' if cascade else 'OFF'}")
            if cascade:
                number = statement.rpartition("=")[2]
                found = connection.execute(f"SELECT trial_id FROM trials WHERE number ={number}").fetchone()[0]
                for table in ("params", "values", "user_attributes", "system_attributes", "intermediate_values"):
                    connection.execute(f"DELETE FROM trial_{table} WHERE trial_id = {found}")
            connection.execute(statement)
            connection.commit()

    return delete


def delete_study(directory: Path) -> None:
    optuna.delete_study(study_name="study", storage=database_url(directory))


def end_trial(directory: Path) -> None:
    study = optuna.load_study(study_name="study", storage=database_url(directory))
    study.tell(3, state=optuna.trial.TrialState.FAIL)


DELETIONS: dict[str, tuple[Callable[[Path], None], list[int] | None]] = {
    "the trial that runs": (by_sql("DELETE FROM trials WHERE number = 3", cascade=True), [0, 1, 2]),
    "its row alone": (by_sql("DELETE FROM trials WHERE number = 3", cascade=False), [0, 1, 2]),
    "the study": (delete_study, None),
    "the trial ended": (end_trial, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("name", DELETIONS)
@pytest.mark.parametrize("epoch", [1, 4])
def test_it_ends_in_one_message(
    name: str,
    epoch: int,
    write_space: Callable[..., Path],
    scripted: Callable[..., Any],
    search: Callable[..., StudyRecord],
) -> None:
    delete, left = DELETIONS[name]
    path = write_space()
    directory = path.parent / "study"

    def accuracy(spec: Any, now: int) -> float:
        if (spec.number, now) == (3, epoch):
            delete(directory)
        return 0.1 * now + 0.01 * spec.number

    with pytest.raises(StudyError, match=MESSAGE) as error:
        search(path, scripted(accuracy))
    assert str(error.value).isprintable()
    if left is None:
        with pytest.raises(StudyError, match="it holds no study"):
            open_study(directory)
    else:
        trials = open_study(directory).trials
        assert [trial.number for trial in trials] == left
        assert [trial.state for trial in trials[:3]] == ["complete"] * 3


def test_a_trial_that_has_ended_is_missed_before_its_number_is_given_away(
    write_space: Callable[..., Path], scripted: Callable[..., Any], search: Callable[..., StudyRecord]
) -> None:
    path = write_space()
    directory = path.parent / "study"

    def accuracy(spec: Any, now: int) -> float:
        if (spec.number, now) == (2, 1):
            by_sql("DELETE FROM trials WHERE number = 1", cascade=True)(directory)
        return 0.1 * now

    with pytest.raises(StudyError, match=MESSAGE):
        search(path, scripted(accuracy))
    assert [(trial.number, trial.state) for trial in open_study(directory).trials] == [(0, "complete"), (2, "complete")]
    with pytest.raises(StudyError, match="trial 1 is missing: somebody has deleted it"):
        search(path, scripted(lambda *_: 0.5))


def test_the_other_running_trials_are_closed(write_space: Callable[..., Path]) -> None:
    path = write_space()
    directory = path.parent / "study"

    def three_at_a_time(work: Work) -> None:
        """Open three trials, lose the first, and report of it."""
        work.num_workers = 3
        specs = [work.next_trial() for _ in range(3)]
        by_sql("DELETE FROM trials WHERE number = 0", cascade=True)(directory)
        assert specs[0]
        work.finish(specs[0].number, TrialResult(measures={"val_accuracy": 0.5}, reason="error", message="gone"))

    with pytest.raises(StudyError, match="trial 0 cannot be written"):
        run_session(load_experiment(path), directory, three_at_a_time, trials=5)
    assert [(trial.number, trial.reason) for trial in open_study(directory).trials] == [
        (1, "interrupted"),
        (2, "interrupted"),
    ]


def test_a_confirmation_ends_in_one_message(
    write_space: Callable[..., Path], scripted: Callable[..., Any], search: Callable[..., StudyRecord]
) -> None:
    from ressearch.search.confirm import confirm_study

    path = write_space()
    study = search(path, scripted(lambda spec, now: 0.1 * now + 0.01 * spec.number), trials=2)

    def do(spec: Any) -> Any:
        yield from ()
        with suppress(KeyError):
            optuna.delete_study(study_name="study confirmation", storage=database_url(study.directory))
        yield Progress(epoch=_epoch(), seconds=1.0)

    with pytest.raises(StudyError, match=r"study.db: trial 0 cannot be written: somebody else has deleted"):
        confirm_study(study.directory, partial(run_in_process, do=do), top=1, num_seeds=1, epochs=None, subset=None)
    assert len(open_study(study.directory).trials) == 2


def _epoch() -> Any:
    from ressearch.training.loop import EpochResult

    return EpochResult(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=0.0)
