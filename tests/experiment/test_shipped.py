"""The search spaces that come with the package: each asks a question, and each can be searched."""

import re
from pathlib import Path
from random import Random

import pytest
import torch

from ressearch.arch import AXES, InfeasibleError, plan
from ressearch.experiment import Experiment, load_experiment
from ressearch.experiment.loader import check_feasible
from ressearch.model import build
from ressearch.samplers import Grid, RandomDraws
from ressearch.schedulers import NoStopping
from ressearch.space import Candidate, random_choose
from ressearch.space.survey import survey

DIRECTORY = Path(__file__).parents[2] / "search_spaces"
every_space = pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.yaml")))


def load(name: str) -> Experiment:
    return load_experiment(DIRECTORY / f"{name}.yaml")


def first_feasible(experiment: Experiment) -> Candidate:
    choose = random_choose(Random(0))
    while True:
        try:
            return experiment.candidate(experiment.space.draw(choose))
        except InfeasibleError:
            continue


def test_there_is_one_for_each_paper() -> None:
    papers = "he2015-depth he2016-shortcuts he2016-orderings wide resnext pyramidnet senet stochastic-depth ror"
    names = {"quickstart", "cifar10", "residual", "initialisation", *papers.split()}
    assert names == {path.stem for path in DIRECTORY.glob("*.yaml")}


@every_space
def test_it_begins_with_its_question_and_its_paper(name: str) -> None:
    first, second, third, *_ = (DIRECTORY / f"{name}.yaml").read_text().splitlines()
    assert first.startswith("# ")
    assert first.endswith("?")
    assert second.startswith("# Paper: ")
    assert "arXiv:" in second
    assert third == ""
    assert load(name).origin.question == first.removeprefix("# ")


@every_space
def test_it_passes_check(name: str) -> None:
    experiment = load(name)
    check_feasible(experiment)
    found = survey(experiment.space, experiment.shape, samples=1000)
    assert found.feasible.value >= (0.2 if name == "residual" else 0.5)
    assert (experiment.misfits(), experiment.notes()) == ({}, [])
    for baseline in experiment.session.baselines:
        experiment.baseline(baseline)


@every_space
def test_a_network_of_it_can_be_built_and_run(name: str) -> None:
    experiment = load(name)
    shape, found = experiment.shape, first_feasible(experiment)
    network = build(plan(found.architecture, shape.channels, shape.num_classes))
    assert sum(parameter.numel() for parameter in network.parameters()) == found.cost.num_params
    images = torch.zeros(2, shape.channels, shape.resolution, shape.resolution)
    assert network(images).shape == (2, shape.num_classes)


@every_space
def test_a_grid_is_small_and_compares_at_full_length(name: str) -> None:
    experiment = load(name)
    if isinstance(experiment.sampler, Grid):
        assert experiment.space.size <= 200
        assert isinstance(experiment.scheduler, NoStopping)
    else:
        assert isinstance(experiment.sampler, RandomDraws) or experiment.space.size > 100


def test_the_joint_space_says_how_large_it_is() -> None:
    experiment = load("residual")
    (said,) = re.findall(r"^# ([\d.e+]+) points", experiment.origin.text, re.MULTILINE)
    assert said == f"{experiment.space.size:.2e}"  # as `check` prints it


def test_the_joint_space_searches_every_axis() -> None:
    """Every value of it is not asked for, so that a new one needs no line here; add it there where it makes sense."""
    searched = {parameter.axis for parameter in load("residual").space.parameters if parameter.domain.size != 1}
    assert searched >= set(AXES)
