"""Regularised evolution."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ressearch.ranking import Point, oriented, standings
from ressearch.samplers.sampler import STARTUP_TRIALS, Params, Sampler, SamplerSettings, Task
from ressearch.space.mutation import mutated
from ressearch.store.record import INFRASTRUCTURE, TrialRecord


@dataclass(frozen=True, kw_only=True)
class Evolution(SamplerSettings):
    """Change one parameter of the best of a few trials out of the latest ones; the oldest leave, good or not.

    A trial that was stopped early is worse than any that went further. With several objectives the best is the least
    dominated, and of equals the least crowded.

    Source: Real et al. 2019, arXiv:1802.01548, algorithm 1.
    """

    learns_from_stopped: ClassVar[bool] = True

    population_size: int = 20
    """Trials that may have children, the latest ones."""

    sample_size: int = 5
    """Trials of the population, drawn at random, whose best one has the child."""

    def __post_init__(self) -> None:
        if not 1 <= self.sample_size <= self.population_size:
            raise ValueError(
                f"1 <= sample_size <= population_size must hold, got sample_size {self.sample_size} and "
                f"population_size {self.population_size}"
            )

    def start(self, task: Task) -> Sampler:
        """Return the sampler."""
        return _Evolution(task, self)


class _Evolution(Sampler):
    def __init__(self, task: Task, settings: Evolution) -> None:
        self._space = task.space
        self._directions = dict(zip(task.objectives, task.directions, strict=True))
        self._settings = settings
        self._random = Random(task.seed)
        self._population: deque[TrialRecord] = deque(maxlen=settings.population_size)

    def ask(self) -> Params | None:
        if len(self._population) < min(STARTUP_TRIALS, self._settings.population_size):
            return None
        population = list(self._population)
        sample = self._random.sample(population, min(self._settings.sample_size, len(population)))
        furthest = max(record.epochs for record in sample)
        rivals = [record for record in sample if record.epochs == furthest]
        standing = standings(map(self._point, rivals))
        parent = max(rivals, key=lambda record: standing[self._point(record)])
        return mutated(self._space, parent.params, self._random)

    def tell(self, record: TrialRecord) -> None:
        if record.params and record.reason not in INFRASTRUCTURE:
            self._population.append(record)

    def restore(self, records: Iterable[TrialRecord]) -> None:
        for record in records:
            self.tell(record)

    def _point(self, record: TrialRecord) -> Point:
        """Return what a trial came to; one that failed is worse than any other."""
        return oriented(record.measures or {}, self._directions)
