"""The median stopping rule of Golovin et al. 2017, doi:10.1145/3097983.3098043, section 3.2.1.

"stops a pending trial at step s if the trial's best objective value by step s is strictly worse than the median value
of the running averages of all completed trials' objectives reported up to step s".
"""

import math
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.schedulers import Decision, Median, Rule

GO, STOP = Decision.GO, Decision.STOP
CURVES = [(0.1, 0.3, 0.5), (0.2, 0.4, 0.9), (0.6, 0.6, 0.6), (0.0, 0.0, 0.9)]
"""Running averages after epoch 2: 0.2, 0.3, 0.6, 0.0, median 0.25; after epoch 3: 0.3, 0.5, 0.6, 0.3, median 0.4."""


def after(curves: list[tuple[float, ...]], **options: int) -> Rule:
    rule = Median(**options).start(4)
    for number, curve in enumerate(curves):
        for epoch, value in enumerate(curve, start=1):
            rule.record(number, epoch, (value,))
        rule.ended(number)
    return rule


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        ((0.0, 0.24), [GO, STOP]),  # its best value, 0.24, is below 0.25
        ((0.0, 0.26), [GO, GO]),
        ((0.26, 0.0), [GO, GO]),  # the best so far counts, not the last
        ((0.3, 0.3, 0.39), [GO, GO, STOP]),
        ((0.3, 0.41, 0.0), [GO, GO, GO]),
    ],
)
def test_best_value_against_the_median_of_running_averages(curve: tuple[float, ...], said: list[Decision]) -> None:
    rule = after(CURVES, min_trials=4)
    assert [rule.decide(9, epoch, (value,)) for epoch, value in enumerate(curve, start=1)] == said


def test_one_that_equals_the_median_goes_on() -> None:
    rule = after([(0.5, 0.5)] * 3, min_trials=3)
    assert [rule.decide(9, 1, (0.5,)), rule.decide(9, 2, (0.5,))] == [GO, GO]


def test_only_those_that_reached_the_epoch_are_compared_with() -> None:
    # After epoch 2: 0.2 and 0.4, median 0.3; the third trial, far better, has seen one epoch only.
    rule = after([(0.2, 0.2), (0.4, 0.4), (0.9,)], min_trials=2)
    assert [rule.decide(9, 1, (0.31,)), rule.decide(9, 2, (0.0,))] == [GO, GO]
    rule = after([(0.2, 0.2), (0.4, 0.4), (0.9,)], min_trials=2)
    assert [rule.decide(9, 1, (0.29,)), rule.decide(9, 2, (0.0,))] == [GO, STOP]


def test_later_epochs_of_the_others_do_not_count() -> None:
    rule = after([(0.1, 0.1, 1.0), (0.1, 0.1, 1.0)], min_trials=2)
    assert [rule.decide(9, epoch, (0.2,)) for epoch in (1, 2, 3)] == [GO, GO, STOP]  # 0.4 after three epochs


@pytest.mark.parametrize("min_trials", [1, 4, 5])
def test_nothing_is_stopped_before_enough_others_were_there(min_trials: int) -> None:
    rule = after(CURVES, first_epoch=1, min_trials=min_trials)
    assert rule.decide(9, 1, (-1.0,)) is (STOP if min_trials <= 4 else GO)


@pytest.mark.parametrize("first_epoch", [1, 2, 3])
def test_nothing_is_stopped_before_the_first_epoch(first_epoch: int) -> None:
    rule = after(CURVES, first_epoch=first_epoch, min_trials=4)
    assert [rule.decide(9, epoch, (-1.0,)) for epoch in (1, 2, 3)] == [GO] * (first_epoch - 1) + [STOP] * (
        4 - first_epoch
    )


def test_a_trial_is_not_compared_with_itself() -> None:
    rule = after([(0.1, 0.1)], first_epoch=1, min_trials=1)
    assert [rule.decide(9, 1, (0.9,)), rule.decide(9, 2, (0.2,))] == [GO, GO]  # were it, the median would be 0.325


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_move_no_median(value: float) -> None:
    rule = after([(0.4, 0.4), (0.6, 0.6), (value, value)], min_trials=2)
    assert [rule.decide(9, 1, (0.51,)), rule.decide(9, 2, (0.0,))] == [GO, GO]
    assert [rule.decide(10, 1, (value,)), rule.decide(10, 2, (0.0,))] == [GO, STOP]


@given(st.lists(st.integers(0, 64).map(lambda value: value / 64), min_size=2, max_size=9), st.integers(1, 3))
def test_with_one_objective_it_is_the_median_of_values(values: list[float], epoch: int) -> None:
    rule = after([(value,) * 3 for value in values[1:]], first_epoch=1, min_trials=1)
    said = [rule.decide(99, each, (values[0],)) for each in range(1, epoch + 1)]
    assert said == [GO if values[0] >= median(values[1:]) else STOP] * epoch


def test_with_several_objectives_ranks_are_compared() -> None:
    """Ranks of the others are 0, 0, 1, 1 and 2, their median 1."""
    others = [(0.9, -50.0), (0.5, -10.0), (0.8, -60.0), (0.4, -20.0), (0.7, -70.0)]
    said = {}
    for point in [(0.1, -5.0), (0.75, -65.0), (0.65, -71.0), (0.3, -30.0)]:
        rule = Median(first_epoch=1, min_trials=5).start(4)
        for number, other in enumerate(others):
            rule.record(number, 1, other)
        said[point] = rule.decide(9, 1, point)
    assert said == {
        (0.1, -5.0): GO,  # the smallest of all
        (0.75, -65.0): STOP,  # rank 2
        (0.65, -71.0): STOP,  # rank 3
        (0.3, -30.0): STOP,  # rank 2, behind (0.4, -20) and (0.5, -10)
    }
