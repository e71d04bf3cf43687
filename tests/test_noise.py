import pytest

from ressearch.noise import Estimate, few_images_text, std_error


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
