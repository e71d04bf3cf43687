"""A point of a space comes back from the storage of a study as it was written, so that a search can be resumed."""

from pathlib import Path
from random import Random

from optuna.trial import TrialState

from ressearch.arch import InfeasibleError
from ressearch.search.proposer import Proposer, distribution_of
from ressearch.search.storage import load_study, open_book
from ressearch.space import Candidate, load_space, random_choose

SPACE = Path(__file__).parents[2] / "search_spaces" / "residual.yaml"


def drawn(space, count: int) -> list[Candidate]:
    choose, shape, found = random_choose(Random(0)), space.source.describe(), []
    while len(found) < count:
        try:
            found.append(space.candidate(space.draw(choose), shape))
        except InfeasibleError:
            continue
    return found


def test_points_survive_the_database(tmp_path: Path) -> None:
    space = load_space(SPACE)
    distributions = {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}
    book = open_book(tmp_path, ["val_accuracy"], ["maximize"])
    candidates = drawn(space, 12)
    for candidate in candidates:
        book.open(candidate.params, distributions, {})
    stored = [trial.params for trial in load_study(tmp_path).trials]
    truths = [params["zero_init"] for params in stored if "zero_init" in params]
    assert {type(truth) for truth in truths} == {bool}
    assert set(truths) == {False, True}
    for candidate, params in zip(candidates, stored, strict=True):
        assert {name: (type(value), value) for name, value in params.items()} == {
            name: (type(value), value) for name, value in candidate.params.items()
        }
        assert space.candidate(params, space.source.describe()).id == candidate.id


def test_a_resumed_sampler_learns_from_truth_values(tmp_path: Path) -> None:
    """TPE sees that zero_init pays only after it has read it back; what it then asks for is a truth value again."""
    path = tmp_path / "space.yaml"
    path.write_text(
        "version: 1\n"
        "architecture: {stages: 1, depth: {int: {low: 1, high: 400}}, width: 16, zero_init: {choice: [false, true]}}\n"
    )
    space = load_space(path)
    shape = space.source.describe()
    distributions = {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}
    book = open_book(tmp_path, ["val_accuracy"], ["maximize"])
    for candidate in drawn(space, 40):
        trial = book.open(candidate.params, distributions, {"candidate_id": candidate.id})
        book.close(trial, TrialState.COMPLETE, [0.9 if candidate.params["zero_init"] else 0.1], {})
    resumed = Proposer(space, shape, ["maximize"], seed=0)
    resumed.restore(load_study(tmp_path).trials)
    asked = [proposal.candidate.params["zero_init"] for _ in range(20) if (proposal := resumed.propose())]
    assert {type(value) for value in asked} == {bool}
    assert sum(asked) >= 15
