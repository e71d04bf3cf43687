"""The stage that tunes the recipe: what it trains, where the search then looks, and that it carries on."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from ressearch.arch import architecture_id, named
from ressearch.search.contract import TrialSpec
from ressearch.store.record import TrialRecord

TEXT = """
architecture: {{stages: 3, stem_width: 16, depth: {{int: {{low: 1, high: 3}}}}, width: [16, 32, {{choice: [48, 64]}}]}}
recipe: {{epochs: 1, lr: 0.1, {recipe}}}
sampler: {{name: {sampler}}}
scheduler: {{name: none}}
baselines: [{baselines}]
recipe_tuning: {{trials: {trials}}}
budget: {{repeat_share: 0}}
"""
LR = "lr: {float: {low: 0.05, high: 0.4, log: true}}"
WEIGHT_DECAY = "weight_decay: {float: {low: 1.0e-4, high: 1.0e-3, log: true}}"
Search = Callable[..., list[TrialRecord]]


def text(
    recipe: str = LR, *, sampler: str = "random", baselines: str = "resnet-8, resnet-14, resnet-20", trials: int = 12
) -> str:
    return TEXT.format(recipe=recipe, sampler=sampler, baselines=baselines, trials=trials).replace("lr: 0.1, lr", "lr")


def best_at(lr: float) -> Callable[[TrialSpec, int], float]:
    return lambda spec, _: 0.8 - 0.02 * math.log2(spec.recipe.lr / lr) ** 2


def learning_rates(trials: list[TrialRecord], name: str) -> list[float]:
    return sorted(trial.recipe["lr"] for trial in trials if trial.baseline == name)


def test_two_baselines_tune_the_recipe_and_all_else_keeps_near_it(search_scripted: Search) -> None:
    trials = search_scripted(text(), best_at(0.25), trials=30)
    ladder = pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert learning_rates(trials, "resnet-8") == learning_rates(trials, "resnet-14") == ladder
    assert learning_rates(trials, "resnet-20") == [pytest.approx(0.25)]
    assert [trial.baseline for trial in trials[:9]].count(None) == 0
    found = [trial.recipe["lr"] for trial in trials if not trial.baseline]
    assert len(found) == 30 - 9
    assert 0.125 <= min(found) < 0.17 < 0.38 < max(found) <= 0.5
    for name in ("resnet-8", "resnet-14"):
        assert {trial.architecture_id for trial in trials if trial.baseline == name} == {architecture_id(named(name))}


@pytest.mark.parametrize("sampler", ["tpe", "evolution", "gp"])
def test_an_optimum_outside_of_the_range_is_followed(sampler: str, search_scripted: Search) -> None:
    trials = search_scripted(text(sampler=sampler), best_at(1.1), trials=30)
    found = [trial.recipe["lr"] for trial in trials if not trial.baseline]
    assert len(found) == 30 - 12 - 1 + 1 or len(found) > 10
    assert 0.55 <= min(found) < max(found) <= 2.2


def test_several_fields_are_tuned_one_after_the_other(search_scripted: Search) -> None:
    def accuracy(spec: TrialSpec, _: int) -> float:
        decay = math.log2(spec.recipe.weight_decay / 2e-3)
        return 0.8 - 0.02 * math.log2(spec.recipe.lr / 0.2) ** 2 - 0.005 * decay**2

    trials = search_scripted(text(f"{LR}, {WEIGHT_DECAY}", trials=20), accuracy, trials=40)
    third = next(trial for trial in trials if trial.baseline == "resnet-20")
    assert third.recipe["lr"] == pytest.approx(0.2)
    assert third.recipe["weight_decay"] == pytest.approx(2e-3, rel=0.05)
    found = [trial for trial in trials if not trial.baseline]
    assert all(0.1 <= trial.recipe["lr"] <= 0.4 and 9e-4 <= trial.recipe["weight_decay"] <= 4.3e-3 for trial in found)


@pytest.mark.parametrize("number", [0, 3, 7, 8, 12])
def test_an_interruption_anywhere_changes_nothing(number: int, search_scripted: Search) -> None:
    whole = search_scripted(text(), best_at(0.25), trials=14, name="whole")
    is_interrupted = False

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        nonlocal is_interrupted
        if spec.number == number and not is_interrupted:
            is_interrupted = True
            raise KeyboardInterrupt
        return best_at(0.25)(spec, epoch)

    search_scripted(text(), accuracy, trials=14)
    trials = search_scripted(text(), accuracy, trials=14)
    assert is_interrupted
    finished = [trial for trial in trials if trial.is_finished]
    assert len(finished) == 14

    def stage(trials: list[TrialRecord]) -> list[tuple[str | None, Any]]:
        return sorted((trial.baseline or "", trial.recipe["lr"]) for trial in trials if trial.baseline)

    assert stage(finished) == stage(whole)
    assert all(0.125 <= trial.recipe["lr"] <= 0.5 for trial in finished if not trial.baseline)


@pytest.mark.parametrize(
    ("recipe", "baselines", "trials"),
    [
        ("momentum: {float: {low: 0.8, high: 0.95}}", "resnet-8, resnet-14", 12),
        (LR, "", 12),
        (LR, "resnet-8, resnet-14", 7),
    ],
    ids=["no field to tune", "no baseline", "too few trials"],
)
def test_without_what_it_needs_there_is_no_stage(
    recipe: str, baselines: str, trials: int, search_scripted: Search
) -> None:
    found = search_scripted(text(recipe, baselines=baselines, trials=trials), best_at(0.25), trials=12)
    assert [trial.baseline for trial in found if trial.baseline] == [name for name in baselines.split(", ") if name]
