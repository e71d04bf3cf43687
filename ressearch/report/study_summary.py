"""What a search has come to: counts, the best network, and whether it beats the baselines."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ressearch.noise import Estimate
from ressearch.ranking import Directions
from ressearch.report.formatting import estimate_text
from ressearch.report.recipe_text import ALWAYS, differing, recipe_text
from ressearch.store.record import TrialRecord, best_baselines, best_of, is_tied, ranked


@dataclass(frozen=True, kw_only=True)
class StudySummary:
    """What the trials of a study come to.

    counts: finished trials by state.
    best: the best trial within the limits; found: the best of those that are no baseline.
    front: the trials within the limits that no other dominates, the best first.
    extremes: the best trial of the front in each objective, by name.
    tied: the other trials with a rank whose accuracy is the best one's but for noise, None where nobody knows.
    baselines: the baselines that were trained at full length, within the limits or not; of several trainings of one
        with different recipes, the best.
    """

    counts: Mapping[str, int]
    best: TrialRecord | None
    found: TrialRecord | None
    front: tuple[TrialRecord, ...]
    extremes: Mapping[str, TrialRecord]
    tied: tuple[TrialRecord, ...] | None
    baselines: tuple[TrialRecord, ...]

    @property
    def has_several(self) -> bool:
        """Whether there is a choice to make on the front: several objectives, and a trial that has a place there."""
        return len(self.extremes) > 1

    def difference(self, baseline: TrialRecord) -> Estimate | None:
        """Return the accuracy of the best network found minus that of a baseline, None before there is one."""
        if self.found is None or self.found.score is None or baseline.score is None:
            return None
        return self.found.score.minus(baseline.score)

    @property
    def told(self) -> tuple[str, ...]:
        """The fields of the recipe to tell where networks are compared: some always, others where they differ."""
        compared = [*([self.found] if self.found else []), *self.baselines]
        return tuple(dict.fromkeys((*ALWAYS, *differing(compared))))

    def has_another_recipe(self, baseline: TrialRecord) -> bool:
        """Tell whether the best network found was trained with another recipe than a baseline."""
        return self.found is not None and bool(differing([self.found, baseline]))

    def comparison(self, baseline: TrialRecord) -> str:
        """Say how the best network found compares with a baseline, and by which recipe; "" before there is one."""
        difference = self.difference(baseline)
        if self.found is None or difference is None:
            return ""
        noise = ", which is within noise" if difference.is_noise else ""
        is_other = self.has_another_recipe(baseline)
        recipe = f"another recipe ({recipe_text(self.found, self.told)})" if is_other else "the same recipe"
        return f"{estimate_text(difference, '+')}{noise}, with {recipe}"


def summarised(trials: Iterable[TrialRecord], directions: Directions) -> StudySummary:
    """Take stock of trials."""
    trials = list(trials)
    places = ranked(trials, directions)
    front = [trial for number, trial in places if number == 1]
    return StudySummary(
        counts=Counter(trial.state for trial in trials if trial.is_finished),
        best=front[0] if front else None,
        found=best_of([trial for trial in trials if not trial.baseline], directions),
        front=tuple(front),
        extremes=_extremes(front, directions),
        tied=_tied([trial for _, trial in places]),
        baselines=tuple(sorted(best_baselines(trials), key=lambda trial: -(trial.val_accuracy or 0.0))),
    )


def _tied(placed: Sequence[TrialRecord]) -> tuple[TrialRecord, ...] | None:
    """Return which trials are tied with the first one, None without a second one whose noise is known."""
    known = [(trial, tied) for trial in placed[1:] if (tied := is_tied(trial, placed[0])) is not None]
    return tuple(trial for trial, tied in known if tied) if known else None


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
