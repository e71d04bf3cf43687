"""One Optuna study behind few verbs, and what the databases say put into one message."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from ressearch.ranking import Direction, Directions
from ressearch.store.files import StudyError, database_url
from ressearch.store.snapshot import UnusableError

optuna.logging.set_verbosity(optuna.logging.ERROR)  # what it has to say, such as raw SQL, is said by whoever calls

_DIRECTIONS: dict[StudyDirection, Direction] = {
    StudyDirection.MAXIMIZE: "maximize",
    StudyDirection.MINIMIZE: "minimize",
}
LIMITS = "limits"
"""Name of the constraint that a trial within the limits meets."""

_CONSTRAINT = f"constraints:{LIMITS}"
"""Where Optuna keeps how far a trial is from meeting it."""

PART = "part"
"""Attribute of a study that holds a part of another one, such as its confirmation."""


_PARAMETERS = sqlalchemy.text(
    "SELECT param_id, param_name, param_value, distribution_json FROM trial_params "
    "JOIN trials ON trials.trial_id = trial_params.trial_id WHERE study_id = :study"
)
_REDEFINE = sqlalchemy.text(
    "UPDATE trial_params SET param_value = :value, distribution_json = :distribution WHERE param_id = :param"
)
_OF_TRIAL = "trial_id = (SELECT trial_id FROM trials WHERE study_id = :study AND number = :number)"
_NOTE = sqlalchemy.text(f"UPDATE trial_user_attributes SET value_json = :value WHERE key = :key AND {_OF_TRIAL}")
_CONSTRAIN = sqlalchemy.text(f"UPDATE trial_system_attributes SET value_json = :value WHERE key = :key AND {_OF_TRIAL}")
_FORGET = sqlalchemy.text("DELETE FROM study_user_attributes WHERE study_id = :study AND key = :key")
_KEEP = sqlalchemy.text("INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (:study, :key, :value)")


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
            UnusableError: If several objectives have no names.
        """
        found = [_DIRECTIONS[direction] for direction in self._study.directions]
        names = self._study.metric_names or ["val_accuracy"]
        if len(names) != len(found):
            raise UnusableError(f"its {len(found)} objectives have no names: it was not written by ressearch")
        return dict(zip(names, found, strict=True))

    def keep(self, name: str, value: Any) -> None:
        """Write an attribute of the study as a whole."""
        self._study.set_user_attr(name, value)

    def redefine(
        self,
        distributions: Mapping[str, BaseDistribution],
        within_limits: Mapping[int, bool],
        attributes: Mapping[str, Any],
    ) -> None:
        """Change what a study searches, in one transaction; Optuna itself changes no trial that has ended.

        Args:
            distributions: Of the parameters of all trials; they hold their values. Optuna would refuse another choice:
                it keeps the index of the value, not the value.
            within_limits: By number of the trial.
            attributes: Of the study.
        """
        assert isinstance(self._storage, RDBStorage)
        of_study = {"study": self._study_id}
        with self._storage.engine.begin() as connection:
            for row in connection.execute(_PARAMETERS, of_study).all():
                new, old = distributions.get(row.param_name), json_to_distribution(row.distribution_json)
                if new is not None and new != old:
                    value = new.to_internal_repr(old.to_external_repr(row.param_value))
                    changed = {"param": row.param_id, "value": value, "distribution": distribution_to_json(new)}
                    connection.execute(_REDEFINE, changed)
            for number, is_within in within_limits.items():
                trial = {**of_study, "number": number}
                connection.execute(_NOTE, {**trial, "key": "within_limits", "value": json.dumps(is_within)})
                violation = json.dumps(_violation(is_within))
                connection.execute(_CONSTRAIN, {**trial, "key": _CONSTRAINT, "value": violation})
            for key, value in attributes.items():
                connection.execute(_FORGET, {**of_study, "key": key})
                connection.execute(_KEEP, {**of_study, "key": key, "value": json.dumps(value)})

    def trials(self) -> list[FrozenTrial]:
        """Read all trials."""
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    def trial_id(self, number: int) -> int:
        """Return the id by which the other verbs know a trial."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def let_go(self) -> None:
        """Close the database; it is opened again when it is needed."""
        if isinstance(self._storage, RDBStorage):
            self._storage.engine.dispose()

    def check_next(self, number: int) -> None:
        """Check that the next trial gets this number: Optuna counts the trials that are there.

        Raises:
            KeyError: If trials are missing.
        """
        if isinstance(self._storage, RDBStorage):
            count = sqlalchemy.text("SELECT count(*) FROM trials WHERE study_id = :study_id")
            with self._storage.engine.connect() as connection:
                found = connection.execute(count, {"study_id": self._study_id}).scalar_one()
            if found != number:
                raise KeyError(f"{found} trials of {number}")

    def open(
        self,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
        *,
        within_limits: bool | None = None,
        system_attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a running trial in one transaction and return its id; one outside the limits is never Optuna's best."""
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs=dict(attributes),
            constraints={} if within_limits is None else {LIMITS: _violation(within_limits)},
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

    def exclude(self, trial_id: int) -> None:
        """Say of a trial that has not ended that it is outside the limits."""
        self._storage.set_trial_system_attr(trial_id, _CONSTRAINT, _violation(False))

    def close(self, trial_id: int, state: TrialState, values: Sequence[float] | None) -> FrozenTrial:
        """Write the state of a trial, which can no longer be changed afterwards; return the trial."""
        self._storage.set_trial_state_values(trial_id, state, values)
        return self._storage.get_trial(trial_id)


def in_memory(sampler: BaseSampler, directions: Sequence[Direction]) -> tuple[Study, OptunaStudy]:
    """Return an empty study in memory, for a sampler to learn from."""
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage, sampler=sampler, directions=list(directions))
    return study, OptunaStudy(study, storage)


def opened(storage: BaseStorage, *, name: str | None, part: str | None) -> OptunaStudy | None:
    """Open a study of a database, or a part of it.

    Args:
        storage: The database.
        name: Of the study in a database that many studies share; None where there is but one.
        part: Name of the part; None for the study itself.

    Returns:
        None if there is no such study, or no such part.

    Raises:
        UnusableError: If there should be one study, and there is another number of them.
    """
    found = [study for study in storage.get_all_studies() if study.user_attrs.get(PART) == part]
    if name is not None:
        found = [study for study in found if study.study_name == name]
    if not found and (part or name):
        return None
    if not found:
        raise UnusableError("it holds no study, expected one; restore it from a copy")
    if len(found) > 1:
        names = ", ".join(study.study_name for study in found)
        raise UnusableError(
            f"it holds {len(found)} studies, expected one: {names}; delete what others have added, "
            "as with `optuna delete-study`"
        )
    return OptunaStudy(optuna.load_study(study_name=found[0].study_name, storage=storage), storage)


def created(url: str, name: str, objectives: Directions, attributes: Mapping[str, Any]) -> None:
    """Add an empty study to a database; `objectives` are directions by name, which the dashboard calls the axes."""
    storage = storage_of(url)
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
    partial.touch()  # SQLite would create it with 0644, whatever the umask says
    created(database_url(partial.parent, partial.name), name, objectives, attributes)
    os.replace(partial, path)


def _violation(is_within: bool) -> float:
    """Return what Optuna takes for met at 0 and below."""
    return 0.0 if is_within else 1.0


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Put what a damaged or foreign database leads to into one message: Optuna meets it with any exception.

    Raises:
        StudyError: If it cannot be used.
    """
    try:
        yield
    except StudyError:
        raise
    except (UnusableError, OSError) as error:
        raise StudyError(f"{where}: cannot be used as a study: {_reason(error)}") from error
    except Exception as error:
        reason = f"it is damaged ({_reason(error)}); restore it from a copy"
        raise StudyError(f"{where}: cannot be used as a study: {reason}") from error


@contextmanager
def unchanged_by_others(where: str, what: str) -> Iterator[None]:
    """Put into one message that somebody has changed, in mid-run, what is to be written to, such as `trial 3`.

    Raises:
        StudyError: If the trial has ended, or it, another one, or the study has been deleted.
    """
    try:
        yield
    except (KeyError, UpdateFinishedTrialError, IntegrityError) as error:
        raise StudyError(
            f"{where}: {what} cannot be written: somebody else has deleted or ended it, or has deleted another "
            "trial or the study; what is left is kept"
        ) from error


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
            f"{where}: the study cannot be written ({_reason(error)}); what was written is safe: "
            "make room and run the same command again"
        ) from error


def storage_of(url: str, *, writes: bool = False) -> BaseStorage:
    """Return Optuna's storage behind a URL.

    Write-ahead logging lets readers of an SQLite file in while the driver writes and halves the cost of a write; with
    it, synchronous=NORMAL still survives a killed process.
    """
    storage = RDBStorage(url)
    if writes and storage.engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(storage.engine, "connect", _use_write_ahead_log)
        storage.engine.dispose()  # connections opened before the listener are replaced
    return storage


def _reason(error: BaseException) -> str:
    """Say in one line, without SQL and without what else the database holds, what went wrong."""
    match error:
        case StorageInternalError(__cause__=BaseException() as cause) | DBAPIError(orig=BaseException() as cause):
            return _reason(cause)
        case OSError(strerror=str() as reason):
            return reason
    return _line(str(error).partition(" with text ")[0]) or "incomplete"


def _line(text: str) -> str:
    first = (text.splitlines() or [""])[0]
    return "".join(character if character.isprintable() else "?" for character in first)


def _use_write_ahead_log(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
