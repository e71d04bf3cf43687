"""What Optuna itself reads of the copy of a study that its samplers learn from."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from optuna.samplers._tpe.sampler import _split_trials, default_gamma_multiobjective
from optuna.trial import FrozenTrial, TrialState

from ressearch.experiment import Experiment
from ressearch.experiment.objectives import OBJECTIVES
from ressearch.samplers import Nsga2, Task
from ressearch.space import Space, random_choose
from ressearch.store.record import TrialRecord

Made = Callable[..., Experiment]
Ended = Callable[..., TrialRecord]
OPTUNAS = pytest.mark.parametrize("row", ["tpe", "nsga2"])


def started(experiment: Experiment) -> Any:
    directions = tuple(OBJECTIVES[name].direction for name in experiment.objectives)
    return experiment.sampler.start(
        Task(
            space=experiment.space,
            candidate=experiment.candidate,
            objectives=experiment.objectives,
            directions=directions,
            seed=0,
        )
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


@pytest.mark.parametrize(("row", "count"), [("tpe", 10), ("nsga2", 0)])
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
        {"state": "failed", "reason": "given_up"},
        {"state": "failed", "reason": "lost_driver"},
    ]
    sampler.restore(
        [ended(number, drawn(experiment.space, number), 0.5, **more) for number, more in enumerate(fields)]
        + [ended(5, {}, 0.9, baseline="resnet-8")]  # no point of the space
    )
    trials = copied(sampler)
    assert [(trial.state.name, trial.value) for trial in trials] == [
        ("COMPLETE", 0.5),
        ("PRUNED", 0.5),
        ("PRUNED", None),
        ("PRUNED", None),
    ]
    assert [len(trial.intermediate_values) for trial in trials] == [4, 2, 0, 0]


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
        Task(
            space=space, candidate=experiment.candidate, objectives=("val_accuracy",), directions=("maximize",), seed=0
        )
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
    experiment = made("numeric")
    space = experiment.space
    sampler: Any = Nsga2(population_size=2).start(
        Task(
            space=space, candidate=experiment.candidate, objectives=("val_accuracy",), directions=("maximize",), seed=0
        )
    )
    states = ["complete", "pruned", "pruned", "complete", "complete"]
    sampler.restore([ended(number, drawn(space, number), 0.5, state=state) for number, state in enumerate(states)])
    generations = [
        [value for key, value in trial.system_attrs.items() if key.endswith("generation")] for trial in copied(sampler)
    ]
    assert generations == [[0], [], [], [0], [1]]


def copy_of_many(row: str, made: Made, ended: Ended, *, with_refused: int = 0) -> Any:
    """Return a sampler of two objectives that has seen 10 complete and 10 stopped trials, and refused candidates."""
    experiment = made("numeric", row, more="objectives: [val_accuracy, num_params]\n")
    sampler = started(experiment)
    states = ["complete", "pruned"] * 10
    sampler.restore(
        ended(number, drawn(experiment.space, number), 0.0 if number % 4 else number / 20, state=state)
        for number, state in enumerate(states)
    )
    for _ in range(with_refused):
        assert sampler.ask() is not None
        sampler.refuse(is_duplicate=False)
    return sampler


@pytest.mark.parametrize(("with_refused", "num_good"), [(0, 2), (10, 3), (100, 4)])
def test_with_several_objectives_tpe_holds_the_least_dominated_for_good(
    with_refused: int, num_good: int, made: Made, ended: Ended
) -> None:
    """However many candidates were refused. Of the complete ones every second is no more accurate than the smallest."""
    study = copy_of_many("tpe", made, ended, with_refused=with_refused)._study
    trials = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    good, bad = _split_trials(study, trials, default_gamma_multiobjective(len(trials)))
    assert len(good) == num_good
    assert {trial.number for trial in good} <= {0, 4, 8, 12, 16}
    assert {trial.state.name for trial in bad} == {"COMPLETE", "PRUNED"}


@pytest.mark.parametrize("row", ["tpe", "nsga2"])
def test_with_several_objectives_stopped_trials_stay_stopped(row: str, made: Made, ended: Ended) -> None:
    trials = copied(copy_of_many(row, made, ended))
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED"] * 10
    assert [trial.values for trial in trials[::4]] == [[number / 20, 1000.0 + number] for number in range(0, 20, 4)]
    sampler = copy_of_many(row, made, ended)
    sampler.begin(20, params := drawn(sampler._task.space, 20))
    sampler.tell(ended(20, params, 0.9, state="pruned"))
    assert copied(sampler)[-1].state.name == "PRUNED"
    assert copied(sampler)[-1].intermediate_values == {}


def test_random_draws_have_a_place_in_a_generation(made: Made, ended: Ended) -> None:
    """Where all that is proposed is known already, draws take over: they must count as parents, as after a resume."""
    experiment = made("numeric", more="objectives: [val_accuracy, num_params]\n")
    space, directions = experiment.space, ("maximize", "minimize")
    task = Task(
        space=space, candidate=experiment.candidate, objectives=experiment.objectives, directions=directions, seed=0
    )
    sampler: Any = Nsga2(population_size=2).start(task)
    for number in range(5):
        params = drawn(space, number)
        sampler.begin(number, params)
        sampler.tell(ended(number, params, 0.5))
    resumed: Any = Nsga2(population_size=2).start(task)
    resumed.restore(ended(number, drawn(space, number), 0.5) for number in range(5))
    for each in (sampler, resumed):
        generations = [
            [value for key, value in trial.system_attrs.items() if key.endswith("generation")] for trial in copied(each)
        ]
        assert generations == [[0], [0], [1], [1], [2]]
