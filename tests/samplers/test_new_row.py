"""A sampler of one's own: one class and one row; YAML, search and store need nothing more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ressearch.experiment.loader import parse_experiment
from ressearch.samplers import SAMPLERS, Params, Sampler, SamplerSettings, Task
from ressearch.space import Space, SpaceError
from ressearch.store.record import TrialRecord

TEXT = """
architecture: {stages: 2, stem_width: 8, depth: {int: {low: 1, high: 3}}, width: [8, {choice: [16, 24, 32]}]}
recipe: {epochs: 1, batch_size: 50, lr: {float: {low: 0.1, high: 0.9}}}
sampler: {name: climb, stride: 0.125}
scheduler: {name: none}
"""


@dataclass(frozen=True, kw_only=True)
class Climb(SamplerSettings):
    """Go from the best learning rate so far a stride upwards."""

    stride: float = 0.25

    def __post_init__(self) -> None:
        if self.stride <= 0:
            raise ValueError(f"stride > 0 must hold, got {self.stride:g}")

    def start(self, task: Task) -> Sampler:
        return Climbing(task.space, self.stride)


class Climbing(Sampler):
    def __init__(self, space: Space, stride: float) -> None:
        self._space, self._stride = space, stride
        self._best = 0.0, 0.1

    def ask(self) -> Params | None:
        lr = self._best[1] + self._stride
        return {"depth": 1, "width_2": 16, "lr": lr} if lr <= 0.9 else None

    def tell(self, record: TrialRecord) -> None:
        assert record.measures is not None
        self._best = max(self._best, (record.measures["val_accuracy"], record.params["lr"]))

    def restore(self, records: Any) -> None:
        for record in records:
            self.tell(record)


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAMPLERS, "climb", Climb)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "stride: 0.125",
            "stide: 0.1",
            r"mine.yaml:5: sampler: unknown key 'stide', expected one of name, seed, stride",
        ),
        ("stride: 0.125", "stride: 0", r"mine.yaml:5: sampler.stride: stride > 0 must hold, got 0"),
        ("climb", "clim", r"mine.yaml:5: sampler.name: .*'clim'.*'climb'"),
    ],
)
def test_its_options_are_checked(old: str, new: str, message: str) -> None:
    text = "version: 1\ndata: {name: digits}" + TEXT
    assert parse_experiment(text, "mine.yaml").sampler == Climb(stride=0.125)
    with pytest.raises(SpaceError, match=message):
        parse_experiment(text.replace(old, new), "mine.yaml")


def test_it_proposes_in_a_real_search_and_goes_on_in_the_next_session(search_scripted: Callable[..., Any]) -> None:
    def accuracy(spec: Any, epoch: int) -> float:
        return float(spec.recipe.lr)

    trials = search_scripted(TEXT, accuracy, trials=3)
    assert [trial.params["lr"] for trial in trials] == [0.225, 0.35, 0.475]
    trials = search_scripted(TEXT, accuracy, trials=8)
    assert [trial.params["lr"] for trial in trials[3:6]] == [0.6, 0.725, 0.85]
    assert all(0.1 <= trial.params["lr"] <= 0.9 for trial in trials[6:])  # random draws, where it knows no more
    assert len({trial.candidate_id for trial in trials}) == 8
