"""Reading writes nothing, sees all that was written, and needs no leave to write: by several users, at any moment."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.store.files import DATABASE
from ressearch.store.record import TrialRecord
from ressearch.store.snapshot import Snapshot, UnusableError
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore

Finished = Callable[..., Path]
Content = Callable[[Path], dict[str, str]]
NOBODY = 65534


@pytest.fixture
def killed(finished: Finished) -> Iterator[Path]:
    """Return a study in a directory that anybody may enter; its driver was killed, its last trial is in the log."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        whole = finished(Path(home) / "whole", 0.5, 0.75)
        with TrialStore(whole).lease():
            store = TrialStore(whole)
            store.open({"val_accuracy": "maximize"}, {}, {})
            last = store.trials()[1]
            again = store.begin(replace(last, number=2, state="running", params={}, measures=None, curve=()))
            again = replace(again, curve=({"epoch": 1, "val_accuracy": 0.875},))
            store.close(replace(again, state="complete", measures={"val_accuracy": 0.875}))
            left = Path(home) / "left"
            shutil.copytree(whole, left)
            store.let_go()
        (left / f"{DATABASE}-shm").unlink()  # it dies with the driver's machine, and does not travel to an archive
        assert (left / f"{DATABASE}-wal").stat().st_size
        yield left


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Take the right to write from whoever runs the tests."""
    paths = [directory, *directory.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(PermissionError):
            (directory / "anything").touch()
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)


def best_of_study(directory: Path) -> tuple[int, float | None]:
    best = open_study(directory).best
    return best.number, best.val_accuracy


@pytest.mark.parametrize("mode", ["rollback", "write-ahead"])
def test_reading_changes_nothing(mode: str, tmp_path: Path, finished: Finished, content: Content) -> None:
    study = finished(tmp_path / "study", 0.5, 0.75)
    with closing(sqlite3.connect(study / DATABASE)) as connection:
        connection.execute(f"PRAGMA journal_mode={'DELETE' if mode == 'rollback' else 'WAL'}")
    before = content(study)
    assert best_of_study(study) == (1, 0.75)
    assert content(study) == before


def test_the_last_trials_of_a_killed_driver_are_seen_and_left_where_they_are(killed: Path, content: Content) -> None:
    before = content(killed)
    assert best_of_study(killed) == (2, 0.875)
    assert content(killed) == before


def test_a_transaction_that_was_cut_off_is_undone_in_the_copy_only(
    tmp_path: Path, finished: Finished, content: Content
) -> None:
    study = finished(tmp_path / "study", 0.5, 0.75)
    with closing(sqlite3.connect(study / DATABASE, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA cache_size=1")  # pages are written before the end of the transaction
        connection.execute("BEGIN")
        connection.execute("UPDATE trials SET state = 'FAIL'")
        connection.execute("UPDATE trial_user_attributes SET value_json = hex(zeroblob(5000))")
        left = tmp_path / "left"
        shutil.copytree(study, left)
        connection.execute("ROLLBACK")
    assert (left / f"{DATABASE}-journal").stat().st_size
    before = content(left)
    assert best_of_study(left) == (1, 0.75)
    assert content(left) == before


def test_who_may_not_write_reads_all_the_same(killed: Path) -> None:
    best_of_study(killed)  # what is imported late may be out of reach afterwards
    home = Path(optuna.__file__).resolve()
    if os.geteuid() == 0 and not all(path.stat().st_mode & 0o001 for path in home.parents):
        pytest.skip(f"another user cannot read the packages below {home.parent}")
    with read_only(killed):
        assert best_of_study(killed) == (2, 0.875)


def test_a_read_only_mount(killed: Path) -> None:
    """Even root cannot write there."""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "${@:2}"'
    program = (
        "import sys; from pathlib import Path; from ressearch.store.study_record import open_study\n"
        "directory = Path(sys.argv[1])\n"
        "try: (directory / 'anything').touch()\n"
        "except OSError: print(open_study(directory).best.number)\n"
    )
    command = [
        "unshare",
        "--mount",
        "bash",
        "-c",
        script,
        "bash",
        str(killed),
        sys.executable,
        "-c",
        program,
        str(killed),
    ]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("this user may not mount anything")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("2\n", "")


def test_a_snapshot_follows_the_file(tmp_path: Path, finished: Finished) -> None:
    study = finished(tmp_path / "study", 0.5)
    snapshot = Snapshot(study / DATABASE)

    def count() -> Any:
        with closing(snapshot.connect()) as connection:
            return connection.execute("SELECT count(*) FROM trials").fetchone()[0]

    assert count() == 1
    store = TrialStore(study)
    store.open({"val_accuracy": "maximize"}, {}, {})
    (first,) = store.trials()
    for number in (1, 2):
        store.begin(replace(first, number=number, state="running", params={}))
        assert count() == number + 1


def test_a_writer_at_work_is_seen_at_one_moment(tmp_path: Path) -> None:
    """Two tables that change together are never seen apart, though the writer starts its log anew again and again."""
    file = tmp_path / "busy.db"
    script = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA journal_mode=WAL'); connection.execute('PRAGMA synchronous=OFF')\n"
        "connection.execute('PRAGMA wal_autocheckpoint=20')\n"
        "for table in 'ab': connection.execute(f'CREATE TABLE {table} (number, filler)')\n"
        "for table in 'ab': connection.execute(f'INSERT INTO {table} VALUES (0, zeroblob(20000))')\n"
        "print('begun', flush=True)\n"
        "for number in range(10**9):\n"
        "    connection.execute('BEGIN')\n"
        "    for table in 'ab':\n"
        "        connection.execute(f'UPDATE {table} SET number = ?, filler = randomblob(20000)', [number])\n"
        "    connection.execute('COMMIT')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(file)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        try:
            seen = [pair for pair in (pair_of(file) for _ in range(40)) if pair is not None]
        finally:
            writer.send_signal(signal.SIGKILL)
    assert all(a == b for a, b in seen)
    assert [a for a, _ in seen] == sorted(a for a, _ in seen)
    last = pair_of(file)
    assert last
    assert last[0] == last[1] > 0


def pair_of(file: Path) -> tuple[int, int] | None:
    """Return the numbers of both tables; None if the writer was too fast for a copy of one moment."""
    try:
        connection = Snapshot(file).connect()
    except UnusableError:
        return None
    with closing(connection):
        a, b = connection.execute("SELECT a.number, b.number FROM a, b").fetchone()
    return a, b


def test_a_reader_in_the_writers_process_leaves_it_its_locks(tmp_path: Path, finished: Finished) -> None:
    """Else the next process that closes the database would take itself for the last one, and remove the log."""
    study = finished(tmp_path / "study", 0.5)
    store = TrialStore(study)
    with store.lease():
        store.open({"val_accuracy": "maximize"}, {}, {})
        (first,) = store.trials()
        store.begin(replace(first, number=1, state="running", params={}))
        assert [trial.number for trial in open_study(study).trials] == [0, 1]
        script = (
            "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1])\n"
            "connection.execute('SELECT * FROM trials').fetchall(); connection.close()\n"
        )
        subprocess.run([sys.executable, "-c", script, str(study / DATABASE)], check=True)
        assert (study / f"{DATABASE}-wal").exists()
    assert not (study / f"{DATABASE}-wal").exists()  # whoever held it has let go of it
    assert [trial.number for trial in open_study(study).trials] == [0, 1]


def test_records_are_equal_however_they_are_read(killed: Path) -> None:
    before: tuple[TrialRecord, ...] = open_study(killed).trials
    with closing(sqlite3.connect(killed / DATABASE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert open_study(killed).trials == before
