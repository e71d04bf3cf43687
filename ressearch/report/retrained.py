"""What `confirm` has found of the trials of a study, for a leaderboard's own columns."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ressearch.report.recipe_text import recipe_values
from ressearch.store.record import TrialRecord

MEASURE = "test_accuracy"


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """Trainings of a trial's network with the trial's recipe and fresh seeds.

    accuracies: on the test images (0..1), one per seed.
    epochs: of each training. num_images: that trained, None where an earlier version did not keep it.
    """

    accuracies: tuple[float, ...]
    epochs: int
    num_images: int | None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.accuracies)

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds, None with one."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def terms(self) -> str:
        """How long and on how many images they were trained."""
        images = "" if self.num_images is None else f" of {self.num_images:,} images"
        return f"{self.epochs} epochs{images}"


def retrained(confirmations: Iterable[TrialRecord]) -> dict[int, Retrained]:
    """Return what is known of each trial, by its number.

    Where a trial was confirmed in several ways, the one with the most seeds counts, then the longest. Trainings with
    the recipe of another trial do not count: they say nothing of this one.
    """
    trainings: dict[tuple[int, str | None], dict[int, TrialRecord]] = defaultdict(dict)
    for record in confirmations:
        if record.trial_of is not None and record.recipe_of is None and MEASURE in (record.measures or {}):
            trainings[record.trial_of, record.group][record.seed] = record
    found: dict[int, Retrained] = {}
    for (number, _), by_seed in trainings.items():
        one = _retrained(by_seed.values())
        if number not in found or _weight(one) > _weight(found[number]):
            found[number] = one
    return found


def _retrained(records: Iterable[TrialRecord]) -> Retrained:
    records = list(records)
    return Retrained(
        accuracies=tuple((record.measures or {})[MEASURE] for record in records),
        epochs=recipe_values(records[0])["epochs"],
        num_images=records[0].num_images,
    )


def _weight(one: Retrained) -> tuple[int, int, int]:
    return len(one.accuracies), one.epochs, one.num_images or 0
