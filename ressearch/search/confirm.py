"""Confirmation: the best networks of a study and its baselines trained again with fresh seeds, and tested once each."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ressearch import ending
from ressearch.noise import Paired
from ressearch.search.contestants import Contestant, contestants_of
from ressearch.search.continuation import kept_seed
from ressearch.search.contract import Backend, trial_seed
from ressearch.search.retraining import Observe, Repeat, retrain, unobserved
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import CONFIRMATION, open_study

MEASURE = "test_accuracy"


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """What came of a contestant.

    by_seed: accuracy on the test images (0..1) of each training that came to its end, by seed.
    failures: why other trainings failed; they are not tried again.
    """

    contestant: Contestant
    by_seed: Mapping[int, float]
    failures: tuple[str, ...] = ()

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The accuracies in the order of the seeds."""
        return tuple(self.by_seed.values())

    @property
    def mean(self) -> float | None:
        """Mean over the seeds, None if there are none."""
        return statistics.mean(self.accuracies) if self.by_seed else None

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds, None with fewer than two."""
        return statistics.stdev(self.accuracies) if len(self.by_seed) > 1 else None

    def minus(self, other: "Confirmed") -> Paired:
        """Return the differences to another contestant under equal seeds; seeds that failed for either are left out."""
        return Paired(
            tuple(value - other.by_seed[seed] for seed, value in self.by_seed.items() if seed in other.by_seed)
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The leader against a rival: the runner-up of the search, or a baseline."""

    rival: Confirmed
    paired: Paired

    @property
    def is_runner_up(self) -> bool:
        """Whether the search has found the rival, too."""
        return self.rival.contestant.is_found


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What a confirmation came to.

    rows: the contestants, in the order of the search's ranking, then the baselines. num_seeds: trainings of each.
    """

    rows: tuple[Confirmed, ...]
    num_seeds: int

    @property
    def found(self) -> list[Confirmed]:
        """The networks found by the search that have a mean, the highest first."""
        tested = [row for row in self.rows if row.contestant.is_found and row.by_seed]
        return sorted(tested, key=lambda row: -(row.mean or 0.0))

    @property
    def leader(self) -> Confirmed | None:
        """The network found whose mean is the highest, None without one."""
        return next(iter(self.found), None)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The leader against the runner-up among the networks found, and against every baseline."""
        if self.leader is None:
            return ()
        baselines = [row for row in self.rows if not row.contestant.is_found and row.by_seed]
        rivals = [*self.found[1:2], *baselines]
        return tuple(Comparison(rival=rival, paired=self.leader.minus(rival)) for rival in rivals)

    @property
    def num_missing(self) -> int:
        """Trainings that are not done."""
        return sum(self.num_seeds - len(row.by_seed) - len(row.failures) for row in self.rows)


@ending.orderly()
def confirm_study(
    directory: Path,
    backend: Backend,
    *,
    top: int,
    num_seeds: int,
    epochs: int | None,
    subset: int | None,
    observe: Observe = unobserved,
) -> Confirmation:
    """Train the best of a study and its baselines with fresh seeds; the same call again trains what is missing.

    Args:
        directory: The study.
        backend: Does the trainings.
        top: Networks found by the search, the best first; with several objectives members of the front.
        num_seeds: Trainings of each; all contestants share their seeds.
        epochs: Of each training; those of the search if None.
        subset: Training images; all but the validation images if None.
        observe: Opens a display.

    Raises:
        StudyError: If the study is missing or in use, or no trial of it is complete.
        ValueError: If there are no test images.
    """
    check_positive(top=top, seeds=num_seeds, epochs=epochs, subset=subset)
    contestants = contestants_of(open_study(directory), top=top, epochs=epochs, num_images=subset)
    seed = kept_seed(directory)
    seeds = [trial_seed(seed + 1, index) for index in range(num_seeds)]
    repeats = [
        Repeat(group=one.name, trial=one.trial, recipe=one.recipe, seed=seed, recipe_of=one.recipe_of)
        for seed in seeds
        for one in contestants
    ]
    records = retrain(directory, CONFIRMATION, repeats, backend, measure=MEASURE, subset=subset, observe=observe)
    rows = [_confirmed(one, [record for record in records if record.group == one.name], seeds) for one in contestants]
    return Confirmation(rows=tuple(rows), num_seeds=num_seeds)


def check_positive(**numbers: int | None) -> None:
    """Check that numbers are positive where they are given.

    Raises:
        ValueError: If one is not.
    """
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} >= 1 must hold, got {value}")


def _confirmed(contestant: Contestant, records: Sequence[TrialRecord], seeds: Sequence[int]) -> Confirmed:
    """Gather the trainings of a contestant, in the order of the seeds."""
    by_seed = {record.seed: record for record in records if record.is_finished}
    done = [by_seed[seed] for seed in seeds if seed in by_seed]
    return Confirmed(
        contestant=contestant,
        by_seed={record.seed: (record.measures or {})[MEASURE] for record in done if record.state == "complete"},
        failures=tuple(record.message or "" for record in done if record.state == "failed"),
    )
