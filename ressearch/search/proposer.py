"""Which candidate comes next: Optuna's TPE, random draws or the grid, with refusals that cost no trial."""

import random
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from ressearch.arch import InfeasibleError
from ressearch.images import ImageShape
from ressearch.search.storage import Book, Direction
from ressearch.space.domains import Choice, Domain, FloatRange, IntRange, random_choose
from ressearch.space.space import Candidate, Space

STARTUP_TRIALS = 10
"""Candidates drawn at random before TPE has something to learn from (Optuna's own default)."""
MAX_ASKS = 20
"""Refusals in a row after which TPE gives way to a random draw: small spaces make it repeat itself."""
MAX_DRAWS = 20_000
"""Refused random draws in a row after which the space counts as exhausted."""
MAX_SCANNED = 20_000
"""Largest number of points that are gone through one by one instead, which finds whatever is left."""
DUPLICATE = "duplicate"
"""The rule that counts candidates which are trained already."""


@dataclass(frozen=True)
class Proposal:
    """A candidate to train, and the trial of the sampler's copy that stands for it."""

    candidate: Candidate
    copy_id: int | None


class Proposer:
    """Proposes candidates that are feasible, within the limits and new.

    TPE asks a copy of the study in memory which also holds the refused candidates: as pruned trials that violate a
    constraint, which TPE ranks below every feasible one. They never reach the storage, so no trial number is spent
    and no made-up score is told (Optuna's TPE would rank any such score above every stopped trial).

    Attributes:
        refused: Number of refused candidates by rule.
    """

    def __init__(self, space: Space, shape: ImageShape, directions: Sequence[Direction], seed: int) -> None:
        self.refused: Counter[str] = Counter()
        self._space = space
        self._shape = shape
        self._seen: set[str] = set()
        self._random = random.Random(seed)
        self._grid: Iterator[Mapping[str, Any]] | None = None
        self._num_learned = 0
        self._distributions = {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # `group`: what a conditional space needs
            sampler = TPESampler(seed=seed, n_startup_trials=1, group=space.is_conditional, multivariate=True)
        storage = InMemoryStorage()
        self._study = optuna.create_study(storage=storage, sampler=sampler, directions=list(directions))
        self._copy = Book(self._study, storage)

    def restore(self, trials: Iterable[FrozenTrial]) -> None:
        """Learn from the finished trials of a storage."""
        for trial in trials:
            self._seen.add(trial.user_attrs["candidate_id"])
            if trial.params and trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                self._study.add_trial(trial)
                self._num_learned += 1

    def expect(self, candidate: Candidate) -> Proposal:
        """Note that a given candidate is trained: an ancestor, or one that is trained again."""
        self._seen.add(candidate.id)
        return Proposal(candidate, self._open_copy(candidate.params))

    def learn(
        self, proposal: Proposal, state: TrialState, values: Sequence[float] | None, curve: Mapping[int, float]
    ) -> None:
        """Tell the sampler how a candidate did; a failure of its own counts as stopped before the first epoch."""
        if proposal.copy_id is None:
            return
        for epoch, value in curve.items():
            self._copy.report(proposal.copy_id, epoch, value)
        self._copy.close(proposal.copy_id, state, values, {})
        self._num_learned += 1

    def forget(self, proposal: Proposal) -> None:
        """Take back a candidate whose worker was lost; it says nothing about the candidate."""
        if proposal.copy_id is not None:
            self._copy.close(proposal.copy_id, TrialState.FAIL, None, {})

    def propose(self) -> Proposal | None:
        """Return the next candidate, or None when nothing new can be found."""
        match self._space.sampler.name:
            case "grid":
                return self._next_of_grid()
            case "tpe" if self._num_learned >= STARTUP_TRIALS:
                return self._ask() or self._draw()
            case _:
                return self._draw()

    def _ask(self) -> Proposal | None:
        for _ in range(MAX_ASKS):
            trial = self._study.ask()
            params = self._space.draw(lambda name, _: trial_value(trial, name, self._distributions[name]))  # noqa: B023
            if candidate := self._accepted(params):
                return Proposal(candidate, self._copy.trial_id(trial.number))
            if self._last_rule != DUPLICATE:  # a duplicate of a good candidate is no reason to avoid its region
                trial.set_constraint("refused", 1.0)
            state = TrialState.FAIL if self._last_rule == DUPLICATE else TrialState.PRUNED
            self._study.tell(trial, state=state)
        return None

    def _draw(self) -> Proposal | None:
        choose = random_choose(self._random)
        is_small = not self._space.continuous and self._space.size <= MAX_SCANNED
        for _ in range(MAX_ASKS if is_small else MAX_DRAWS):
            if candidate := self._accepted(self._space.draw(choose)):
                return Proposal(candidate, self._open_copy(candidate.params))
        return self._next_of_grid() if is_small else None

    def _next_of_grid(self) -> Proposal | None:
        if self._grid is None:
            self._grid = iter(self._space.enumerate())
        for params in self._grid:
            if candidate := self._accepted(params):
                return Proposal(candidate, self._open_copy(candidate.params))
        return None

    def _accepted(self, params: Mapping[str, Any]) -> Candidate | None:
        """Return the candidate of a point, or None with the rule that refuses it counted."""
        try:
            candidate = self._space.candidate(params, self._shape)
        except InfeasibleError as error:
            self._last_rule = error.rule
        else:
            if candidate.id not in self._seen:
                self._seen.add(candidate.id)
                return candidate
            self._last_rule = DUPLICATE
        self.refused[self._last_rule] += 1
        return None

    def _open_copy(self, params: Mapping[str, Any] | None) -> int | None:
        """Add a running trial to the sampler's copy, so that it does not propose its neighbourhood meanwhile."""
        if not params or self._space.sampler.name != "tpe":
            return None
        return self._copy.open(params, self._distributions, {})

    @property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """Optuna's form of every searched parameter."""
        return self._distributions


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return Optuna's form of a domain."""
    match domain:
        case Choice(values):
            return CategoricalDistribution(values)
        case IntRange(low, high, step, log):
            return IntDistribution(low, high, log=log, step=step)
        case FloatRange(low, high, step, log):
            return FloatDistribution(low, high, log=log, step=step)


def trial_value(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Ask an Optuna trial for one parameter."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case _:
            raise AssertionError(distribution)
