"""Who may open a study: one writer, any reader, of this version or an older one; and what damaged ones say."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.store.files import DATABASE, StudyError, database_url
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore

Opened = Callable[..., TrialStore]
Running = Callable[..., TrialRecord]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        TrialStore(tmp_path / "study").lease(),
        pytest.raises(StudyError, match=r"study: another `ressearch` is working on this study; wait for it, .*--study"),
        TrialStore(tmp_path / "study").lease(),
    ):
        pass
    with TrialStore(tmp_path / "study").lease():
        pass


def test_a_killed_writer_lets_go(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom ressearch.store.trial_store import TrialStore\n"
        "with TrialStore(Path(sys.argv[1])).lease():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StudyError, match="another `ressearch`"), TrialStore(tmp_path).lease():
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with TrialStore(tmp_path).lease():
        pass


def test_readers_need_no_lease(opened: Opened, running: Running) -> None:
    store = opened()
    with store.lease():
        store.begin(running(0))
        reader = TrialStore(store.directory)
        assert reader.open_for_reading()
        assert [record.number for record in reader.trials()] == [0]


def test_readers_never_see_a_half_made_study(tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    rename = os.replace

    def watched(partial: Path, path: Path) -> None:
        seen.append(path.exists())
        rename(partial, path)
        reader = TrialStore(path.parent)
        assert reader.open_for_reading()  # from its first moment on it can be read
        assert reader.trials() == []
        assert reader.terms is not None

    monkeypatch.setattr(os, "replace", watched)
    opened()
    assert seen == [False]
    assert [path.name for path in (tmp_path / "study").iterdir() if "partial" in path.name] == []


def test_what_a_killed_creation_left_is_no_obstacle(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / f".{DATABASE}.partial").write_bytes(b"half a study")
    assert opened().trials() == []


def test_a_missing_study_is_named_with_its_neighbours(tmp_path: Path, opened: Opened) -> None:
    with pytest.raises(StudyError, match=r"/none: no study here \(study.db is missing\)$"):
        open_study(tmp_path / "none")
    opened(tmp_path / "digits")
    with pytest.raises(StudyError, match=r"\(study.db is missing\); studies in .* are digits$"):
        open_study(tmp_path / "none")


def foreign(path: Path) -> None:
    """Write a study that is not of this program."""
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="theirs")
    study.add_trial(optuna.trial.create_trial(value=1.0))


def several(path: Path) -> None:
    for name in ("one", "two"):
        optuna.create_study(storage=f"sqlite:///{path}", study_name=name)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(b"no database " * 1000), "file is not a database"),
        (lambda path: path.write_bytes(b""), "it is empty"),
        (foreign, "trial 0 has no architecture: it was not written by ressearch"),
        (several, "it holds 2 studies, expected one: one, two"),
    ],
    ids=["damaged", "empty", "foreign", "several"],
)
@pytest.mark.parametrize("is_writer", [False, True])
def test_what_is_no_study_is_told_in_one_line(
    damage: Callable[[Path], Any], reason: str, is_writer: bool, tmp_path: Path, opened: Opened
) -> None:
    directory = tmp_path / "study"
    directory.mkdir()
    damage(directory / DATABASE)
    with pytest.raises(StudyError) as error:
        opened().trials() if is_writer else open_study(directory)
    assert str(error.value).startswith(f"{directory / DATABASE}: cannot be used as a study: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_a_newer_schema_is_refused(opened: Opened) -> None:
    store = opened()
    study = optuna.load_study(study_name=None, storage=database_url(store.directory))
    study.set_user_attr("schema", 3)
    message = r"study.db: it has version 3 of the schema and this program reads versions 1 and 2; install a newer"
    with pytest.raises(StudyError, match=message):
        opened()
    with pytest.raises(StudyError, match=message):
        TrialStore(store.directory).open_for_reading()


def test_terms_and_fingerprints_are_those_of_the_last_opening(opened: Opened) -> None:
    store = opened()
    assert (store.terms["seed"], store.terms["objectives"]) == (0, ["val_accuracy"])
    assert store.images == {}
    store.open({"val_accuracy": "maximize"}, {}, {"seed": 1}, {"train": {"digest": "a"}})
    store.open({"val_accuracy": "maximize"}, {}, {"seed": 1})
    reader = TrialStore(store.directory)
    reader.open_for_reading()
    assert reader.terms["seed"] == 1
    assert "objectives" not in reader.terms
    assert reader.images == {"train": {"digest": "a"}}


def test_terms_that_an_earlier_version_did_not_keep_mean_what_they_meant(opened: Opened) -> None:
    store = opened()
    recipe = {"nesterov": True, "decay_norms": False, "ema_decay": 0.0, "crop_fill": "black"}
    earlier = {
        "data.test_images": 0,
        "recipe_tuning.trials": 0,
        "limits.seconds.max": None,
        **{f"recipe.{name}": value for name, value in recipe.items()},
    }
    assert store.terms == {"seed": 0, "objectives": ["val_accuracy"], **earlier}
    kept = {"recipe.ema_decay": 0.9}
    store.open({"val_accuracy": "maximize"}, {}, kept)
    assert store.terms == earlier | kept


def test_sessions_are_read_in_their_order(opened: Opened) -> None:
    store = opened()
    for index in range(12):
        store.keep_session(index, {"refused": {}})
        store.keep_session(index, {"refused": {"num_params": index}})
    reader = TrialStore(store.directory)
    reader.open_for_reading()
    assert [session["refused"]["num_params"] for session in reader.sessions] == list(range(12))


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_paused_trials_wait_for_the_next_session_where_they_can_go_on(
    has_checkpoint: bool, opened: Opened, running: Running
) -> None:
    from ressearch.search.ledger import Ledger

    store = opened()
    record = replace(running(0), curve=({"epoch": 1, "val_accuracy": 0.5},), seconds=1.0)
    store.begin(running(0))
    store.report(record)
    store.pause(replace(record, state="paused"))
    store.begin(running(1))
    if has_checkpoint:
        store.checkpoint_file(0).parent.mkdir(parents=True)
        store.checkpoint_file(0).write_bytes(b"enough to go on")
    later = opened()
    expected = ("paused", None, 1) if has_checkpoint else ("failed", "lost_driver", 1)
    found = list(Ledger(later, lambda _: None).records.values())
    assert [(each.state, each.reason, each.epochs) for each in found] == [expected, ("failed", "lost_driver", 0)]
    assert later.trials() == found
    assert found[1].message == "the driver ended while this trial was running"


@pytest.mark.parametrize("name", ["{a}", "100%", "with space", "ü", "{SCHEMA_VERSION}"])
def test_a_directory_may_be_called_anything(name: str, tmp_path: Path, opened: Opened, running: Running) -> None:
    store = opened(tmp_path / name)
    store.begin(running(0))
    reader = TrialStore(tmp_path / name)
    assert reader.open_for_reading()
    assert [record.number for record in reader.trials()] == [0]
    assert len(optuna.load_study(study_name=None, storage=database_url(tmp_path / name)).trials) == 1
    assert (tmp_path / name / DATABASE).is_file()
