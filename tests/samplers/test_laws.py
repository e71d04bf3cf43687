"""What holds for every sampler, stated from outside."""

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ressearch.experiment import Experiment
from ressearch.experiment.objectives import OBJECTIVES
from ressearch.samplers import SAMPLERS, Sampler, Task
from ressearch.search.candidates import CandidateSource
from ressearch.space import Candidate, Choice, Space, random_choose
from ressearch.store.record import TrialRecord

Made = Callable[..., Experiment]
Ended = Callable[..., TrialRecord]
FITTING = {
    "tpe": ("conditional", "numeric", "finite"),
    "random": ("conditional", "numeric", "finite"),
    "grid": ("finite",),
    "nsga2": ("conditional", "numeric", "finite"),
    "gp": ("conditional", "numeric", "finite"),
    "evolution": ("conditional", "numeric", "finite"),
}
every_pair = pytest.mark.parametrize(("row", "space"), [(row, space) for row in FITTING for space in FITTING[row]])
every_row = pytest.mark.parametrize(("row", "space"), [(row, FITTING[row][0]) for row in FITTING])
SEVERAL = "objectives: [val_accuracy, num_params]\n"


def started(experiment: Experiment) -> Sampler:
    directions = tuple(OBJECTIVES[name].direction for name in experiment.objectives)
    return experiment.sampler.start(
        Task(
            space=experiment.space,
            candidate=experiment.candidate,
            objectives=experiment.objectives,
            directions=directions,
            seed=experiment.seed,
        )
    )


def drawn(space: Space, seed: int) -> dict[str, Any]:
    return space.draw(random_choose(random.Random(seed)))


def asked(sampler: Sampler, space: Space, seed: int) -> Mapping[str, Any]:
    params = sampler.ask()
    return drawn(space, seed) if params is None else params


def assert_in(space: Space, params: Mapping[str, Any]) -> None:
    """Check that exactly the parameters whose conditions hold are given, each with a value of its domain."""
    expected = []
    for parameter in space.parameters:
        if all(any(params.get(name) in when.values for name in when.parameters) for when in parameter.when):
            expected.append(parameter.name)
            value, domain = params[parameter.name], parameter.domain
            if isinstance(domain, Choice) or domain.values is not None:
                assert value in (domain.values or ())
            else:
                assert domain.low <= value <= domain.high  # type: ignore[union-attr]
    assert list(params) == expected


def test_every_row_is_tested() -> None:
    assert FITTING.keys() == SAMPLERS.keys()


@every_pair
@pytest.mark.parametrize("more", ["", SEVERAL], ids=["one objective", "several"])
def test_every_proposal_is_a_point_of_the_space(row: str, space: str, more: str, made: Made, ended: Ended) -> None:
    experiment = made(space, row, more=more)
    assert experiment.misfits() == {}
    sampler = started(experiment)
    for number in range(25):
        params = asked(sampler, experiment.space, number)
        assert_in(experiment.space, params)
        sampler.begin(number, params)
        sampler.tell(ended(number, params, random.Random(number).random()))


def proposals(experiment: Experiment, ended: Ended, count: int, before: list[TrialRecord] | None = None) -> list[str]:
    """Return the ids of candidates that are proposed one after the other, with made-up results."""
    source = CandidateSource(experiment, experiment.seed)
    source.restore(before or [])
    found = []
    for number in range(len(before or []), len(before or []) + count):
        candidate = source.propose()
        assert candidate is not None
        found.append(candidate.id)
        source.begin(number, candidate)
        source.tell(ended(number, candidate.params, random.Random(number).random(), candidate_id=candidate.id))
    return found


@every_row
def test_the_seed_says_what_is_proposed(row: str, space: str, made: Made, ended: Ended) -> None:
    first, again, other = (proposals(made(space, row, seed=seed), ended, 13) for seed in (1, 1, 2))
    assert first == again
    assert (first == other) is (row == "grid")


@pytest.mark.parametrize("row", [name for name, row in SAMPLERS.items() if row.learns])
def test_what_is_learnt_is_proposed_by_the_seed(row: str, made: Made, ended: Ended) -> None:
    """Two samplers that know the same propose the same, if their seed is the same."""
    space = made(FITTING[row][0]).space
    known = [ended(number, drawn(space, number), random.Random(number).random()) for number in range(12)]

    def asked_for(seed: int) -> list[Mapping[str, Any]]:
        sampler = started(made(FITTING[row][0], row, seed=seed))
        sampler.restore(known)
        found = []
        for number in range(12, 16):
            params = sampler.ask()
            assert params is not None
            sampler.begin(number, params)
            found.append(params)
        return found

    first, again, other = (asked_for(seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


OPERATIONS = ("ask", "refuse", "repeat", "begin", "draw", "baseline", "complete", "pruned", "failed", "lost", "unknown")


@every_row
@pytest.mark.parametrize("more", ["", SEVERAL], ids=["one objective", "several"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_order_of_calls_is_taken(
    row: str, space: str, more: str, made: Made, ended: Ended, data: st.DataObject
) -> None:
    experiment = made(space, row, more=more)
    sampler = started(experiment)
    rng = random.Random(data.draw(st.integers(0, 100)))
    num_before = data.draw(st.sampled_from([0, 9, 11]))
    sampler.restore(ended(number, drawn(experiment.space, number), rng.random()) for number in range(num_before))
    number, proposed, running = num_before, None, {}
    for operation in data.draw(st.lists(st.sampled_from(OPERATIONS), max_size=25)):
        if operation == "ask":
            proposed = sampler.ask()
        elif operation in ("refuse", "repeat"):
            sampler.refuse(is_duplicate=operation == "repeat")
            proposed = None
        elif operation in ("begin", "draw", "baseline"):
            params = proposed if operation == "begin" and proposed else drawn(experiment.space, number)
            running[number] = {} if operation == "baseline" else params
            sampler.begin(number, running[number])
            number, proposed = number + 1, None
        elif operation == "unknown":
            sampler.tell(ended(10_000, drawn(experiment.space, 0)))
        elif running:
            told = rng.choice(sorted(running))
            state = "failed" if operation == "lost" else operation
            reason = {"lost": "worker_lost", "failed": "non_finite"}.get(operation)
            sampler.tell(ended(told, running.pop(told), rng.random(), state=state, reason=reason))
    assert_in(experiment.space, asked(sampler, experiment.space, number))


@every_row
def test_a_study_that_is_carried_on_repeats_no_candidate(row: str, space: str, made: Made, ended: Ended) -> None:
    experiment = made(space, row)
    source = CandidateSource(experiment, 0)
    before: list[TrialRecord] = []
    for number in range(16):
        found = source.propose()
        assert found is not None
        source.begin(number, found)
        state, reason = [("complete", None), ("pruned", None), ("failed", "non_finite"), ("failed", "interrupted")][
            number % 4
        ]
        fields: dict[str, Any] = {"state": state, "reason": reason, "candidate_id": found.id}
        before.append(ended(number, found.params, random.Random(number).random(), **fields))
        source.tell(before[-1])
    after = proposals(experiment, ended, 8, before)
    known = {record.candidate_id for record in before}
    assert len(known) == 16
    assert len({*known, *after}) == 16 + 8


@every_row
def test_trials_of_earlier_sessions_without_parameters_are_taken(
    row: str, space: str, made: Made, ended: Ended
) -> None:
    experiment = made(space, row)
    before = [ended(number, {}, 0.9, baseline="resnet-8") for number in range(12)]
    assert len(proposals(experiment, ended, 3, before)) == 3


def by_lr(candidate: Candidate) -> float:
    """Return an accuracy that is best at a learning rate of 0.1, and worse by 0.2 for every power of ten."""
    lr = candidate.recipe_values["lr"]
    assert isinstance(lr, float)
    return 0.9 - 0.2 * abs(math.log10(lr) + 1)


def mean_of_later(experiment: Experiment, seed: int, trained: Ended, count: int) -> float:
    source, values = CandidateSource(experiment, seed), []
    for number in range(count):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        values.append(by_lr(candidate))
        source.tell(trained(number, candidate, values[-1]))
    return sum(values[count // 2 :]) / (count - count // 2)


@pytest.mark.parametrize(
    ("row", "count", "num_seeds"),
    [("tpe", 50, 3), ("gp", 40, 3), ("nsga2", 120, 3), ("evolution", 100, 3)],
)
def test_those_that_learn_do_better_than_random_draws(
    row: str, count: int, num_seeds: int, made: Made, trained: Ended
) -> None:
    means = [mean_of_later(made("numeric", row), seed, trained, count) for seed in range(num_seeds)]
    assert sum(means) / num_seeds > 0.7 + 0.04  # random draws are one power of ten off on average


def later_of_two_sessions(experiment: Experiment, trained: Ended, count: int) -> float:
    """Return how accurate and small the later trials are, where those that many others beat are stopped early."""
    found: list[TrialRecord] = []
    for session in range(2):
        source = CandidateSource(experiment, experiment.seed + 10 * session)
        source.restore(found)
        for number in range(len(found), len(found) + count // 2):
            candidate = source.propose()
            assert candidate is not None
            source.begin(number, candidate)
            accuracy, size = by_lr(candidate), float(candidate.cost.num_params)
            point = (accuracy, -size)
            better = sum(all(a >= b for a, b in zip(told(one), point, strict=True)) for one in found)
            fields: dict[str, Any] = {"state": "pruned" if better > len(found) / 16 else "complete"}
            measures = {"val_accuracy": accuracy, "num_params": size}
            found.append(trained(number, candidate, accuracy, measures=measures, **fields))
            source.tell(found[-1])
    assert {one.state for one in found} == {"complete", "pruned"}
    later = [told(one) for one in found[count // 2 :]]
    return sum(accuracy + size / 20_000 for accuracy, size in later) / len(later)


def told(record: TrialRecord) -> tuple[float, float]:
    assert record.measures is not None
    return record.measures["val_accuracy"], -record.measures["num_params"]


@pytest.mark.parametrize(
    ("row", "count"), [("tpe", 80), ("nsga2, population_size: 8", 160), ("evolution", 120), ("gp", 60)]
)
def test_those_that_learn_do_so_with_several_objectives_stopped_trials_and_a_second_session(
    row: str, count: int, made: Made, trained: Ended
) -> None:
    means = [
        sum(later_of_two_sessions(made("numeric", name, seed=seed, more=SEVERAL), trained, count) for seed in range(3))
        / 3
        for name in (row, "random")
    ]
    assert means[0] > means[1] + 0.4


def test_every_row_that_learns_is_held_to_it() -> None:
    assert {name for name, row in SAMPLERS.items() if row.learns} == {"tpe", "gp", "nsga2", "evolution"}
