"""A point of a space comes back from the store as it was written, so that a search can be resumed."""

from pathlib import Path
from random import Random

from ressearch.arch import InfeasibleError
from ressearch.experiment import Experiment, load_experiment
from ressearch.space import Candidate, random_choose
from ressearch.store.record import TrialRecord
from ressearch.store.trial_store import TrialStore

SPACE = Path(__file__).parents[2] / "search_spaces" / "residual.yaml"


def drawn(experiment: Experiment, count: int) -> list[Candidate]:
    choose, found = random_choose(Random(0)), []
    while len(found) < count:
        try:
            found.append(experiment.candidate(experiment.space.draw(choose)))
        except InfeasibleError:
            continue
    return found


def test_points_survive_the_database(tmp_path: Path) -> None:
    experiment = load_experiment(SPACE)
    store = TrialStore(tmp_path)
    domains = {parameter.name: parameter.domain for parameter in experiment.space.parameters}
    store.open({"val_accuracy": "maximize"}, domains, experiment.terms())
    candidates = drawn(experiment, 12)
    for number, candidate in enumerate(candidates):
        store.begin(TrialRecord.of(candidate, experiment.recipe_of(candidate), number=number, seed=number))
    reader = TrialStore(tmp_path)
    assert reader.open_for_reading()
    records = reader.trials()
    stored = [record.params for record in records]
    truths = [params["zero_init"] for params in stored if "zero_init" in params]
    assert {type(truth) for truth in truths} == {bool}
    assert set(truths) == {False, True}
    for candidate, record in zip(candidates, records, strict=True):
        assert {name: (type(value), value) for name, value in record.params.items()} == {
            name: (type(value), value) for name, value in candidate.params.items()
        }
        assert experiment.candidate(record.params).id == candidate.id == record.candidate_id
        assert record.build_recipe() == experiment.recipe_of(candidate)
    assert reader.terms == experiment.terms()
