"""Tuning a recipe: where it ends, what it trains, and how it takes noise and failures."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ressearch.search.recipe_tuning import Ladder, Recipe, tuning

Score = Callable[[Recipe], float]
LADDERS = {
    "lr": Ladder(values=(0.05, 0.1, 0.2, 0.4), step=2.0),
    "weight_decay": Ladder(values=(1.25e-4, 5e-4, 2e-3), step=4.0),
    "batch_size": Ladder(values=(16, 32, 128)),
}


class Tuned(NamedTuple):
    recipe: Recipe
    rounds: list[list[Recipe]]


def tuned(start: Recipe, score: Score, *, max_recipes: int = 100) -> Tuned:
    """Tune with a score that follows from the recipe."""
    rounds: list[list[Recipe]] = []
    work = tuning(start, {name: LADDERS[name] for name in start if name in LADDERS}, max_recipes=max_recipes)
    try:
        recipes = next(work)
        while True:
            rounds.append(list(recipes))
            recipes = work.send([score(recipe) for recipe in recipes])
    except StopIteration as end:
        return Tuned(end.value, rounds)


def hill(**tops: float) -> Score:
    """Return a score that is highest at these values, and falls with the square of the logarithm."""
    return lambda recipe: 1 - sum(0.01 * math.log2(recipe[name] / top) ** 2 for name, top in tops.items())


@pytest.mark.parametrize("lr", [0.013, 0.06, 0.1, 0.27, 0.7])
@pytest.mark.parametrize("weight_decay", [2e-5, 5e-4, 2e-3])
def test_the_top_of_a_hill_is_found(lr: float, weight_decay: float) -> None:
    found = tuned({"lr": 0.1, "weight_decay": 5e-4}, hill(lr=lr, weight_decay=weight_decay))
    assert found.recipe["lr"] == pytest.approx(lr, rel=1e-6)
    assert found.recipe["weight_decay"] == pytest.approx(weight_decay, rel=1e-6)
    trained = [tuple(sorted(recipe.items())) for recipes in found.rounds for recipe in recipes]
    assert len(set(trained)) == len(trained) <= 14


def test_an_end_that_is_best_is_passed_but_not_for_ever() -> None:
    found = tuned({"lr": 0.1}, lambda recipe: math.log(recipe["lr"]))
    assert [[recipe["lr"] for recipe in recipes] for recipes in found.rounds] == [
        pytest.approx([0.05, 0.1, 0.2, 0.4]),
        pytest.approx([0.8]),
        pytest.approx([1.6]),
        pytest.approx([3.2]),
    ]
    assert found.recipe["lr"] == pytest.approx(3.2)


@pytest.mark.parametrize(("best", "expected"), [(1, 16), (30, 32), (1000, 128)])
def test_a_list_that_is_complete_is_not_left(best: float, expected: int) -> None:
    found = tuned({"batch_size": 64}, hill(batch_size=best))
    assert found.recipe == {"batch_size": expected}
    assert [recipe["batch_size"] for recipes in found.rounds for recipe in recipes] == [16, 32, 128]


def test_recipes_that_fail_are_never_best() -> None:
    def score(recipe: Recipe) -> float:
        return math.nan if recipe["lr"] > 0.15 else recipe["lr"]

    assert tuned({"lr": 0.1}, score).recipe["lr"] == pytest.approx(0.1)
    assert tuned({"lr": 0.1}, lambda _: math.nan).recipe["lr"] > 0


def test_no_more_recipes_are_trained_than_allowed() -> None:
    for most in range(12):
        start = {"lr": 0.1, "weight_decay": 5e-4}
        found = tuned(start, lambda recipe: recipe["lr"] - recipe["weight_decay"], max_recipes=most)
        assert sum(map(len, found.rounds)) <= most
        if most < 4:
            assert found.recipe == {}


def test_fields_without_a_ladder_stay() -> None:
    found = tuned({"lr": 0.1, "momentum": 0.8}, hill(lr=0.2))
    assert found.recipe.keys() == {"lr"}
    assert all(recipe["momentum"] == 0.8 for recipes in found.rounds for recipe in recipes)
    assert tuned({"momentum": 0.8}, hill()).rounds == []
