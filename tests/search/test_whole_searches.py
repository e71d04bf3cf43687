"""All of a search at once, in spaces that have little to search: recipe stage, rungs, repeats, and interruptions."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ressearch.search.contract import TrialSpec
from ressearch.store.record import TrialRecord

TEXT = """
architecture: {{stages: 2, stem_width: 8, {architecture}}}
recipe: {{epochs: 4, {recipe}}}
sampler: {{name: {sampler}}}
scheduler: {{name: calibrated, num_full: 8}}
recipe_tuning: {{trials: 8}}
limits: {{{limits}}}
objectives: [{objectives}]
baselines: [resnet-8, resnet-14]
"""
DEFAULTS = {
    "architecture": "depth: {int: {low: 1, high: 6}}, width: [8, {int: {low: 8, high: 40}}]",
    "recipe": "lr: {float: {low: 0.05, high: 0.4, log: true}}",
    "limits": "",
    "objectives": "val_accuracy",
}
SPACES: Mapping[str, tuple[Mapping[str, str], int | None]] = {
    "one point": ({"architecture": "depth: 1, width: 8", "recipe": "lr: 0.1"}, 1),
    "only categories": (
        {
            "architecture": "depth: 1, width: 8, activation: {choice: [relu, silu]}, "
            "ordering: {choice: [original, full_preactivation]}",
            "recipe": "lr: 0.1",
        },
        4,
    ),
    "only the recipe": ({"architecture": "depth: 1, width: 8"}, None),
    "narrow limits": ({"limits": "num_params: {min: 20_000, max: 20_400}"}, None),
    "two objectives": ({"objectives": "val_accuracy, num_params"}, None),
    "all of it": ({}, None),
}
"""By name: what differs from the defaults, and how many networks there are if they are few."""
NUM_TRIALS = 35
Search = Callable[..., list[TrialRecord]]


def accuracy(spec: TrialSpec, epoch: int) -> float:
    width = spec.architecture.stages[1].width or 0
    return 0.3 + 0.05 * epoch + 0.004 * width - 0.1 * abs(spec.recipe.lr - 0.2) + 1e-5 * (spec.seed % 1000)


@pytest.mark.parametrize(
    ("space", "sampler"), [*((space, "gp") for space in SPACES), ("all of it", "evolution"), ("all of it", "tpe")]
)
def test_a_search_that_is_interrupted_again_and_again_does_all_that_there_is_to_do(
    space: str, sampler: str, search_scripted: Search
) -> None:
    differs, num_networks = SPACES[space]
    text = TEXT.format(sampler=sampler, **(DEFAULTS | dict(differs)))
    pending = {1, 9, 14, 30}  # in the recipe stage, before there are rungs, and while leaders are repeated

    def interrupted(spec: TrialSpec, epoch: int) -> float:
        if spec.number in pending and epoch == 1:
            pending.discard(spec.number)
            raise KeyboardInterrupt
        return accuracy(spec, epoch)

    trials: list[TrialRecord] = []
    for _ in range(5):
        trials = search_scripted(text, interrupted, trials=NUM_TRIALS)
    finished = [trial for trial in trials if trial.is_finished]
    assert not [trial for trial in trials if trial.is_open]
    networks = {trial.candidate_id for trial in finished if not trial.baseline}
    if num_networks is None:
        assert not pending
        assert len(finished) == NUM_TRIALS
        assert any(trial.trial_of is not None for trial in finished)
        assert any(trial.state == "pruned" for trial in finished) or space == "narrow limits"
    else:
        assert len(networks) == num_networks
    assert {trial.baseline for trial in finished} == {"resnet-8", "resnet-14", None}
    assert {trial.within_limits for trial in finished if not trial.baseline} == {True}
    assert all(told(trial) for trial in finished)
    first = [trial for trial in finished if trial.trial_of is None and not trial.baseline]
    assert len({trial.candidate_id for trial in first}) == len(first)


def told(trial: TrialRecord) -> Any:
    return trial.curve and trial.state in ("complete", "pruned") and trial.measures
