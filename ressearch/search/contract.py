"""The contract between whoever gives trials and whoever does them. No torch, no Optuna, no Ray."""

import hashlib
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ressearch.arch import Architecture
from ressearch.experiment import Resources
from ressearch.schedulers import Decision
from ressearch.store.record import TrialRecord
from ressearch.training.recipe import Recipe

if TYPE_CHECKING:
    from ressearch.training.data import Prepared
    from ressearch.training.loop import EpochResult


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """All that a worker needs to know of a trial; plain values, since it crosses process borders.

    Paths are absolute.
    """

    number: int
    architecture: Architecture
    recipe: Recipe
    images: "Prepared"
    seed: int
    """Of the weights, the order of the images and their augmentation."""
    measures: tuple[str, ...] = ("val_accuracy", "seconds")
    """Names of the objectives that are measured at the end."""
    test: "Prepared | None" = None
    """Test images, read once after the last epoch, which adds the measure test_accuracy; None in a search."""
    weights: Path | None = None
    """File for the trained weights; None keeps none."""
    checkpoint: Path | None = None
    """File for what the trial needs to go on in another process."""
    checkpoint_epochs: Container[int] = frozenset()
    """Epochs after which the checkpoint is written; a range may hold them all."""
    resumes: bool = False
    """Whether the trial goes on from its checkpoint; where the file is not there, it starts anew."""
    seconds: float = 0.0
    """Worker time of the earlier part, as far as known; that of the epochs in the checkpoint counts in any case."""
    device: str | None = None
    """Where to train, such as cpu or cuda:1; None is a GPU where there is one."""
    num_threads: int | None = None
    """CPU threads; None leaves them alone."""
    device_share: float = 1.0
    """Share of a GPU's memory, where trials share one."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One more epoch of a trial, and the worker's time for the trial so far, set-up included, in seconds."""

    epoch: "EpochResult"
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """How a trial ended: trained to its last epoch, or not, for a reason.

    measures: by name; what could not be measured is left out.
    curve: one mapping per epoch; empty if nobody knows.
    seconds: worker time, set-up included; None if nobody knows.
    reason: why it failed, in one word such as non_finite; None if it did not.
    """

    measures: Mapping[str, float]
    curve: tuple[Mapping[str, float], ...] = ()
    seconds: float | None = None
    reason: str | None = None
    message: str = ""


def failed(reason: str, message: str) -> TrialResult:
    """Return the result of a trial that came to nothing."""
    return TrialResult(measures={}, reason=reason, message=message)


def advanced(record: TrialRecord, progress: Progress) -> TrialRecord:
    """Return a trial's record with one more epoch, and without those after it, which a trial that starts anew had."""
    earlier = record.curve[: progress.epoch.epoch - 1]
    return replace(record, curve=(*earlier, asdict(progress.epoch)), seconds=progress.seconds)


def ended(record: TrialRecord, result: TrialResult) -> TrialRecord:
    """Return a trial's record with its end: complete, or failed for a reason."""
    return replace(
        record,
        state="failed" if result.reason else "complete",
        curve=result.curve or record.curve,
        seconds=record.seconds if result.seconds is None else result.seconds,
        measures=result.measures or None,
        reason=result.reason,
        message=result.message if result.reason else None,
    )


TrialFunction = Callable[[TrialSpec], Iterator[Progress | TrialResult]]
"""What a worker does: it yields its progress and, last, the result. It raises nothing that a result can tell."""


class Work(Protocol):
    """Whoever gives trials: a search, a confirmation. A backend drives it from one thread.

    Attributes:
        resources: What each trial may use.
        num_workers: Trials at a time; a backend sets it when it starts.
    """

    resources: Resources
    num_workers: int

    def next_trial(self) -> TrialSpec | None:
        """Return the next trial, or None if there is none now: ask again when a running one has ended."""

    def report(self, number: int, progress: Progress) -> Decision:
        """Take an epoch; unless the answer is GO, the trial ends here and `finish` is not called for it."""

    def finish(self, number: int, result: TrialResult) -> None:
        """Take the end of a trial, in whatever way it came."""

    def interrupt(self) -> None:
        """Close every running trial: nobody works on them any longer."""


Backend = Callable[[Work], None]
"""Does all trials of a work, and returns when there are none left or the user has interrupted."""


def trial_seed(study_seed: int, number: int) -> int:
    """Return the seed of a trial, a function of the study's seed and the trial's number."""
    digest = hashlib.sha256(f"{study_seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
