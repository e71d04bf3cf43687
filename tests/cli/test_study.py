"""The way of a study: check, run, leaderboard, dashboard, on one real search."""

import csv
import io
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import ressearch
from ressearch.report.leaderboard import Row

Call = Callable[..., Any]
Rows = Callable[..., list[dict[str, Any]]]


def test_check_prints_what_the_space_holds(call: Call, at_home: Path) -> None:
    ended = call("check", "digits.yaml", "--samples", 100)
    assert ended.code == 0
    assert "digits.yaml: Is one block enough for digits?" in ended.out
    assert "all 4 points" in ended.out


def test_check_tells_what_a_budget_buys(call: Call, at_home: Path) -> None:
    ended = call("check", "digits.yaml", "--time")
    assert (ended.code, ended.err) == (0, "")
    assert "a trial trained in full takes " in ended.out
    assert "--hours 1 buys " in ended.out


def test_run_begins_from_an_earlier_study_that_is_there(call: Call, at_home: Path) -> None:
    ended = call("run", "digits.yaml", "--trials", 1, "--study", "other", "--prior", "no-such-study")
    assert (ended.code, ended.out) == (1, "")
    assert (
        ended.err
        == "ressearch: trials/no-such-study: no study here (study.db is missing); studies in trials are digits\n"
    )
    assert not (at_home / "trials" / "other").exists()


def test_run_tells_what_it_does_and_what_came_out(home: Path) -> None:
    text = (home / "output.txt").read_text()
    assert "trial 0 (resnet-8)  complete" in text
    assert "[3/3, best 0." in text
    assert "3 of 3 trials finished: 3 complete, 0 pruned, 0 failed" in text
    assert "baseline resnet-8 (trial 0)" in text
    assert "workers: 1, busy" in text
    assert "next: ressearch leaderboard digits\n" in text
    assert (home / "trials" / "digits" / "leaderboard.md").read_text().startswith("# Leaderboard of digits\n")


def test_run_again_trains_nothing_and_keeps_what_lies_beside_the_best(
    call: Call, at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESSEARCH_CACHE", str(at_home / "cache"))
    study = at_home / "trials" / "digits"
    (study / "best" / "notes.txt").write_text("mine")
    (study / "best" / "model.py").unlink()
    before = (study / "manifest.json").read_bytes()
    ended = call("run", "digits.yaml", "--trials", 3, "--backend", "local")
    assert ended.code == 0
    assert "nothing was left to train" in ended.out
    assert (study / "manifest.json").read_bytes() == before
    assert (study / "best" / "notes.txt").read_text() == "mine"
    assert (study / "best" / "model.py").is_file()
    assert not list(study.glob(".best*"))


def test_the_leaderboard_in_every_form(call: Call, rows_of: Rows, at_home: Path) -> None:
    rows = rows_of("digits")
    assert [row["rank"] for row in rows] == [1, 2, None]
    assert rows[-1]["baseline"] == "resnet-8"  # 75,002 parameters, outside the limits
    assert rows[0]["val_accuracy"] >= rows[1]["val_accuracy"]
    assert all(row["epochs"] == 2 and row["seconds"] > 0 for row in rows)

    read = list(csv.DictReader(io.StringIO(call("leaderboard", "digits", "--format", "csv").out)))
    assert [row["architecture_id"] for row in read] == [row["architecture_id"] for row in rows]

    markdown = call("leaderboard", "digits", "--format", "md").out
    assert markdown in (at_home / "trials" / "digits" / "leaderboard.md").read_text()

    table = call("leaderboard", "digits").out
    assert "baseline resnet-8, outside the limits" in table


def test_top_cuts_the_leaderboard(rows_of: Rows, at_home: Path) -> None:
    assert rows_of("digits", "--top", 1) == rows_of("digits")[:1]


@pytest.mark.parametrize("study", ["digits", "trials/digits", "./trials/digits/"])
def test_a_study_goes_by_its_name_or_its_directory(rows_of: Rows, at_home: Path, study: str) -> None:
    assert len(rows_of(study)) == 3


def test_a_study_in_the_working_directory_goes_by_its_name(
    rows_of: Rows, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "trials")
    assert len(rows_of("digits")) == 3


def test_python_has_the_same_verbs(at_home: Path) -> None:
    rows = ressearch.leaderboard("digits", top=2)
    assert [type(row) for row in rows] == [Row, Row]
    assert ressearch.check("digits.yaml", samples=10).size == 4
    with pytest.raises(ValueError, match="top >= 1 must hold, got 0"):
        ressearch.leaderboard("digits", top=0)


@pytest.fixture
def dashboard(home: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a dashboard served by a process of its own."""
    command = [sys.executable, "-m", "ressearch", "dashboard", "digits", "--port", "0"]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.split()[1]
        finally:
            process.terminate()


def test_the_dashboard_shows_curves_parameters_and_attributes(rows_of: Rows, at_home: Path, dashboard: str) -> None:
    rows = {row["trial"]: row for row in rows_of("digits")}
    studies = json.load(urlopen(f"{dashboard}api/studies"))["study_summaries"]
    assert [study["study_name"] for study in studies] == ["digits"]
    detail = json.load(urlopen(f"{dashboard}api/studies/{studies[0]['study_id']}?after=0"))
    trials = {trial["number"]: trial for trial in detail["trials"]}
    assert sorted(trials) == [0, 1, 2]
    for number, trial in trials.items():
        row = rows[number]
        assert [value["step"] for value in trial["intermediate_values"]] == [1, 2]
        assert trial["intermediate_values"][-1]["value"] == row["val_accuracy"] == trial["values"][0]
        attributes = {attribute["key"]: attribute["value"] for attribute in trial["user_attrs"]}
        assert json.loads(attributes["num_params"]) == row["num_params"]
        assert row["architecture_id"] in attributes["architecture_id"]
        assert json.loads(attributes["std_error"]) == row["std_error"] > 0
    assert {param["name"] for param in trials[1]["params"]} == {"depth", "width_2"}


def test_a_port_in_use_is_named(call: Call, at_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = call("dashboard", "digits", "--port", port)
    assert ended.code == 1
    assert f"cannot serve at 127.0.0.1:{port}: Address already in use; name another --port" in ended.err


VERBS = {
    "leaderboard": ["leaderboard", "broken"],
    "show": ["show", "broken", "best"],
    "export": ["export", "broken", "best", "-o", "out"],
    "dashboard": ["dashboard", "broken", "--port", "0"],
    "run": ["run", "digits.yaml", "--study", "broken", "--trials", "3", "--backend", "local"],
    "confirm": ["confirm", "broken", "--backend", "local"],
    "audit": ["audit", "broken", "--backend", "local"],
}


@pytest.fixture
def broken(at_home: Path) -> Iterator[Path]:
    """A copy of the study, to be damaged."""
    copy = at_home / "trials" / "broken"
    shutil.copytree(at_home / "trials" / "digits", copy)
    yield copy
    shutil.rmtree(copy)


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_takes_an_emptied_study_for_one(verb: str, call: Call, broken: Path) -> None:
    (broken / "study.db").write_bytes(b"")
    before = {path: path.stat().st_mtime_ns for path in sorted(broken.rglob("*"))}
    ended = call(*VERBS[verb])
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "ressearch: trials/broken/study.db: cannot be used as a study: it is empty\n"
    assert {path: path.stat().st_mtime_ns for path in sorted(broken.rglob("*"))} == before


def test_run_does_not_begin_anew_what_has_lost_its_database(call: Call, broken: Path) -> None:
    (broken / "study.db").unlink()
    ended = call(*VERBS["run"])
    assert ended.code == 1
    assert "trials/broken/study.db: it is gone, but its study has left manifest.json and trials; restore" in ended.err
    assert not (broken / "study.db").exists()


def test_a_study_on_a_read_only_mount(broken: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Even root cannot write there: only what is asked to be written into the study is refused."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("this user may not mount anything")
    mount = "mount --bind trials/broken trials/broken && mount -o remount,bind,ro trials/broken || exit 9"
    ressearch_command = f"{sys.executable} -m ressearch"
    lines = [
        mount,
        "touch trials/broken/anything && exit 8",
        f"{ressearch_command} leaderboard broken --format csv",
        f"{ressearch_command} show broken best | head -1",
        f"{ressearch_command} export broken best -o {tmp_path / 'elsewhere'}",
        f"{ressearch_command} export broken best",
    ]
    command = ["unshare", "--mount", "bash", "-c", "\n".join(lines)]
    ended = subprocess.run(command, cwd=broken.parents[1], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout.startswith("rank,trial,")
    assert " of broken (" in ended.stdout
    assert (tmp_path / "elsewhere" / "model.py").is_file()
    refused, *more = [line for line in ended.stderr.splitlines() if line.startswith("ressearch: ")]
    assert more == []
    assert "cannot be written: Read-only file system; name another directory with -o" in refused
    assert "Traceback" not in ended.stderr
