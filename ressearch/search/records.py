"""What a study holds, read back: trials, their curves and their cost. No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from ressearch.arch import Architecture
from ressearch.images import ImageShape
from ressearch.search.storage import StudyError, load_study

State = Literal["complete", "pruned", "failed", "running", "waiting"]
BREAKDOWNS = frozenset({"worker_lost", "error"})
"""Reasons of failure that are probably the machine's: a worker that was killed, an exception that is not training's."""
INFRASTRUCTURE = BREAKDOWNS | {"lost_driver", "interrupted"}
"""Reasons of failure that say nothing about the candidate: it is trained again."""

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial as the storage has it."""

    number: int
    state: State
    architecture: Mapping[str, Any]
    architecture_id: str
    candidate_id: str
    recipe: Mapping[str, Any]
    params: Mapping[str, Any]
    num_params: int
    num_macs: int
    num_activations: int
    within_limits: bool
    ancestor: str | None
    retry_of: int | None
    reason: str | None
    message: str | None
    seconds: float
    """Worker time, set-up included."""
    seed: int
    curve: tuple[Mapping[str, float], ...]
    """One mapping per epoch: epoch, train_loss, val_loss, val_accuracy, lr, seconds."""

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy of the last epoch, the one declared meaning of a trial's score."""
        return self.curve[-1]["val_accuracy"] if self.curve else None

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return len(self.curve)

    @property
    def is_finished(self) -> bool:
        """Whether this trial counts towards `--trials`: it ended for a reason of its own."""
        return self.state in ("complete", "pruned") or (self.state == "failed" and self.reason not in INFRASTRUCTURE)

    def build_architecture(self) -> Architecture:
        """Return the architecture as a value."""
        return Architecture.from_dict(self.architecture)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Read one trial of the storage."""
    attributes = trial.user_attrs
    return TrialRecord(
        number=trial.number,
        state=_STATES[trial.state],
        params=trial.params,
        reason=attributes.get("reason"),
        message=attributes.get("message"),
        seconds=attributes.get("seconds", 0.0),
        curve=tuple(attributes.get("curve") or _intermediate_curve(trial)),
        **{name: attributes.get(name) for name in _OPENING},  # type: ignore[arg-type]
    )


_OPENING = (
    "architecture",
    "architecture_id",
    "candidate_id",
    "recipe",
    "num_params",
    "num_macs",
    "num_activations",
    "within_limits",
    "ancestor",
    "retry_of",
    "seed",
)
"""Attributes that a trial has from its first moment on."""


def _intermediate_curve(trial: FrozenTrial) -> list[dict[str, float]]:
    """Return what is known of a trial that is still running, or was when its driver died."""
    return [{"epoch": epoch, "val_accuracy": value} for epoch, value in sorted(trial.intermediate_values.items())]


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """A study directory, read."""

    directory: Path
    trials: tuple[TrialRecord, ...]
    manifest: Mapping[str, Any]

    @property
    def shape(self) -> ImageShape:
        """What the networks of this study take and give."""
        return ImageShape(**self.manifest["shape"])

    def best(self) -> TrialRecord:
        """Return the best trial: finished at full length, within the limits, highest accuracy at its last epoch.

        Raises:
            StudyError: If no trial qualifies.
        """
        if found := best_of(self.trials):
            return found
        raise StudyError(f"{self.directory}: no trial has finished within the limits yet, so there is no best one")

    def trial(self, which: str) -> TrialRecord:
        """Return a trial by its number, or the best one.

        Raises:
            StudyError: If there is no such trial.
        """
        if which == "best":
            return self.best()
        by_number = {str(trial.number): trial for trial in self.trials}
        if which not in by_number:
            last = max((trial.number for trial in self.trials), default=None)
            known = "it holds no trials" if last is None else f"it holds 0 to {last}"
            raise StudyError(f"{self.directory}: there is no trial {which!r}; say 'best' or a number, {known}")
        return by_number[which]


def best_of(trials: tuple[TrialRecord, ...] | list[TrialRecord]) -> TrialRecord | None:
    """Return the finished trial within the limits with the highest accuracy, the earlier one of equals."""
    finished = [trial for trial in trials if trial.state == "complete" and trial.within_limits]
    return max(finished, key=lambda trial: (trial.val_accuracy or 0.0, -trial.number), default=None)


def read_study(directory: Path) -> StudyRecord:
    """Read the study of a directory.

    Raises:
        StudyError: If there is none or it cannot be read.
    """
    study = load_study(directory)
    return StudyRecord(
        directory=directory,
        trials=tuple(record_of(trial) for trial in study.get_trials(deepcopy=False)),
        manifest=read_manifest(directory),
    )


MANIFEST = "manifest.json"


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read the manifest of a study.

    Raises:
        StudyError: If it is missing or damaged.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("version") != 1:
        raise StudyError(f"{path}: version 1 must be given, got {manifest!r:.80}")
    return manifest


def trial_directory(directory: Path, number: int) -> Path:
    """Return where the files of a trial stand."""
    return directory / "trials" / f"{number:06d}"
