"""The trials of one study, written by whoever holds its lease."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import filelock
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from ressearch.space import Domain
from ressearch.store.distributions import distribution_of
from ressearch.store.files import (
    DATABASE,
    LOCK,
    StudyError,
    checkpoint_file,
    database_url,
    is_study,
    nearby,
    weights_file,
)
from ressearch.store.optuna_study import PART, Direction, OptunaStudy, created, created_file, opened, readable
from ressearch.store.record import OPTUNAS_OWN, State, TrialRecord

SCHEMA = 2
"""Version of the attributes of trials and studies; 1 called baselines ancestors and kept no measures."""

_STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "paused": TrialState.RUNNING,
}
_NAMES: dict[TrialState, State] = {state: name for name, state in _STATES.items() if name != "paused"}
_NAMES[TrialState.WAITING] = "running"
_PAUSED = "paused"
_FIELDS = frozenset(spec.name for spec in fields(TrialRecord)) - OPTUNAS_OWN


class TrialStore:
    """Trials in a database: an SQLite file in the study's directory, or one that many studies share, by its URL.

    Attributes:
        directory: Where the study's files are, absolute.
    """

    def __init__(self, directory: Path, *, part: str | None = None, url: str | None = None) -> None:
        self.directory = directory.absolute()
        self._named = directory
        self._part = part
        self._url = url
        self._objectives: tuple[str, ...] = ()
        self._distributions: dict[str, BaseDistribution] = {}
        self._study: OptunaStudy | None = None
        self._written: dict[int, tuple[int, Mapping[str, Any]]] = {}

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold the study; the kernel lets go of it when this process ends, however it ends.

        Raises:
            StudyError: If another process holds it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.directory / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise StudyError(
                f"{self._named}: another `ressearch` is working on this study; wait for it, end it, "
                "or name another study with --study"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def open(
        self, objectives: Mapping[str, Direction], domains: Mapping[str, Domain], terms: Mapping[str, Any]
    ) -> None:
        """Open the study for writing, creating it where there is none.

        Args:
            objectives: Directions by name.
            domains: The searched parameters by name.
            terms: What must stay the same while the study goes on, kept when it is created.

        Raises:
            StudyError: If its database cannot be used, or is of a newer version of this program.
        """
        attributes = {"schema": SCHEMA, "terms": dict(terms), **({PART: self._part} if self._part else {})}
        self._objectives = tuple(objectives)
        self._distributions = {name: distribution_of(domain) for name, domain in domains.items()}
        with readable(self._where):
            if self._url is None and not is_study(self.directory):
                created_file(self.directory / DATABASE, self._name, objectives, attributes)
            if not self._open_study(writes=True):
                created(self._address, self._name, objectives, attributes)
                self._open_study(writes=True)
        self._check_schema()

    def open_for_reading(self) -> bool:
        """Open the study; tell whether there is such a part of it.

        Raises:
            StudyError: If there is no study, or it cannot be used.
        """
        if self._url is None and not is_study(self.directory):
            raise StudyError(f"{self._named}: no study here ({DATABASE} is missing){nearby(self._named)}")
        with readable(self._where):
            is_there = self._open_study(writes=False)
        if is_there:
            self._check_schema()
        elif self._part is None:
            raise StudyError(f"{self._where}: there is no study {self._name!r}")
        return is_there

    @property
    def terms(self) -> Mapping[str, Any] | None:
        """What the study was begun with; None if a version of this program began it that kept no terms."""
        return self._opened.attributes.get("terms")

    def trials(self) -> list[TrialRecord]:
        """Read all trials.

        Raises:
            StudyError: If the database cannot be used, or a trial was not written by this program.
        """
        with readable(self._where):
            return [record_of(trial) for trial in self._opened.trials()]

    def begin(self, record: TrialRecord) -> TrialRecord:
        """Add an open trial; its number must be the next one."""
        attributes = record.attributes()
        trial_id = self._opened.open(record.params, self._distributions, attributes)
        assert trial_id == self._opened.trial_id(record.number)
        self._written[record.number] = trial_id, attributes
        return record

    def report(self, record: TrialRecord) -> None:
        """Write the last epoch of an open trial, so that a killed driver leaves its curve."""
        if len(self._objectives) == 1:  # Optuna keeps no intermediate values with several objectives
            last = record.curve[-1]
            self._opened.report(self._trial_id(record.number), int(last["epoch"]), last["val_accuracy"])

    def pause(self, record: TrialRecord) -> None:
        """Keep whether an open trial waits for its scheduler, so that the next session can continue it."""
        self._write(record, {_PAUSED: record.state == "paused"})

    def close(self, record: TrialRecord) -> TrialRecord:
        """Write how a trial has ended, and drop its checkpoint; return it as it is read from now on."""
        self._write(record, {_PAUSED: False} if _PAUSED in self._known(record.number) else {})
        measures = record.measures or {}
        values = [measures[name] for name in self._objectives if name in measures]
        has_values = record.state in ("complete", "pruned") and len(values) == len(self._objectives)
        trial_id = self._trial_id(record.number)
        closed = self._opened.close(trial_id, _STATES[record.state], values if has_values else None, {})
        del self._written[record.number]
        self.checkpoint_file(record.number).unlink(missing_ok=True)
        for partial in self.weights_file(record.number).parent.glob(".*.partial"):
            partial.unlink(missing_ok=True)  # of a worker that was killed while it wrote
        return record_of(closed)

    def weights_file(self, number: int) -> Path:
        """Return where the weights of a trial are, or will be."""
        return weights_file(self.directory, number)

    def can_continue(self, record: TrialRecord) -> bool:
        """Tell whether a trial is paused and its checkpoint is there."""
        return record.state == "paused" and self.checkpoint_file(record.number).is_file()

    def checkpoint_file(self, number: int) -> Path:
        """Return where a paused trial leaves what it needs to go on."""
        return checkpoint_file(self.directory, number)

    def _write(self, record: TrialRecord, more: Mapping[str, Any]) -> None:
        """Write the attributes that have changed."""
        trial_id, known = self._trial_id(record.number), self._known(record.number)
        attributes = {**record.attributes(), **more}
        changed = {name: value for name, value in attributes.items() if name not in known or known[name] != value}
        self._opened.note(trial_id, changed)
        self._written[record.number] = trial_id, {**known, **changed}

    def _trial_id(self, number: int) -> int:
        return self._written[number][0] if number in self._written else self._opened.trial_id(number)

    def _known(self, number: int) -> Mapping[str, Any]:
        return self._written[number][1] if number in self._written else {}

    def _open_study(self, *, writes: bool) -> bool:
        """Open the study if it is there. In a database of many it is the one that is called like the directory."""
        name = None if self._url is None else self._name
        self._study = opened(self._address, name=name, part=self._part, writes=writes)
        return self._study is not None

    @property
    def _name(self) -> str:
        return self.directory.name + (f" {self._part}" if self._part else "")

    def _check_schema(self) -> None:
        schema = self._opened.attributes.get("schema", 1)
        if schema not in (1, SCHEMA):
            raise StudyError(
                f"{self._where}: it has version {schema} of the schema and this program reads versions 1 and {SCHEMA}; "
                "install a newer ressearch"
            )

    @property
    def _opened(self) -> OptunaStudy:
        assert self._study is not None, "open the store first"
        return self._study

    @property
    def _address(self) -> str:
        return self._url or database_url(self.directory)

    @property
    def _where(self) -> str:
        return f"{self._named / DATABASE}" if self._url is None else f"{self._named}"


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Read one trial of the storage.

    Raises:
        KeyError: If it was not written by this program.
    """
    attributes = dict(trial.user_attrs)
    if "ancestor" in attributes:  # what schema 1 called it
        attributes["baseline"] = attributes.pop("ancestor")
    is_paused = trial.state == TrialState.RUNNING and attributes.get(_PAUSED, False)
    curve = attributes.pop("curve", None) or [
        {"epoch": epoch, "val_accuracy": value} for epoch, value in sorted(trial.intermediate_values.items())
    ]
    values: dict[str, Any] = {name: value for name, value in attributes.items() if name in _FIELDS}
    if missing := {"architecture", "recipe", "candidate_id"} - values.keys():
        raise KeyError(f"trial {trial.number} has no {min(missing)}: it was not written by ressearch")
    record = TrialRecord(
        number=trial.number,
        state="paused" if is_paused else _NAMES[trial.state],
        params=trial.params,
        curve=tuple(curve),
        started=trial.datetime_start.timestamp() if trial.datetime_start else None,
        ended=trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        **values,
    )
    return record if record.measures is not None or record.is_open else replace(record, measures=_measures(record))


def _measures(record: TrialRecord) -> dict[str, float]:
    """Return the measures of a trial of schema 1."""
    names = ("val_accuracy", "num_params", "num_macs", "num_activations", "seconds")
    values = {name: getattr(record, name) for name in names}
    return {name: float(value) for name, value in values.items() if value is not None}
