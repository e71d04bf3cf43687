"""Regret over time and the factor between two settings, on curves that are known."""

import math

import numpy as np
import pytest

from ressearch.replays.factors import anytime, factor
from ressearch.replays.replaying import Replay, Step


def halving(time: float) -> Replay:
    """Return a search whose regret halves every `time` seconds."""
    steps = (Step(seconds=time * step, regret=0.5**step) for step in range(1, 20))
    return Replay(steps=tuple(steps), num_trials=19)


def test_a_regret_lasts_until_the_next_report() -> None:
    found = anytime([Replay(steps=(Step(seconds=10, regret=0.2), Step(seconds=50, regret=0.1)), num_trials=2)], 100)
    at = dict(zip(found.seconds.tolist(), found.regrets[0].tolist(), strict=True))
    assert all(regret == math.inf for second, regret in at.items() if second < 10)
    assert all(regret == 0.2 for second, regret in at.items() if 10 <= second < 50)
    assert all(regret == 0.1 for second, regret in at.items() if second >= 50)


def test_twice_as_fast_is_a_factor_of_two() -> None:
    fast, slow = (anytime([halving(time * (1 + 0.01 * seed)) for seed in range(20)], 100) for time in (5, 10))
    found = factor(fast, slow)
    assert found.value == pytest.approx(2, rel=0.1)
    assert found.low <= found.value <= found.high
    assert factor(slow, slow).value == 1


def test_who_never_comes_so_far_has_no_factor() -> None:
    fast, slow = (anytime([halving(time)] * 5, 100) for time in (5, 10))
    assert factor(slow, fast).value == 0


def test_medians_and_quartiles_are_over_searches() -> None:
    found = anytime(
        [Replay(steps=(Step(seconds=0, regret=each),), num_trials=1) for each in (0.1, 0.2, 0.3, 0.4, 0.9)], 10
    )
    assert np.unique(found.median).tolist() == [0.3]
    assert found.band[:, 0].tolist() == [0.2, 0.4]
