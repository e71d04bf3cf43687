import random
from statistics import fmean

import pytest

from ressearch.noise import Estimate, Paired, few_images_text, shrunken, std_error


def test_the_standard_error_of_a_share() -> None:
    assert std_error(0.6333, 60) == pytest.approx(0.0622, abs=1e-4)
    assert std_error(0.5, 10_000) == pytest.approx(0.005)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_no_finite_sample_makes_sure(accuracy: float) -> None:
    assert 0 < std_error(accuracy, 100) < std_error(0.5, 100)


def test_the_errors_of_a_difference_add_up_by_their_squares() -> None:
    difference = Estimate(0.9, 0.03).minus(Estimate(0.8, 0.04))
    assert difference == pytest.approx((0.1, 0.05))


@pytest.mark.parametrize(("one", "other"), [(None, 0.1), (0.1, None), (None, None)])
def test_a_difference_from_the_unknown_is_as_unsure(one: float | None, other: float | None) -> None:
    difference = Estimate(0.9, one).minus(Estimate(0.8, other))
    assert difference.std_error is None
    assert difference.is_noise is None


@pytest.mark.parametrize(
    ("value", "error", "is_noise"),
    [(0.195, 0.1, True), (0.197, 0.1, False), (-0.195, 0.1, True), (-0.197, 0.1, False), (0.0, 0.1, True)],
)
def test_less_than_two_standard_errors_are_noise(value: float, error: float, is_noise: bool) -> None:
    assert Estimate(value, error).is_noise is is_noise


def test_the_issue_s_leader_leads_by_two_of_sixty_images() -> None:
    scores = [Estimate(right / 60, std_error(right / 60, 60)) for right in (38, 36, 26)]
    assert scores[0].minus(scores[1]).is_noise
    assert scores[0].minus(scores[2]).is_noise is False  # 0.2 apart, 1.96 standard errors are 0.175


def test_few_images_are_warned_of() -> None:
    assert few_images_text(500) == ""
    text = few_images_text(499)
    assert text.startswith("only 499 images validate: the standard error of an accuracy is 0.0224")
    assert "500 or more" in text


def test_the_best_of_many_is_not_flattered() -> None:
    """True accuracies spread by 0.02, one training adds 0.0128: the maximum promises too much."""
    rng = random.Random(0)
    raw, drawn = [], []
    for _ in range(300):
        truths = [rng.gauss(0.5, 0.02) for _ in range(40)]
        scores = [[rng.gauss(truth, 0.0128)] for truth in truths]
        estimates = shrunken(scores, num_images=4000)
        best = max(range(40), key=lambda index: scores[index][0])
        assert max(range(40), key=lambda index: estimates[index].value) == best
        raw.append(scores[best][0] - truths[best])
        drawn.append(estimates[best].value - truths[best])
    assert fmean(raw) > 0.008
    assert abs(fmean(drawn)) < 0.0025


def test_more_trainings_are_drawn_less_and_are_surer() -> None:
    scores = [[0.5], [0.52], [0.48], [0.51], [0.6], [0.6, 0.6, 0.6, 0.6]]
    once, often = shrunken(scores, num_images=4000)[4:]
    assert 0.505 < once.value < often.value < 0.6
    assert (often.std_error or 0) < (once.std_error or 0)


def test_where_seeds_agree_little_is_drawn() -> None:
    noisy = shrunken([[0.5], [0.56, 0.44], [0.58, 0.46], [0.6], [0.4]], num_images=10_000)[3]
    calm = shrunken([[0.5], [0.5, 0.5001], [0.52, 0.5201], [0.6], [0.4]], num_images=10_000)[3]
    assert noisy.value < calm.value < 0.6


# Differences of pairs; Student's quantiles of 97.5 % are from printed tables: 12.706, 4.303 and 2.776 at 1, 2 and 4
# degrees of freedom.


def test_the_interval_of_paired_differences_is_students() -> None:
    paired = Paired((0.01, 0.03, 0.02))
    assert paired.mean == pytest.approx(0.02)
    assert paired.std == pytest.approx(0.01)
    assert paired.interval == pytest.approx((0.02 - 4.303 * 0.01 / 3**0.5, 0.02 + 4.303 * 0.01 / 3**0.5), abs=1e-5)
    assert paired.sign == 0  # -0.0048 to 0.0448
    assert Paired((0.0, 0.02)).interval == pytest.approx((0.01 - 0.12706, 0.01 + 0.12706), abs=1e-5)


@pytest.mark.parametrize(("shift", "sign"), [(0.1, 1), (-0.1, -1), (0.0, 0)])
def test_an_interval_beside_zero_separates(shift: float, sign: int) -> None:
    assert Paired(tuple(shift + each for each in (0.01, -0.01, 0.0, 0.01, -0.01))).sign == sign


def test_more_pairs_are_counted_until_the_interval_leaves_zero_out() -> None:
    # Half widths with a standard deviation of 0.01: 4.303/sqrt(3) = 2.484, 3.182/2 = 1.591, 2.776/sqrt(5) = 1.241,
    # 2.571/sqrt(6) = 1.049 hundredths.
    assert Paired((0.01, 0.03, 0.02)).more_pairs == 1
    assert Paired((0.002, 0.022, 0.012)).more_pairs == 3
    assert Paired((0.02, 0.04, 0.03)).more_pairs == 0


def test_what_no_thousand_pairs_separate_has_no_number() -> None:
    assert Paired((0.01, -0.01, 0.0001)).more_pairs is None
    assert Paired((0.0, 0.0)).more_pairs is None


def test_fewer_than_two_pairs_have_no_interval() -> None:
    assert (Paired(()).mean, Paired(()).interval, Paired(()).sign, Paired(()).more_pairs) == (None, None, 0, None)
    one = Paired((0.5,))
    assert (one.mean, one.std, one.interval, one.sign, one.more_pairs) == (0.5, None, None, 0, None)


def test_rounding_is_no_spread() -> None:
    equal = Paired((0.55 - 0.51, 0.57 - 0.53, 0.59 - 0.55))
    assert equal.std == 0.0
    assert equal.sign == 1
