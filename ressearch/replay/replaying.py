"""Searches replayed: the real search with its sampler and scheduler, looked-up trainings, a simulated clock."""

from dataclasses import dataclass, replace

from ressearch.experiment import Budget, Experiment
from ressearch.experiment.objectives import directions_of
from ressearch.replay.memory_store import MemoryStore
from ressearch.replay.oracle import Oracle
from ressearch.replay.simulation import Clock, simulated
from ressearch.samplers import SamplerSettings
from ressearch.schedulers import SchedulerSettings
from ressearch.search.allowance import Allowance
from ressearch.search.contract import TrialSpec
from ressearch.search.ledger import Ledger
from ressearch.search.search import Search
from ressearch.store.record import TrialRecord, best_of
from ressearch.training.source import Counts


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is compared: a sampler and a scheduler, and what a table of results calls them."""

    name: str
    sampler: SamplerSettings
    scheduler: SchedulerSettings

    def applied(self, experiment: Experiment) -> Experiment:
        """Return an experiment that is searched so."""
        return replace(experiment, sampler=self.sampler, scheduler=self.scheduler)


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


def replay(oracle: Oracle, setting: Setting, *, seconds: float, num_workers: int, seed: int) -> Replay:
    """Search once.

    Args:
        oracle: Knows every training.
        setting: How to search.
        seconds: After which the search ends, as `--hours` would end it.
        num_workers: Trials at a time.
        seed: Of the study; settings with equal seeds are paired.
    """
    experiment = replace(
        setting.applied(oracle.experiment), seed=seed, session=replace(oracle.experiment.session, budget=Budget())
    )
    clock = Clock()
    directions = directions_of(experiment.objectives)
    steps: list[Step] = []
    reported: int | None = None

    def watch(record: TrialRecord) -> None:
        nonlocal reported
        rivals = [record] if reported is None else [ledger.records[reported], record]
        best = None if record.is_open else best_of(rivals, directions)
        if best and best.number != reported:
            reported = best.number
            truth = oracle.truth(experiment.candidate(best.params))
            steps.append(Step(seconds=clock.seconds, regret=oracle.best - truth))

    def look_up(spec: TrialSpec) -> list:
        return oracle.curve(experiment.candidate(ledger.records[spec.number].params), spec.seed)

    ledger = Ledger(MemoryStore(), watch)
    allowance = Allowance(Budget(hours=seconds / 3600), directions, clock=clock)
    search = Search(experiment, ledger, None, Counts(1, 1, 0), allowance=allowance)
    simulated(look_up, clock, num_workers=num_workers)(search)
    return Replay(steps=tuple(steps), num_trials=len(ledger.records))
