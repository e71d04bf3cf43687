"""The tables that come with the repository: whole, small, and fit for replays."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ressearch.replays.recorded_networks import Recording
from ressearch.replays.replaying import Setting
from ressearch.replays.surrogate import Surrogate
from ressearch.replays.tournament import MIN_TAU
from ressearch.search.leaders import Leaders
from ressearch.store.record import TrialRecord
from ressearch.store.table import read_table

TRIALS = Path(__file__).parents[2] / "trials"
NUM_EPOCHS = {"cifar10-16px": 4, "few-minutes": 2}
each_table = pytest.mark.parametrize("name", NUM_EPOCHS)


def file(name: str) -> Path:
    return TRIALS / f"{name}.parquet"


@each_table
def test_a_recorded_table_is_whole(name: str) -> None:
    table = read_table(file(name))
    assert len(table.trials) == 200
    assert len(table.repeats) == 48
    assert len({trial.candidate_id for trial in table.trials}) == 200
    assert all(trial.state == "complete" for trial in (*table.trials, *table.repeats))
    assert {trial.baseline for trial in table.trials} == {None, "resnet-20", "preresnet-20"}
    seeds = [(run.trial_of, run.seed) for run in table.repeats]
    assert len(set(seeds)) == 48
    assert {run.architecture_id for run in table.repeats} <= {trial.architecture_id for trial in table.trials}


@each_table
def test_a_recorded_table_is_small_and_does_not_tell_where_images_were(name: str) -> None:
    assert file(name).stat().st_size < 1_000_000
    assert 'root: "."' in read_table(file(name)).origin["space"]


@each_table
def test_recorded_networks_are_points_of_their_space(name: str) -> None:
    recording = Recording(read_table(file(name)))
    assert recording.curves.shape == (248, NUM_EPOCHS[name])
    assert np.all((recording.curves > 0.05) & (recording.curves < 0.6))
    limits = recording.experiment.space.limits
    assert all(limits.allow(candidate.cost) for candidate in recording.candidates.values())


@each_table
def test_other_networks_are_predicted_well_enough(name: str) -> None:
    assert Surrogate(Recording(read_table(file(name)))).tau >= MIN_TAU


def test_a_baseline_is_repeated_with_a_recipe_outside_of_the_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    def next_leader(_: Leaders, records: Iterable[TrialRecord], epochs_left: float | None) -> TrialRecord | None:
        return next((one for one in records if one.state == "complete" and one.baseline and not one.params), None)

    monkeypatch.setattr(Leaders, "next", next_leader)
    surrogate = Surrogate(Recording(read_table(file("few-minutes"))))
    recipe = replace(surrogate.experiment.recipe, lr=0.9)  # the stage also tries 1.8, and at most 1.0 is searched
    surrogate.experiment = replace(surrogate.experiment, recipe=recipe)
    setting = Setting.parse("random", "none", recipe_trials=8)
    assert setting.replay(surrogate, seconds=900, num_workers=2, seed=0).num_trials > 20
