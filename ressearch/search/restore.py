"""What a study that is carried on starts from: the values that its scheduler has seen, and the trials still owed."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from ressearch.experiment import Experiment
from ressearch.experiment.objectives import Trained, directions_of, measured
from ressearch.ranking import Point, oriented
from ressearch.schedulers import Rule
from ressearch.space.space import Candidate, counted
from ressearch.store.record import BREAKDOWNS, GIVEN_UP, INFRASTRUCTURE, TrialRecord


@dataclass(frozen=True)
class Waiting:
    """A candidate that is trained before the sampler is asked: a baseline, or one that is trained again."""

    candidate: Candidate
    baseline: str | None = None
    retry_of: int | None = None
    trial_of: int | None = None
    """The trial whose network is trained again with a fresh seed, to know it better."""
    seed: int | None = None
    """Of the trial that was lost, so that it comes to what it would have come to."""

    @classmethod
    def again(cls, experiment: Experiment, record: TrialRecord) -> "Waiting":
        """Return the candidate of a trial that was lost."""
        candidate = _candidate(experiment, restated(experiment, record))
        return cls(candidate, record.baseline, record.number, record.trial_of, record.seed)

    @classmethod
    def once_more(cls, experiment: Experiment, record: TrialRecord) -> "Waiting":
        """Return the candidate of a trial that has ended, to be trained with a fresh seed."""
        return cls(_candidate(experiment, restated(experiment, record)), trial_of=record.number)


def restated(experiment: Experiment, record: TrialRecord) -> TrialRecord:
    """Return a trial as a point of the space as it is now: what was fixed may have become a choice since."""
    params, space = record.params, experiment.space
    if not params or params.keys() == space.draw(lambda name, domain: params.get(name, domain.centre)).keys():
        return record
    candidate = _candidate(experiment, record)
    return replace(record, params=space.params_of(candidate) or params, candidate_id=candidate.id)


def _candidate(experiment: Experiment, record: TrialRecord) -> Candidate:
    recipe_values = {name: record.recipe[name] for name in experiment.space.searched_recipe}
    return counted(record.params, record.build_architecture(), recipe_values, experiment.shape)


def restored_rule(experiment: Experiment, records: Iterable[TrialRecord]) -> Rule:
    """Return the scheduler's rule with all that earlier sessions saw."""
    rule = experiment.scheduler.start(experiment.fidelity.epochs)
    for record in records:
        if competes(experiment, record) and (record.is_finished or record.state == "paused"):
            for epoch in record.curve:
                number = int(epoch["epoch"])
                rule.record(record.number, number, point_at(experiment, record, number))
        if not record.is_open:
            rule.ended(record.number)
    return rule


def competes(experiment: Experiment, record: TrialRecord) -> bool:
    """Tell whether others are compared with a trial: a repeat and a network outside the limits are no rivals."""
    return record.trial_of is None and experiment.space.limits.allow(record.cost)


def point_at(experiment: Experiment, record: TrialRecord, epoch: int) -> Point:
    """Return what a scheduler compares: the objectives of a trial after an epoch, the higher the better.

    It follows from the curve alone, so that a later session sees the same. `seconds` is the time that all epochs would
    take at the pace so far; what is measured on a trained network only is left out.
    """
    curve = record.curve[:epoch]
    pace = fmean(one.get("seconds", 0.0) for one in curve)
    trained = Trained(cost=record.cost, curve=curve, seconds=pace * experiment.fidelity.epochs)
    measures = measured(experiment.objectives, trained)
    return oriented(measures, directions_of(measures))


def lost_trials(experiment: Experiment, records: Mapping[int, TrialRecord], max_retries: int) -> Iterator[Waiting]:
    """Return the trials that were cut off, to be trained again."""
    retried = {record.retry_of for record in records.values()}
    for record in records.values():
        is_lost = record.reason in INFRASTRUCTURE and record.number not in retried
        if is_lost and earlier_breakdowns(records, record) + (record.reason in BREAKDOWNS) <= max_retries:
            yield Waiting.again(experiment, record)


def missing_baselines(experiment: Experiment, names: Collection[str | None]) -> Iterator[Waiting]:
    """Return the baselines that are trained first.

    Args:
        experiment: Names them.
        names: Those that are trained, or wait to be trained.
    """
    return (Waiting(experiment.baseline(name), name) for name in experiment.session.baselines if name not in names)


def given_up(record: TrialRecord) -> TrialRecord:
    """Return the record of a candidate's last breakdown: what it came to is its own fault now."""
    return replace(record, reason=GIVEN_UP, message=f"given up after breaking down again: {record.message}")


def earlier_breakdowns(records: Mapping[int, TrialRecord], record: TrialRecord) -> int:
    """Count how often a candidate broke down before a trial; ends of the driver are not its fault."""
    breakdowns = 0
    number = record.retry_of
    while number is not None:
        earlier = records[number]
        breakdowns += earlier.reason in BREAKDOWNS
        number = earlier.retry_of
    return breakdowns
