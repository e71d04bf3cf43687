"""What a study that is carried on starts from: trials that were cut off, values that were seen, what is still owed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ressearch.arch import Cost
from ressearch.experiment import Experiment
from ressearch.schedulers import Rule
from ressearch.space import Candidate
from ressearch.store.record import BREAKDOWNS, INFRASTRUCTURE, TrialRecord
from ressearch.store.trial_store import TrialStore


@dataclass(frozen=True)
class Waiting:
    """A candidate that is trained before the sampler is asked: a baseline, or one that is trained again."""

    candidate: Candidate
    baseline: str | None = None
    retry_of: int | None = None

    @classmethod
    def again(cls, experiment: Experiment, record: TrialRecord) -> "Waiting":
        """Return the candidate of a trial that was lost."""
        candidate = Candidate(
            record.params,
            record.build_architecture(),
            {name: record.recipe[name] for name in experiment.space.searched_recipe},
            Cost(record.num_params, record.num_macs, record.num_activations),
        )
        return cls(candidate, record.baseline, record.number)


def end_leftovers(store: TrialStore) -> list[TrialRecord]:
    """Close the trials that a killed driver left running, and return all; those that can be continued stay paused."""
    return [_ended(store, record) if _is_lost(store, record) else record for record in store.trials()]


def _is_lost(store: TrialStore, record: TrialRecord) -> bool:
    has_checkpoint = record.state == "paused" and store.checkpoint_file(record.number).is_file()
    return record.is_open and not has_checkpoint


def _ended(store: TrialStore, record: TrialRecord) -> TrialRecord:
    message = "the driver ended while this trial was running"
    return store.close(replace(record, state="failed", reason="lost_driver", message=message))


def restored_rule(experiment: Experiment, records: Iterable[TrialRecord]) -> Rule:
    """Return the scheduler's rule with all that earlier sessions saw."""
    rule = experiment.scheduler.start(experiment.recipe.epochs)
    for record in records:
        if record.is_finished or record.state == "paused":
            for epoch in record.curve:
                rule.record(record.number, int(epoch["epoch"]), epoch["val_accuracy"])
        if not record.is_open:
            rule.ended(record.number)
    return rule


def waiting_trials(experiment: Experiment, records: Mapping[int, TrialRecord], max_retries: int) -> Iterator[Waiting]:
    """Return what is trained first: baselines that are missing, then trials that were cut off."""
    retried = {record.retry_of for record in records.values()}
    lost = [
        record
        for record in records.values()
        if record.reason in INFRASTRUCTURE
        and record.number not in retried
        and num_breakdowns(records, record) <= max_retries
    ]
    present = {record.baseline for record in [*lost, *(r for r in records.values() if r.is_finished or r.is_open)]}
    for name in experiment.session.baselines:
        if name not in present:
            yield Waiting(experiment.baseline(name), name)
    for record in lost:
        yield Waiting.again(experiment, record)


def num_breakdowns(records: Mapping[int, TrialRecord], record: TrialRecord) -> int:
    """Count how often a candidate broke down; ends of the driver are not its fault."""
    breakdowns = 0
    number: int | None = record.number
    while number is not None:
        earlier = records[number]
        breakdowns += earlier.reason in BREAKDOWNS
        number = earlier.retry_of
    return breakdowns
