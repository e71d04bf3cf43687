"""Damaged, foreign and emptied studies: whatever is wrong ends in one line that names the file, and changes nothing."""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.report.leaderboard import leaderboard_rows
from ressearch.report.leaderboard_forms import as_json, as_markdown
from ressearch.store.files import DATABASE, MANIFEST, StudyError, read_manifest
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore

Finished = Callable[..., Path]
Content = Callable[[Path], dict[str, str]]


@pytest.fixture
def study(tmp_path: Path, finished: Finished) -> Path:
    return finished(tmp_path / "study", 0.5, 0.75, 0.625)


def lease(directory: Path) -> None:
    with TrialStore(directory).lease():
        pass


def by_sql(*statements: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return change


def other_program(file: Path) -> None:
    file.unlink()
    by_sql("CREATE TABLE bookmarks (url)")(file)


def add_study(file: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    optuna.create_study(storage=storage, study_name="theirs")
    storage.engine.dispose()


def add_study_before(file: Path) -> None:
    ours = file.with_name("ours.db")
    file.rename(ours)
    add_study(file)
    optuna.copy_study(from_study_name="study", from_storage=f"sqlite:///{ours}", to_storage=f"sqlite:///{file}")
    ours.unlink()


def delete_study(file: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    optuna.delete_study(study_name="study", storage=storage)
    storage.engine.dispose()


def only_theirs(file: Path) -> None:
    file.unlink()
    add_study(file)


def a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def cut(length: Callable[[int], int]) -> Callable[[Path], None]:
    return lambda file: os.truncate(file, length(file.stat().st_size))


def overwrite(start: int, length: int) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[start : start + length] = bytes(byte ^ 0x5A for byte in content[start : start + length])
        file.write_bytes(content)

    return change


def attribute(name: str, value: str) -> Callable[[Path], None]:
    return by_sql(f"UPDATE trial_user_attributes SET value_json = '{value}' WHERE key = '{name}' AND trial_id = 2")


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a study added": (add_study, "it holds 2 studies, expected one: study, theirs; delete what others have added"),
    "a study added before": (add_study_before, "it holds 2 studies, expected one: theirs, study"),
    "the study deleted": (delete_study, "it holds no study, expected one; restore it from a copy"),
    "another study alone": (only_theirs, "it was not written by ressearch"),
    "0 bytes": (lambda file: file.write_bytes(b""), "it is empty"),
    "another program's": (other_program, "it is another program's database"),
    "a text": (lambda file: file.write_text("my notes\n" * 1000), "file is not a database"),
    "a directory": (a_directory, "it is no file"),
    "a pipe": (a_pipe, "it is no file"),
    "one byte short": (cut(lambda size: size - 1), "it is cut short"),
    "one page short": (cut(lambda size: size - 4096), "it is damaged"),
    "half": (cut(lambda size: size // 2 + 7), "it is cut short"),
    "half of its pages": (cut(lambda size: size // 8192 * 4096), "it is damaged"),
    "50 bytes": (cut(lambda _: 50), "it is cut short"),
    "flipped head": (overwrite(18, 60), "it is damaged (file is not a database); restore it from a copy"),
    "a flipped page": (overwrite(20 * 4096, 4096), "it is damaged (database disk image is malformed)"),
    "older tables": (
        by_sql("UPDATE alembic_version SET version_num = 'v2.4.0.a'"),
        "storage upgrade --storage sqlite:",
    ),
    "newer tables": (by_sql("UPDATE alembic_version SET version_num = 'v99'"), "try updating optuna"),
    "no version": (by_sql("DELETE FROM alembic_version"), "it is damaged (incomplete)"),
    "a table less": (by_sql("DROP TABLE trial_params"), "it is damaged (no such table: trial_params)"),
    "odd terms": (by_sql("UPDATE study_user_attributes SET value_json = '[1]' WHERE key = 'terms'"), "its terms are"),
    "an odd state": (by_sql("UPDATE trials SET state = 'DONE' WHERE trial_id = 2"), "it is damaged ('DONE' is not"),
    "equal numbers": (by_sql("UPDATE trials SET number = 2 WHERE trial_id = 2"), "two trials have the same number"),
    "no architecture": (attribute("architecture", "{}"), "trial 1: architecture: version 1 must be given, got None"),
    "an odd recipe": (attribute("recipe", '{"epochs": "x"}'), "it is damaged (trial 1: "),
    "an odd curve": (attribute("curve", '[{"epoch": 1}]'), "trial 1: curve lacks an epoch or its val_accuracy"),
    "odd measures": (attribute("measures", '{"val_accuracy": "high"}'), "trial 1: measures is "),
    "an odd flag": (attribute("within_limits", '"\\u001b[31m"'), r"trial 1: within_limits is '\x1b[31m'"),
    "a count that is none": (attribute("num_params", "true"), "trial 1: num_params is True"),
    "no images": (
        by_sql("UPDATE trial_user_attributes SET key = 'num_val_images', value_json = '0' WHERE key = 'curve'"),
        "num_val_images is 0",
    ),
    "no JSON": (attribute("candidate_id", "{"), "it is damaged (Expecting property name"),
    "no UTF-8": (
        by_sql("UPDATE trial_user_attributes SET value_json = CAST(x'22ff22' AS TEXT) WHERE trial_id = 2"),
        "it is damaged (Could not decode to UTF-8 column 'value_json'); restore it from a copy",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("use", [open_study, lease], ids=["reader", "writer"])
def test_damage_is_told_in_one_line_and_nothing_is_written(
    name: str, use: Callable[[Path], Any], study: Path, content: Content
) -> None:
    damage, reason = DAMAGES[name]
    damage(study / DATABASE)
    before = content(study)
    with pytest.raises(StudyError) as error:
        use(study)
    assert str(error.value).startswith(f"{study / DATABASE}: ")
    assert reason in str(error.value)
    assert str(error.value).isprintable()
    assert "object at" not in str(error.value)
    assert content(study) == before


def test_a_file_that_nobody_may_read_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "copyfile", refuse)  # what a file's mode says does not hold for root
    with pytest.raises(StudyError, match=r"study.db: cannot be used as a study: Permission denied$"):
        open_study(study)


@pytest.mark.parametrize("left", [["manifest.json"], ["trials"], ["manifest.json", "trials"]])
def test_a_study_that_has_lost_its_database_is_not_begun_anew(
    left: list[str], tmp_path: Path, content: Content
) -> None:
    for name in left:
        (tmp_path / name).mkdir()
    before = content(tmp_path)
    with pytest.raises(
        StudyError, match=rf"study.db: it is gone, but its study has left {' and '.join(left)}; restore"
    ):
        lease(tmp_path)
    assert content(tmp_path) == before


def test_a_deleted_trial_lets_nobody_write_but_anybody_read(study: Path, content: Content) -> None:
    by_sql("DELETE FROM trials WHERE trial_id = 2")(study / DATABASE)
    before = content(study)
    assert [trial.number for trial in open_study(study).trials] == [0, 2]
    store = TrialStore(study)
    with pytest.raises(
        StudyError, match=r"trial 1 is missing: somebody has deleted it, .* name another study with --study"
    ):
        store.open({"val_accuracy": "maximize"}, {}, {})
    assert content(study) == before


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_read_well_or_are_told(seed: int, study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A flipped byte may lie where nobody looks, or make another number of a number; nothing else may come of it."""
    file = study / DATABASE
    whole = file.read_bytes()
    written = [position for position, byte in enumerate(whole) if byte]
    choose = random.Random(seed)
    for _ in range(12):
        damaged = bytearray(whole)
        damaged[choose.choice(written)] ^= choose.randrange(1, 256)
        file.write_bytes(damaged)
        told = said_of(study)
        assert told is None or (told.startswith(f"{study / DATABASE}: ") and told.isprintable())
    assert capfd.readouterr().err == ""  # nor does Optuna say anything of its own


def said_of(study: Path) -> str | None:
    """Rank the trials of a study and return why that cannot be done."""
    try:
        rows = leaderboard_rows(open_study(study))
    except StudyError as error:
        return str(error)
    assert as_json(rows)
    assert as_markdown(rows)
    return None


MANIFESTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "it is damaged"),
    "text": ("not JSON", "it is damaged"),
    "bytes": (b"\xff\xfe\0", "it is damaged"),
    "deep": ("[" * 100_000, "it is damaged"),
    "list": ("[1]", r"version 1 must be given, got \[1\]"),
    "null": ("null", "version 1 must be given, got None"),
}
VALUES: dict[str, list[Any]] = {
    "version": [None, 2, "1"],
    "shape": ["x", {}, {"channels": 3}, {"channels": 0, "resolution": 32, "num_classes": 10}, [3, 32, 10]],
    "seed": [True, "0", 0.5, None, "\x1b[31m"],
    "sessions": [{}, [1], None, "none"],
    "objectives": [[], "val_accuracy", [1], {}, None],
    "normalisation": [[], {"mean": [0.5]}, {"mean": ["x"], "std": [1], "class_names": []}, {"mean": 1}, None],
    "num_images": [[], {"train": -1}, {"train": 1.5}, {"test": None}, 3],
    "test_images": [[], 3, None],
    "question": [3, None, ["?"]],
}


@pytest.mark.parametrize("use", [open_study, lease], ids=["reader", "writer"])
@pytest.mark.parametrize("name", MANIFESTS)
def test_what_is_no_manifest_is_told(name: str, use: Callable[[Path], Any], study: Path, content: Content) -> None:
    text, reason = MANIFESTS[name]
    (study / MANIFEST).write_bytes(text if isinstance(text, bytes) else text.encode())
    before = content(study)
    with pytest.raises(StudyError, match=rf"^{study}/manifest.json: {reason}.*or delete it: the next") as error:
        use(study)
    assert str(error.value).isprintable()
    assert content(study) == before


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALUES.items() for value in values])
def test_a_manifest_with_a_wrong_value_names_it(key: str, value: Any, study: Path) -> None:
    manifest = read_manifest(study)
    (study / MANIFEST).write_text(json.dumps({**manifest, key: value}))
    with pytest.raises(StudyError, match=rf"^{study}/manifest.json: {key} .*got .*; restore it from a copy") as error:
        read_manifest(study)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("key", ["version", "shape", "seed", "objectives"])
def test_a_manifest_without_a_key_names_it(key: str, study: Path) -> None:
    manifest = read_manifest(study)
    del manifest[key]
    (study / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(StudyError, match=rf"^{study}/manifest.json: {key} "):
        read_manifest(study)


def test_a_missing_manifest_is_told(study: Path) -> None:
    (study / MANIFEST).unlink()
    with pytest.raises(StudyError, match=r"manifest.json: it is missing; the next `ressearch run` writes it anew"):
        open_study(study)


def test_a_manifest_of_another_study_is_told(study: Path) -> None:
    manifest = read_manifest(study)
    (study / MANIFEST).write_text(json.dumps({**manifest, "objectives": ["val_accuracy", "nonsense"]}))
    with pytest.raises(
        StudyError, match=r"objectives are val_accuracy, nonsense, and those of study.db are val_accuracy"
    ):
        open_study(study)


def test_only_an_export_needs_the_normalisation(study: Path) -> None:
    manifest = read_manifest(study)
    del manifest["normalisation"]
    (study / MANIFEST).write_text(json.dumps(manifest))
    found = open_study(study)
    with pytest.raises(StudyError, match=r"manifest.json: normalisation is missing"):
        _ = found.normalisation
