import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.ranking import Point, dominates
from ressearch.schedulers import Asha, Decision, Rule


def started(first_rung: int | None, reduction_factor: int, num_epochs: int) -> Rule:
    return Asha(first_rung=first_rung, reduction_factor=reduction_factor).start(num_epochs)


def judged(rule: Rule, num_epochs: int) -> tuple[int, ...]:
    """Return the epochs at which a trial that is worse than another one is stopped."""
    for epoch in range(1, num_epochs):
        rule.record(0, epoch, (0.9,))
    return tuple(epoch for epoch in range(1, num_epochs) if rule.decide(1, epoch, (0.1,)) is Decision.STOP)


@pytest.mark.parametrize(
    ("first_rung", "factor", "num_epochs", "rungs"),
    [(1, 2, 8, (1, 2, 4)), (3, 2, 6, (3,)), (2, 3, 18, (2, 6)), (6, 2, 6, ()), (2, 3, 19, (2, 6, 18))],
)
def test_rungs_stand_below_the_last_epoch(
    first_rung: int, factor: int, num_epochs: int, rungs: tuple[int, ...]
) -> None:
    assert judged(started(first_rung, factor, num_epochs), num_epochs) == rungs


@pytest.mark.parametrize(("num_epochs", "rungs"), [(1, ()), (2, (1,)), (5, (3,)), (6, (3,)), (9, (5,))])
def test_the_first_rung_is_half_way_unless_it_is_given(num_epochs: int, rungs: tuple[int, ...]) -> None:
    assert judged(Asha().start(num_epochs), num_epochs) == rungs


def test_keeps_the_best_share_of_those_that_came_so_far() -> None:
    rule = started(2, 2, 8)
    said = [
        rule.decide(number, epoch, (value,))
        for number, (epoch, value) in enumerate([(1, 0.0), (2, 0.5), (2, 0.4), (2, 0.6), (2, 0.6), (2, 0.5), (4, 0.1)])
    ]
    assert said == [
        Decision.GO,  # no rung
        Decision.GO,  # the first is the best so far
        Decision.STOP,
        Decision.GO,
        Decision.GO,  # two of four may pass, and equals are not told apart
        Decision.STOP,
        Decision.GO,  # another rung, empty so far
    ]


def test_the_reduction_factor_is_the_share_that_goes_on() -> None:
    rule = started(1, 3, 2)
    for number, value in enumerate((0.1, 0.2, 0.3, 0.4, 0.5)):
        rule.record(number, 1, (value,))
    assert rule.decide(5, 1, (0.45,)) is Decision.GO  # sixth: two of six go on, 0.5 and 0.45
    assert [rule.decide(number, 1, (value,)) for number, value in ((6, 0.44), (7, 0.46))] == [
        Decision.STOP,
        Decision.GO,
    ]


def test_recorded_values_count_without_a_decision() -> None:
    rule = started(1, 2, 4)
    for epoch, value in {1: 0.9, 2: math.nan, 3: 0.9}.items():
        rule.record(0, epoch, (value,))
    assert rule.decide(1, 1, (0.5,)) is Decision.STOP
    assert rule.decide(1, 2, (0.1,)) is Decision.GO  # a value that is no number is no competitor


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_stops_its_own_trial_only(value: float) -> None:
    rule = started(1, 2, 4)
    assert rule.decide(0, 1, (value,)) is Decision.STOP
    assert rule.decide(1, 1, (0.1,)) is Decision.GO


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), max_size=30), st.integers(2, 4))
def test_with_one_objective_the_best_share_is_that_of_the_values(values: list[float], factor: int) -> None:
    rule = started(1, factor, 2)
    for number, value in enumerate(values):
        so_far = values[: number + 1]
        is_kept = value >= sorted(so_far, reverse=True)[max(1, len(so_far) // factor) - 1]
        assert rule.decide(number, 1, (value,)) is (Decision.GO if is_kept else Decision.STOP)


def test_with_several_objectives_the_first_front_goes_on_before_the_second_and_the_crowded_last() -> None:
    """Accuracy, and minus the size. Four of eight go on: the front of five but for its most crowded member."""
    front = [(0.9, -90.0), (0.8, -60.0), (0.79, -59.0), (0.7, -40.0), (0.2, -10.0)]
    dominated = [(0.85, -95.0), (0.78, -61.0), (0.1, -11.0)]
    for judged in (*front, *dominated):
        rule = started(1, 2, 2)
        for number, point in enumerate((*front, *dominated)):
            if point != judged:
                rule.record(number, 1, point)
        is_kept = judged in front and judged != (0.79, -59.0)
        assert rule.decide(9, 1, judged) is (Decision.GO if is_kept else Decision.STOP), judged


@given(st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), min_size=1, max_size=20), st.integers(2, 4))
def test_one_of_the_first_front_is_stopped_only_for_others_of_it(points: list[Point], factor: int) -> None:
    rule = started(1, factor, 2)
    for number, point in enumerate(points[1:]):
        rule.record(number, 1, point)
    is_first = not any(dominates(other, points[0]) for other in points)
    others_of_it = [one for one in points[1:] if not any(dominates(other, one) for other in points)]
    if rule.decide(99, 1, points[0]) is Decision.STOP and is_first:
        assert len(others_of_it) >= max(1, len(points) // factor)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_of_several_values_each_must_be_finite(value: float) -> None:
    rule = started(1, 2, 4)
    assert rule.decide(0, 1, (value, -10.0)) is Decision.STOP
    assert rule.decide(1, 1, (0.1, -20.0)) is Decision.GO  # though smaller networks were there
