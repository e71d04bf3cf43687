"""Replays: the clock, what is reported when, and that settings are compared fairly."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from ressearch.replays.macro import Macro
from ressearch.replays.pool import Pool
from ressearch.replays.recorded_networks import Recording
from ressearch.replays.replaying import Replay, Setting
from ressearch.replays.surrogate import Surrogate
from ressearch.replays.tournament import held, open_oracle
from ressearch.samplers import SAMPLERS
from ressearch.schedulers import SCHEDULERS
from ressearch.space import random_choose
from ressearch.store.table import Table, TableError, write_table

MakeTable = Callable[..., Table]


def setting(sampler: str = "random", scheduler: str = "none", repeat_share: float | None = 0.0) -> Setting:
    return Setting(
        name=f"{sampler} {scheduler}",
        sampler=SAMPLERS[sampler](),
        scheduler=SCHEDULERS[scheduler](),
        repeat_share=repeat_share,
    )


@pytest.fixture(scope="module")
def macro(macro_file: Path) -> Macro:
    return Macro(macro_file)


def searched(
    oracle: Macro | Surrogate, one: Setting, *, seconds: float = 3600, workers: int = 2, seed: int = 0
) -> Replay:
    return one.replay(oracle, seconds=seconds, num_workers=workers, seed=seed)


def test_the_clock_counts_every_training(macro: Macro) -> None:
    found = searched(macro, setting())
    assert found.num_trials == pytest.approx(2 * 60, abs=1)  # 60 s each, two at a time
    assert searched(macro, setting(), workers=6).num_trials == pytest.approx(6 * 60, abs=3)
    assert all(step.seconds == pytest.approx(round(step.seconds / 60) * 60, abs=30) for step in found.steps)


def test_what_is_reported_is_compared_with_the_best_within_the_limits(macro: Macro) -> None:
    found = searched(macro, setting("evolution"))
    assert [step.seconds for step in found.steps] == sorted(step.seconds for step in found.steps)
    assert all(0 <= step.regret < 0.08 for step in found.steps)
    assert found.steps[-1].regret < found.steps[0].regret


def test_the_seed_says_it_all(macro: Macro) -> None:
    first, again, other = (searched(macro, setting(), workers=1, seed=seed).steps for seed in (1, 1, 2))
    assert [step.regret for step in first] == [step.regret for step in again]
    assert [step.regret for step in first] != [step.regret for step in other]


def test_settings_of_one_seed_begin_alike(macro: Macro) -> None:
    random, evolution = (
        searched(macro, setting(name), seconds=480, workers=1).steps for name in ("random", "evolution")
    )
    assert [step.regret for step in random] == [step.regret for step in evolution]  # the first draws are random


def test_stopping_trials_makes_room_for_more(make_table: MakeTable) -> None:
    surrogate = Surrogate(Recording(make_table()))
    whole, stopped = (searched(surrogate, setting(scheduler=name), seconds=600) for name in ("none", "asha"))
    assert stopped.num_trials > 1.1 * whole.num_trials


def test_a_scheduler_that_pauses_is_replayed(make_table: MakeTable) -> None:
    found = searched(Surrogate(Recording(make_table())), setting(scheduler="hyperband"), seconds=600)
    assert found.num_trials > 20
    assert found.steps


def test_a_tournament_pairs_its_searches(macro_file: Path) -> None:
    done: list[tuple[int, int]] = []
    found = held(
        macro_file,
        [setting("random"), setting("evolution")],
        hours=1,
        repeats=3,
        workers=1,
        seed=5,
        tell=lambda *numbers: done.append(numbers),
    )
    assert done == [(count, 6) for count in range(1, 7)]
    assert found.origin.startswith("All networks are recorded")
    for place, seed in enumerate((5, 6, 7)):
        alone = searched(Macro(macro_file), setting("random"), workers=1, seed=seed)
        assert [step.regret for step in found.replays[0][place].steps] == [step.regret for step in alone.steps]
    assert found.anytimes[0].regrets.shape == (3, 200)


def test_where_others_cannot_be_predicted_the_recorded_networks_are_searched(
    make_table: MakeTable, tmp_path: Path
) -> None:
    path = tmp_path / "chance.parquet"
    table = make_table(chance=True)
    write_table(table, path)
    oracle = open_oracle(path)
    assert isinstance(oracle, Pool)
    assert re.match(r"Only the 80 recorded networks are searched, .* \(Kendall's tau -?0\.\d\d for", oracle.origin)
    ids = {trial.candidate_id for trial in table.trials}
    rng = Random(0)
    for _ in range(50):
        candidate = oracle.experiment.candidate(oracle.experiment.space.draw(random_choose(rng)))
        assert candidate.id in ids
        assert oracle.truth(candidate) <= oracle.best
    recorded = oracle.experiment.candidate(table.trials[3].params)
    assert recorded.id == table.trials[3].candidate_id  # the nearest one to itself
    found = searched(oracle, setting("evolution"), seconds=600)
    assert found.num_trials > 20
    assert all(0 <= step.regret <= oracle.best for step in found.steps)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.parquet"
    with pytest.raises(TableError, match="no table"):
        open_oracle(path)
    path.write_bytes(b"PAR1")
    with pytest.raises(TableError, match="no table"):
        open_oracle(path)
