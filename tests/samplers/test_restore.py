"""What a sampler has learnt when a search is resumed."""

from dataclasses import asdict
from random import Random

from ressearch.experiment.loader import parse_experiment
from ressearch.samplers import Task, Tpe
from ressearch.space import random_choose
from ressearch.store.record import TrialRecord

SPACE = """\
version: 1
architecture: {stages: 1, depth: {int: {low: 1, high: 400}}, width: 16, zero_init: {choice: [false, true]}}
"""


def test_a_resumed_sampler_learns_from_truth_values() -> None:
    """TPE sees that zero_init pays only after it has read it; what it then asks for is a truth value again."""
    experiment = parse_experiment(SPACE, "space.yaml")
    choose, records = random_choose(Random(0)), []
    for number in range(40):
        candidate = experiment.candidate(experiment.space.draw(choose))
        accuracy = 0.9 if candidate.params["zero_init"] else 0.1
        records.append(
            TrialRecord(
                number=number,
                state="complete",
                params=candidate.params,
                architecture=candidate.architecture.to_dict(),
                architecture_id=candidate.architecture_id,
                candidate_id=candidate.id,
                recipe=asdict(experiment.recipe),
                **asdict(candidate.cost),
                within_limits=True,
                seed=number,
                curve=({"epoch": 1, "val_accuracy": accuracy},),
                measures={"val_accuracy": accuracy},
            )
        )
    task = Task(
        space=experiment.space,
        candidate=experiment.candidate,
        objectives=("val_accuracy",),
        directions=("maximize",),
        seed=0,
    )
    resumed = Tpe().start(task)
    resumed.restore(records)
    asked = []
    for number in range(40, 60):
        params = resumed.ask()
        assert params is not None
        resumed.begin(number, params)
        asked.append(params["zero_init"])
    assert {type(value) for value in asked} == {bool}
    assert sum(asked) >= 15
