"""The recipe of a trial in words: the fields that set trainings apart, short to be read or exact to be kept."""

from collections.abc import Iterable
from typing import Any

from ressearch.store.record import TrialRecord
from ressearch.training.recipe import DEFAULTS

ALWAYS = ("lr", "weight_decay")
"""Fields that are told of a baseline whether the search changes them or not: they decide most comparisons."""


def recipe_values(trial: TrialRecord) -> dict[str, Any]:
    """Return every field of a recipe; one that the version of the trial did not know had what is now its default."""
    return {**DEFAULTS, **trial.recipe}


def differing(trials: Iterable[TrialRecord]) -> tuple[str, ...]:
    """Return the fields of the recipe in which trials differ."""
    every = [recipe_values(trial) for trial in trials]
    return tuple(name for name in DEFAULTS if len({values[name] for values in every}) > 1)


def recipe_text(trial: TrialRecord, names: Iterable[str], *, exact: bool = False) -> str:
    """Return fields with their values, such as `lr=0.411 weight_decay=0.0005`; three digits unless `exact`."""
    values = recipe_values(trial)
    return " ".join(f"{name}={values[name] if exact else _short(values[name])}" for name in names)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value}"
