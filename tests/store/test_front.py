"""Ranks, the front and the best of a study with one objective and with several."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.ranking import Directions
from ressearch.store.files import DATABASE, StudyError, write_manifest
from ressearch.store.record import TrialRecord, best_of, front_of, ranked
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.store.trial_store import TrialStore

Running = Callable[..., TrialRecord]
ONE: Directions = {"val_accuracy": "maximize"}
BOTH: Directions = {"val_accuracy": "maximize", "num_params": "minimize"}
THREE: Directions = {**BOTH, "seconds": "minimize"}


@pytest.fixture
def trials(running: Running) -> Callable[..., list[TrialRecord]]:
    """Return complete trials that came to these values of accuracy, size and time."""

    def make(*points: tuple[float, ...], **fields: Any) -> list[TrialRecord]:
        return [
            replace(running(number), state="complete", measures=dict(zip(THREE, point, strict=False)), **fields)
            for number, point in enumerate(points)
        ]

    return make


def numbers(trials: list[TrialRecord]) -> list[int]:
    return [trial.number for trial in trials]


def test_fronts_come_one_after_the_other_and_the_most_accurate_of_a_front_first(trials: Callable[..., Any]) -> None:
    given = trials((0.5, 10), (0.9, 90), (0.9, 95), (0.4, 20), (0.7, 30), (0.6, 40))
    assert [(front, trial.number) for front, trial in ranked(given, BOTH)] == [
        (1, 1),
        (1, 4),
        (1, 0),
        (2, 2),
        (2, 5),
        (2, 3),
    ]
    assert numbers(front_of(given, BOTH)) == [1, 4, 0]
    assert best_of(given, BOTH) == given[1]


def test_with_one_objective_it_is_the_accuracy_and_of_equals_the_earlier_one(trials: Callable[..., Any]) -> None:
    given = trials((0.5, 1), (0.9, 90), (0.7, 2), (0.9, 3))
    assert [(front, trial.number) for front, trial in ranked(given, ONE)] == [(1, 1), (1, 3), (2, 2), (3, 0)]
    assert numbers(front_of(given, ONE)) == [1, 3]
    assert best_of(given, ONE) == given[1]


def test_of_equal_accuracies_the_best_is_one_of_the_front(trials: Callable[..., Any]) -> None:
    given = trials((0.9, 50, 1.0), (0.9, 40, 3.0), (0.9, 40, 2.0), (0.9, 60, 0.5), (0.9, 40, 2.0))
    assert numbers(front_of(given, THREE)) == [2, 4, 0, 3]  # the next objective decides, then the earlier one
    assert best_of(given, THREE) == given[2]


def test_only_complete_trials_within_the_limits_have_a_place(trials: Callable[..., Any]) -> None:
    good, bad = (0.9, 1.0), (0.1, 100.0)
    given = trials(good, good, good, good, bad)
    given[0] = replace(given[0], within_limits=False)
    given[1:4] = [
        replace(given[1], state="pruned"),
        replace(given[2], state="running"),
        replace(given[3], state="failed"),
    ]
    assert ranked(given, BOTH) == [(1, given[4])]


def test_what_was_not_measured_is_worst(trials: Callable[..., Any]) -> None:
    given = trials((0.9,), (0.9, 90.0), (0.5, 10.0))
    assert numbers(front_of(given, BOTH)) == [1, 2]
    assert best_of([], BOTH) is None
    assert front_of([], BOTH) == []


def test_a_study_knows_its_objectives_from_its_database(
    opened: Callable[..., TrialStore], trials: Callable[..., Any]
) -> None:
    store = opened(objectives=BOTH)
    for trial in trials((0.9, 90.0), (0.5, 10.0), (0.4, 95.0)):
        store.begin(replace(trial, state="running", measures=None))
        store.close(trial)
    shape = {"channels": 3, "resolution": 32, "num_classes": 10}
    write_manifest(store.directory, {"version": 1, "seed": 0, "shape": shape, "objectives": list(BOTH)})
    study = open_study(store.directory)
    assert study.directions == BOTH
    assert study.objectives == ("val_accuracy", "num_params")
    assert [trial.number for trial in study.front] == [0, 1]
    assert study.best.number == 0


def test_without_a_ranked_trial_there_is_neither_front_nor_best(tmp_path: Path) -> None:
    study = StudyRecord(directory=tmp_path, trials=(), manifest={}, directions=BOTH)
    for read in (lambda: study.front, lambda: study.best):
        with pytest.raises(StudyError, match="no trial has finished within the limits yet, so there is no best one"):
            read()


def test_objectives_without_names_are_of_another_program(tmp_path: Path) -> None:
    directory = tmp_path / "study"
    directory.mkdir()
    optuna.create_study(storage=f"sqlite:///{directory / DATABASE}", directions=["maximize", "minimize"])
    write_manifest(directory, {"version": 1})
    with pytest.raises(StudyError, match="it was not written by ressearch"):
        open_study(directory)
