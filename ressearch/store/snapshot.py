"""A look at an SQLite file that leaves no trace: its directory may be read-only, its writer at work, or killed.

A connection to the file itself would not do. In write-ahead mode it creates files beside the database, folds in what a
killed writer has left there, and fails where nothing may be created.
"""

import shutil
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


class UnusableError(Exception):
    """Why a file cannot be used as a study, in words for the user."""


_MAGIC = b"SQLite format 3\0"
_WAL = "-wal"
_PARTS = ("", _WAL, "-journal")
"""The database, and what it is to be read with; the shared memory beside it holds nothing that these do not."""
_WAL_HEADER = 32
"""Bytes at the head of a write-ahead log that change when it starts anew."""
_MAX_COPIES = 100
"""Copies in a row that a writer may spoil; it does so when it starts a new write-ahead log, which is rare."""

_HELD: set[Path] = set()


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Have this process read a file through SQLite alone, which it writes meanwhile.

    Whoever opens and closes a file by other means loses the POSIX locks that SQLite holds on it in the same process.
    """
    path = file.resolve()
    _HELD.add(path)
    try:
        yield
    finally:
        _HELD.discard(path)


class Snapshot:
    """An SQLite file as it is at the moment of each connection, copied into memory; it is never written."""

    def __init__(self, file: Path) -> None:
        self.lock = threading.Lock()
        self._file = file.resolve()
        self._state: Any = None
        self._image = b""

    def connect(self) -> sqlite3.Connection:
        """Return a connection to a copy.

        Raises:
            OSError: If the file cannot be read.
            UnusableError: If it is no database, or cut short.
            sqlite3.DatabaseError: If it is damaged.
        """
        with self.lock:
            state = [_stat(self._file, part) for part in _PARTS]
            if state != self._state:
                self._image = _image(self._file)
                self._state = state
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.deserialize(self._image)
        return connection


def _image(file: Path) -> bytes:
    if file in _HELD:
        with closing(sqlite3.connect(file)) as connection:
            image = connection.serialize()
        return image[:18] + b"\1\1" + image[20:]  # without the mark of write-ahead mode, which memory does not have
    if not stat.S_ISREG(file.stat().st_mode):
        raise UnusableError("it is no file")
    with tempfile.TemporaryDirectory(prefix="ressearch-") as scratch:
        copy = _copied(file, Path(scratch))
        _check_head(copy)
        _fold(copy)
        return copy.read_bytes()


def _copied(file: Path, directory: Path) -> Path:
    """Copy a database with what belongs to it, all of one moment.

    A writer only adds to the write-ahead log until it starts it anew, so that a copy of the database that is older
    than that of the log is made whole by it.
    """
    copy = directory / "copy.db"
    for _ in range(_MAX_COPIES):
        before = _generation(file)
        for part in _PARTS:
            _copy(file.with_name(file.name + part), copy.with_name(copy.name + part))
        if _generation(file) == before:
            return copy
        time.sleep(0.01)
    raise UnusableError("somebody changes it faster than it can be read")


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        if target.name.endswith(".db"):
            raise


def _generation(file: Path) -> tuple[Any, ...]:
    """Return what stays equal while a copy may be made."""
    try:
        with file.with_name(file.name + _WAL).open("rb") as log:
            head = log.read(_WAL_HEADER)
    except FileNotFoundError:
        head = None
    return head, *(_stat(file, part) for part in _PARTS if part != _WAL)


def _stat(file: Path, part: str) -> tuple[int, ...] | None:
    try:
        status = file.with_name(file.name + part).stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_head(copy: Path) -> None:
    """Check what SQLite takes for an empty database, or reads as if it were whole."""
    size = copy.stat().st_size
    if not size:
        raise UnusableError("it is empty")
    with copy.open("rb") as file:
        head = file.read(len(_MAGIC) + 2)
    if head[: len(_MAGIC)] != _MAGIC:
        raise UnusableError("file is not a database")
    page = int.from_bytes(head[len(_MAGIC) :], "big") or 1
    page = 65536 if page == 1 else page
    log = copy.with_name(copy.name + _WAL)
    if size % page and not (log.exists() and log.stat().st_size):
        raise UnusableError(f"it is cut short: {size:,} bytes are no whole number of pages of {page:,} bytes")


def _fold(copy: Path) -> None:
    """Bring what a writer has left beside a copy into it, and check it from end to end."""
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # a copy need not survive anything
        connection.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError("database disk image is malformed")
