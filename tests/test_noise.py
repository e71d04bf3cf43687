import pytest

from ressearch.noise import std_error


def test_the_standard_error_of_a_share() -> None:
    assert std_error(0.6333, 60) == pytest.approx(0.0622, abs=1e-4)
    assert std_error(0.5, 10_000) == pytest.approx(0.005)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_no_finite_sample_makes_sure(accuracy: float) -> None:
    assert 0 < std_error(accuracy, 100) < std_error(0.5, 100)
