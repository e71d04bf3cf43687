"""The search: what to train next, what is kept of it, when a trial ends. Knows no backend, clock or display."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from ressearch.arch import Cost
from ressearch.experiment import Experiment
from ressearch.experiment.objectives import Trained, measured
from ressearch.schedulers import Decision
from ressearch.search.candidates import CandidateSource
from ressearch.search.contract import Progress, TrialResult, TrialSpec, advanced, ended, failed, trial_seed
from ressearch.search.restore import Waiting, end_leftovers, num_breakdowns, restored_rule, waiting_trials
from ressearch.store.files import StudyError
from ressearch.store.record import BREAKDOWNS, TrialRecord
from ressearch.store.trial_store import TrialStore

if TYPE_CHECKING:
    from ressearch.training.data import Prepared

MAX_RETRIES = 2
"""Times that a candidate is trained again after a breakdown; a third one is its own fault."""
MAX_BREAKDOWNS = 5
"""Breakdowns in a row after which the run ends: the machine is at fault, and more trials would be lost."""

Tell = Callable[[TrialRecord], None]
"""Told of a trial whenever it begins, has trained an epoch, or ends."""


class Search:
    """Gives the trials of an experiment, and is the sole writer of its study. See `Work` for the contract.

    Attributes:
        records: Trials of all sessions by number, as they are now.
        target: Finished trials in the end.
        exhausted: The sampler found no new candidate.
    """

    def __init__(
        self,
        experiment: Experiment,
        store: TrialStore,
        images: "Prepared",
        *,
        target: int,
        tell: Tell = lambda _: None,
    ) -> None:
        self.resources = experiment.session.resources
        self.num_workers = 0
        self.target = target
        self.exhausted = False
        self.records: dict[int, TrialRecord] = {record.number: record for record in end_leftovers(store)}
        self._experiment = experiment
        self._store = store
        self._images = images
        self._tell = tell
        self._breakdowns_in_a_row = 0
        self._rule = restored_rule(experiment, self.records.values())
        self._candidates = CandidateSource(experiment, trial_seed(experiment.seed, -1 - len(self.records)))
        self._candidates.restore(self.records.values())
        self._waiting = deque(waiting_trials(experiment, self.records, MAX_RETRIES))
        self._resuming: deque[int] = deque()

    @property
    def num_finished(self) -> int:
        """Trials that count towards the target."""
        return sum(record.is_finished for record in self.records.values())

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to train."""
        is_open = any(record.is_open for record in self.records.values())
        return not is_open and (self.num_finished >= self.target or self.exhausted)

    @property
    def refused(self) -> Counter[str]:
        """Candidates refused in this session, by rule."""
        return self._candidates.refused

    def next_trial(self) -> TrialSpec | None:
        """Continue a paused trial, or open the next one; None when enough are finished or under way."""
        self._settle(is_idle=False)
        if not self._resuming and (opened := self._open_next()):
            return self._spec(opened)
        if not self._resuming and not any(record.state == "running" for record in self.records.values()):
            self._settle(is_idle=True)
        if not self._resuming:
            return None
        record = self._keep(replace(self.records[self._resuming.popleft()], state="running"))
        self._store.pause(record)
        return self._spec(record)

    def report(self, number: int, progress: Progress) -> Decision:
        """Record an epoch and ask the scheduler; a baseline is trained to the end: stopping it would tell nothing."""
        record = self._keep(advanced(self.records[number], progress))
        self._store.report(record)
        epoch, value = progress.epoch.epoch, progress.epoch.val_accuracy
        if epoch >= self._experiment.recipe.epochs:
            return Decision.GO
        if record.baseline:
            self._rule.record(number, epoch, value)
            return Decision.GO
        decision = self._rule.decide(number, epoch, value)
        if decision is Decision.STOP:
            self._close(replace(record, state="pruned"))
        elif decision is Decision.PAUSE:
            self._store.pause(self._keep(replace(record, state="paused")))
        return decision

    def finish(self, number: int, result: TrialResult) -> None:
        """Close a trial truthfully: complete at full length, else failed with a reason.

        Raises:
            StudyError: When trial after trial breaks down.
        """
        record = ended(self.records[number], result)
        assert result.reason or record.epochs == self._experiment.recipe.epochs, "it was cut short for no reason"
        self._close(record)
        if result.reason not in BREAKDOWNS:
            self._breakdowns_in_a_row = 0
            return
        if num_breakdowns(self.records, record) <= MAX_RETRIES:
            self._waiting.append(Waiting.again(self._experiment, record))
        self._breakdowns_in_a_row += 1
        if self._breakdowns_in_a_row == MAX_BREAKDOWNS:
            raise StudyError(
                f"{self._store.directory}: {MAX_BREAKDOWNS} trials in a row broke down, the last one with "
                f"{result.message!r}; mend that and run the same command again: they are trained anew"
            )

    def interrupt(self) -> None:
        """Close every running trial; the next session trains them again, and continues the paused ones."""
        for record in list(self.records.values()):
            if record.state == "running":
                self.finish(record.number, failed("interrupted", "the run was interrupted"))

    def _open_next(self) -> TrialRecord | None:
        """Open a trial of what waits, else of what the sampler proposes, unless enough are under way."""
        num_open = sum(record.is_open for record in self.records.values())
        if self.num_finished + num_open >= self.target or self.exhausted:
            return None
        if self._waiting:
            waiting = self._waiting.popleft()
        elif found := self._candidates.propose():
            waiting = Waiting(found)
        else:
            self.exhausted = True
            return None
        candidate, experiment, number = waiting.candidate, self._experiment, len(self.records)
        record = TrialRecord(
            number=number,
            state="running",
            params=candidate.params,
            architecture=candidate.architecture.to_dict(),
            architecture_id=candidate.architecture_id,
            candidate_id=candidate.id,
            recipe=asdict(experiment.recipe_of(candidate)),
            **asdict(candidate.cost),
            within_limits=experiment.space.limits.allow(candidate.cost),
            seed=trial_seed(experiment.seed, number),
            baseline=waiting.baseline,
            retry_of=waiting.retry_of,
        )
        self._candidates.begin(number, candidate)
        return self._keep(self._store.begin(record))

    def _spec(self, record: TrialRecord) -> TrialSpec:
        """Return what a worker needs to know of an open trial."""
        may_pause = not record.baseline and bool(self._rule.pauses_at)
        return TrialSpec(
            number=record.number,
            architecture=record.build_architecture(),
            recipe=record.build_recipe(),
            images=self._images,
            seed=record.seed,
            measures=tuple(dict.fromkeys((*self._experiment.objectives, "val_accuracy", "seconds"))),
            weights=self._store.weights_file(record.number),
            checkpoint=self._store.checkpoint_file(record.number) if may_pause else None,
            checkpoint_epochs=self._rule.pauses_at if may_pause else frozenset(),
            curve=record.curve,
            seconds=record.seconds,
            num_threads=self.resources.cpus_per_trial,
        )

    def _settle(self, *, is_idle: bool) -> None:
        """Carry out what the scheduler has decided on paused trials; it must not leave them all when nothing runs."""
        decided: dict[int, Decision] = dict(self._rule.resumed(is_idle=is_idle))
        paused = {number: record for number, record in self.records.items() if record.state == "paused"}
        if is_idle and not paused.keys() & decided.keys():
            decided = dict.fromkeys(paused, Decision.STOP)
        for number in sorted(paused.keys() & decided.keys()):
            if decided[number] is Decision.GO:
                self._resuming.append(number)
            else:
                self._close(replace(paused[number], state="pruned"))

    def _close(self, record: TrialRecord) -> None:
        """Write the end of a trial, and tell all who need to know."""
        if record.measures is None and record.state != "failed":
            counted = Cost(record.num_params, record.num_macs, record.num_activations)
            trained = Trained(cost=counted, curve=record.curve, seconds=record.seconds)
            record = replace(record, measures=measured(self._experiment.objectives, trained))
        closed = self._store.close(record)
        self._rule.ended(closed.number)
        self._candidates.tell(closed)
        self._keep(closed)
        self._store.checkpoint_file(closed.number).unlink(missing_ok=True)

    def _keep(self, record: TrialRecord) -> TrialRecord:
        self.records[record.number] = record
        self._tell(record)
        return record
