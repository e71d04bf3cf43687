"""The recipe apart from the network: one field after the other, until its optimum lies between worse values."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

Recipe = Mapping[str, float]
"""Values of the fields that are tuned."""


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Values that are tried of a field, rising.

    step: factor between neighbours, by which it goes on beyond an end that is best; None for a list that is complete.
    """

    values: tuple[float, ...]
    step: float | None = None


MAX_EXTENSIONS = 3
"""Values tried beyond the ends of a ladder."""


def tuning(
    start: Recipe, ladders: Mapping[str, Ladder], *, max_recipes: int
) -> Generator[Sequence[Recipe], Sequence[float], Recipe]:
    """Tune the fields of a recipe that have a ladder, one after the other.

    Args:
        start: Value of every field.
        ladders: By field; those with a step hold the field's value.
        max_recipes: Recipes that are trained at most; a ladder is not begun that would not be finished.

    Yields:
        Recipes that are to be trained next, side by side. What is sent back is a score for each, the higher the better,
        nan where the training failed.

    Returns:
        The best value of each field that was tuned.
    """
    scores: dict[tuple[tuple[str, float], ...], float] = {}
    best, tuned = dict(start), dict[str, float]()
    for name, ladder in ladders.items():
        values: Sequence[float] = ladder.values
        if len(scores) + len(values) - bool(scores and best[name] in values) > max_recipes:
            break
        found: dict[float, float] = {}
        while values:
            recipes = {value: {**best, name: value} for value in values}
            if missing := [recipe for recipe in recipes.values() if _key(recipe) not in scores]:
                scores.update(zip(map(_key, missing), (yield missing), strict=True))
            found |= {value: scores[_key(recipe)] for value, recipe in recipes.items()}
            may_go_on = len(found) < len(ladder.values) + MAX_EXTENSIONS and len(scores) < max_recipes
            values = _beyond(found, ladder.step) if ladder.step and may_go_on else []
        best[name] = tuned[name] = _peak(found, ladder.step)
    return tuned


def _key(recipe: Recipe) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(recipe.items()))


def _beyond(scores: Mapping[float, float], step: float) -> list[float]:
    """Return the value beyond the end that is best, nothing if no end is."""
    best = max(scores, key=lambda value: _comparable(scores[value]))
    ends = {min(scores): best / step, max(scores): best * step}
    return [ends[best]] if best in ends else []


def _comparable(score: float) -> float:
    return -math.inf if math.isnan(score) else score


def _peak(scores: Mapping[float, float], step: float | None) -> float:
    """Return the best value; with a step the top of the parabola through it and its neighbours, over the logarithm."""
    values = sorted(scores)
    place = max(range(len(values)), key=lambda index: _comparable(scores[values[index]]))
    around = [scores[value] for value in values[max(0, place - 1) : place + 2]]
    if step is None or len(around) < 3 or any(map(math.isnan, around)):
        return values[place]
    below, at, above = around
    curvature = below - 2 * at + above
    shift = 0.5 * (below - above) / curvature if curvature < 0 else 0.0
    return values[place] * math.exp(shift * math.log(step))
