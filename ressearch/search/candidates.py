"""Which candidate comes next: the sampler's proposals and random draws, without refused ones and duplicates."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ressearch.arch import Cost, InfeasibleError
from ressearch.experiment import Experiment
from ressearch.experiment.objectives import directions_of
from ressearch.samplers import Task
from ressearch.search.restore import restated
from ressearch.space import Candidate, Value, random_choose
from ressearch.store.record import TrialRecord

MAX_DRAWS = 20_000
"""Refused random draws in a row after which the space counts as exhausted."""
MAX_SCANNED = 20_000
"""Largest number of points that are gone through one by one instead, which finds whatever is left."""
MAX_DRAWS_BEFORE_SCAN = 20
"""Refused random draws in a row after which a space of that size is gone through."""
DUPLICATE = "duplicate"
"""The rule that counts candidates which are trained already."""


class CandidateSource:
    """Proposes candidates that are feasible, within the limits and new.

    Args:
        experiment: What is searched.
        seed: Of the proposals.
        too_long: Returns the rule that refuses a network for this, empty if none does.
        seconds: Predicts for the sampler how long a network would train, None if it is not to ask.

    Attributes:
        refused: Number of refused candidates by rule.
    """

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        *,
        too_long: Callable[[Cost], str] = lambda _: "",
        seconds: Callable[[Cost], float | None] = lambda _: None,
    ) -> None:
        objectives = experiment.objectives
        directions = tuple(directions_of(objectives).values())
        self.refused: Counter[str] = Counter()
        self._experiment = experiment
        self._too_long = too_long
        task = Task(
            space=experiment.space,
            candidate=experiment.candidate,
            objectives=objectives,
            directions=directions,
            seed=seed,
            parents=experiment.session.parents,
            seconds=seconds,
            likeliness=partial(_likeliness, experiment),
        )
        self._sampler = experiment.sampler.start(task)
        self._random = random.Random(seed)
        self._seen: set[str] = set()
        self._is_small = not experiment.space.continuous and experiment.space.size <= MAX_SCANNED
        self._scan = experiment.space.enumerate() if self._is_small else iter(())

    def restore(self, records: Iterable[TrialRecord]) -> None:
        """Learn from the trials of earlier sessions; those that are paused are under way."""
        records = [restated(self._experiment, record) for record in records if record.trial_of is None]
        self._seen |= {record.candidate_id for record in records}
        records = [record for record in records if not record.params or self._experiment.space.holds(record.params)]
        self._sampler.restore(record for record in records if not record.is_open)
        for record in records:
            if record.is_open:
                self._sampler.begin(record.number, record.params)

    def begin(self, number: int, candidate: Candidate) -> None:
        """Note that a trial trains a candidate: the one proposed last, or a given one."""
        self._seen.add(candidate.id)
        self._sampler.begin(number, candidate.params)

    def tell(self, record: TrialRecord) -> None:
        """Tell the sampler how a trial has ended."""
        self._sampler.tell(record)

    def propose(self) -> Candidate | None:
        """Return the next candidate, or None when nothing new can be found."""
        for _ in range(self._sampler.max_refusals):
            params = self._sampler.ask()
            if params is None:
                break
            candidate, rule = self._tried(params)
            if candidate:
                return candidate
            self._sampler.refuse(is_duplicate=rule == DUPLICATE)
        return self._drawn()

    def _drawn(self) -> Candidate | None:
        choose = random_choose(self._random)
        for _ in range(MAX_DRAWS_BEFORE_SCAN if self._is_small else MAX_DRAWS):
            candidate, _ = self._tried(self._experiment.space.draw(choose))
            if candidate:
                return candidate
        tried = (self._tried(params)[0] for params in self._scan)
        return next((candidate for candidate in tried if candidate), None)

    def _tried(self, params: Mapping[str, Value]) -> tuple[Candidate | None, str]:
        """Return the candidate of a point, or the rule that refuses it."""
        try:
            candidate = self._experiment.candidate(params)
            rule = DUPLICATE if candidate.id in self._seen else self._too_long(candidate.cost)
        except InfeasibleError as error:
            candidate, rule = None, error.rule
        if rule:
            self.refused[rule] += 1
        return (None if rule else candidate), rule


def _likeliness(experiment: Experiment, candidate: Candidate) -> float:
    """Weigh weight decay, where it is searched, by how near its product with the learning rate is to the recipe's own.

    It is 1 there, and half at twice or half of that. A training of a few epochs hardly feels weight decay, though a
    longer one does (trials/README.md). The shape is a Cauchy distribution's, so that trials which do tell outweigh it.
    """
    own = experiment.recipe.intrinsic_lr
    if "weight_decay" not in experiment.space.searched_recipe or not own:
        return 1.0
    ratio = experiment.recipe_of(candidate).intrinsic_lr / own
    return 1 / (1 + math.log2(max(ratio, 1e-9)) ** 2)
