"""What Optuna itself reads of the copy of a study that its samplers learn from."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from optuna.trial import FrozenTrial

from ressearch.experiment import Experiment
from ressearch.experiment.objectives import OBJECTIVES
from ressearch.samplers import Nsga2, Task
from ressearch.space import Space, random_choose
from ressearch.store.record import TrialRecord

Made = Callable[..., Experiment]
Ended = Callable[..., TrialRecord]
OPTUNAS = pytest.mark.parametrize("row", ["tpe", "nsga2", "gp"])


def started(experiment: Experiment) -> Any:
    directions = tuple(OBJECTIVES[name].direction for name in experiment.objectives)
    return experiment.sampler.start(
        Task(space=experiment.space, objectives=experiment.objectives, directions=directions, seed=0)
    )


def drawn(space: Space, seed: int) -> dict[str, Any]:
    return space.draw(random_choose(random.Random(seed)))


def copied(sampler: Any) -> list[FrozenTrial]:
    return sampler._study.trials  # type: ignore[no-any-return]


@OPTUNAS
def test_refused_candidates_violate_a_constraint_and_duplicates_fail(row: str, made: Made, ended: Ended) -> None:
    experiment = made("numeric", row)
    sampler = started(experiment)
    sampler.restore(ended(number, drawn(experiment.space, number), number / 10) for number in range(10))
    for is_duplicate in (False, True):
        assert sampler.ask() is not None
        sampler.refuse(is_duplicate=is_duplicate)
    infeasible, duplicate = copied(sampler)[10:]
    assert infeasible.state.name == "PRUNED"
    assert [value > 0 for value in infeasible.constraints.values()] == [True]
    assert infeasible.values is None
    assert duplicate.state.name == "FAIL"
    assert duplicate.constraints == {}


@OPTUNAS
def test_every_end_reaches_the_copy_as_it_was(row: str, made: Made, ended: Ended) -> None:
    experiment = made("numeric", row)
    sampler = started(experiment)
    ends: list[dict[str, Any]] = [
        {"state": "complete"},
        {"state": "pruned"},
        {"state": "failed", "reason": "non_finite"},
        {"state": "failed", "reason": "worker_lost"},
    ]
    for number in range(4):
        sampler.begin(number, drawn(experiment.space, number))
    assert [trial.state.name for trial in copied(sampler)] == ["RUNNING"] * 4  # so that neighbours are not proposed
    for number, fields in enumerate(ends):
        sampler.tell(ended(number, drawn(experiment.space, number), 0.25, **fields))
    trials = copied(sampler)
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "PRUNED", "FAIL"]
    assert [trial.value for trial in trials] == [0.25, 0.25, None, None]
    assert [sorted(trial.intermediate_values) for trial in trials] == [[1, 2, 3, 4], [1, 2], [], []]
    assert [trial.params for trial in trials] == [drawn(experiment.space, number) for number in range(4)]


@pytest.mark.parametrize(("row", "count"), [("tpe", 10), ("gp", 10), ("nsga2", 0)])
@pytest.mark.parametrize("is_carried_on", [False, True])
def test_proposals_begin_when_there_is_enough_to_learn_from(
    row: str, count: int, is_carried_on: bool, made: Made, ended: Ended
) -> None:
    """Optuna's own number, whether the trials are of this session or of an earlier one; failures of their own count."""
    experiment = made("numeric", row)
    sampler = started(experiment)
    trials = [
        ended(number, drawn(experiment.space, number), 0.1 * number, state="pruned" if number % 3 else "complete")
        for number in range(count)
    ]
    if is_carried_on:
        sampler.restore(trials[:-1])
    for trial in trials[-1:] if is_carried_on else trials:
        assert sampler.ask() is None
        sampler.begin(trial.number, trial.params)
        sampler.tell(trial)
    assert sampler.ask() is not None


@OPTUNAS
def test_earlier_sessions_are_in_the_copy(row: str, made: Made, ended: Ended) -> None:
    experiment = made("numeric", row)
    sampler = started(experiment)
    fields: list[dict[str, Any]] = [
        {},
        {"state": "pruned"},
        {"state": "failed", "reason": "non_finite"},
        {"state": "failed", "reason": "lost_driver"},
    ]
    sampler.restore(
        [ended(number, drawn(experiment.space, number), 0.5, **more) for number, more in enumerate(fields)]
        + [ended(4, {}, 0.9, baseline="resnet-8")]  # no point of the space
    )
    assert [(trial.state.name, trial.value) for trial in copied(sampler)] == [("COMPLETE", 0.5), ("PRUNED", 0.5)]


def test_several_objectives_reach_the_copy_with_their_directions(made: Made, ended: Ended) -> None:
    experiment = made("numeric", "nsga2", more="objectives: [val_accuracy, num_params]\n")
    sampler = started(experiment)
    params = drawn(experiment.space, 0)
    sampler.begin(0, params)
    sampler.tell(ended(0, params, 0.5))
    (trial,) = copied(sampler)
    assert trial.values == [0.5, 1000.0]
    assert [direction.name for direction in sampler._study.directions] == ["MAXIMIZE", "MINIMIZE"]


def test_generations_go_on_where_the_last_session_ended(made: Made, ended: Ended) -> None:
    """Four of the first generation are bad, the four of the second one good: children come from the good ones."""
    experiment = made("numeric")
    space = experiment.space
    bad: dict[str, Any] = {"depth": 1, "width_1": 8, "lr": 0.002}
    good: dict[str, Any] = {"depth": 3, "width_1": 32, "lr": 0.1}
    sampler: Any = Nsga2(population_size=4).start(
        Task(space=space, objectives=("val_accuracy",), directions=("maximize",), seed=0)
    )
    sampler.restore([ended(number, good if number >= 4 else bad, 0.1 + 0.1 * number) for number in range(8)])
    inherited = 0
    for number in range(8, 20):
        params = sampler.ask()
        sampler.begin(number, params)
        inherited += sum(params[name] == value for name, value in good.items())
        assert params["lr"] != bad["lr"]
    # One parameter of three mutates on average; random draws would meet 1 / 3 + 1 / 7 of three.
    assert inherited >= 18
    generations = [
        value
        for trial in copied(sampler)
        for key, value in sorted(trial.system_attrs.items())
        if key.endswith("generation")
    ]
    assert generations == [0] * 4 + [1] * 4 + [2] * 12


def test_stopped_trials_take_no_place_in_a_generation(made: Made, ended: Ended) -> None:
    space = made("numeric").space
    sampler: Any = Nsga2(population_size=2).start(
        Task(space=space, objectives=("val_accuracy",), directions=("maximize",), seed=0)
    )
    states = ["complete", "pruned", "pruned", "complete", "complete"]
    sampler.restore([ended(number, drawn(space, number), 0.5, state=state) for number, state in enumerate(states)])
    generations = [
        [value for key, value in trial.system_attrs.items() if key.endswith("generation")] for trial in copied(sampler)
    ]
    assert generations == [[0], [], [], [0], [1]]
