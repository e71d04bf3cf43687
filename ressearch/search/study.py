"""The search itself: what to train next, what is kept of it, when a trial ends. No Ray."""

import math
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ressearch.images import ImageShape
from ressearch.search.asha import Asha, default_first_rung
from ressearch.search.proposer import Proposal, Proposer
from ressearch.search.records import BREAKDOWNS, INFRASTRUCTURE, TrialRecord, best_of, record_of, trial_directory
from ressearch.search.storage import Direction, StudyError, open_book
from ressearch.search.worker import Assignment, trial_seed
from ressearch.space.space import Candidate, Space
from ressearch.training.data import Prepared
from ressearch.training.loop import EpochResult
from ressearch.training.recipe import Recipe

MAX_RETRIES = 2
"""Times that a candidate is trained again after a breakdown; a third one is its own fault."""
MAX_BREAKDOWNS = 5
"""Breakdowns in a row after which the run ends: the machine is at fault, and more trials would be lost."""


@dataclass
class RunningTrial:
    """A trial that a worker has, with what it reported so far."""

    number: int
    trial_id: int
    proposal: Proposal
    ancestor: str | None
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def candidate(self) -> Candidate:
        """What is trained."""
        return self.proposal.candidate


@dataclass(frozen=True)
class _Waiting:
    """A candidate that is trained before the sampler is asked."""

    candidate: Candidate
    ancestor: str | None = None
    retry_of: int | None = None


class Search:
    """The state of one run and the sole writer of its study; backends drive it.

    A backend calls `next_trial` for an assignment, `epoch` for every epoch (False means stop this trial) and
    `finish` when a trial has ended, in whatever way.

    Attributes:
        directory: Where the study stands, absolute.
        running: Trials that workers have, by number.
        records: Finished trials of all sessions, by number.
        exhausted: The sampler found no new candidate.
    """

    def __init__(
        self,
        directory: Path,
        space: Space,
        shape: ImageShape,
        images: Prepared | None,
        target: int,
    ) -> None:
        minimised: list[Direction] = ["minimize"] * (len(space.objectives) - 1)
        directions: list[Direction] = ["maximize", *minimised]
        self.space = space
        self.target = target
        self.running: dict[int, RunningTrial] = {}
        self.exhausted = False
        self.session = Session()
        self._breakdowns_in_a_row = 0
        self.directory = directory.absolute()
        self._shape = shape
        self._images = images
        self._book = open_book(directory, space.objectives, directions)
        trials = self._closed_trials()
        self.records: dict[int, TrialRecord] = {trial.number: record_of(trial) for trial in trials}
        self._asha = self._restored_asha()
        self._proposer = Proposer(space, shape, directions, seed=trial_seed(space.sampler.seed, -1 - len(trials)))
        self._proposer.restore(trials)
        self._waiting = deque(self._restored_queue())

    # What backends call

    def next_trial(self) -> Assignment | None:
        """Open the next trial, or return None when enough are finished or under way, or none can be found."""
        if self.num_finished + len(self.running) >= self.target or self.exhausted:
            return None
        if self._waiting:
            waiting = self._waiting.popleft()
            proposal = self._proposer.expect(waiting.candidate)
        else:
            found = self._proposer.propose()
            if found is None:
                self.exhausted = True
                return None
            proposal, waiting = found, _Waiting(found.candidate)
        return self._open(proposal, waiting)

    def epoch(self, number: int, result: EpochResult, seconds: float) -> bool:
        """Record an epoch; return whether the trial goes on. `seconds` counts from the trial's start."""
        trial = self.running[number]
        if not trial.curve:
            self.session.begin(seconds)
        trial.curve.append(asdict(result))
        trial.seconds = seconds
        if len(self.space.objectives) == 1:  # Optuna keeps no intermediate values with several objectives
            self._book.report(trial.trial_id, result.epoch, result.val_accuracy)
        if self._asha is None or result.epoch >= self.space.recipe.epochs:
            return True
        if trial.ancestor:  # a reference is trained to the end: stopping it would tell nothing
            self._asha.record(result.epoch, result.val_accuracy)
            return True
        trial.stopped = self._asha.stops(result.epoch, result.val_accuracy)
        return not trial.stopped

    def finish(
        self, number: int, *, reason: str | None = None, message: str = "", seconds: float | None = None
    ) -> None:
        """Close a trial truthfully: failed with a reason, complete at full length, else stopped by the scheduler.

        A trial that ended in no such way has lost its worker.

        Raises:
            StudyError: When trial after trial breaks down.
        """
        trial = self.running[number]
        trial.seconds = seconds if seconds is not None else trial.seconds
        values: list[float] | None = None
        if reason is None and len(trial.curve) >= self.space.recipe.epochs:
            state, values = TrialState.COMPLETE, self._values(trial)
        elif reason is None and trial.stopped:
            state, values = TrialState.PRUNED, self._values(trial)
        else:
            state, reason = TrialState.FAIL, reason or "worker_lost"
        attributes: dict[str, Any] = {"curve": trial.curve, "seconds": trial.seconds}
        if reason:
            attributes |= {"reason": reason, "message": message}
        self.records[number] = record_of(self._book.close(trial.trial_id, state, values, attributes))
        del self.running[number]
        self.session.end(trial.seconds)
        self._tell_proposer(trial, state, reason, values)
        if reason in BREAKDOWNS and self._num_breakdowns(self.records[number]) <= MAX_RETRIES:
            self._waiting.append(_Waiting(trial.candidate, trial.ancestor, retry_of=number))
        self._breakdowns_in_a_row = self._breakdowns_in_a_row + 1 if reason in BREAKDOWNS else 0
        if self._breakdowns_in_a_row == MAX_BREAKDOWNS:
            raise StudyError(
                f"{self.directory}: {MAX_BREAKDOWNS} trials in a row broke down, the last one with {message!r}; "
                "mend that and run the same command again: they are trained anew"
            )

    def interrupt(self) -> None:
        """Close every running trial; the next session trains them again."""
        for number in list(self.running):
            self.finish(number, reason="interrupted", message="the run was interrupted")

    # What displays read

    @property
    def num_finished(self) -> int:
        """Trials that count towards the target."""
        return sum(record.is_finished for record in self.records.values())

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train."""
        return not self.running and (self.num_finished >= self.target or self.exhausted)

    @property
    def refused(self) -> Counter[str]:
        """Candidates refused in this session, by rule."""
        return self._proposer.refused

    @property
    def best(self) -> TrialRecord | None:
        """Best finished trial within the limits."""
        return best_of(list(self.records.values()))

    # Inside

    def _open(self, proposal: Proposal, waiting: _Waiting) -> Assignment:
        candidate = proposal.candidate
        architecture, recipe = candidate.architecture.to_dict(), asdict(candidate.recipe)
        number = len(self.records) + len(self.running)
        seed = trial_seed(self.space.sampler.seed, number)
        trial_id = self._book.open(
            candidate.params or {},
            self._proposer.distributions,
            {
                "architecture": architecture,
                "architecture_id": candidate.architecture_id,
                "candidate_id": candidate.id,
                "recipe": recipe,
                **asdict(candidate.cost),
                "within_limits": self.space.limits.allow(candidate.cost),
                "ancestor": waiting.ancestor,
                "retry_of": waiting.retry_of,
                "seed": seed,
            },
        )
        assert trial_id == self._book.trial_id(number)
        self.running[number] = RunningTrial(number, trial_id, proposal, waiting.ancestor)
        return Assignment(
            number=number,
            seed=seed,
            architecture=architecture,
            recipe=recipe,
            epochs=candidate.recipe.epochs,
            images=self._images,
            directory=trial_directory(self.directory, number),
            num_threads=self.space.resources.cpus_per_trial,
        )

    def _values(self, trial: RunningTrial) -> list[float]:
        measures = {**trial.curve[-1], **asdict(trial.candidate.cost), "seconds": trial.seconds}
        return [float(measures[name]) for name in self.space.objectives]

    def _tell_proposer(
        self, trial: RunningTrial, state: TrialState, reason: str | None, values: Sequence[float] | None
    ) -> None:
        if reason in INFRASTRUCTURE:
            self._proposer.forget(trial.proposal)
        elif reason:
            self._proposer.learn(trial.proposal, TrialState.PRUNED, None, {})
        else:
            self._proposer.learn(trial.proposal, state, values, self._intermediate(trial.curve))

    def _intermediate(self, curve: Sequence[Mapping[str, float]]) -> dict[int, float]:
        if len(self.space.objectives) > 1:
            return {}
        return {int(epoch["epoch"]): epoch["val_accuracy"] for epoch in curve}

    def _closed_trials(self) -> list[FrozenTrial]:
        """Close the trials that a killed driver left running, and return all."""
        attributes = {"reason": "lost_driver", "message": "the driver ended while this trial was running"}
        return [
            self._book.close(self._book.trial_id(trial.number), TrialState.FAIL, None, attributes)
            if trial.state == TrialState.RUNNING
            else trial
            for trial in self._book.trials()
        ]

    def _restored_asha(self) -> Asha | None:
        scheduler, epochs = self.space.scheduler, self.space.recipe.epochs
        if scheduler.name == "none":
            return None
        first_rung = scheduler.first_rung or default_first_rung(epochs)
        asha = Asha(first_rung, scheduler.reduction_factor, epochs)
        for record in self.records.values():
            if record.is_finished:
                asha.restore({int(epoch["epoch"]): epoch["val_accuracy"] for epoch in record.curve})
        return asha

    def _restored_queue(self) -> list[_Waiting]:
        """Return what is trained first: ancestors that are missing, then trials that were cut off."""
        records = list(self.records.values())
        retried = {record.retry_of for record in records}
        lost = [
            record
            for record in records
            if record.reason in INFRASTRUCTURE
            and record.number not in retried
            and self._num_breakdowns(record) <= MAX_RETRIES
        ]
        present = {record.ancestor for record in records if record.is_finished} | {record.ancestor for record in lost}
        ancestors = [
            _Waiting(self.space.ancestor(name, self._shape), name)
            for name in self.space.ancestors
            if name not in present
        ]
        again = [_Waiting(self._restored_candidate(record), record.ancestor, record.number) for record in lost]
        return ancestors + again

    def _restored_candidate(self, record: TrialRecord) -> Candidate:
        architecture, recipe = record.build_architecture(), Recipe(**record.recipe)
        return self.space.assemble(architecture, recipe, record.params, self._shape)

    def _num_breakdowns(self, record: TrialRecord) -> int:
        """Count how often a candidate broke down; ends of the driver are not its fault."""
        breakdowns = 0
        number: int | None = record.number
        while number is not None:
            earlier = self.records[number]
            breakdowns += earlier.reason in BREAKDOWNS
            number = earlier.retry_of
        return breakdowns


@dataclass
class Session:
    """Time account of one session."""

    started: float = field(default_factory=time.time)
    first_start: float = math.inf
    last_end: float = -math.inf
    busy_seconds: float = 0.0
    num_trials: int = 0
    num_workers: int = 0

    def begin(self, seconds: float) -> None:
        """Note that a trial has run for `seconds` by now."""
        self.first_start = min(self.first_start, time.time() - seconds)

    def end(self, seconds: float) -> None:
        """Note that a trial has ended after `seconds` of worker time."""
        self.last_end = time.time()
        self.busy_seconds += seconds
        self.num_trials += 1

    def summary(self) -> dict[str, float]:
        """Wall-clock seconds, the workers' busy share, and worker seconds per trial spent on anything but trials."""
        span = max(0.0, self.last_end - self.first_start) if self.num_trials else 0.0
        available = span * self.num_workers
        return {
            "seconds": time.time() - self.started,
            "num_trials": self.num_trials,
            "num_workers": self.num_workers,
            "busy_share": min(1.0, self.busy_seconds / available) if available else 0.0,
            "overhead_per_trial": max(0.0, available - self.busy_seconds) / self.num_trials if self.num_trials else 0.0,
        }
