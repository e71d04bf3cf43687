"""What the Gaussian process is told, and what it chooses from."""

import math
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import numpy as np
import pytest

from ressearch.arch import Cost, architecture_id
from ressearch.experiment import Experiment
from ressearch.samplers.gp import MAX_WAITING, Gp, predicted_points
from ressearch.search.candidates import CandidateSource
from ressearch.space import random_choose
from ressearch.store.record import TrialRecord
from ressearch.training.recipe import Recipe

Made = Callable[..., Experiment]
Ended = Callable[..., TrialRecord]


def curved(ended: Ended, number: int, values: list[float], **fields: Any) -> TrialRecord:
    curve = tuple({"epoch": epoch, "val_accuracy": value} for epoch, value in enumerate(values, 1))
    measures = {"val_accuracy": values[-1], "seconds": 2.0 * len(values)}
    return ended(number, {}, curve=curve, measures=measures, seconds=2.0 * len(values), **fields)


def test_a_stopped_trial_gains_what_complete_ones_gained(ended: Ended) -> None:
    records = [
        curved(ended, 0, [0.2, 0.3, 0.5]),
        curved(ended, 1, [0.4, 0.4, 0.6]),
        curved(ended, 2, [0.1], state="pruned"),
        curved(ended, 3, [0.1, 0.35], state="pruned"),
    ]
    points = predicted_points(records, {"val_accuracy": "maximize", "seconds": "minimize"})
    assert points == [pytest.approx(point) for point in [(0.5, -6), (0.6, -6), (0.35, -6), (0.55, -6)]]


def test_without_complete_trials_stopped_ones_are_what_they_are(ended: Ended) -> None:
    assert predicted_points([curved(ended, 0, [0.1], state="pruned")], {"val_accuracy": "maximize"}) == [(0.1,)]


def session(
    made: Made,
    trained: Ended,
    score: Callable[[Any], float],
    count: int,
    space: str = "conditional",
    seconds: Callable[[Cost], float | None] = lambda _: None,
) -> Any:
    source = CandidateSource(made(space, "gp"), 0, seconds=seconds)
    found = []
    for number in range(count):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        found.append((candidate, score(candidate)))
        source.tell(trained(number, candidate, found[-1][1]))
    return source, found


def test_names_and_counted_costs_are_learnt_together(made: Made, trained: Ended) -> None:
    """A basic block is better, and so is each halving of the parameters, though the first trials are large."""

    def score(candidate: Any) -> float:
        return 0.1 * (candidate.params["transform"] == "basic") - 0.05 * math.log2(candidate.cost.num_params / 1e5)

    _, found = session(made, trained, score, 40)
    best = max(score(candidate) for candidate, _ in found)
    assert sum(value > best - 0.06 for _, value in found[:6]) < 2
    assert sum(value > best - 0.06 for _, value in found[20:]) > 14


def drawn(searched: Experiment) -> list[int]:
    """Sizes of random networks of a space."""
    choose = random_choose(Random(5))
    return [size(searched.candidate(searched.space.draw(choose))) for _ in range(100)]


def size(candidate: Any) -> int:
    return int(candidate.cost.num_params * candidate.cost.num_macs / candidate.cost.num_activations)


def test_the_first_trials_are_large(made: Made, trained: Ended) -> None:
    _, found = session(made, trained, lambda _: 0.5, 6, "numeric")
    sizes = sorted(drawn(made("numeric")))
    assert sum(size(candidate) >= sizes[80] for candidate, _ in found) >= 4


def test_with_several_objectives_the_first_trials_are_of_every_size(made: Made, trained: Ended) -> None:
    searched = made("numeric", "gp", more="objectives: [val_accuracy, num_params]\n")
    source = CandidateSource(searched, 0)
    sizes = sorted(drawn(searched))
    found = [candidate for _ in range(6) if (candidate := source.propose())]
    assert min(map(size, found)) < sizes[50]


def test_where_seconds_are_known_it_gains_as_much_in_fewer(made: Made, trained: Ended) -> None:
    """The network makes no difference, so that a small one tells as much of the rate as a large one."""

    def score(candidate: Any) -> float:
        return 0.9 - 0.2 * abs(math.log10(candidate.recipe_values["lr"]) + 1)

    macs, worst = [], []
    for seconds in (lambda _: None, lambda cost: cost.num_macs):
        _, found = session(made, trained, score, 30, "numeric", seconds)
        macs.append(sum(candidate.cost.num_macs for candidate, _ in found[6:]))
        worst.append(max(value for _, value in found))
    assert macs[1] < 0.85 * macs[0]
    assert min(worst) > 0.88


def decayed(made: Made, trained: Ended, score: Callable[[float], float], lr: str = "0.1") -> list[Recipe]:
    """Recipes of a search after its first ten trials; of the recipe's own, lr times weight decay is 5e-5."""
    space = f"""\
  depth: {{int: {{low: 1, high: 3}}}}
  width: [{{choice: [8, 12, 16]}}, {{choice: [16, 24, 32]}}]
recipe: {{epochs: 4, lr: {lr}, weight_decay: {{float: {{low: 0.00001, high: 0.1, log: true}}}}}}
"""
    chance = Random(3)

    def scored(candidate: Any) -> float:
        return 0.02 * candidate.params["depth"] + chance.gauss(0, 0.01) + score(candidate.params["weight_decay"])

    _, found = session(made, trained, scored, 40, space)
    return [made(space).recipe_of(candidate) for candidate, _ in found[10:]]


@pytest.mark.parametrize("lr", ["0.1", "{float: {low: 0.01, high: 1.0, log: true}}"], ids=["decay", "decay and lr"])
def test_where_trials_say_nothing_of_it_weight_decay_suits_the_rate(lr: str, made: Made, trained: Ended) -> None:
    found = decayed(made, trained, lambda _: 0.5, lr)
    assert sum(5e-5 / 3 < recipe.intrinsic_lr < 3 * 5e-5 for recipe in found) > 20


def test_weight_decay_goes_where_trials_are_better(made: Made, trained: Ended) -> None:
    found = decayed(made, trained, lambda decay: 0.5 + 0.05 * math.log10(decay))
    assert sum(recipe.weight_decay > 0.03 for recipe in found[10:]) > 14


def test_failures_and_numbers_off_the_scale_hide_nothing(made: Made, trained: Ended) -> None:
    """One training in sixteen diverges, one fails: the order of the others is found all the same."""

    def score(candidate: Any) -> float:
        return 0.9 - 0.2 * abs(math.log10(candidate.recipe_values["lr"]) + 1)

    source = CandidateSource(made("numeric", "gp"), 0)
    values = []
    for number in range(40):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        value = -40.0 if number % 16 == 3 else score(candidate)
        values.append(score(candidate))
        fields: dict[str, Any] = {"state": "failed", "reason": "non_finite"} if number % 16 == 11 else {}
        source.tell(trained(number, candidate, value, **fields))
    assert sum(values[20:]) / 20 > 0.76  # random draws: 0.7


@pytest.mark.parametrize("more", ["", "objectives: [val_accuracy, num_params]\n"], ids=["one objective", "several"])
def test_where_every_trial_fails_the_search_goes_on(more: str, made: Made, ended: Ended) -> None:
    source = CandidateSource(made("conditional", "gp", more=more), 0)
    seen = set()
    for number in range(20):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        source.tell(ended(number, candidate.params, state="failed", reason="non_finite", candidate_id=candidate.id))
        seen.add(candidate.id)
    assert len(seen) == 20


def test_running_trials_are_not_proposed_beside(made: Made, trained: Ended) -> None:
    source, _ = session(made, trained, lambda candidate: -abs(math.log10(candidate.recipe_values["lr"]) + 1), 30)
    running = []
    for number in range(30, 38):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        running.append(candidate)
    assert len({candidate.id for candidate in running}) == 8
    sampler = source._sampler
    assert len(sampler._running) == 8
    assert not {candidate.id for candidate in running} & sampler._waiting.keys()


def test_less_is_hoped_of_what_runs(made: Made, trained: Ended) -> None:
    source, _ = session(made, trained, lambda candidate: -abs(math.log10(candidate.recipe_values["lr"]) + 1), 20)
    candidate = source.propose()
    assert candidate is not None

    def hoped(sampler: Any) -> float:
        vectors = np.array([sampler._encoding.vector(candidate.params, candidate.cost)])
        return float(sampler._improvements(sampler._scores(), vectors)[0][0])

    beside = deepcopy(source._sampler)
    beside.begin(20, candidate.params)
    assert 0 < hoped(beside) < 0.9 * hoped(deepcopy(source._sampler))


def test_noise_does_not_keep_it_at_one_network(made: Made, trained: Ended) -> None:
    most = []
    for seed in range(6):
        noise = Random(seed)
        _, found = session(made, trained, lambda _: noise.gauss(0.5, 0.02), 60)  # noqa: B023 - called at once
        guided = Counter(architecture_id(candidate.architecture) for candidate, _ in found[20:])
        most.append(guided.most_common(1)[0][1])
    assert sum(most) < 6 * 10  # of 40 each; plain expected improvement: 6 * 13


def test_what_waits_is_bounded(made: Made, trained: Ended) -> None:
    source, _ = session(made, trained, lambda candidate: candidate.recipe_values["lr"], 60)
    assert 200 < len(source._sampler._waiting) <= MAX_WAITING


def test_a_space_that_is_used_up_ends(made: Made, ended: Ended) -> None:
    source = CandidateSource(
        made("  depth: {int: {low: 1, high: 3}}\n  width: [8, {choice: [16, 24, 32, 40]}]\n", "gp"), 0
    )
    seen = set()
    while candidate := source.propose():
        number = len(seen)
        seen.add(candidate.id)
        source.begin(number, candidate)
        source.tell(ended(number, candidate.params, Random(number).random(), candidate_id=candidate.id))
    assert len(seen) == 12


def test_a_search_that_goes_on_knows_what_was_found(made: Made, trained: Ended) -> None:
    experiment = made("numeric")
    before = []
    for number in range(30):
        candidate = experiment.candidate(experiment.space.draw(random_choose(Random(number))))
        accuracy = 0.9 - 0.2 * abs(math.log10(candidate.recipe_values["lr"]) + 1)
        before.append(trained(number, candidate, accuracy))
    source = CandidateSource(made("numeric", "gp", seed=3), 3)
    source.restore(before)
    proposed = []
    for number in range(30, 38):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        proposed.append(abs(math.log10(candidate.recipe_values["lr"]) + 1))
    assert sorted(proposed)[4] < 0.5


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match=rf"^0 <= random_share <= 1 must hold, got {share:g}$"):
        Gp(random_share=share)
