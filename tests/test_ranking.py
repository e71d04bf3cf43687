"""Dominance, fronts and crowding, against their definitions and Optuna's own sorting."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.study._multi_objective import _fast_non_domination_rank

from ressearch.ranking import Point, crowding, dominates, fronts, oriented, ranks, standings

VALUES = st.integers(-4, 4).map(float)
POINTS = st.integers(1, 4).flatmap(lambda size: st.lists(st.tuples(*[VALUES] * size), min_size=1, max_size=25))


def test_what_is_minimised_is_turned_round_and_what_is_missing_is_worst() -> None:
    measures = {"a": 0.5, "b": 3.0, "d": math.nan}
    directions = {"b": "minimize", "a": "maximize", "c": "minimize", "d": "maximize"}
    assert oriented(measures, directions) == (-3.0, 0.5, -math.inf, -math.inf)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((1.0, 1.0), (1.0, 1.0), False),
        ((1.0, 2.0), (1.0, 1.0), True),
        ((1.0, 2.0), (2.0, 1.0), False),
        ((1.0,), (0.0,), True),
        ((0.0, -math.inf), (-math.inf, -math.inf), True),
    ],
)
def test_dominance(one: Point, other: Point, expected: bool) -> None:
    assert dominates(one, other) is expected
    assert not dominates(other, one)


@given(POINTS)
def test_ranks_are_those_of_optuna(points: list[Point]) -> None:
    expected = _fast_non_domination_rank(-np.array(points))
    found = ranks(points)
    assert [found[point] for point in points] == expected.tolist()


@given(POINTS)
def test_a_front_is_what_only_the_fronts_before_it_dominate(points: list[Point]) -> None:
    found = fronts(points)
    assert sorted(point for front in found for point in front) == sorted(set(points))
    for number, front in enumerate(found):
        assert front == sorted(front, reverse=True)
        later = [point for other in found[number:] for point in other]
        assert not any(dominates(other, point) for point in front for other in later)
        assert all(any(dominates(other, point) for other in found[number - 1]) for point in front if number)


@given(st.lists(VALUES, min_size=1, max_size=25))
def test_with_one_objective_standings_are_the_order_of_numbers(values: list[float]) -> None:
    found = standings([(value,) for value in values])
    assert sorted(found, key=lambda point: found[point]) == [(value,) for value in sorted(set(values))]


def test_crowding_is_the_size_of_the_neighbourhood_and_the_extremes_come_first() -> None:
    """Spans are 10 and 100: the second point's neighbours are 4 / 10 and 50 / 100 apart, the third's 9 and 80."""
    front = [(10.0, 0.0), (9.0, 20.0), (6.0, 50.0), (0.0, 100.0)]
    expected = {front[0]: math.inf, front[1]: 0.4 + 0.5, front[2]: 0.9 + 0.8, front[3]: math.inf}
    assert crowding(front) == pytest.approx(expected)
    assert crowding(list(reversed(front))) == pytest.approx(expected)
    assert crowding([]) == {}
    assert crowding([(1.0, 2.0)]) == {(1.0, 2.0): math.inf}


@given(POINTS, st.randoms(use_true_random=False))
def test_standings_are_the_same_in_any_order_and_go_by_rank_first(points: list[Point], rng: random.Random) -> None:
    found, rank = standings(points), ranks(points)
    shuffled = rng.sample(points, len(points))
    assert standings(shuffled) == found
    for one in found:
        for other in found:
            if rank[one] < rank[other]:
                assert found[one] > found[other]
