"""Every scheduler in a real search that is interrupted and carried on."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ressearch.arch import architecture_id
from ressearch.schedulers import SCHEDULERS
from ressearch.search.contract import TrialSpec

TEXT = """
architecture: {{stages: 2, stem_width: 8, depth: {{int: {{low: 1, high: 6}}}}, width: [8, {{choice: [16, 24, 32]}}]}}
recipe: {{epochs: 9, batch_size: 50, lr: 0.1}}
sampler: {{name: random}}
scheduler: {{name: {scheduler}{options}}}
"""


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_an_interruption_loses_and_repeats_nothing(scheduler: str, search_scripted: Callable[..., Any]) -> None:
    trained: Counter[tuple[str, int]] = Counter()
    is_interrupted = False

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        nonlocal is_interrupted
        if (spec.number, epoch) == (7, 1) and not is_interrupted:
            is_interrupted = True
            raise KeyboardInterrupt
        trained[architecture_id(spec.architecture), epoch] += 1
        return 0.9 + 0.01 * epoch if spec.number == 3 else 0.5 + 0.02 * (spec.number % 5) + 0.001 * epoch

    options = ", num_full: 4" if scheduler == "calibrated" else ""  # of twelve trials
    text = TEXT.format(scheduler=scheduler, options=options)
    before = search_scripted(text, accuracy, trials=12)
    assert before[7].reason == "interrupted"
    trials = search_scripted(text, accuracy, trials=12)
    assert sum(trial.is_finished for trial in trials) == 12
    assert not any(trial.is_open for trial in trials)
    assert trials[3].state == "complete"  # the best one
    assert [trial.candidate_id for trial in trials if trial.retry_of == 7] == [trials[7].candidate_id]
    assert set(trained.values()) == {1}  # no epoch of any network is trained twice
    for trial, earlier in zip(trials, before, strict=False):
        if not earlier.is_open:
            assert trial == earlier
    assert ("pruned" in {trial.state for trial in trials}) is SCHEDULERS[scheduler].stops
