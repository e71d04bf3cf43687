"""Audit: does the search's short training rank networks as full training does, and would counting do as well?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ressearch import ending
from ressearch.search.agreement import MIN_NETWORKS, Agreement, IntervalEstimate, Resamples
from ressearch.search.confirm import check_positive
from ressearch.search.contestants import length_text, lengthened
from ressearch.search.continuation import kept_seed
from ressearch.search.contract import Backend, trial_seed
from ressearch.search.retraining import Observe, Repeat, retrain, unobserved
from ressearch.store.files import StudyError
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import AUDIT, StudyRecord, open_study

MEASURE = "val_accuracy"
COUNTS = ("num_params", "num_macs")
"""Measures that cost nothing; a proxy should do better."""
FULL_LENGTH = 5
"""Times the epochs of the search, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A network: the trial of the search, and its training at full length."""

    trial: TrialRecord
    full: TrialRecord


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit came to; correlations are None where there are too few networks.

    rows: the networks, the best of the search first. failures: trainings that failed, which are left out.
    num_missing: trainings that are not done. epochs: of full training. seed: of the resamples.
    """

    rows: tuple[Audited, ...]
    failures: tuple[TrialRecord, ...]
    num_missing: int
    epochs: int
    seed: int

    @property
    def has_enough(self) -> bool:
        """Whether there are networks enough to speak of a ranking."""
        return len(self.rows) >= MIN_NETWORKS

    @property
    def agreements(self) -> Mapping[str, Agreement]:
        """How well the search's accuracy, and each count, ranks the networks as full training does."""
        if not self.has_enough:
            return {}
        measures = {MEASURE: self._proxy, **{name: self._counts(name) for name in COUNTS}}
        return {name: self._resamples.agreement(values, self._full) for name, values in measures.items()}

    @property
    def advantages(self) -> Mapping[str, IntervalEstimate]:
        """Kendall's tau of the search's accuracy minus that of each count."""
        if not self.has_enough:
            return {}
        return {name: self._resamples.advantage(self._proxy, self._counts(name), self._full) for name in COUNTS}

    @property
    def proxy_curve(self) -> list[IntervalEstimate]:
        """Kendall's tau of the search's accuracy after every epoch with the end of full training."""
        return self._along([row.trial for row in self.rows])

    @property
    def full_curve(self) -> list[IntervalEstimate]:
        """Kendall's tau of full training's accuracy after every epoch with its end."""
        return self._along([row.full for row in self.rows])

    def _along(self, records: Sequence[TrialRecord]) -> list[IntervalEstimate]:
        if not self.has_enough:
            return []
        curves = zip(*([epoch[MEASURE] for epoch in record.curve] for record in records), strict=False)
        return [self._resamples.agreement(values, self._full).kendall for values in curves]

    @cached_property
    def _resamples(self) -> Resamples:
        return Resamples(len(self.rows), seed=self.seed)

    @property
    def _proxy(self) -> list[float]:
        return [row.trial.val_accuracy or 0.0 for row in self.rows]

    @property
    def _full(self) -> list[float]:
        return [row.full.val_accuracy or 0.0 for row in self.rows]

    def _counts(self, name: str) -> list[float]:
        return [getattr(row.trial, name) for row in self.rows]


@ending.orderly()
def audit_study(
    directory: Path,
    backend: Backend,
    *,
    sample: int,
    epochs: int | None,
    subset: int | None,
    observe: Observe = unobserved,
) -> Audit:
    """Train a sample of a study's networks at full length, and compare the rankings; the same call again carries on.

    Every network keeps its recipe, and is judged by the validation images; the test images stay unread.

    Args:
        directory: The study.
        backend: Does the trainings.
        sample: Networks, those of earlier audits of this length included; all complete trials if there are fewer.
        epochs: Of each training; `FULL_LENGTH` times those of the search if None.
        subset: Training images; all but the validation images if None.
        observe: Opens a display.

    Raises:
        StudyError: If the study is missing or in use, or too few trials of it are complete.
        ValueError: If a number is too small.
    """
    check_positive(epochs=epochs, subset=subset)
    if sample < MIN_NETWORKS:
        raise ValueError(
            f"sample >= {MIN_NETWORKS} must hold, got {sample}: fewer networks have no ranking to speak of"
        )
    study = open_study(directory)
    complete = [trial for trial in study.trials if trial.state == "complete" and trial.trial_of is None]
    if len(complete) < MIN_NETWORKS:
        raise StudyError(f"{directory}: an audit needs {MIN_NETWORKS} complete trials or more, got {len(complete)}")
    seed = kept_seed(directory)
    length = epochs or FULL_LENGTH * max(trial.epochs for trial in complete)
    groups = {trial.number: f"trial {trial.number} {length_text(length, subset)}" for trial in complete}
    chosen = sampled(complete, sample, seed=seed, kept=_begun(study, groups))
    repeats = [_repeat(trial, groups[trial.number], length, seed) for trial in chosen]
    records = retrain(directory, AUDIT, repeats, backend, measure=MEASURE, subset=subset, observe=observe)
    return _audit(chosen, groups, records, epochs=length, seed=seed)


def sampled(trials: Sequence[TrialRecord], size: int, *, seed: int, kept: Collection[int]) -> list[TrialRecord]:
    """Return trials spread over the ranking of their accuracies: one of each of `size` equal parts of it.

    Args:
        trials: Complete ones.
        size: Of the sample; all trials if there are fewer.
        seed: Of the choice in a part; twice the size holds all of a smaller sample.
        kept: Numbers of trials that are in the sample in any case; their parts need no other one.

    Returns:
        The trials in an order of chance, so that the first few are spread, too.
    """
    ranking = sorted(trials, key=lambda trial: (-(trial.val_accuracy or 0.0), trial.number))
    size = min(size, len(ranking))
    part = {trial.number: place * size // len(ranking) for place, trial in enumerate(ranking)}

    def priority(trial: TrialRecord) -> int:
        return trial_seed(seed, trial.number)

    chosen = [trial for trial in ranking if trial.number in kept]
    taken = {part[trial.number] for trial in chosen}
    for trial in sorted(ranking, key=priority):
        if len(chosen) < size and part[trial.number] not in taken:
            chosen.append(trial)
            taken.add(part[trial.number])
    return sorted(chosen, key=priority)


def _begun(study: StudyRecord, groups: Mapping[int, str]) -> set[int]:
    """Return the numbers of the trials that earlier audits of this length have begun to train."""
    begun = {record.group for record in study.audits}
    return {number for number, group in groups.items() if group in begun}


def _repeat(trial: TrialRecord, group: str, epochs: int, seed: int) -> Repeat:
    return Repeat(group=group, trial=trial, recipe=lengthened(trial, epochs), seed=trial_seed(seed + 2, trial.number))


def _audit(
    chosen: Sequence[TrialRecord],
    groups: Mapping[int, str],
    records: Sequence[TrialRecord],
    *,
    epochs: int,
    seed: int,
) -> Audit:
    """Gather the trainings, the best networks of the search first."""
    finished = {record.group: record for record in records if record.is_finished}
    ranking = sorted(chosen, key=lambda trial: (-(trial.val_accuracy or 0.0), trial.number))
    done = [(trial, finished[groups[trial.number]]) for trial in ranking if groups[trial.number] in finished]
    return Audit(
        rows=tuple(Audited(trial=trial, full=full) for trial, full in done if full.state == "complete"),
        failures=tuple(full for _, full in done if full.state == "failed"),
        num_missing=len(chosen) - len(done),
        epochs=epochs,
        seed=seed,
    )
