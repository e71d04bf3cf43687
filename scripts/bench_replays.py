"""Searches with today's tools beside ours, replayed on a table of trained networks.

    python scripts/bench_replays.py TABLE.parquet --hours 1 --repeats 200

`stock` is Ray Tune's OptunaSearch and ASHAScheduler as they come, driven by our simulated clock: both classes are Ray's
own. Networks outside the limits are told to it as errors and cost it no time; what it reports is the trial with the
highest last accuracy, which is what `ResultGrid.get_best_result` returns.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ressearch.arch import InfeasibleError
from ressearch.experiment import Resources
from ressearch.experiment.loader import parse_sampler, parse_scheduler
from ressearch.replays.oracle import Curve, Oracle
from ressearch.replays.replaying import Replay, Replayed, Setting, Step
from ressearch.replays.simulation import Clock, simulated
from ressearch.replays.tournament import held
from ressearch.report.plain_tables import findings_markdown
from ressearch.report.replay_findings import replay_findings
from ressearch.report.replays_live import progress
from ressearch.schedulers import Decision
from ressearch.search.contract import Progress, TrialResult, TrialSpec, trial_seed
from ressearch.space import Candidate
from ressearch.store.distributions import suggested
from ressearch.training.data import Prepared


class StockWork:
    """A search by Ray's classes behind our contract of work."""

    def __init__(self, oracle: Oracle, clock: Clock, *, seconds: float, seed: int) -> None:
        from ray.tune.schedulers import ASHAScheduler
        from ray.tune.search.optuna import OptunaSearch

        space = oracle.experiment.space
        self.resources, self.num_workers = Resources(), 0
        self.candidates: list[Candidate] = []
        self.steps: list[Step] = []
        self._oracle, self._clock, self._seconds, self._seed = oracle, clock, seconds, seed
        self._best = -1.0
        self._num_asked = 0
        self._names: dict[int, str] = {}
        self._search = OptunaSearch(
            lambda trial: dict(space.draw(lambda name, domain: suggested(trial, name, domain))),
            metric="accuracy",
            mode="max",
            seed=seed,
        )
        epochs = oracle.experiment.recipe.epochs
        self._scheduler = ASHAScheduler(metric="accuracy", mode="max", max_t=max(epochs, 1))

    def next_trial(self) -> TrialSpec | None:
        """Ask until a network is feasible."""
        while self._clock.seconds < self._seconds:
            name = f"{self._num_asked:06d}"
            self._num_asked += 1
            params = self._search.suggest(name)
            try:
                candidate = self._oracle.experiment.candidate(params)
            except InfeasibleError:
                self._search.on_trial_complete(name, error=True)
                continue
            number = len(self.candidates)
            self.candidates.append(candidate)
            self._names[number] = name
            self._scheduler.on_trial_add(None, SimpleNamespace(trial_id=name))
            return TrialSpec(
                number=number,
                architecture=candidate.architecture,
                recipe=self._oracle.experiment.recipe_of(candidate),
                images=Prepared(
                    directory=Path(), source=self._oracle.experiment.images, seed=self._seed, split="train"
                ),
                seed=trial_seed(self._seed, number),
            )
        return None

    def report(self, number: int, told: Progress) -> Decision:
        """Tell Ray's searcher and scheduler of an epoch."""
        if self._clock.seconds >= self._seconds:
            return Decision.STOP
        name, accuracy, epoch = self._names[number], told.epoch.val_accuracy, told.epoch.epoch
        result: dict[str, Any] = {"accuracy": accuracy, "training_iteration": epoch}
        self._search.on_trial_result(name, result)
        action = self._scheduler.on_trial_result(None, SimpleNamespace(trial_id=name), result)
        is_over = action == "STOP" or epoch == self._oracle.experiment.recipe.epochs
        if is_over:
            self._search.on_trial_complete(name, result)
            if accuracy > self._best:
                self._best = accuracy
                regret = self._oracle.best - self._oracle.truth(self.candidates[number])
                self.steps.append(Step(seconds=self._clock.seconds, regret=regret))
        return Decision.STOP if action == "STOP" else Decision.GO

    def finish(self, number: int, result: TrialResult) -> None:
        """Nothing is left to tell: the last epoch was."""

    def interrupt(self) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class Stock:
    """Ray Tune's OptunaSearch with ASHAScheduler."""

    name: str = "Ray OptunaSearch + ASHA"

    def replay(self, oracle: Oracle, *, seconds: float, num_workers: int, seed: int) -> Replay:
        """Search once."""
        clock = Clock()
        work = StockWork(oracle, clock, seconds=seconds, seed=seed)

        def look_up(spec: TrialSpec) -> Curve:
            return oracle.curve(work.candidates[spec.number], spec.seed)

        simulated(look_up, clock, num_workers=num_workers)(work)
        return Replay(steps=tuple(work.steps), num_trials=len(work.candidates))


def ours(sampler: str, scheduler: str, repeat_share: float) -> Setting:
    """Return a setting of ours."""
    return Setting(
        name=f"{sampler}, {scheduler}, repeats {repeat_share:g}",
        sampler=parse_sampler(sampler),
        scheduler=parse_scheduler(scheduler),
        repeat_share=repeat_share,
    )


def main(arguments: Sequence[str]) -> None:
    """Replay all of them and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    contestants: list[Replayed] = [
        Stock(),
        ours("random", "none", 0.0),
        ours("tpe", "asha", 0.0),
        ours("evolution", "calibrated", 0.2),
        ours("trees", "calibrated", 0.2),
    ]
    with progress() as tell:
        found = held(
            given.table,
            contestants,
            hours=given.hours,
            repeats=given.repeats,
            workers=given.workers,
            seed=given.seed,
            tell=tell,
        )
    print(findings_markdown(replay_findings(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
