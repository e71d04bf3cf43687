"""What a table says of networks that it does not hold."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from ressearch.arch import InfeasibleError
from ressearch.experiment import Experiment
from ressearch.replays.recorded_networks import Recording
from ressearch.replays.surrogate import Surrogate
from ressearch.space import Candidate, random_choose
from ressearch.store.table import Table, TableError

Truth = Callable[[Candidate], float]
MakeTable = Callable[..., Table]


@pytest.fixture(scope="module")
def surrogate(make_table: MakeTable) -> Surrogate:
    return Surrogate(Recording(make_table()))


def drawn(experiment: Experiment, count: int) -> list[Candidate]:
    rng, found = Random(99), list[Candidate]()
    while len(found) < count:
        try:
            found.append(experiment.candidate(experiment.space.draw(random_choose(rng))))
        except InfeasibleError:
            continue
    return found


def test_networks_left_out_are_predicted(surrogate: Surrogate, truth: Truth) -> None:
    assert surrogate.tau > 0.8
    candidates = drawn(surrogate.experiment, 60)
    errors = [surrogate.truth(candidate) - truth(candidate) for candidate in candidates]
    assert np.sqrt(np.mean(np.square(errors))) < 0.008
    assert abs(np.mean(errors)) < 0.003


def test_the_best_is_where_the_truth_is_highest(surrogate: Surrogate) -> None:
    assert surrogate.best == pytest.approx(0.5 + 4 * 0.03 + 0.02, abs=0.008)


def test_curves_have_their_shape_their_noise_and_their_pace(surrogate: Surrogate, truth: Truth) -> None:
    candidate = drawn(surrogate.experiment, 1)[0]
    curves = [surrogate.curve(candidate, seed) for seed in range(400)]
    assert [epoch.epoch for epoch in curves[0]] == [1, 2, 3, 4]
    values = np.array([[epoch.val_accuracy for epoch in curve] for curve in curves])
    expected = [truth(candidate) - 0.1 / epoch + 0.025 for epoch in range(1, 5)]
    assert values.mean(axis=0) == pytest.approx(expected, abs=0.008)
    assert values[:, -1].std() == pytest.approx(0.005, rel=0.4)
    assert np.corrcoef(values[:, 0], values[:, -1])[0, 1] > 0.99  # a seed is lucky from the first epoch to the last
    assert curves[0][0].seconds == pytest.approx(float(candidate.params["depth"]), rel=0.15)
    assert surrogate.curve(candidate, 7) == pytest.approx(surrogate.curve(candidate, 7))


def test_without_repeats_the_validation_images_are_the_noise(make_table: MakeTable) -> None:
    surrogate = Surrogate(Recording(make_table(num_repeated=0)))
    candidate = drawn(surrogate.experiment, 1)[0]
    values = [surrogate.curve(candidate, seed)[-1].val_accuracy for seed in range(400)]
    assert np.std(values) == pytest.approx(np.sqrt(0.6 * 0.4 / 500), rel=0.2)


def test_networks_that_failed_are_left_out(make_table: MakeTable) -> None:
    table = make_table()
    trials = [replace(trial, state="failed", curve=trial.curve[:1]) for trial in table.trials[:10]]
    assert Surrogate(Recording(replace(table, trials=(*trials, *table.trials[10:])))).tau > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: replace(table, trials=table.trials[:20], repeats=()), "holds 20 networks .* 30 are needed"),
        (lambda table: replace(table, origin={}), "does not say which space"),
    ],
)
def test_a_table_that_says_too_little_is_refused(
    change: Callable[[Table], Table], message: str, make_table: MakeTable
) -> None:
    with pytest.raises(TableError, match=message):
        Recording(change(make_table()))
