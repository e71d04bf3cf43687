"""The search: what to train next, what is kept of it, when a trial ends. Knows no backend, clock or display."""

from collections import deque
from contextlib import ExitStack
from dataclasses import replace

from ressearch.arch import Cost
from ressearch.experiment import Experiment
from ressearch.experiment.objectives import Trained, directions_of, measured
from ressearch.schedulers import Decision
from ressearch.search.allowance import Allowance
from ressearch.search.candidates import CandidateSource
from ressearch.search.contract import Progress, TrialResult, TrialSpec, ended, failed, trial_seed
from ressearch.search.forecast import Forecast
from ressearch.search.leaders import Leaders
from ressearch.search.ledger import Ledger
from ressearch.search.recipe_stage import RecipeStage, near
from ressearch.search.restore import (
    Waiting,
    competes,
    earlier_breakdowns,
    given_up,
    lost_trials,
    missing_baselines,
    point_at,
    restored_rule,
)
from ressearch.store.files import StudyError
from ressearch.store.record import BREAKDOWNS, TrialRecord
from ressearch.training.data import Prepared
from ressearch.training.source import Counts

MAX_RETRIES = 2
"""Times that a candidate is trained again after a breakdown; after a third one it is given up."""
MAX_BREAKDOWNS = 5
"""Breakdowns in a row after which the run ends: the machine is at fault, and more trials would be lost."""


class Search:
    """Gives the trials of an experiment. See `Work` for the contract.

    Attributes:
        ledger: Trials of all sessions.
        candidates: Where new candidates come from, and how many were refused in this session.
        allowance: What is left of the budget.
        exhausted: Nothing new was found.
        rule: The scheduler at work.
    """

    def __init__(
        self, experiment: Experiment, ledger: Ledger, images: Prepared, counts: Counts, *, allowance: Allowance
    ) -> None:
        records = ledger.records
        self.resources = experiment.session.resources
        self.num_workers = 0
        self.ledger = ledger
        self.allowance = allowance
        self.allowance.restore(records.values())
        self.exhausted = False
        self._forecast = Forecast(experiment.fidelity.epochs)
        for record in records.values():
            self._forecast.take(record)
        self._experiment = experiment
        self.candidates = self._source()
        self._images = images
        self._counts = counts
        budget, directions = allowance.budget, directions_of(experiment.objectives)
        self._leaders = Leaders(budget.repeat_share, directions, longest=budget.seconds_per_trial)
        self.rule = restored_rule(experiment, records.values())
        self._waiting = deque(lost_trials(experiment, records, MAX_RETRIES))
        self._stage: RecipeStage | None = RecipeStage(experiment)
        self._next_of_stage()
        self._resuming: deque[int] = deque()
        self._breakdowns_in_a_row = 0

    @property
    def ended_by(self) -> str | None:
        """Name of the part of the budget that is used up, None if there is some left of each."""
        trials = self.allowance.budget.trials
        is_enough = trials is not None and self.ledger.num_finished >= trials
        return "trials" if is_enough else self.allowance.ended_by()

    def next_trial(self) -> TrialSpec | None:
        """Continue a paused trial, or open the next one; None when enough are finished or under way, or time is up."""
        if self.allowance.ended_by():
            return None  # what is paused waits for a session that goes on
        self._settle(is_idle=False)
        if not self._resuming and (opened := self._open_next()):
            return self._spec(opened)
        if not self._resuming and not self.ledger.open("running"):
            self._settle(is_idle=True)
        return self._spec(self.ledger.resume(self._resuming.popleft())) if self._resuming else None

    def report(self, number: int, progress: Progress) -> Decision:
        """Record an epoch and ask the scheduler; a baseline is trained to the end: stopping it would tell nothing.

        A trial that takes too long fails. When the budget is used up, what has not reached its last epoch ends here.
        """
        record = self.ledger.advance(number, progress)
        epoch = progress.epoch.epoch
        is_last = epoch >= self._experiment.fidelity.epochs
        if over := self._over_time(record):
            self._close(ended(record, over))
            return Decision.STOP
        is_rival = competes(self._experiment, record)
        point = point_at(self._experiment, record, epoch)
        if is_rival and (is_last or record.baseline):
            self.rule.record(number, epoch, point)
        if is_last:
            return Decision.GO
        if part := self.allowance.ended_by():
            limit = getattr(self.allowance.budget, part)
            message = f"the budget is used up ({part} {limit:g}); if the study goes on, it is trained again"
            self._close(ended(record, failed("interrupted", message)))
            return Decision.STOP
        if record.baseline or not is_rival:
            return Decision.GO
        decision = self.rule.decide(number, epoch, point)
        if decision is Decision.STOP:
            self._close(replace(record, state="pruned"))
        elif decision is Decision.PAUSE:
            self.ledger.pause(number)
        return decision

    def finish(self, number: int, result: TrialResult) -> None:
        """Close a trial truthfully: complete at full length, else failed with a reason.

        Raises:
            StudyError: When trial after trial breaks down.
        """
        record = ended(self.ledger.records[number], result)
        assert result.reason or record.epochs == self._experiment.fidelity.epochs, "it was cut short for no reason"
        if result.reason not in BREAKDOWNS:
            self._close(record)
            self._breakdowns_in_a_row = 0
            return
        if earlier_breakdowns(self.ledger.records, record) < MAX_RETRIES:
            self._close(record)
            self._waiting.append(Waiting.again(self._experiment, record))
        else:
            self._close(given_up(record))
        self._breakdowns_in_a_row += 1
        if self._breakdowns_in_a_row == MAX_BREAKDOWNS:
            raise StudyError(
                f"{self.ledger.store.directory}: {MAX_BREAKDOWNS} trials in a row broke down, the last one with "
                f"{result.message!r}; mend that and run the same command again: they are trained anew"
            )

    def interrupt(self) -> None:
        """Close every running trial; the next session trains them again, and continues the paused ones."""
        with ExitStack() as endings:  # one that cannot be written leaves the others their turn
            for record in reversed(self.ledger.open("running")):
                endings.callback(self.finish, record.number, failed("interrupted", "the run was interrupted"))

    def _over_time(self, record: TrialRecord) -> TrialResult | None:
        """Return the end of a trial that has taken longer than any may, None if it has not."""
        limit = self.allowance.budget.seconds_per_trial
        if limit is None or record.seconds <= limit:
            return None
        length = f"epoch {record.epochs} of {self._experiment.fidelity.epochs}"
        message = f"over_time: {record.seconds:.3g} s up to {length}, and seconds_per_trial is {limit:g}"
        return failed("over_time", message)

    def _seconds(self, cost: Cost) -> float | None:
        """Predict how long a network would train, if that is what uses up the budget."""
        budget = self.allowance.budget
        return self._forecast.seconds(cost) if budget.hours is not None or budget.trials is None else None

    def _too_long(self, cost: Cost) -> str:
        """Return the rule that refuses a network which is predicted to train too long, empty if none does."""
        limits = {
            "seconds": self._experiment.space.limits.seconds.max,
            "seconds_per_trial": self.allowance.budget.seconds_per_trial,
        }
        given = {rule: limit for rule, limit in limits.items() if limit is not None}
        predicted = self._forecast.seconds(cost) if given else None
        return "" if predicted is None else next((rule for rule, limit in given.items() if predicted > limit), "")

    def _open_next(self) -> TrialRecord | None:
        """Open a trial of what waits, else repeat a leader, else try what the sampler proposes; none if enough run."""
        trials = self.allowance.budget.trials
        is_enough = trials is not None and self.ledger.num_finished + len(self.ledger.open()) >= trials
        if is_enough or self.exhausted:
            return None
        if self._waiting or self._next_of_stage():
            waiting = self._waiting.popleft()
        elif self._stage:
            return None  # until those that run tell what comes next
        elif leader := self._next_leader():
            waiting = Waiting.once_more(self._experiment, leader)
        elif found := self.candidates.propose():
            waiting = Waiting(found)
        else:
            self.exhausted = True
            return None
        candidate, experiment, number = waiting.candidate, self._experiment, self.ledger.next_number
        self.ledger.note(refused=dict(self.candidates.refused), seconds=self.allowance.seconds)
        if waiting.trial_of is None:
            self.candidates.begin(number, candidate)
        record = TrialRecord.of(
            candidate,
            experiment.recipe_of(candidate),
            number=number,
            seed=trial_seed(experiment.seed, number) if waiting.seed is None else waiting.seed,
            within_limits=experiment.space.limits.allow(candidate.cost),
            num_images=self._counts.train,
            num_val_images=self._counts.val,
            baseline=waiting.baseline,
            retry_of=waiting.retry_of,
            trial_of=waiting.trial_of,
        )
        return self.ledger.begin(record)

    def _next_leader(self) -> TrialRecord | None:
        """Return the trial whose network is trained once more, None if it is a new network's turn."""
        records = self.ledger.records.values()
        left = self.allowance.epochs_left(records, self._experiment.fidelity.epochs)
        return self._leaders.next(records, left)

    def _source(self) -> CandidateSource:
        """Return where candidates come from, which knows all trials so far."""
        seed = trial_seed(self._experiment.seed, -1 - len(self.ledger.records))
        source = CandidateSource(self._experiment, seed, too_long=self._too_long, seconds=self._seconds)
        source.restore(self.ledger.records.values())
        return source

    def _next_of_stage(self) -> bool:
        """Let what the recipe stage needs wait; once it is over, search near its recipe, the other baselines first."""
        if self._stage is None:
            return False
        records = self.ledger.records.values()
        step = self._stage.step(records)
        waits = {(waiting.baseline, waiting.candidate.id) for waiting in self._waiting}
        self._waiting.extend(one for one in step.missing if (one.baseline, one.candidate.id) not in waits)
        if step.recipe is not None:
            self._stage = None
            if step.recipe:
                self._experiment = near(self._experiment, step.recipe)
                refused, self.candidates = self.candidates.refused, self._source()
                self.candidates.refused = refused
            present = {waiting.baseline for waiting in self._waiting}
            present |= {record.baseline for record in records if record.is_finished or record.is_open}
            self._waiting.extendleft(reversed([*missing_baselines(self._experiment, present)]))
        return bool(self._waiting)

    def _spec(self, record: TrialRecord) -> TrialSpec:
        """Return what a worker needs to know of an open trial."""
        store = self.ledger.store
        may_pause = not record.baseline and record.trial_of is None and bool(self.rule.pauses_at)
        return TrialSpec(
            number=record.number,
            architecture=record.build_architecture(),
            recipe=record.build_recipe(),
            images=self._images,
            seed=record.seed,
            measures=tuple(dict.fromkeys((*self._experiment.objectives, "seconds"))),
            weights=store.weights_file(record.number),
            checkpoint=store.checkpoint_file(record.number) if may_pause else None,
            checkpoint_epochs=self.rule.pauses_at if may_pause else frozenset(),
            resumes=bool(record.curve),
            seconds=record.seconds,
            num_threads=self.resources.cpus_per_trial,
            device_share=self.resources.device_share,
        )

    def _settle(self, *, is_idle: bool) -> None:
        """Carry out what the scheduler has decided on paused trials; it must not leave them all when nothing runs."""
        decided = dict(self.rule.resumed(is_idle=is_idle))
        paused = {record.number: record for record in self.ledger.open("paused")}
        if is_idle and not paused.keys() & decided.keys():
            decided = dict.fromkeys(paused, Decision.STOP)
        for number in sorted(paused.keys() & decided.keys()):
            if decided[number] is Decision.GO:
                self._resuming.append(number)
            else:
                self._close(replace(paused[number], state="pruned"))

    def _close(self, record: TrialRecord) -> None:
        """Write the end of a trial, and tell all that learn from it."""
        if record.measures is None and record.state != "failed":
            trained = Trained(cost=record.cost, curve=record.curve, seconds=record.seconds)
            record = replace(record, measures=measured(self._experiment.objectives, trained))
        if not self._experiment.space.limits.allow(record.cost, record.seconds):
            record = replace(record, within_limits=False)
        closed = self.ledger.close(record)
        self.allowance.take(closed)
        self._forecast.take(closed)
        self.rule.ended(closed.number)
        if closed.trial_of is None:
            self.candidates.tell(closed)
