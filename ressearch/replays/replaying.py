"""Searches replayed: the real search with its sampler and scheduler, looked-up trainings, a simulated clock."""

from dataclasses import dataclass, replace
from typing import Protocol

from ressearch.experiment import Budget, Experiment, RecipeTuning
from ressearch.experiment.loader import parse_sampler, parse_scheduler
from ressearch.experiment.objectives import directions_of
from ressearch.replays.memory_store import MemoryStore
from ressearch.replays.oracle import Curve, Oracle
from ressearch.replays.simulation import Clock, simulated
from ressearch.samplers import SamplerSettings
from ressearch.schedulers import SchedulerSettings
from ressearch.search.allowance import Allowance
from ressearch.search.contract import TrialSpec
from ressearch.search.ledger import Ledger
from ressearch.search.search import Search
from ressearch.space import Candidate
from ressearch.space.space import counted
from ressearch.store.record import TrialRecord, best_of
from ressearch.training.data import Prepared


@dataclass(frozen=True, kw_only=True)
class Step:
    """From this moment on a replay would have reported a network.

    seconds: since the search began. regret: what its expected accuracy lacks to the best one, 0..1.
    """

    seconds: float
    regret: float


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One search: what it would have reported when, and how many trials it began."""

    steps: tuple[Step, ...]
    num_trials: int


class Replayed(Protocol):
    """What is compared: a way to search, and what a table of results calls it."""

    @property
    def name(self) -> str:
        """What a table of results calls it."""

    def replay(self, oracle: Oracle, *, seconds: float, num_workers: int, seed: int) -> Replay:
        """Search once.

        Args:
            oracle: Knows every training.
            seconds: After which the search ends, as `--hours` would end it.
            num_workers: Trials at a time.
            seed: Of the study; searches with equal seeds are paired.
        """


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A sampler and a scheduler of ours."""

    name: str
    sampler: SamplerSettings
    scheduler: SchedulerSettings
    repeat_share: float | None = None
    recipe_trials: int = 0

    @classmethod
    def parse(
        cls, sampler: str, scheduler: str, *, repeat_share: float | None = None, recipe_trials: int = 0
    ) -> "Setting":
        """Return the setting of a sampler and a scheduler as a YAML file or a command names them.

        Raises:
            SpaceError: If there is none of this name, or an option is wrong.
        """
        parts = [sampler, scheduler]
        if repeat_share is not None:
            parts.append(f"repeats {repeat_share:g}")
        if recipe_trials:
            parts.append(f"recipe trials {recipe_trials}")
        return cls(
            name=", ".join(parts),
            sampler=parse_sampler(sampler),
            scheduler=parse_scheduler(scheduler),
            repeat_share=repeat_share,
            recipe_trials=recipe_trials,
        )

    def replay(self, oracle: Oracle, *, seconds: float, num_workers: int, seed: int) -> Replay:
        """Search once with all that a real search has but workers and a store."""
        experiment = replace(oracle.experiment, sampler=self.sampler, scheduler=self.scheduler, seed=seed)
        experiment = replace(experiment, recipe_tuning=RecipeTuning(trials=self.recipe_trials))
        budget = Budget(hours=seconds / 3600, repeat_share=self.repeat_share)
        clock = Clock()
        directions = directions_of(experiment.objectives)
        steps: list[Step] = []
        reported: int | None = None

        def watch(record: TrialRecord) -> None:
            nonlocal reported
            best = best_of(ledger.records.values(), directions) if record.state == "complete" else None
            if best and best.number != reported:
                reported = best.number
                truth = oracle.truth(_candidate(experiment, best))
                steps.append(Step(seconds=clock.seconds, regret=oracle.best - truth))

        def look_up(spec: TrialSpec) -> Curve:
            record = ledger.records[spec.number]
            trial = record if record.trial_of is None else ledger.records[record.trial_of]
            return oracle.curve(_candidate(experiment, trial), spec.seed)

        ledger = Ledger(MemoryStore(), watch)
        allowance = Allowance(budget, directions, clock=clock)
        nowhere = Prepared(directory=ledger.store.directory, source=experiment.images, seed=seed, split="train")
        search = Search(experiment, ledger, nowhere, oracle.counts, allowance=allowance)
        simulated(look_up, clock, num_workers=num_workers)(search)
        return Replay(steps=tuple(steps), num_trials=len(ledger.records))


def _candidate(experiment: Experiment, record: TrialRecord) -> Candidate:
    """Return what a trial trains, also where its recipe is outside of the ranges that are searched."""
    space = experiment.space
    if record.params and space.holds(record.params):
        return experiment.candidate(record.params)
    recipe = {name: record.recipe[name] for name in space.searched_recipe}
    assert record.params or record.baseline
    params = record.params or experiment.baseline(record.baseline or "").params
    return counted({**params, **recipe}, record.build_architecture(), recipe, experiment.shape)
