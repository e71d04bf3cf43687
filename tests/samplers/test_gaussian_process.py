"""The Gaussian process: against another implementation, and what its weights find."""

import math

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from ressearch.samplers.gaussian_process import FIRST_NOISE, FIRST_WEIGHT, Floats, GaussianProcess


def drawn(number: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).uniform(size=(number, 4))


def test_it_predicts_as_scikit_learns_does() -> None:
    points, asked = drawn(30), drawn(20, 1)
    values = np.sin(5 * points[:, 0]) + points[:, 1] ** 2
    process = GaussianProcess([])
    process.fit(points, values)
    means, deviations = process.predict(asked)

    center, width = points.mean(axis=0), points.std(axis=0)
    noise = math.exp(FIRST_NOISE)
    kernel = Matern(math.sqrt(4 / math.exp(FIRST_WEIGHT)), nu=2.5)
    standard = (values - values.mean()) / values.std()
    other = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit((points - center) / width, standard)
    expected, spread = other.predict((asked - center) / width, return_std=True)
    assert means == pytest.approx(values.mean() + values.std() * expected)
    covariance = other.kernel_((points - center) / width) + noise * np.eye(30)
    scale = math.sqrt(standard @ np.linalg.solve(covariance, standard) / 30)  # the likeliest one
    assert deviations == pytest.approx(values.std() * scale * spread, rel=1e-4)


def test_a_group_that_matters_gets_the_weight() -> None:
    points = drawn(80)
    values = np.sin(6 * points[:, 2])
    process = GaussianProcess([range(2, 3), range(3, 4)])
    process.tune(points, values)
    names, first, second, _ = process._theta
    assert first > names + 1
    assert first > second + 1


def test_tuned_it_predicts_better() -> None:
    points, asked = drawn(60), drawn(200, 1)

    def error(process: GaussianProcess) -> float:
        process.fit(points, np.sin(6 * points[:, 2]))
        return float(np.mean(np.abs(process.predict(asked)[0] - np.sin(6 * asked[:, 2]))))

    process = GaussianProcess([range(2, 3)])
    before = error(process)
    process.tune(points, np.sin(6 * points[:, 2]))
    assert error(process) < before / 2


@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_it_tells_noise_from_signal(scale: float) -> None:
    points = drawn(150)
    values = scale * (np.sin(6 * points[:, 2]) + np.random.default_rng(1).normal(0, 0.3, 150))
    process = GaussianProcess([range(2, 3)])
    process.tune(points, values)
    process.fit(points, values)
    assert process.noise == pytest.approx(0.3 * scale, rel=0.15)


def test_it_is_surest_where_it_has_been() -> None:
    points = drawn(20)
    process = GaussianProcess([])
    process.fit(points, points[:, 0])
    assert process.predict(points)[1].max() < process.predict(points + 3)[1].min()


@pytest.mark.parametrize(
    ("points", "values"),
    [
        (np.ones((10, 4)), np.ones(10)),
        (np.ones((10, 4)), np.arange(10.0)),
        (np.repeat(drawn(2), 5, axis=0), np.repeat([0.0, 1.0], 5)),
        (drawn(1), np.ones(1)),
    ],
    ids=["nothing differs", "equal points, other values", "two points", "one"],
)
def test_points_that_say_little_are_taken(points: Floats, values: Floats) -> None:
    process = GaussianProcess([range(2, 4)])
    process.tune(points, values)
    process.fit(points, values)
    means, deviations = process.predict(np.concatenate([points, drawn(3, 5)]))
    assert np.isfinite(means).all()
    assert np.isfinite(deviations).all()
    assert (deviations >= 0).all()


def test_a_name_never_seen_is_uncertain_and_no_error() -> None:
    points = drawn(20)
    points[:, 3] = 0.0
    process = GaussianProcess([])
    process.fit(points, points[:, 0])
    known = points[:1].copy()
    unseen = known.copy()
    unseen[0, 3] = 1.0
    assert process.predict(unseen)[1] > 2 * process.predict(known)[1]
