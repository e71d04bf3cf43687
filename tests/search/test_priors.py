"""Where a search begins: near its baselines, and near the best of an earlier study."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ressearch
from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.search.candidates import CandidateSource
from ressearch.search.contract import Progress, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.priors import best_points, with_prior
from ressearch.search.session import run_session
from ressearch.store.files import StudyError
from ressearch.training.loop import EpochResult

TEXT = """
architecture:
  stages: 2
  stem_width: 8
  depth: {{int: {{low: 1, high: {deepest}}}}}
  width: [8, {{choice: {widths}}}]
  activation: {{choice: [relu, silu]}}
recipe: {{epochs: 2, batch_size: 50, lr: {{float: {{low: {lowest}, high: 1.0, log: true}}}}}}
sampler: {{name: {sampler}}}
scheduler: {{name: none}}
{more}
"""
HEAD = "version: 1\ndata: {name: digits, subset: 400, val_images: 200}\n"


def text(
    sampler: str = "random", *, deepest: int = 6, widths: str = "[16, 24, 32]", lowest: float = 0.01, more: str = ""
) -> str:
    return TEXT.format(sampler=sampler, deepest=deepest, widths=widths, lowest=lowest, more=more)


def experiment(**options: Any) -> Experiment:
    return parse_experiment(HEAD + text(**options), "x")


def deep_is_good(spec: TrialSpec, epoch: int) -> float:
    return 0.1 * spec.architecture.stages[0].depth + 0.01 * epoch + 1e-3 * spec.recipe.lr


@pytest.fixture
def earlier(search_scripted: Callable[..., Any], tmp_path: Path) -> Path:
    search_scripted(text(), deep_is_good, trials=20, name="earlier")
    return tmp_path / "earlier"


def test_the_best_of_an_earlier_study_come_first(earlier: Path) -> None:
    points = best_points(ressearch.open_study(earlier), experiment())
    best = sorted(ressearch.open_study(earlier).trials, key=lambda trial: trial.val_accuracy or 0, reverse=True)
    assert points == [trial.params for trial in best[:8]]


def test_points_are_restated_for_another_space(earlier: Path) -> None:
    """Widths of 24 are gone and depths beyond 5, learning rates begin at 0.3, and there is a new choice."""
    here = experiment(deepest=5, widths="[16, 32, 48]", lowest=0.3)
    points = best_points(ressearch.open_study(earlier), here)
    fitting = [
        trial
        for trial in ressearch.open_study(earlier).trials
        if trial.params["width_2"] != 24 and int(trial.params["depth"]) <= 5
    ]
    assert len(points) == min(8, len(fitting))
    for point in points:
        assert here.candidate(point).params == point
    kept = {trial.params["lr"] for trial in fitting}
    assert all(point["lr"] in kept or point["lr"] == pytest.approx(0.3**0.5) for point in points)


def test_a_study_of_other_networks_says_nothing(earlier: Path) -> None:
    with pytest.raises(StudyError, match=r"none of its 20 ranked networks is a point of this space"):
        best_points(ressearch.open_study(earlier), experiment(widths="[20, 40]"))


def test_a_sampler_that_has_no_use_for_a_prior_is_refused(earlier: Path) -> None:
    with pytest.raises(ValueError, match=r"the sampler random has no use for a prior; .* begins near one: gp"):
        with_prior(experiment(sampler="random"), ressearch.open_study(earlier))


def differences(params: Any, parents: list[Any]) -> int:
    return min(sum(params.get(name) != value for name, value in parent.items()) for parent in parents)


def test_a_search_begins_near_a_prior(earlier: Path) -> None:
    here = experiment(sampler="gp")
    prior = best_points(ressearch.open_study(earlier), here)
    searched = with_prior(here, ressearch.open_study(earlier))
    assert searched.session.parents == tuple(prior)

    def num_near(begun: Experiment) -> int:
        """Proposals of several searches that are one change away."""
        sources = [CandidateSource(begun, seed) for seed in range(10)]
        points = [candidate.params for source in sources for _ in range(4) if (candidate := source.propose())]
        return sum(differences(point, prior) == 1 for point in points)

    assert num_near(searched) > num_near(here) + 8


def test_a_prior_that_misleads_is_outgrown(earlier: Path, tmp_path: Path) -> None:
    """The best of the earlier study are deep, and here the shallow are good."""

    def shallow_is_good(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        for epoch in (1, 2):
            value = 1 - deep_is_good(spec, epoch)
            result = EpochResult(epoch=epoch, train_loss=1, val_loss=1, val_accuracy=value, lr=0.1, seconds=0)
            yield Progress(epoch=result, seconds=0.5 * epoch)
        yield TrialResult(measures={"val_accuracy": value, "seconds": 1.0})

    here = with_prior(experiment(sampler="gp"), ressearch.open_study(earlier))
    run_session(here, tmp_path / "here", partial(run_in_process, do=shallow_is_good), trials=40)
    best = max(ressearch.open_study(tmp_path / "here").trials, key=lambda trial: trial.val_accuracy or 0)
    assert best.params["depth"] == 1
