"""What all rivals share: our contract of work, with a rival behind it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ressearch.arch import InfeasibleError
from ressearch.experiment import Resources
from ressearch.replays.oracle import Oracle
from ressearch.replays.replaying import Step
from ressearch.replays.simulation import Clock
from ressearch.schedulers import Decision
from ressearch.search.contract import Progress, TrialResult, TrialSpec, trial_seed
from ressearch.space import Candidate, Value
from ressearch.training.data import Prepared


class Rival(Protocol):
    """A tool's search, asked and told by the tool's own names of trials."""

    def suggest(self) -> tuple[str, Mapping[str, Value]]:
        """Return the next trial's name and parameters; a paused trial's name is returned for it to go on."""

    def refuse(self, name: str) -> None:
        """Tell of a network outside the limits, as of a trial that failed."""

    def tell(self, name: str, epoch: int, accuracy: float) -> Decision:
        """Tell of an epoch, the first being 1; after the last one the answer makes no difference."""


class RivalWork:
    """A search by a rival behind our contract of work.

    What is reported is the trial with the highest last accuracy, of those that are at an end or paused.

    Attributes:
        candidates: The networks within the limits, by their trials' numbers.
        num_refused: Those outside the limits that the rival proposed before each of them.
    """

    def __init__(self, rival: Rival, oracle: Oracle, clock: Clock, *, seconds: float, seed: int) -> None:
        self.resources, self.num_workers = Resources(), 0
        self.candidates: list[Candidate] = []
        self.num_refused: list[int] = []
        self.steps: list[Step] = []
        self._rival, self._oracle, self._clock, self._seconds, self._seed = rival, oracle, clock, seconds, seed
        self._names: list[str] = []
        self._last: dict[int, float] = {}
        self._reported: int | None = None

    def next_trial(self) -> TrialSpec | None:
        """Ask until a network is feasible, or a paused one is to go on."""
        num_refused = 0
        while self._clock.seconds < self._seconds:
            name, params = self._rival.suggest()
            if name in self._names:
                return self._spec(self._names.index(name))
            try:
                candidate = self._oracle.experiment.candidate(params)
            except InfeasibleError:
                self._rival.refuse(name)
                num_refused += 1
                continue
            self._names.append(name)
            self.candidates.append(candidate)
            self.num_refused.append(num_refused)
            return self._spec(len(self.candidates) - 1)
        return None

    def report(self, number: int, told: Progress) -> Decision:
        """Tell the rival of an epoch."""
        if self._clock.seconds >= self._seconds:
            return Decision.STOP
        epoch, accuracy = told.epoch.epoch, told.epoch.val_accuracy
        decision = self._rival.tell(self._names[number], epoch, accuracy)
        if decision is not Decision.GO or epoch == self._oracle.experiment.recipe.epochs:
            self._note(number, accuracy)
        return decision

    def finish(self, number: int, result: TrialResult) -> None:
        """Nothing is left to tell: the last epoch was."""

    def interrupt(self) -> None:
        """Nothing is kept."""

    def _spec(self, number: int) -> TrialSpec:
        experiment, candidate = self._oracle.experiment, self.candidates[number]
        return TrialSpec(
            number=number,
            architecture=candidate.architecture,
            recipe=experiment.recipe_of(candidate),
            images=Prepared(directory=Path(), source=experiment.images, seed=self._seed, split="train"),
            seed=trial_seed(self._seed, number),
        )

    def _note(self, number: int, accuracy: float) -> None:
        """Note which network would be reported now."""
        self._last[number] = accuracy
        best = max(self._last, key=lambda one: self._last[one])
        if best != self._reported:
            self._reported = best
            regret = self._oracle.best - self._oracle.truth(self.candidates[best])
            self.steps.append(Step(seconds=self._clock.seconds, regret=regret))
