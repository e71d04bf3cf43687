"""What Optuna itself calls best is what our leaderboard calls best: within the limits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.store.files import database_url
from ressearch.store.reading import ReadingStorage, best_trials
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore

Finished = Callable[..., Path]


def by_optuna(directory: Path) -> optuna.Study:
    return optuna.load_study(study_name=None, storage=database_url(directory))


@pytest.mark.parametrize(
    ("accuracies", "within"),
    [
        ((0.9, 0.5, 0.7), (False, True, True)),
        ((0.5, 0.9, 0.95, 0.7), (True, False, False, True)),
        ((0.5, 0.7, 0.7), (True, True, True)),
        ((0.5, 0.7, 0.7, 0.9), (True, True, True, False)),
        ((0.0, 0.9), (True, False)),
    ],
)
def test_optunas_best_is_ours(
    accuracies: tuple[float, ...], within: tuple[bool, ...], tmp_path: Path, finished: Finished
) -> None:
    study = finished(tmp_path / "study", *accuracies, within_limits=within)
    ours = open_study(study).best.number
    assert by_optuna(study).best_trial.number == ours
    assert [trial.number for trial in best_trials(ReadingStorage(study / "study.db"), 1)] == [ours]
    assert within[ours]
    assert accuracies[ours] == max(value for value, is_in in zip(accuracies, within, strict=True) if is_in)


def test_nothing_is_best_while_nothing_is_within_the_limits(tmp_path: Path, finished: Finished) -> None:
    study = finished(tmp_path / "study", 0.9, within_limits=(False,))
    with pytest.raises(ValueError, match="No feasible trials are completed yet"):
        _ = by_optuna(study).best_trial
    assert best_trials(ReadingStorage(study / "study.db"), 1) == []


def test_a_front_holds_what_is_within_the_limits(
    opened: Callable[..., TrialStore], running: Callable[..., TrialRecord]
) -> None:
    store = opened(objectives={"val_accuracy": "maximize", "num_params": "minimize"})
    points = [(0.9, 10.0, False), (0.8, 20.0, True), (0.5, 15.0, True), (0.4, 30.0, True), (0.99, 5.0, False)]
    for number, (accuracy, size, within) in enumerate(points):
        record = store.begin(running(number, within_limits=within))
        record = replace(record, state="complete", curve=({"epoch": 1, "val_accuracy": accuracy},))
        store.close(replace(record, measures={"val_accuracy": accuracy, "num_params": size}))
    store.let_go()
    assert [trial.number for trial in by_optuna(store.directory).best_trials] == [1, 2]
    front = best_trials(ReadingStorage(store.directory / "study.db"), 1)
    assert [trial.number for trial in front] == [1, 2]


@pytest.mark.parametrize("within", [True, False])
def test_every_trial_says_it_from_its_first_moment(
    within: bool, opened: Callable[..., TrialStore], running: Callable[..., TrialRecord]
) -> None:
    store = opened()
    store.begin(running(0, within_limits=within))
    (trial,) = by_optuna(store.directory).trials
    assert trial.constraints == {"limits": 0.0 if within else 1.0}


def test_a_study_that_was_begun_without_constraints_goes_on_with_them(
    tmp_path: Path, finished: Finished, running: Callable[..., TrialRecord]
) -> None:
    study = finished(tmp_path / "study", 0.9, within_limits=(False,))
    forget_constraints(study)
    assert by_optuna(study).trials[0].constraints == {}
    store = TrialStore(study)
    store.open({"val_accuracy": "maximize"}, {}, {})
    record: Any = store.begin(running(1, params={}))
    record = replace(record, state="complete", curve=({"epoch": 1, "val_accuracy": 0.5},))
    store.close(replace(record, measures={"val_accuracy": 0.5}))
    store.let_go()
    assert open_study(study).best.number == 1
    assert by_optuna(study).trials[1].constraints == {"limits": 0.0}
    assert [trial.number for trial in best_trials(ReadingStorage(study / "study.db"), 1)] == [1]


def forget_constraints(study: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(study / "study.db")
    connection.execute("DELETE FROM trial_system_attributes")
    connection.commit()
    connection.close()
