"""Rank correlations against SciPy's, and intervals against a bootstrap written out."""

import numpy as np
import pytest
import scipy.stats

from ressearch.search.agreement import Resamples, settled_epoch

FIRST = [0.3, 0.5, 0.5, 0.9, 0.1, 0.7, 0.2, 0.8]
SECOND = [10.0, 30.0, 20.0, 70.0, 20.0, 40.0, 5.0, 60.0]


def test_four_networks_by_hand() -> None:
    """Of six pairs five agree and one does not; squared differences of ranks sum to 2: 1 - 6 * 2 / (4 * 15)."""
    found = Resamples(4, seed=0).agreement([1, 2, 3, 4], [1, 2, 4, 3])
    assert found.kendall.value == pytest.approx((5 - 1) / 6)
    assert found.spearman.value == pytest.approx(0.8)


def test_ties_count_as_scipy_counts_them() -> None:
    found = Resamples(8, seed=0).agreement(FIRST, SECOND)
    assert found.kendall.value == pytest.approx(scipy.stats.kendalltau(FIRST, SECOND).statistic)
    assert found.spearman.value == pytest.approx(scipy.stats.spearmanr(FIRST, SECOND).statistic)


def test_intervals_are_those_of_a_bootstrap_over_networks() -> None:
    """The networks of every draw are written out, and SciPy ranks them."""
    found = Resamples(8, seed=3).agreement(FIRST, SECOND)
    draws = np.random.default_rng(3).multinomial(8, [1 / 8] * 8, size=2000)
    taus, rhos = [], []
    for times in draws:
        one, other = np.repeat(FIRST, times), np.repeat(SECOND, times)
        if len(set(one)) > 1 < len(set(other)):
            taus.append(scipy.stats.kendalltau(one, other).statistic)
            rhos.append(scipy.stats.spearmanr(one, other).statistic)
    assert found.kendall.interval == pytest.approx(tuple(np.percentile(taus, [2.5, 97.5])))
    assert found.spearman.interval == pytest.approx(tuple(np.percentile(rhos, [2.5, 97.5])))


def test_the_same_seed_gives_the_same_interval() -> None:
    intervals = [Resamples(8, seed=seed).agreement(FIRST, SECOND).spearman.interval for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_equal_and_opposite_orders() -> None:
    resamples = Resamples(8, seed=0)
    same = resamples.agreement(SECOND, [value**3 for value in SECOND])
    assert (same.kendall.value, same.spearman.value) == pytest.approx((1.0, 1.0))
    assert same.kendall.interval == pytest.approx((1.0, 1.0))
    opposite = resamples.agreement(SECOND, [-value for value in SECOND])
    assert (opposite.kendall.value, opposite.spearman.value) == pytest.approx((-1.0, -1.0))


def test_what_does_not_vary_ranks_nothing() -> None:
    found = Resamples(8, seed=0).agreement(FIRST, [0.5] * 8)
    assert (found.kendall.value, found.kendall.interval, found.spearman.value) == (None, None, None)


def test_an_advantage_is_a_difference_draw_by_draw() -> None:
    """Of a measure over itself it is exactly 0 in every draw, which separate intervals would not say."""
    resamples = Resamples(8, seed=0)
    assert resamples.advantage(FIRST, FIRST, SECOND).interval == (0.0, 0.0)
    over_nothing = resamples.advantage(SECOND, [1, 5, 3, 2, 8, 4, 7, 6], SECOND)
    expected = 1 - scipy.stats.kendalltau([1, 5, 3, 2, 8, 4, 7, 6], SECOND).statistic
    assert over_nothing.value == pytest.approx(expected)
    assert over_nothing.interval is not None
    assert over_nothing.interval[0] > 0


@pytest.mark.parametrize(
    ("values", "epoch"),
    [
        ([0.2, 0.5, 0.76, 0.8], 3),
        ([0.8, 0.5, 0.8, 0.8], 3),  # what it was before a fall does not count
        ([0.9, 0.85, 0.8], 1),  # better than at the end is not worse
        ([0.1, 0.2, 0.8], 3),
        ([None, 0.8, 0.8], 2),
        ([0.8, None], None),
        ([], None),
    ],
)
def test_the_ranking_settles_when_it_stays(values: list[float | None], epoch: int | None) -> None:
    assert settled_epoch(values, 0.05) == epoch
