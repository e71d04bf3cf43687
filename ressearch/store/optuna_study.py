"""One Optuna study behind few verbs, and what the databases say put into one message."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from ressearch.ranking import Direction, Directions
from ressearch.store.files import StudyError

optuna.logging.set_verbosity(optuna.logging.WARNING)  # what it has to say is said by whoever calls

_DIRECTIONS: dict[StudyDirection, Direction] = {
    StudyDirection.MAXIMIZE: "maximize",
    StudyDirection.MINIMIZE: "minimize",
}
PART = "part"
"""Attribute of a study that holds a part of another one, such as its confirmation."""


class OptunaStudy:
    """Trials of one Optuna study; serves a database and a sampler's copy in memory alike."""

    def __init__(self, study: Study, storage: BaseStorage) -> None:
        self._study = study
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What is kept of the study as a whole."""
        return self._study.user_attrs

    @property
    def directions(self) -> Directions:
        """What is better of each objective, by name.

        Raises:
            RuntimeError: If several objectives have no names.
        """
        found = [_DIRECTIONS[direction] for direction in self._study.directions]
        names = self._study.metric_names or ["val_accuracy"]
        if len(names) != len(found):
            raise RuntimeError(f"its {len(found)} objectives have no names: it was not written by ressearch")
        return dict(zip(names, found, strict=True))

    def trials(self) -> list[FrozenTrial]:
        """Read all trials."""
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    def trial_id(self, number: int) -> int:
        """Return the id by which the other verbs know a trial."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def open(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
        *,
        system_attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a running trial in one transaction and return its id."""
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs=dict(attributes),
            system_attrs=dict(system_attributes or {}),
        )
        return self._storage.create_new_trial(self._study_id, template_trial=template)

    def add(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        *,
        state: TrialState,
        values: Sequence[float] | None,
        intermediate: Mapping[int, float],
        system_attributes: Mapping[str, Any],
    ) -> None:
        """Add a trial that has ended."""
        self._study.add_trial(
            create_trial(
                state=state,
                params=dict(params),
                distributions={name: distributions[name] for name in params},
                values=values,
                intermediate_values=dict(intermediate),
                system_attrs=dict(system_attributes),
            )
        )

    def report(self, trial_id: int, epoch: int, value: float) -> None:
        """Write the value of one epoch."""
        self._storage.set_trial_intermediate_value(trial_id, epoch, value)

    def note(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        """Write attributes of a trial that has not ended."""
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(trial_id, name, value)

    def close(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None, attributes: Mapping[str, Any]
    ) -> FrozenTrial:
        """Write all attributes, then the state, since a finished trial can no longer be changed; return the trial."""
        self.note(trial_id, attributes)
        self._storage.set_trial_state_values(trial_id, state, values)
        return self._storage.get_trial(trial_id)


def in_memory(sampler: BaseSampler, directions: Sequence[Direction]) -> tuple[Study, OptunaStudy]:
    """Return an empty study in memory, for a sampler to learn from."""
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage, sampler=sampler, directions=list(directions))
    return study, OptunaStudy(study, storage)


def opened(url: str, *, name: str | None, part: str | None, writes: bool = False) -> OptunaStudy | None:
    """Open a study of a database, or a part of it.

    Write-ahead logging lets readers of an SQLite file in while the driver writes and halves the cost of a write; with
    it, synchronous=NORMAL still survives a killed process.

    Args:
        url: Of the database.
        name: Of the study in a database that many studies share; None where there is but one.
        part: Name of the part; None for the study itself.
        writes: Whether it is opened for writing.

    Returns:
        None if there is no such study, or no such part.

    Raises:
        RuntimeError: If there should be one study, and there is another number of them.
    """
    storage = _storage(url, writes=writes)
    names = [study.study_name for study in storage.get_all_studies() if study.user_attrs.get(PART) == part]
    if name is not None:
        names = [found for found in names if found == name]
    if not names and (part or name):
        return None
    if len(names) != 1:
        raise RuntimeError(f"it holds {len(names)} studies, expected one" + (f": {', '.join(names)}" if names else ""))
    return OptunaStudy(optuna.load_study(study_name=names[0], storage=storage), storage)


def created(url: str, name: str, objectives: Directions, attributes: Mapping[str, Any]) -> None:
    """Add an empty study to a database; `objectives` are directions by name, which the dashboard calls the axes."""
    storage = _storage(url)
    study = optuna.create_study(storage=storage, study_name=name, directions=list(objectives.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(objectives))
    for attribute, value in attributes.items():
        study.set_user_attr(attribute, value)
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()  # the file is about to be renamed


def created_file(path: Path, name: str, objectives: Directions, attributes: Mapping[str, Any]) -> None:
    """Create an SQLite file out of sight: Optuna's readers create tables as well, and two at once break each other."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    created(f"sqlite:///{partial.absolute()}", name, objectives, attributes)
    os.replace(partial, path)


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Put what a database says of a damaged study into one message.

    Raises:
        StudyError: If it cannot be used.
    """
    try:
        yield
    except (sqlalchemy.exc.DatabaseError, KeyError, AssertionError, RuntimeError) as error:
        raise StudyError(f"{where}: cannot be used as a study: {_first_line(error)}") from error


@contextmanager
def writable(where: str) -> Iterator[None]:
    """Put what a database says of a failed write into one message.

    Raises:
        StudyError: If the disk is full, the file is read-only, or the like.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StudyError(
            f"{where}: the study cannot be written ({_first_line(error)}); what was written is safe: "
            "make room and run the same command again"
        ) from error


def _storage(url: str, *, writes: bool = False) -> BaseStorage:
    """Return Optuna's storage behind a URL."""
    storage = RDBStorage(url)
    if writes and storage.engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(storage.engine, "connect", _use_write_ahead_log)
        storage.engine.dispose()  # connections opened before the listener are replaced
    return storage


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _use_write_ahead_log(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
