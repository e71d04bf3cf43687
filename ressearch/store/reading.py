"""Optuna's storage of a study that is only read, as the dashboard needs it, too."""

import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.pool import NullPool

from ressearch.store.files import database_url
from ressearch.store.snapshot import Snapshot, UnusableError

_TABLES = {"alembic_version", "studies", "trials", "version_info"}
_MARK_LIMITS = """
    INSERT OR REPLACE INTO trial_system_attributes (trial_id, key, value_json)
    SELECT trial_id, 'constraints', CASE value_json WHEN 'true' THEN '[0.0]' ELSE '[1.0]' END
    FROM trial_user_attributes WHERE key = 'within_limits'
"""
"""Optuna's older form of a constraint, which is all that the dashboard knows, for trials of every version of ours."""


class ReadingStorage(RDBStorage):
    """The studies of an SQLite file as they are whenever they are asked for; what is written is lost.

    Raises:
        OSError: If the file cannot be read.
        UnusableError: If it is no database of this version of Optuna.
        sqlite3.DatabaseError: If it is damaged.
    """

    def __init__(self, file: Path) -> None:
        snapshot = Snapshot(file)

        def connect() -> sqlite3.Connection:
            connection = snapshot.connect()
            connection.execute(_MARK_LIMITS)
            connection.commit()
            return connection

        with closing(snapshot.connect()) as connection:
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not found >= _TABLES:
            raise UnusableError("it is another program's database" if found else "it is an empty database")
        self.lock = snapshot.lock
        try:
            super().__init__(
                "sqlite://",
                engine_kwargs={"creator": connect, "poolclass": NullPool},
                skip_table_creation=True,
            )
        except RuntimeError as error:  # the tables are of another version
            raise UnusableError(str(error).replace("$STORAGE_URL", database_url(file.parent, file.name))) from error


def brief_storage(url: str) -> RDBStorage:
    """Return a storage that holds the file no longer than each write takes."""
    options = {"poolclass": NullPool}
    return RDBStorage(url, engine_kwargs=options, skip_compatibility_check=True, skip_table_creation=True)


def best_trials(storage: BaseStorage, study_id: int) -> list[FrozenTrial]:
    """Return what Optuna calls the best trial of a study, or its front; nothing while no trial is within the limits."""
    study = optuna.load_study(study_name=storage.get_study_name_from_id(study_id), storage=storage)
    if len(study.directions) > 1:
        return study.best_trials
    try:
        return [study.best_trial]
    except ValueError:
        return []
