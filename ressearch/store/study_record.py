"""A study, read: its trials, the best of them, where it comes from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ressearch.images import ImageShape
from ressearch.ranking import Directions
from ressearch.store.files import DATABASE, MANIFEST, StudyError, read_manifest, study_directory, weights_file
from ressearch.store.record import DERIVED, TrialRecord, front_of
from ressearch.store.trial_store import TrialStore

if TYPE_CHECKING:
    import pandas

ACCURACY: Directions = {"val_accuracy": "maximize"}
"""The objective of a study that names no other."""
CONFIRMATION = "confirmation"
"""The part of a study that retrains its best networks."""
AUDIT = "audit"
"""The part of a study that retrains a sample of its networks."""
REPEATS = "repeats"
"""The part of a study, one of a recording, that trains some of its networks again just as they were."""


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """A study as it was when it was read.

    directions: what is better of each objective, the first objective first.
    confirmations: trainings of its best networks with fresh seeds; never ranked among the trials.
    audits: trainings of a sample of its networks at full length; never ranked, either.
    repeats: trainings of a sample of its networks with other seeds and nothing else changed; never ranked, either.
    """

    directory: Path
    trials: tuple[TrialRecord, ...]
    manifest: Mapping[str, Any]
    directions: Directions = field(default_factory=lambda: dict(ACCURACY))
    confirmations: tuple[TrialRecord, ...] = ()
    audits: tuple[TrialRecord, ...] = ()
    repeats: tuple[TrialRecord, ...] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)
    """What it was begun with, as `Experiment.terms` gives it; empty where an earlier version kept none."""
    sessions: tuple[Mapping[str, Any], ...] = ()
    """Of every session: when it started, its command, what it added to the space, how many candidates each rule
    refused, and what its time went into."""

    @property
    def refused(self) -> Counter[str]:
        """Candidates refused in all sessions, by rule."""
        return sum((Counter(session.get("refused", {})) for session in self.sessions), Counter())

    @property
    def name(self) -> str:
        """Name of its directory."""
        return self.directory.name

    @property
    def shape(self) -> ImageShape:
        """What the networks of this study take and give."""
        return ImageShape(**self.manifest["shape"])

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the measures that the search improves, the first one first."""
        return tuple(self.directions)

    @property
    def normalisation(self) -> Mapping[str, list[Any]]:
        """What a trained network expects of its images, as `Images.normalisation` gives it.

        Raises:
            StudyError: If the manifest does not tell.
        """
        if "normalisation" not in self.manifest:
            raise StudyError(
                f"{self.directory / MANIFEST}: normalisation is missing: nobody knows what to feed a network"
            )
        found: Mapping[str, list[Any]] = self.manifest["normalisation"]
        return found

    @property
    def best(self) -> TrialRecord:
        """The best trial: finished at full length, within the limits, highest accuracy at its last epoch.

        Of equal accuracies the one that is better in the next objective, so that it is always one of the front.

        Raises:
            StudyError: If no trial qualifies.
        """
        return self.front[0]

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """The trials that no other one dominates, finished at full length and within the limits; the best one first.

        With one objective these are the best one and its equals.

        Raises:
            StudyError: If no trial qualifies.
        """
        if found := front_of(self.trials, self.directions):
            return tuple(found)
        raise StudyError(f"{self.directory}: no trial has finished within the limits yet, so there is no best one")

    def trial(self, which: str | int) -> TrialRecord:
        """Return a trial by its number, or the best one.

        Raises:
            StudyError: If there is no such trial.
        """
        if which == "best":
            return self.best
        by_number = {str(trial.number): trial for trial in self.trials}
        if str(which) not in by_number:
            last = max((trial.number for trial in self.trials), default=None)
            known = "it holds no trials" if last is None else f"it holds 0 to {last}"
            raise StudyError(f"{self.directory}: there is no trial {str(which)!r}; say 'best' or a number, {known}")
        return by_number[str(which)]

    def weights_of(self, trial: TrialRecord) -> Path:
        """Return the file of a trial's trained weights.

        Raises:
            StudyError: If there is none, with the reason.
        """
        where = f"{self.directory}: trial {trial.number}"
        match trial.state:
            case "complete":
                path = weights_file(self.directory, trial.number)
                if path.is_file():
                    return path
                raise StudyError(f"{where} is complete, but its weights are gone: {path} is missing")
            case "pruned":
                reason = f"was stopped early, after {trial.epochs} epochs"
            case "failed":
                reason = f"failed ({trial.message})"
            case state:
                reason = f"is {state}"
        raise StudyError(f"{where} {reason}, so it has no trained weights; export a complete one, or 'best'")

    def to_frame(self) -> "pandas.DataFrame":
        """Return one row per trial: its fields, then one column `params_NAME` per searched parameter."""
        import pandas

        retrained = {"group", "recipe_of", "num_test_images", *DERIVED}
        left_out = {"architecture", "params", "recipe", "curve", "measures"} | retrained
        names = [spec.name for spec in fields(TrialRecord) if spec.name not in left_out]
        searched = list(dict.fromkeys(name for trial in self.trials for name in trial.params))
        derived = ("val_accuracy", "std_error", "epochs")
        rows = [
            {name: getattr(trial, name) for name in (*names, *derived)}
            | {f"params_{name}": trial.params.get(name) for name in searched}
            for trial in self.trials
        ]
        columns = [*names, *derived, *(f"params_{name}" for name in searched)]
        return pandas.DataFrame(rows, columns=columns)


def open_study(study: str | Path) -> StudyRecord:
    """Read a study.

    Args:
        study: A directory, or a name under `trials/`.

    Raises:
        StudyError: If there is none, or it cannot be read.
    """
    directory = study_directory(study)
    store = TrialStore(directory)
    store.open_for_reading()
    trials, manifest = tuple(store.trials()), read_manifest(directory)
    if tuple(store.directions) != tuple(manifest["objectives"]):
        raise StudyError(
            f"{directory / MANIFEST}: objectives are {', '.join(manifest['objectives'])}, and those of {DATABASE} are "
            f"{', '.join(store.directions)}: they belong to two studies"
        )
    return StudyRecord(
        directory=directory,
        trials=trials,
        manifest=manifest,
        directions=store.directions,
        confirmations=_part(directory, CONFIRMATION),
        audits=_part(directory, AUDIT),
        repeats=_part(directory, REPEATS),
        terms=store.terms or {},
        sessions=store.sessions or tuple(manifest.get("sessions", ())),
    )


def _part(directory: Path, part: str) -> tuple[TrialRecord, ...]:
    """Read the trainings of a part, none if there is no such part."""
    store = TrialStore(directory, part=part)
    return tuple(store.trials()) if store.open_for_reading() else ()
