"""The order of values of several objectives: dominance, non-dominated fronts, crowding. Plain arithmetic.

A point is one value per objective, the higher the better in each; `oriented` makes it of measures. With one objective
all of this is the order of numbers.

Source: Deb et al. 2002, NSGA-II, doi:10.1109/4235.996017, section III.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Literal, NamedTuple

Direction = Literal["maximize", "minimize"]
Directions = Mapping[str, Direction]
"""What is better of each objective by name, the first objective first."""
Point = tuple[float, ...]


def oriented(measures: Mapping[str, float], directions: Directions) -> Point:
    """Return the point of some measures; what is missing or not a number is the worst there is."""
    signed = (measures.get(name, math.nan) * (1 if way == "maximize" else -1) for name, way in directions.items())
    return tuple(-math.inf if math.isnan(value) else value for value in signed)


def dominates(one: Point, other: Point) -> bool:
    """Tell whether a point is better than another one in some objective and worse in none."""
    return one != other and all(ours >= theirs for ours, theirs in zip(one, other, strict=True))


def fronts(points: Iterable[Point]) -> list[list[Point]]:
    """Return the distinct points by non-dominated rank: first those that no other dominates, and so on without them.

    Each front has the highest first objective first.

    Source: efficient non-dominated sort, Zhang et al. 2015, doi:10.1109/TEVC.2014.2308305.
    """
    found: list[list[Point]] = []
    for point in sorted(set(points), reverse=True):  # none of them dominates an earlier one
        rank = bisect_left(found, True, key=partial(_has_room, point))
        if rank == len(found):
            found.append([])
        found[rank].append(point)
    return found


def _has_room(point: Point, front: Sequence[Point]) -> bool:
    return not any(dominates(member, point) for member in reversed(front))


def crowding(front: Collection[Point]) -> dict[Point, float]:
    """Return how far each of the distinct points of a front is from its neighbours; infinite for the extremes."""
    distances = dict.fromkeys(front, 0.0)
    for index in range(len(next(iter(distances), ()))):
        ordered = sorted(sorted(distances), key=itemgetter(index))
        span = ordered[-1][index] - ordered[0][index]
        for (before, point), (_, after) in pairwise(pairwise(ordered)):
            distances[point] += (after[index] - before[index]) / span if span else 0.0
        distances[ordered[0]] = distances[ordered[-1]] = math.inf
    return distances


def ranks(points: Iterable[Point]) -> dict[Point, int]:
    """Return the non-dominated rank of each distinct point, 0 for the first front."""
    return {point: rank for rank, front in enumerate(fronts(points)) for point in front}


def marks(points: Sequence[Point]) -> list[float]:
    """Return one number for each point, the higher the better: its value, or with several objectives its rank."""
    if not points or len(points[0]) == 1:
        return [value for (value,) in points]
    rank = ranks(points)
    return [-rank[point] for point in points]


class Standing(NamedTuple):
    """How good a point is among others: the higher the better, the rank before the room."""

    minus_rank: int
    crowding: float

    @property
    def is_extreme(self) -> bool:
        """Whether it is an end of the first front, such as the best there is in one objective."""
        return self == (0, math.inf)


def standings(points: Iterable[Point]) -> dict[Point, Standing]:
    """Return the standing of each distinct point."""
    return {
        point: Standing(-rank, distance)
        for rank, front in enumerate(fronts(points))
        for point, distance in crowding(front).items()
    }
