"""The table that comes with the repository: whole, small, and fit for replays."""

from pathlib import Path

import numpy as np

from ressearch.replays.recorded_networks import Recording
from ressearch.store.table import read_table

TABLE = Path(__file__).parents[2] / "trials" / "cifar10-16px.parquet"


def test_the_recorded_table_is_whole() -> None:
    table = read_table(TABLE)
    assert len(table.trials) == 200
    assert len(table.repeats) == 48
    assert len({trial.candidate_id for trial in table.trials}) == 200
    assert all(trial.state == "complete" for trial in (*table.trials, *table.repeats))
    assert {trial.baseline for trial in table.trials} == {None, "resnet-20", "preresnet-20"}
    seeds = [(run.trial_of, run.seed) for run in table.repeats]
    assert len(set(seeds)) == 48
    assert {run.architecture_id for run in table.repeats} <= {trial.architecture_id for trial in table.trials}


def test_the_recorded_table_is_small_and_does_not_tell_where_images_were() -> None:
    assert TABLE.stat().st_size < 1_000_000
    assert 'root: "."' in read_table(TABLE).origin["space"]


def test_recorded_networks_are_points_of_their_space() -> None:
    recording = Recording(read_table(TABLE))
    assert recording.curves.shape == (248, 4)
    assert np.all((recording.curves > 0.05) & (recording.curves < 0.6))
    limits = recording.experiment.space.limits
    assert all(limits.allow(candidate.cost) for candidate in recording.candidates.values())
