"""A trial as Optuna keeps it, read as our record."""

from dataclasses import MISSING, fields, replace
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ressearch.store.record import KEPT, State, TrialRecord
from ressearch.store.snapshot import UnusableError

STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "paused": TrialState.RUNNING,
}
_NAMES: dict[TrialState, State] = {state: name for name, state in STATES.items() if name != "paused"}
_NAMES[TrialState.WAITING] = "running"
PAUSED = "paused"
"""Attribute of a running trial that waits for its scheduler."""
_REQUIRED = frozenset(spec.name for spec in fields(TrialRecord) if spec.default is MISSING) & KEPT


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Read one trial of the storage.

    Raises:
        UnusableError: If it was not written by this program.
        ValueError: If it is damaged.
    """
    attributes = dict(trial.user_attrs)
    if "ancestor" in attributes:  # what schema 1 called it
        attributes["baseline"] = attributes.pop("ancestor")
    is_paused = trial.state == TrialState.RUNNING and attributes.get(PAUSED, False)
    curve = attributes.pop("curve", None) or [
        {"epoch": epoch, "val_accuracy": value} for epoch, value in sorted(trial.intermediate_values.items())
    ]
    values: dict[str, Any] = {name: value for name, value in attributes.items() if name in KEPT}
    if missing := _REQUIRED - values.keys():
        raise UnusableError(f"trial {trial.number} has no {min(missing)}: it was not written by ressearch")
    record = TrialRecord(
        number=trial.number,
        state="paused" if is_paused else _NAMES[trial.state],
        params=trial.params,
        curve=tuple(curve),
        started=trial.datetime_start.timestamp() if trial.datetime_start else None,
        ended=trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        **values,
    )
    if fault := record.fault():
        raise ValueError(f"trial {trial.number}: {fault}")
    return record if record.measures is not None or record.is_open else replace(record, measures=_measures(record))


def _measures(record: TrialRecord) -> dict[str, float]:
    """Return the measures of a trial of schema 1."""
    names = ("val_accuracy", "num_params", "num_macs", "num_activations", "seconds")
    values = {name: getattr(record, name) for name in names}
    return {name: float(value) for name, value in values.items() if value is not None}
