"""The brackets of Li et al. 2018, arXiv:1603.06560, and who goes on in them."""

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ressearch.schedulers import Decision, Hyperband, Rule
from ressearch.schedulers.hyperband import brackets

GO, STOP, PAUSE = Decision.GO, Decision.STOP, Decision.PAUSE


def test_the_papers_example() -> None:
    # Algorithm 1 with R = 81 and eta = 3: n = ceil((s_max + 1) / (s + 1) * eta^s) trials start with R / eta^s epochs.
    assert brackets(81, 1, 3) == [
        (81, (1, 3, 9, 27)),
        (34, (3, 9, 27)),
        (15, (9, 27)),
        (8, (27,)),
        (5, ()),
    ]


@example(59049, 1, 3)  # where the formula in floats is one trial off
@given(st.integers(1, 5000), st.integers(1, 50), st.integers(2, 7))
def test_brackets_follow_the_formula_in_exact_numbers(num_epochs: int, first_rung: int, factor: int) -> None:
    first_rung = min(first_rung, num_epochs)
    found = brackets(num_epochs, first_rung, factor)
    most = len(found) - 1
    assert first_rung * factor**most <= num_epochs < first_rung * factor ** (most + 1)
    for count, (size, rungs) in zip(range(most, -1, -1), found, strict=True):
        assert size == math.ceil(Fraction(most + 1, count + 1) * factor**count)
        assert rungs == tuple(math.floor(Fraction(num_epochs, factor**power)) for power in range(count, 0, -1))
        assert all(first_rung <= rung < num_epochs for rung in rungs)


def nine_epochs() -> Rule:
    """Return a rule whose brackets are 9 trials judged at epochs 1 and 3, 5 judged at 3, and 3 that nobody judges."""
    assert brackets(9, 1, 3) == [(9, (1, 3)), (5, (3,)), (3, ())]
    return Hyperband().start(9)


def arrive(rule: Rule, numbers: range, epoch: int) -> list[Decision]:
    """Bring trials to an epoch, the one with the higher number being better."""
    return [rule.decide(number, epoch, (number / 100,)) for number in numbers]


def test_a_full_bracket_lets_a_third_go_on_at_every_rung() -> None:
    rule = nine_epochs()
    assert arrive(rule, range(8), 1) == [PAUSE] * 8
    assert rule.resumed(is_idle=False) == {}
    assert rule.decide(8, 1, (0.08,)) is GO  # the last one need not wait for the judgement that it brings about
    assert rule.resumed(is_idle=False) == {**dict.fromkeys(range(6), STOP), 6: GO, 7: GO}
    for number in range(6):
        rule.ended(number)
    assert [rule.decide(number, 2, (0.5,)) for number in (6, 7, 8)] == [GO] * 3  # no rung
    assert arrive(rule, range(6, 8), 3) == [PAUSE] * 2
    assert rule.decide(8, 3, (0.08,)) is GO
    assert rule.resumed(is_idle=False) == {6: STOP, 7: STOP}


def test_the_last_one_is_stopped_at_once_if_it_is_not_among_the_best() -> None:
    rule = nine_epochs()
    arrive(rule, range(8), 1)
    assert rule.decide(8, 1, (0.0,)) is STOP
    assert rule.resumed(is_idle=False) == {**dict.fromkeys(range(5), STOP), **dict.fromkeys(range(5, 8), GO)}


def test_brackets_are_filled_one_after_the_other_and_then_anew() -> None:
    rule = nine_epochs()
    assert arrive(rule, range(9, 14), 1) == [GO] * 5  # the second bracket is judged first after three epochs
    assert arrive(rule, range(9, 14), 3) == [PAUSE] * 4 + [GO]  # and lets one of five go on
    assert rule.resumed(is_idle=False) == dict.fromkeys(range(9, 13), STOP)
    assert [arrive(rule, range(14, 17), epoch) for epoch in (1, 3)] == [[GO] * 3] * 2
    assert arrive(rule, range(17, 18), 1) == [PAUSE]  # the first one again


def test_a_bracket_judges_its_own_trials_only() -> None:
    rule = nine_epochs()
    assert arrive(rule, range(9, 14), 3)[-1] is GO
    rule.resumed(is_idle=False)
    assert arrive(rule, range(9), 1)[:8] == [PAUSE] * 8  # all of them are worse than those of the other bracket
    assert set(rule.resumed(is_idle=False).values()) == {GO, STOP}


def test_of_equals_the_earlier_one_goes_on() -> None:
    rule = nine_epochs()
    said = [rule.decide(number, 1, (0.5,)) for number in reversed(range(9))]
    assert said == [PAUSE] * 8 + [GO]
    assert rule.resumed(is_idle=False) == {1: GO, 2: GO, **dict.fromkeys(range(3, 9), STOP)}


def test_one_that_comes_after_an_idle_judgement_is_judged_with_those_that_were_there() -> None:
    rule = nine_epochs()
    assert arrive(rule, range(1, 4), 1) == [PAUSE] * 3
    assert rule.resumed(is_idle=True) == {1: STOP, 2: STOP, 3: GO}
    assert rule.decide(4, 1, (0.02,)) is STOP  # one of four goes on, and it is not this one
    assert rule.decide(5, 1, (0.04,)) is GO
    assert rule.decide(6, 1, (0.035,)) is GO  # the second of six, of whom two go on
    assert rule.resumed(is_idle=False) == {}


def test_nobody_waits_for_one_that_has_failed() -> None:
    rule = nine_epochs()
    arrive(rule, range(7), 1)
    rule.ended(7)
    assert rule.resumed(is_idle=False) == {}
    rule.ended(8)
    assert rule.resumed(is_idle=False) == {**dict.fromkeys(range(5), STOP), 5: GO, 6: GO}  # two of the seven that came


def test_the_next_rung_does_not_wait_for_one_that_has_failed() -> None:
    rule = nine_epochs()
    arrive(rule, range(9), 1)
    rule.resumed(is_idle=False)
    assert rule.decide(6, 3, (0.06,)) is PAUSE
    rule.ended(8)
    assert rule.resumed(is_idle=False) == {}
    assert rule.decide(7, 3, (0.07,)) is GO
    assert rule.resumed(is_idle=False) == {6: STOP}


def test_idle_judgements_go_up_rung_by_rung() -> None:
    rule = nine_epochs()
    arrive(rule, range(4), 1)
    assert rule.resumed(is_idle=True) == {0: STOP, 1: STOP, 2: STOP, 3: GO}
    assert rule.decide(3, 3, (0.5,)) is GO  # nobody else can come that far
    assert rule.resumed(is_idle=True) == {}


def test_nothing_is_judged_early_while_decisions_are_waiting_to_be_fetched() -> None:
    rule = nine_epochs()
    arrive(rule, range(9, 12), 3)
    arrive(rule, range(9), 1)
    assert rule.resumed(is_idle=True).keys() == set(range(8))
    assert rule.resumed(is_idle=True) == {9: STOP, 10: STOP, 11: GO}


def test_one_that_waits_further_up_is_not_judged_by_where_it_was() -> None:
    rule = nine_epochs()  # of a study that is carried on: trial 0 passed the first rung in an idle judgement
    for epoch in (1, 2, 3):
        rule.record(0, epoch, (0.1,))
    for number in (1, 2, 3):
        rule.record(number, 1, (0.5,))
        rule.ended(number)
    assert rule.resumed(is_idle=True) == {0: GO}


@pytest.mark.parametrize("num_epochs", [1, 2])
def test_trials_too_short_for_a_rung_are_trained_to_the_end(num_epochs: int) -> None:
    rule = Hyperband().start(num_epochs)
    assert rule.pauses_at == frozenset()
    assert [rule.decide(number, 1, (0.1,)) for number in range(9)] == [GO] * 9


def test_with_several_objectives_fronts_go_on_one_after_the_other() -> None:
    """Nine are judged, three go on: the whole front of two, and the least crowded of the second front, an extreme."""
    rule = nine_epochs()
    points = [(0.9, -50.0), (0.8, -40.0), (0.85, -90.0), (0.7, -45.0), (0.6, -44.0), (0.5, -43.0)]
    points += [(0.1, -91.0), (0.1, -92.0), (0.1, -93.0)]
    said = [rule.decide(number, 1, point) for number, point in enumerate(points)]
    assert said == [PAUSE] * 8 + [STOP]
    goes_on = {number for number, decision in rule.resumed(is_idle=False).items() if decision is GO}
    assert goes_on == {0, 1, 2}


def test_the_smallest_goes_on_where_one_of_a_bracket_does() -> None:
    rule = nine_epochs()
    points = [(0.9, -90.0), (0.1, -10.0), (0.8, -80.0), (0.1, -10.0), (0.5, -95.0)]
    said = [rule.decide(number, 3, point) for number, point in enumerate(points, start=9)]
    assert said == [PAUSE] * 4 + [STOP]
    assert rule.resumed(is_idle=False) == {9: GO, 10: GO, 11: STOP, 12: STOP}  # one of five, and the other extreme
