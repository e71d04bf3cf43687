"""What the search gets of its sampler: feasible, within the limits, new, and counted where it is not."""

import random
from collections.abc import Callable

import pytest

from ressearch.experiment import Experiment
from ressearch.search.candidates import CandidateSource
from ressearch.store.record import TrialRecord

Made = Callable[..., Experiment]
Ended = Callable[..., TrialRecord]
GROUPED = """\
  depth: {int: {low: 1, high: 2}}
  width: [8, {choice: [16, 24]}]
  transform: bottleneck
  bottleneck_ratio: 0.5
  cardinality: {choice: [3, 2]}
recipe: {epochs: 4}
"""
"""Eight points; four of them are networks, since 3 divides no width of a branch of 4 channels."""


def found_by(experiment: Experiment, ended: Ended) -> tuple[list[dict[str, object]], CandidateSource]:
    """Return the points of all candidates until there are none, and who proposed them."""
    source, points = CandidateSource(experiment, 0), []
    while candidate := source.propose():
        source.begin(len(points), candidate)
        source.tell(ended(len(points), candidate.params, random.Random(len(points)).random()))
        points.append(dict(candidate.params))
    return points, source


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "nsga2"])
def test_a_small_space_is_exhausted_exactly(sampler: str, made: Made, ended: Ended) -> None:
    points, source = found_by(made(GROUPED, sampler), ended)
    got = sorted((point["depth"], point["width_2"], point["cardinality"]) for point in points)
    assert got == [(1, 16, 2), (1, 24, 2), (2, 16, 2), (2, 24, 2)]
    assert set(source.refused) == {"cardinality", "duplicate"}
    assert source.propose() is None


def test_a_grid_goes_through_the_points_in_order_and_counts_what_it_refuses(made: Made, ended: Ended) -> None:
    source = CandidateSource(made(GROUPED, "grid"), 0)
    found = []
    for number in range(4):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        found.append((candidate.params["depth"], candidate.params["width_2"]))
    assert found == [(1, 16), (1, 24), (2, 16), (2, 24)]
    assert dict(source.refused) == {"cardinality": 4}  # every other point


def test_a_grid_keeps_its_order_however_many_points_are_refused_in_a_row(made: Made) -> None:
    space = GROUPED.replace("  depth: {int: {low: 1, high: 2}}\n", "").replace("[3, 2]}", "[3, 2]}\n  depth: DEPTH")
    source = CandidateSource(made(space.replace("DEPTH", "{int: {low: 1, high: 40}}"), "grid"), 0)
    points = []
    for number in range(6):
        candidate = source.propose()
        assert candidate is not None
        source.begin(number, candidate)
        points.append(candidate.params)
    assert [list(point.values()) for point in points] == sorted(list(point.values()) for point in points)
    assert source.refused["cardinality"] >= 40


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_the_limits_refuse_by_their_name(sampler: str, made: Made, ended: Ended) -> None:
    smallest = min(
        made(GROUPED).candidate({"depth": 1, "width_2": width, "cardinality": 2}).cost.num_params for width in (16, 24)
    )
    points, source = found_by(made(GROUPED, sampler, more=f"limits: {{num_params: {{max: {smallest}}}}}\n"), ended)
    assert points == [{"depth": 1, "width_2": 16, "cardinality": 2}]
    assert source.refused["num_params"] > 0


def test_candidates_of_earlier_sessions_are_known(made: Made, ended: Ended) -> None:
    experiment = made(GROUPED, "grid")
    known = experiment.candidate({"depth": 1, "width_2": 16, "cardinality": 2})
    source = CandidateSource(experiment, 0)
    source.restore([ended(0, known.params, candidate_id=known.id)])
    candidate = source.propose()
    assert candidate is not None
    assert candidate.params == {"depth": 1, "width_2": 24, "cardinality": 2}
    assert dict(source.refused) == {"cardinality": 2, "duplicate": 1}


def test_a_given_candidate_is_known_from_then_on(made: Made) -> None:
    experiment = made(GROUPED, "grid")
    source = CandidateSource(experiment, 0)
    source.begin(0, experiment.candidate({"depth": 1, "width_2": 16, "cardinality": 2}))
    candidate = source.propose()
    assert candidate is not None
    assert candidate.params["width_2"] == 24
