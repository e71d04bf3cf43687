from pathlib import Path

import pytest

from ressearch.experiment import load_experiment
from ressearch.images import ImageShape
from ressearch.space.survey import UnmetLimitError, check_limits, survey, wilson

SPACES = Path(__file__).parents[2] / "search_spaces"
SHAPE = ImageShape(channels=3, resolution=32, num_classes=10)

TEXT = """\
version: 1
architecture:
  stages: 2
  depth: 1
  width: [{choice: [8, 16]}, 32]
  stem_width: {choice: [8, 16]}
  se: {choice: [none, standard]}
  se_ratio: {choice: [8, 16], when: {se: standard}}
limits: {num_params: {max: 20_000}}
"""


def test_a_small_space_is_looked_at_exactly(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(TEXT)
    report = survey(load_experiment(path).space, SHAPE)
    assert (report.size, report.samples, report.is_exact) == (12, 12, True)
    assert report.feasible.interval is None
    # padding cannot narrow a stem of 16 to 8, which is seen first; 8 channels leave a ratio of 16 no hidden unit
    assert {refusal.rule: refusal.count for refusal in report.refusals} == {"shortcut": 3, "se_ratio": 1}
    assert report.feasible.value == pytest.approx(8 / 12)
    examples = {refusal.rule: refusal.example for refusal in report.refusals}
    assert examples["shortcut"] == "stage 1: zero padding cannot narrow 16 channels to 8"
    assert [(row.name, row.active) for row in report.rows][-1] == ("se_ratio", pytest.approx(8 / 12))
    assert report.rows[-1].when == "se is standard"
    assert report.duplicates == 0.0
    assert report.num_params is not None
    assert report.num_params.min <= report.num_params.median <= report.num_params.max <= 20_000


def test_a_larger_space_is_sampled_reproducibly() -> None:
    space = load_experiment(SPACES / "cifar10.yaml").space
    report = survey(space, SHAPE, samples=200, seed=1)
    assert report == survey(space, SHAPE, samples=200, seed=1)
    assert report != survey(space, SHAPE, samples=200, seed=2)
    assert not report.is_exact
    assert report.feasible.interval is not None
    low, high = report.feasible.interval
    assert 0 <= low < report.feasible.value < high <= 1


def test_nothing_feasible_has_no_ranges(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(TEXT.replace("20_000", "20"))
    report = survey(load_experiment(path).space, SHAPE)
    assert (report.feasible.value, report.duplicates, report.num_params, report.num_macs) == (0.0, 0.0, None, None)


@pytest.mark.parametrize(
    ("limits", "keys", "said"),
    [
        ("num_params: {max: 20}", ("limits", "num_params", "max"), "got 20, which nothing meets: the smallest "),
        (
            "num_macs: {min: 1_000_000_000}",
            ("limits", "num_macs", "min"),
            "got 1,000,000,000, which nothing meets: the largest num_macs found is ",
        ),
    ],
)
def test_a_limit_that_nothing_meets_is_named(tmp_path: Path, limits: str, keys: tuple[str, ...], said: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(TEXT.replace("num_params: {max: 20_000}", limits))
    with pytest.raises(UnmetLimitError, match=said) as caught:
        check_limits(load_experiment(path).space, SHAPE)
    assert caught.value.keys == keys


def test_limits_that_are_met_pass(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(TEXT)
    check_limits(load_experiment(path).space, SHAPE)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_wilson_interval_has_its_published_values(successes: int, trials: int, low: float, high: float) -> None:
    """The last one is Newcombe 1998 (doi:10.1002/(SICI)1097-0258(19980430)17:8<857), table I."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)
