"""The one book of a study: an Optuna study in a SQLite file, written by the driver only."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

DATABASE = "study.db"

Direction = Literal["maximize", "minimize"]


class StudyError(ValueError):
    """A study that is missing, damaged, in use, or of another search space."""


def database_url(path: Path) -> str:
    """Return the URL under which Optuna's own tools open the study of a directory."""
    return f"sqlite:///{(path / DATABASE).absolute()}"


def open_book(directory: Path, objectives: Sequence[str], directions: Sequence[Direction]) -> "Book":
    """Open the study of a directory for writing, creating it where there is none.

    Write-ahead logging lets readers in while the driver writes and halves the cost of a write; with it,
    synchronous=NORMAL still survives a killed process.

    Raises:
        StudyError: If its file is not a study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _readable(directory):
        if not (directory / DATABASE).exists():
            _create(directory / DATABASE, directions)
        storage = RDBStorage(database_url(directory))
        sqlalchemy.event.listen(storage.engine, "connect", _use_write_ahead_log)
        storage.engine.dispose()  # connections opened before the listener are replaced
        study = optuna.load_study(study_name=None, storage=storage)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(objectives))  # what the dashboard calls the axes
        return Book(study, storage)


def _create(path: Path, directions: Sequence[Direction]) -> None:
    """Create an empty study out of sight: Optuna's readers create tables as well, and two at once break each other."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    storage = RDBStorage(f"sqlite:///{partial.absolute()}")
    optuna.create_study(storage=storage, study_name=path.parent.name, directions=list(directions))
    storage.engine.dispose()
    os.replace(partial, path)


def load_study(directory: Path) -> Study:
    """Open the study of a directory for reading.

    Raises:
        StudyError: If there is none, or its file is not a study.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not (directory / DATABASE).is_file():
        raise StudyError(f"{directory}: no study here ({DATABASE} is missing){_nearby(directory)}")
    with _readable(directory):
        return optuna.load_study(study_name=None, storage=RDBStorage(database_url(directory)))


class Book:
    """Trials of one study behind few verbs; serves the file and the sampler's copy in memory alike."""

    def __init__(self, study: Study, storage: BaseStorage) -> None:
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)

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
    ) -> int:
        """Add a running trial in one transaction and return its id."""
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs=dict(attributes),
        )
        return self._storage.create_new_trial(self._study_id, template_trial=template)

    def report(self, trial_id: int, epoch: int, value: float) -> None:
        """Write the value of one epoch."""
        self._storage.set_trial_intermediate_value(trial_id, epoch, value)

    def close(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None, attributes: Mapping[str, Any]
    ) -> FrozenTrial:
        """Write all attributes, then the state, since a finished trial can no longer be changed; return the trial."""
        for name, value in attributes.items():
            self._storage.set_trial_user_attr(trial_id, name, value)
        self._storage.set_trial_state_values(trial_id, state, values)
        return self._storage.get_trial(trial_id)


class _readable:  # noqa: N801 - a context manager, used like a function
    """Turn what SQLite says of a damaged file into one message."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, sqlalchemy.exc.DatabaseError | KeyError | AssertionError | RuntimeError):
            reason = str(error).splitlines()[0]
            raise StudyError(f"{self._directory / DATABASE}: cannot be used as a study: {reason}") from error


def _use_write_ahead_log(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _nearby(directory: Path) -> str:
    """Name the studies beside a directory that is none."""
    studies = sorted(path.parent.name for path in directory.parent.glob(f"*/{DATABASE}"))
    return f"; studies in {directory.parent} are {', '.join(studies)}" if studies else ""
