"""The one schema of a trial: the store writes and reads it, the search carries it, tables and displays show it."""

import builtins
import collections.abc
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ressearch.arch import Architecture, Cost
from ressearch.noise import Estimate, shrunken, std_error
from ressearch.ranking import Directions, Point, oriented, ranks
from ressearch.space import Candidate
from ressearch.training.recipe import Recipe

State = Literal["complete", "pruned", "failed", "running", "paused"]

BREAKDOWNS = frozenset({"worker_lost", "error", "device_full"})
"""Reasons of failure that are probably the machine's: a worker that was killed, an exception that is not training's, a
device whose memory others have filled."""
INFRASTRUCTURE = BREAKDOWNS | {"lost_driver", "interrupted"}
"""Reasons of failure that say nothing about the candidate: it is trained again."""
GIVEN_UP = "given_up"
"""Reason of failure of a candidate that broke down whenever it was trained: that is its own fault."""

OPTUNAS_OWN = frozenset({"number", "state", "params", "started", "ended"})
"""Fields that Optuna keeps in columns of its own; all others are attributes of the trial, which its dashboard shows."""
DERIVED = frozenset({"estimate", "num_runs"})
"""Fields that follow from all trials of a study and are kept nowhere."""


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial: what is trained, how far it has come, and how it ended."""

    number: int
    state: State
    params: Mapping[str, Any]
    """The searched parameters; empty for a baseline that is not a point of the space."""
    architecture: Mapping[str, Any]
    architecture_id: str
    candidate_id: str
    """Equal for duplicates: the same network with the same searched recipe."""
    recipe: Mapping[str, Any]
    num_params: int
    num_macs: int
    num_activations: int
    within_limits: bool
    seed: int
    num_images: int | None = None
    """Images that train; None where an earlier version did not write it."""
    num_val_images: int | None = None
    """Images that validate."""
    num_test_images: int | None = None
    """Images that test, in a confirmation."""
    baseline: str | None = None
    """Its name, for a network of the literature that is trained for comparison."""
    retry_of: int | None = None
    """Number of the trial that is trained again here."""
    group: str | None = None
    """What a confirmation compares: the contestant that this trial trains with one of several seeds."""
    trial_of: int | None = None
    """Number of the study's trial whose network is trained again here, with a fresh seed."""
    recipe_of: int | None = None
    """Number of the study's trial whose recipe this training has, if that is another one than `trial_of`."""
    curve: tuple[Mapping[str, float], ...] = ()
    """One mapping per epoch: epoch, train_loss, val_loss, val_accuracy, lr, seconds."""
    seconds: float = 0.0
    """Worker time, set-up included."""
    measures: Mapping[str, float] | None = None
    """What the trial came to, by name: the objectives among others. None until it has ended."""
    reason: str | None = None
    """Why it failed, in one word."""
    message: str | None = None
    started: float | None = None
    """Time of day when the trial was given out, in seconds since 1970."""
    ended: float | None = None
    estimate: Estimate | None = None
    """Accuracy over all trainings of this network in the study, where some were repeated: see `judged`."""
    num_runs: int = 1
    """Those trainings."""

    @classmethod
    def of(
        cls,
        candidate: Candidate,
        recipe: Recipe,
        *,
        number: int,
        seed: int,
        state: State = "running",
        within_limits: bool = True,
        **others: Any,
    ) -> "TrialRecord":
        """Return the record of a training of a candidate; `others` are further fields."""
        return cls(
            number=number,
            state=state,
            params=candidate.params,
            architecture=candidate.architecture.to_dict(),
            architecture_id=candidate.architecture_id,
            candidate_id=candidate.id,
            recipe=asdict(recipe),
            seed=seed,
            within_limits=within_limits,
            **asdict(candidate.cost),
            **others,
        )

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy of the last epoch, the one declared meaning of a trial's score."""
        return self.curve[-1]["val_accuracy"] if self.curve else None

    @property
    def std_error(self) -> float | None:
        """Standard error of the validation accuracy, None where the number of images is unknown."""
        if self.val_accuracy is None or self.num_val_images is None:
            return None
        return std_error(self.val_accuracy, self.num_val_images)

    @property
    def test_std_error(self) -> float | None:
        """Standard error of the test accuracy, None where there is none, or the number of images is unknown."""
        accuracy = (self.measures or {}).get("test_accuracy")
        if accuracy is None or self.num_test_images is None:
            return None
        return std_error(accuracy, self.num_test_images)

    @property
    def score(self) -> Estimate | None:
        """What is known of the accuracy: the estimate over all runs, else that of this one; None before an epoch."""
        if self.estimate is not None or self.val_accuracy is None:
            return self.estimate
        return Estimate(self.val_accuracy, self.std_error)

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return len(self.curve)

    @property
    def cost(self) -> Cost:
        """Counted cost of the network."""
        return Cost(self.num_params, self.num_macs, self.num_activations)

    @property
    def is_open(self) -> bool:
        """Whether the trial has not ended yet."""
        return self.state in ("running", "paused")

    @property
    def is_finished(self) -> bool:
        """Whether this trial counts towards `--trials`: it ended for a reason of its own."""
        return self.state in ("complete", "pruned") or (self.state == "failed" and self.reason not in INFRASTRUCTURE)

    @property
    def is_ranked(self) -> bool:
        """Whether the trial was trained to the end, within the limits: only such trials are compared.

        One that trains the network of another trial again counts there.
        """
        return self.state == "complete" and self.within_limits and self.trial_of is None

    def fault(self) -> str | None:
        """Say which field is not what it should be, None if all are."""
        for name, hint in _HINTS.items():
            if not _is_a(getattr(self, name), hint):
                return f"{name} is {getattr(self, name)!r:.80}"
        for name in ("num_images", "num_val_images", "num_test_images"):
            if (number := getattr(self, name)) is not None and number < 1:
                return f"{name} is {number}"
        if any(not {"epoch", "val_accuracy"} <= epoch.keys() for epoch in self.curve):
            return "curve lacks an epoch or its val_accuracy"
        try:
            self.build_architecture()
            self.build_recipe()
        except (ValueError, TypeError) as error:
            return f"{error}"
        return None

    def point(self, directions: Directions) -> Point:
        """Return what the trial came to, one value per objective, the higher the better."""
        measures = dict(self.measures or {})
        if self.estimate is not None and "val_accuracy" in measures:
            measures["val_accuracy"] = self.estimate.value
        return oriented(measures, directions)

    def build_architecture(self) -> Architecture:
        """Return the architecture as a value."""
        return Architecture.from_dict(self.architecture)

    def build_recipe(self) -> Recipe:
        """Return the recipe as a value."""
        return Recipe(**self.recipe)

    def attributes(self) -> dict[str, Any]:
        """Return the fields that Optuna has no column for, without those that say nothing yet.

        A trial that has ended has its standard errors among them, for Optuna's dashboard; nobody reads them back.
        """
        values = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name in KEPT}
        if not self.is_open:
            values |= {"std_error": self.std_error, "test_std_error": self.test_std_error}
        return {name: value for name, value in values.items() if value is not None and value != ()}


_HINTS = get_type_hints(TrialRecord)
KEPT = _HINTS.keys() - OPTUNAS_OWN - DERIVED
"""Fields that are attributes of Optuna's trial."""


def _is_a(value: object, hint: Any) -> bool:
    """Tell whether a value that was JSON is of a type, which may be nested; whole numbers pass for fractions."""
    arguments = get_args(hint)
    match get_origin(hint) or hint:
        case typing.Any:
            return True
        case typing.Literal:
            return value in arguments
        case types.UnionType:
            return any(_is_a(value, each) for each in arguments)
        case collections.abc.Mapping:
            return isinstance(value, Mapping) and all(_is_a(each, arguments[1]) for each in value.values())
        case builtins.tuple:
            return isinstance(value, tuple) and all(_is_a(each, arguments[0]) for each in value)
        case builtins.float:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case builtins.int:
            return isinstance(value, int) and not isinstance(value, bool)
        case kind:
            return isinstance(value, kind)


def judged(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that can be ranked, each with what all trainings of its network say of it.

    Where none was repeated, a trial says what it says. See `ressearch.noise.shrunken`.
    """
    trials = list(trials)
    runs: dict[int, list[float]] = {trial.number: [trial.val_accuracy or 0.0] for trial in trials if trial.is_ranked}
    for trial in trials:
        if trial.trial_of in runs and trial.state == "complete":
            runs[trial.trial_of].append(trial.val_accuracy or 0.0)
    found = [trial for trial in trials if trial.number in runs]
    if not any(trial.trial_of in runs for trial in trials) or any(trial.num_val_images is None for trial in found):
        return found
    estimates = shrunken(list(runs.values()), min(trial.num_val_images or 1 for trial in found))
    return [
        replace(trial, estimate=estimate, num_runs=len(runs[trial.number]))
        for trial, estimate in zip(found, estimates, strict=True)
    ]


def ranked(trials: Iterable[TrialRecord], directions: Directions) -> list[tuple[int, TrialRecord]]:
    """Return the trials that have a rank, the best first, each with the number of its front, 1 for the first one.

    The first front is what no ranked trial dominates, the second one what only the first dominates, and so on. Within
    a front the higher first objective comes first, then the better next one, then the earlier trial. With one
    objective this is the order of validation accuracies, or of the estimates where networks were repeated. It is the
    one meaning of a leaderboard's rank, of "front" and of "best".
    """
    placed = [(trial.point(directions), trial) for trial in judged(trials)]
    rank = ranks(point for point, _ in placed)
    placed.sort(key=lambda one: (-rank[one[0]], one[0], -one[1].number), reverse=True)
    return [(rank[point] + 1, trial) for point, trial in placed]


def front_of(trials: Iterable[TrialRecord], directions: Directions) -> list[TrialRecord]:
    """Return the ranked trials that no other one dominates, the best first; with one objective, the best and equals."""
    return [trial for front, trial in ranked(trials, directions) if front == 1]


def best_of(trials: Iterable[TrialRecord], directions: Directions) -> TrialRecord | None:
    """Return the first of the front: the ranked trial with the highest validation accuracy; None if there is none."""
    return next(iter(front_of(trials, directions)), None)


def best_baselines(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the baselines that were trained to the end, each with the recipe that was best for it."""
    found: dict[str, TrialRecord] = {}
    for trial in trials:
        if trial.baseline and trial.state == "complete":
            found[trial.baseline] = max(found.get(trial.baseline, trial), trial, key=_accuracy)
    return list(found.values())


def _accuracy(trial: TrialRecord) -> float:
    return -1.0 if trial.score is None else trial.score.value


def is_tied(trial: TrialRecord, first: TrialRecord) -> bool | None:
    """Tell whether a trial's accuracy is the first one's but for noise, None for itself and where nobody knows."""
    if trial.number == first.number or trial.score is None or first.score is None:
        return None
    return first.score.minus(trial.score).is_noise
