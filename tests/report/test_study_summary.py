"""Whether the search beats its baselines."""

from collections.abc import Callable

import pytest

from ressearch.ranking import Directions
from ressearch.report.study_summary import counts_text, refused_text, summarised
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord

ONE: Directions = {"val_accuracy": "maximize"}
BOTH: Directions = {**ONE, "num_params": "minimize"}


def test_only_finished_trials_are_counted(study: StudyRecord) -> None:
    now = summarised(study.trials, study.directions)
    assert counts_text(now.counts) == "4 complete, 2 pruned, 1 failed"


def test_the_best_found_is_compared_with_every_baseline(study: StudyRecord) -> None:
    now = summarised(study.trials, study.directions)
    assert now.found is not None
    assert now.found.number == 4
    differences = {trial.baseline: difference.value for trial in now.baselines if (difference := now.difference(trial))}
    assert differences == {"resnet-110": pytest.approx(-0.05), "resnet-8": pytest.approx(0.10)}
    assert list(differences) == ["resnet-110", "resnet-8"]


def test_a_baseline_may_be_the_best(record: Callable[..., TrialRecord]) -> None:
    now = summarised([record(0, [0.9], baseline="resnet-8"), record(1, [0.8])], ONE)
    assert now.best is not None
    assert now.found is not None
    assert (now.best.number, now.found.number) == (0, 1)


def test_a_baseline_with_several_recipes_counts_with_the_best(record: Callable[..., TrialRecord]) -> None:
    trials = [record(number, [accuracy], baseline="resnet-20") for number, accuracy in enumerate((0.4, 0.6, 0.5))]
    other = record(3, [0.7], baseline="resnet-32", state="failed")
    found = summarised([*trials, other, record(4, [0.55])], {"val_accuracy": "maximize"}).baselines
    assert [trial.number for trial in found] == [1]


def test_without_a_trial_of_the_search_there_is_no_difference(record: Callable[..., TrialRecord]) -> None:
    baseline = record(0, [0.9], baseline="resnet-8")
    now = summarised([baseline, record(1, [0.8], state="pruned")], ONE)
    assert now.found is None
    assert now.difference(baseline) is None


def test_refusals_are_told_by_rule() -> None:
    assert (
        refused_text({"duplicate": 2, "num_params": 1200}) == "1,202 refused untrained (num_params 1,200, duplicate 2)"
    )
    assert refused_text({}) == "0 refused untrained"


def test_the_front_and_its_extremes(record: Callable[..., TrialRecord]) -> None:
    sizes = {0: 900, 1: 100, 2: 400, 3: 950}
    trials = [
        record(number, [accuracy], num_params=sizes[number]) for number, accuracy in enumerate([0.9, 0.2, 0.6, 0.5])
    ]
    now = summarised(trials, BOTH)
    assert [trial.number for trial in now.front] == [0, 2, 1]
    assert {name: trial.number for name, trial in now.extremes.items()} == {"val_accuracy": 0, "num_params": 1}
    assert now.has_several
    assert not summarised(trials, ONE).has_several
    nothing = summarised([], BOTH)
    assert (nothing.best, nothing.front, nothing.extremes, nothing.has_several) == (None, (), {}, False)
