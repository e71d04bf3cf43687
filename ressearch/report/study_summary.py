"""What a search has come to: counts, the best network, and whether it beats the baselines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ressearch.ranking import Directions
from ressearch.store.record import TrialRecord, best_of, front_of


@dataclass(frozen=True, kw_only=True)
class StudySummary:
    """What the trials of a study come to.

    counts: finished trials by state.
    best: the best trial within the limits; found: the best of those that are no baseline.
    front: the trials within the limits that no other dominates, the best first.
    extremes: the best trial of the front in each objective, by name.
    baselines: the baselines that were trained at full length, within the limits or not.
    """

    counts: Mapping[str, int]
    best: TrialRecord | None
    found: TrialRecord | None
    front: tuple[TrialRecord, ...]
    extremes: Mapping[str, TrialRecord]
    baselines: tuple[TrialRecord, ...]

    @property
    def has_several(self) -> bool:
        """Whether there is a choice to make on the front: several objectives, and a trial that has a place there."""
        return len(self.extremes) > 1

    def difference(self, baseline: TrialRecord) -> float | None:
        """Return the accuracy of the best network found minus that of a baseline, None before there is one."""
        if self.found is None or self.found.val_accuracy is None or baseline.val_accuracy is None:
            return None
        return self.found.val_accuracy - baseline.val_accuracy


def summarised(trials: Iterable[TrialRecord], directions: Directions) -> StudySummary:
    """Take stock of trials."""
    trials = list(trials)
    front = front_of(trials, directions)
    baselines = [trial for trial in trials if trial.baseline and trial.state == "complete"]
    return StudySummary(
        counts=Counter(trial.state for trial in trials if trial.is_finished),
        best=front[0] if front else None,
        found=best_of([trial for trial in trials if not trial.baseline], directions),
        front=tuple(front),
        extremes=_extremes(front, directions),
        baselines=tuple(sorted(baselines, key=lambda trial: -(trial.val_accuracy or 0.0))),
    )


def _extremes(front: Sequence[TrialRecord], directions: Directions) -> dict[str, TrialRecord]:
    """Return the best trial of a front in each objective, the first of equals."""
    points = [trial.point(directions) for trial in front]
    return {
        name: max(zip(points, front, strict=True), key=lambda one: one[0][index])[1]
        for index, name in enumerate(directions if front else ())
    }


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts of finished trials in words."""
    return ", ".join(f"{counts.get(state, 0)} {state}" for state in ("complete", "pruned", "failed"))


def refused_text(refused: Mapping[str, int]) -> str:
    """Return the number of refused candidates, and by which rules, the most frequent first."""
    by_rule = ", ".join(f"{rule} {count:,}" for rule, count in Counter(refused).most_common())
    return f"{sum(refused.values()):,} refused untrained" + (f" ({by_rule})" if by_rule else "")
