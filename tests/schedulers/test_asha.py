import math

import pytest

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
