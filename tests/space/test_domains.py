import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.space import Choice, Domain, FloatRange, IntRange, random_choose


@st.composite
def domains(draw: st.DrawFn) -> Domain:
    low, steps = draw(st.integers(1, 50)), draw(st.integers(0, 20))
    kind = draw(st.sampled_from(["choice", "int", "int log", "float", "float log", "float step"]))
    match kind:
        case "choice":
            return Choice(tuple(draw(st.lists(st.integers(0, 99), min_size=1, max_size=9, unique=True))))
        case "int":
            step = draw(st.integers(1, 5))
            return IntRange(low, low + steps * step, step)
        case "int log":
            return IntRange(low, low + steps, log=True)
        case "float step":
            return FloatRange(low / 10, (low + steps) / 10, step=0.1)
        case _:
            return FloatRange(low / 10, (low + steps) / 10, log=kind == "float log")


@given(domains(), st.integers(0, 99))
def test_what_is_drawn_is_a_member(domain: Domain, seed: int) -> None:
    drawn = random_choose(Random(seed))("", domain)
    assert domain.member(drawn) == drawn
    assert domain.member(domain.centre) == domain.centre


@given(domains())
def test_values_are_the_members_counted(domain: Domain) -> None:
    if domain.values is None:
        assert domain.size is None
        return
    assert len(set(domain.values)) == domain.size
    assert all(domain.member(value) == value for value in domain.values)


def test_true_is_not_one() -> None:
    truths = Choice((False, True))
    assert truths.member(True) is True
    assert truths.member(False) is False
    assert truths.member(1) is truths.member(0.0) is None
    assert Choice((0, 1)).member(True) is None
    assert IntRange(0, 1).member(True) is None
    assert FloatRange(0.0, 1.0).member(True) is None


def test_steps_do_not_accumulate_rounding() -> None:
    domain = FloatRange(0.1, 0.7, step=0.1)
    assert domain.values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert domain.member(0.1 + 2 * 0.1) == 0.3


@pytest.mark.parametrize("value", [0, 3, 11, 2.5, "2", None, math.nan])
def test_others_are_no_members(value: object) -> None:
    assert IntRange(2, 10, step=2).member(value) is None
    assert FloatRange(2.0, 10.0, step=2.0).member(value) is None
    assert Choice((2, 4, 10)).member(value) is None


@pytest.mark.parametrize("domain", [FloatRange(0.001, 1.0, log=True), IntRange(1, 1000, log=True)])
def test_log_draws_are_uniform_in_the_logarithm(domain: Domain) -> None:
    choose, rng = random_choose, Random(0)
    drawn = sorted(choose(rng)("", domain) for _ in range(2001))
    middle = drawn[1000]
    assert isinstance(middle, int | float)
    assert isinstance(domain, IntRange | FloatRange)
    assert math.sqrt(domain.low * domain.high) / 1.5 < middle < math.sqrt(domain.low * domain.high) * 1.5


@pytest.mark.parametrize(
    "domain",
    [IntRange(1, 4, log=True), IntRange(2, 5), IntRange(2, 8, step=2), Choice(("a", "b")), FloatRange(0, 1, 0.25)],
)
def test_every_value_is_drawn_both_ends_included(domain: Domain) -> None:
    choose = random_choose(Random(0))
    drawn = [choose("", domain) for _ in range(1000)]
    assert domain.values is not None
    assert set(drawn) == set(domain.values)
    if isinstance(domain, IntRange) and domain.log:  # an integer owns half a unit to both sides, on the log scale
        share = math.log(4.5 / 3.5) / math.log(4.5 / 0.5)
        assert abs(drawn.count(4) / 1000 - share) < 0.04


def test_centres() -> None:
    assert IntRange(1, 4).centre == 2
    assert IntRange(1, 100, log=True).centre == 10
    assert FloatRange(0.01, 1.0, log=True).centre == pytest.approx(0.1)
    assert FloatRange(0.0, 1.0).centre == 0.5
    assert Choice(("a", "b", "c")).centre == "b"


def test_what_a_step_reaches_up_to_rounding_is_a_member() -> None:
    domain = FloatRange(-7.0, 0.0, step=0.5)
    assert domain.values is not None
    assert [domain.member(value + 1e-10) for value in domain.values] == list(domain.values)
    assert domain.member(-7.5) is domain.member(-6.9) is domain.member(0.5) is None


@pytest.mark.parametrize(
    ("domain", "text"),
    [
        (Choice((False, True)), "false, true"),
        (FloatRange(-7.0, 0.0, step=1.0), "-7 to 0, step 1"),
        (Choice((0.25, 1.0)), "0.25, 1"),
        (IntRange(1, 4), "1 to 4"),
        (IntRange(8, 64, step=8), "8 to 64, step 8"),
        (FloatRange(0.01, 0.5, log=True), "0.01 to 0.5, log"),
    ],
)
def test_text(domain: Domain, text: str) -> None:
    assert str(domain) == text
