"""Optuna's samplers behind our contract."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from ressearch.samplers.sampler import STARTUP_TRIALS, Params, Sampler, Task
from ressearch.store.distributions import distribution_of, suggested
from ressearch.store.optuna_study import OptunaStudy, in_memory
from ressearch.store.record import INFRASTRUCTURE, TrialRecord


class OptunaSampler(Sampler):
    """Asks a copy of the study in memory, which also holds the refused candidates.

    Those are pruned trials that violate a constraint there, which TPE ranks below every feasible one. They never reach
    the storage, so no trial number is spent and no made-up score is told: Optuna's TPE would rank any such score above
    every stopped trial.
    """

    def __init__(
        self,
        task: Task,
        sampler: BaseSampler,
        *,
        num_startup: int = STARTUP_TRIALS,
        system_attributes: Callable[[OptunaStudy], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        """Start with an empty copy.

        Args:
            task: What is known of the study.
            sampler: Optuna's.
            num_startup: Ended trials from which on it is asked.
            system_attributes: Of a trial that Optuna's sampler has not proposed, or not in this session, by the copy.
        """
        self._task = task
        self._num_startup = num_startup
        self._system_attributes = system_attributes
        self._study, self._copy = in_memory(sampler, task.directions)
        self._distributions = {parameter.name: distribution_of(parameter.domain) for parameter in task.space.parameters}
        self._asked: Trial | None = None
        self._copy_ids: dict[int, int] = {}
        self._num_learned = 0
        self._num_refused = 0

    def ask(self) -> Params | None:
        """Return what Optuna proposes, None while there is too little to learn from."""
        if self._num_learned < self._num_startup:
            return None
        trial = self._asked = self._study.ask()
        return self._task.space.draw(partial(suggested, trial))

    def refuse(self, *, is_duplicate: bool) -> None:
        """Tell Optuna; a duplicate of a good candidate is no reason to avoid its region."""
        if self._asked is None:
            return
        is_told = not is_duplicate and self._has_room()
        if is_told:
            self._asked.set_constraint("refused", 1.0)
            self._num_refused += 1
        self._study.tell(self._asked, state=TrialState.PRUNED if is_told else TrialState.FAIL)
        self._asked = None

    def _has_room(self) -> bool:
        """Tell whether another refused candidate may stay in the copy.

        TPE holds a tenth of the copy for good, with one objective 25 trials at most: without a bound, so many refused
        ones would make every complete trial a good one.
        """
        return len(self._task.objectives) == 1 or self._num_refused < self._num_learned

    def begin(self, number: int, params: Params) -> None:
        """Keep the point as a running trial, so that its neighbourhood is not proposed meanwhile."""
        if self._asked is not None:
            self._copy_ids[number] = self._copy.trial_id(self._asked.number)
            self._asked = None
        elif params:
            self._copy_ids[number] = self._copy.open(
                params, self._distributions, {}, system_attributes=self._system_attributes(self._copy)
            )

    def tell(self, record: TrialRecord) -> None:
        """Close the running trial."""
        copy_id = self._copy_ids.pop(record.number, None)
        if copy_id is None:
            return
        if record.reason in INFRASTRUCTURE:
            self._copy.close(copy_id, TrialState.FAIL, None)
            return
        self._num_learned += 1
        state, values = self._outcome(record)
        for epoch, value in self._intermediate(record).items():
            self._copy.report(copy_id, epoch, value)
        self._copy.close(copy_id, state, values)

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Add all trials that ended for a reason of their own."""
        for record in records:
            if record.params and record.is_finished:
                state, values = self._outcome(record)
                self._copy.add(
                    record.params,
                    self._distributions,
                    state=state,
                    values=values,
                    intermediate=self._intermediate(record),
                    system_attributes=self._system_attributes(self._copy) if state is TrialState.COMPLETE else {},
                )
                self._num_learned += 1

    def _outcome(self, record: TrialRecord) -> tuple[TrialState, list[float] | None]:
        """Return how Optuna is told of a trial; a failure of its own counts as stopped before the first epoch."""
        measures = (record.measures or {}) if record.state != "failed" else {}
        values = [measures[name] for name in self._task.objectives if name in measures]
        state = TrialState.COMPLETE if record.state == "complete" else TrialState.PRUNED
        return state, values if len(values) == len(self._task.objectives) else None

    def _intermediate(self, record: TrialRecord) -> dict[int, float]:
        """Return the curve of a trial that did not fail.

        With several objectives TPE fails on one, and holds every stopped trial for bad without.
        """
        if len(self._task.objectives) > 1 or record.state == "failed":
            return {}
        return {int(epoch["epoch"]): epoch["val_accuracy"] for epoch in record.curve}
