import pytest
from ressearch.search.asha import Asha, default_first_rung


@pytest.mark.parametrize(
    ("first", "factor", "epochs", "rungs"),
    [(1, 2, 8, (1, 2, 4)), (3, 2, 6, (3,)), (2, 3, 18, (2, 6)), (6, 2, 6, ()), (2, 3, 19, (2, 6, 18))],
)
def test_rungs_stand_below_the_last_epoch(first: int, factor: int, epochs: int, rungs: tuple[int, ...]) -> None:
    assert Asha(first, factor, epochs).rungs == rungs


def test_keeps_the_best_share_of_those_that_came_so_far() -> None:
    asha = Asha(2, 2, 8)
    assert not asha.stops(1, 0.0)  # no rung
    assert not asha.stops(2, 0.5)  # the first is the best so far
    assert asha.stops(2, 0.4)
    assert not asha.stops(2, 0.6)
    assert not asha.stops(2, 0.6)  # two of four may pass, and equals are not told apart
    assert asha.stops(2, 0.5)
    assert not asha.stops(4, 0.1)  # another rung, empty so far


def test_reduction_factor_is_the_share_that_goes_on() -> None:
    asha = Asha(1, 3, 2)
    asha.restore({1: 0.1})
    for value in (0.2, 0.3, 0.4, 0.5):
        asha.record(1, value)
    assert not asha.stops(1, 0.45)  # sixth: two of six go on, 0.5 and 0.45
    assert [asha.stops(1, value) for value in (0.44, 0.46)] == [True, False]


def test_recorded_values_count_without_a_decision() -> None:
    asha = Asha(1, 2, 4)
    asha.restore({1: 0.9, 2: float("nan"), 3: 0.9})
    assert asha.stops(1, 0.5)
    assert not asha.stops(2, 0.1)  # a value that is no number is no competitor


@pytest.mark.parametrize(("epochs", "rung"), [(1, 1), (2, 1), (5, 3), (6, 3), (9, 5)])
def test_default_first_rung_is_half_way(epochs: int, rung: int) -> None:
    assert default_first_rung(epochs) == rung
