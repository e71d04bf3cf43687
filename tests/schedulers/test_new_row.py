"""A scheduler of one's own: one class and one row; YAML, search and store need nothing more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ressearch.experiment.loader import parse_experiment
from ressearch.ranking import Point
from ressearch.schedulers import SCHEDULERS, Decision, Rule, SchedulerSettings
from ressearch.search.contract import TrialSpec
from ressearch.space import SpaceError

TEXT = """
architecture: {{stages: 2, stem_width: 8, depth: {{int: {{low: 1, high: 3}}}}, width: [8, {{choice: [16, 24, 32]}}]}}
recipe: {{epochs: 4, batch_size: 50, lr: 0.1}}
sampler: {{name: random}}
scheduler: {scheduler}
"""


@dataclass(frozen=True, kw_only=True)
class Threshold(SchedulerSettings):
    """Stop whatever is below a value."""

    least: float = 0.5

    def start(self, num_epochs: int) -> Rule:  # noqa: ARG002
        return ThresholdRule(self.least)


class ThresholdRule(Rule):
    def __init__(self, least: float) -> None:
        self._least = least

    def decide(self, number: int, epoch: int, point: Point) -> Decision:  # noqa: ARG002
        return Decision.GO if point[0] >= self._least else Decision.STOP

    def record(self, number: int, epoch: int, point: Point) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Pairs(SchedulerSettings):
    """Pause every trial after an epoch, until two are there; the better one goes on."""

    at: int = 2
    releases: bool = True
    """Whether one that waits alone at the end goes on."""

    def start(self, num_epochs: int) -> Rule:  # noqa: ARG002
        return PairsRule(self.at, self.releases)


class PairsRule(Rule):
    def __init__(self, at: int, releases: bool) -> None:
        self.pauses_at, self._releases = frozenset({at}), releases
        self._paused: dict[int, Point] = {}

    def record(self, number: int, epoch: int, point: Point) -> None:
        if epoch in self.pauses_at:
            self._paused[number] = point

    def decide(self, number: int, epoch: int, point: Point) -> Decision:
        self.record(number, epoch, point)
        return Decision.PAUSE if epoch in self.pauses_at else Decision.GO

    def ended(self, number: int) -> None:
        self._paused.pop(number, None)

    def resumed(self, *, is_idle: bool) -> Mapping[int, Decision]:
        if len(self._paused) < 2 and not (is_idle and self._releases):
            return {}
        best = max(self._paused, key=lambda number: self._paused[number], default=None)
        decided = {number: Decision.GO if number == best else Decision.STOP for number in self._paused}
        self._paused.clear()
        return decided


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULERS, "threshold", Threshold)
    monkeypatch.setitem(SCHEDULERS, "pairs", Pairs)


def by_number(spec: TrialSpec, epoch: int) -> float:
    """Odd trials are better than even ones, and later ones than earlier ones."""
    return 0.6 * (spec.number % 2) + 0.01 * spec.number + 0.001 * epoch


def test_it_is_read_from_yaml_with_its_own_option() -> None:
    text = "version: 1\ndata: {name: digits}" + TEXT.format(scheduler="{name: threshold, least: 0.25}")
    assert parse_experiment(text, "mine.yaml").scheduler == Threshold(least=0.25)
    with pytest.raises(SpaceError, match=r"mine.yaml:6: scheduler: unknown key 'leest', expected one of name, least"):
        parse_experiment(text.replace("least", "leest"), "mine.yaml")


def test_it_stops_trials_of_a_real_search(search_scripted: Callable[..., Any]) -> None:
    trials = search_scripted(TEXT.format(scheduler="{name: threshold, least: 0.3}"), by_number, trials=6)
    assert [trial.state for trial in trials] == ["pruned", "complete"] * 3
    assert [trial.epochs for trial in trials] == [1, 4] * 3


def test_it_pauses_and_continues_trials_of_a_real_search(search_scripted: Callable[..., Any]) -> None:
    trained: list[tuple[int, int]] = []

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        trained.append((spec.number, epoch))
        return by_number(spec, epoch)

    trials = search_scripted(TEXT.format(scheduler="{name: pairs}"), accuracy, trials=5)
    assert [trial.state for trial in trials] == ["pruned", "complete"] * 2 + ["complete"]
    assert [trial.epochs for trial in trials] == [2, 4, 2, 4, 4]
    assert len(trained) == len(set(trained)) == 16  # no epoch is trained twice
    assert trained[:6] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (1, 4)]
    assert [trial.curve[-1]["epoch"] for trial in trials] == [2, 4, 2, 4, 4]


def test_what_a_scheduler_leaves_paused_for_ever_is_stopped(search_scripted: Callable[..., Any]) -> None:
    text = TEXT.format(scheduler="{name: pairs, at: 3, releases: false}")
    trials = search_scripted(text, by_number, trials=3)
    assert [(trial.state, trial.epochs) for trial in trials] == [("pruned", 3), ("complete", 4), ("pruned", 3)]


def test_baselines_are_not_paused(search_scripted: Callable[..., Any]) -> None:
    text = TEXT.format(scheduler="{name: pairs}") + "baselines: [resnet-8]\n"
    trials = search_scripted(text, by_number, trials=3)
    assert (trials[0].baseline, trials[0].state, trials[0].epochs) == ("resnet-8", "complete", 4)
    assert sorted(trial.state for trial in trials[1:]) == ["complete", "pruned"]
