"""The command line: help, messages and exit codes, and one real search from the YAML to the exported module."""

import csv
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

import ressearch
from ressearch import cli, verbs
from ressearch.report.leaderboard import Row
from ressearch.search.run import run
from ressearch.search.storage import StudyError
from ressearch.search.worker import Assignment
from ressearch.train.loop import EpochResult, TrainingError

VERBS = ("check", "run", "leaderboard", "export", "dashboard")
SPACE = """\
# Is one block enough for digits?
version: 1
data: {name: digits, subset: 200, val_images: 100}
architecture:
  stages: 2
  stem_width: 8
  depth: {choice: [1, 2]}
  width: [8, {choice: [8, 16]}]
  stride: [2, 2]
recipe: {epochs: 2, warmup_epochs: 0, batch_size: 50, crop_padding: 1, flip: false}
limits: {num_params: {max: 20_000}}
sampler: {name: random}
scheduler: {name: none}
ancestors: [resnet-8]
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process."""

    def called(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ressearch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return called


def in_a_process(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "ressearch", *map(str, arguments)]
    paths = {"PYTHONPATH": str(Path(ressearch.__file__).parents[1])}
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **paths, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with one finished study of three trials, `trials/digits`."""
    home = tmp_path_factory.mktemp("home")
    (home / "digits.yaml").write_text(SPACE)
    ended = in_a_process(
        "run", "digits.yaml", "--trials", 3, "--backend", "local", cwd=home, RESSEARCH_CACHE=str(home / "cache")
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    (home / "output.txt").write_text(ended.stdout)
    return home


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


# Help


def test_help_names_every_verb(call: Call) -> None:
    ended = call("--help")
    assert ended.code == 0
    for verb in VERBS:
        assert f"  {verb} " in ended.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(call: Call, verb: str) -> None:
    ended = call(verb, "--help")
    assert ended.code == 0
    assert f"Example:\n    ressearch {verb} " in ended.out


def test_the_version(call: Call) -> None:
    assert call("--version") == Ended(0, f"ressearch {ressearch.__version__}\n", "")


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from ressearch.cli import main\n"
        "sys.argv = ['ressearch', 'run', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'ray', 'optuna', 'pandas', 'numpy', 'rich', 'yaml'} & set(sys.modules)\n"
        "    sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(ressearch.__file__).parents[1])}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_package_offers_the_verbs() -> None:
    for name in ressearch.__all__:
        assert getattr(ressearch, name) is getattr(verbs, name)
    assert set(ressearch.__all__) <= set(dir(ressearch))
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        _ = ressearch.chekc


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["check", "none.yaml"], 1, "ressearch: none.yaml: "),
        (["run", "none.yaml", "--trials", "3"], 1, "ressearch: none.yaml: "),
        (["leaderboard", "none"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["leaderboard", "./none"], 1, "ressearch: none: no study here (study.db is missing)"),
        (["export", "none", "best"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["dashboard", "none"], 1, "ressearch: trials/none: no study here (study.db is missing)"),
        (["run", "none.yaml"], 2, "Missing option '--trials'"),
        (["run", "none.yaml", "--trials", "0"], 2, "Invalid value for '--trials'"),
        (["run", "none.yaml", "--trials", "3", "--backend", "spark"], 2, "Invalid value for '--backend'"),
        (["leaderboard", "none", "--format", "xml"], 2, "Invalid value for '--format'"),
        (["dashboard", "none", "--port", "70000"], 2, "Invalid value for '--port'"),
        (["serach"], 2, "No such command 'serach'"),
    ],
)
def test_mistakes_end_in_one_message(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(*arguments)
    assert ended.code == code
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_a_space_is_told_with_its_line(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE.replace("depth:", "dept:"))
    ended = call("check", path)
    assert ended.code == 1
    assert ended.err.startswith(f"ressearch: {path}:7: architecture: unknown key 'dept'")
    assert "did you mean 'depth'?" in ended.err


def test_a_directory_that_cannot_be_written_is_named(call: Call, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "file").write_text("")
    ended = call("run", tmp_path / "space.yaml", "--trials", 1, "--study", tmp_path / "file" / "study")
    assert ended.code == 1
    assert ended.err == f"ressearch: {tmp_path / 'file' / 'study'}: Not a directory\n"


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "run", interrupted)
    ended = call("run", tmp_path / "space.yaml", "--trials", 1)
    assert ended.code == 130
    assert "the same command carries on" in ended.err


def test_a_closed_pipe_is_no_error(home: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": str(Path(ressearch.__file__).parents[1])}
    command = [sys.executable, "-m", "ressearch", "leaderboard", "digits", "--format", "json"]
    with os.fdopen(writer, "w") as closed:
        ended = subprocess.run(
            command, cwd=home, env=environment, stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.stderr == ""


# The way of a study


def test_check_prints_what_the_space_holds(call: Call, at_home: Path) -> None:
    ended = call("check", "digits.yaml", "--samples", 100)
    assert ended.code == 0
    assert "digits.yaml: Is one block enough for digits?" in ended.out
    assert "all 4 points" in ended.out


def test_run_tells_what_it_does_and_what_came_out(home: Path) -> None:
    text = (home / "output.txt").read_text()
    assert "trial 0 (resnet-8)  complete" in text
    assert "[3/3, best 0." in text
    assert "3 of 3 trials finished: 3 complete, 0 pruned, 0 failed" in text
    assert "ancestor resnet-8 (trial 0)" in text
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


def rows_of(call: Call, *arguments: object) -> list[dict[str, Any]]:
    ended = call("leaderboard", *arguments, "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    rows: list[dict[str, Any]] = json.loads(ended.out)
    return rows


def test_the_leaderboard_in_every_form(call: Call, at_home: Path) -> None:
    rows = rows_of(call, "digits")
    assert [row["rank"] for row in rows] == [1, 2, None]
    assert rows[-1]["ancestor"] == "resnet-8"  # 75,002 parameters, outside the limits
    assert rows[0]["val_accuracy"] >= rows[1]["val_accuracy"]
    assert all(row["epochs"] == 2 and row["seconds"] > 0 for row in rows)

    read = list(csv.DictReader(io.StringIO(call("leaderboard", "digits", "--format", "csv").out)))
    assert [row["architecture_id"] for row in read] == [row["architecture_id"] for row in rows]

    markdown = call("leaderboard", "digits", "--format", "md").out
    assert markdown in (at_home / "trials" / "digits" / "leaderboard.md").read_text()

    table = call("leaderboard", "digits").out
    assert "ancestor resnet-8, outside the limits" in table


def test_top_cuts_the_leaderboard(call: Call, at_home: Path) -> None:
    assert rows_of(call, "digits", "--top", 1) == rows_of(call, "digits")[:1]


@pytest.mark.parametrize("study", ["digits", "trials/digits", "./trials/digits/"])
def test_a_study_goes_by_its_name_or_its_directory(call: Call, at_home: Path, study: str) -> None:
    assert len(rows_of(call, study)) == 3


def test_a_study_in_the_working_directory_goes_by_its_name(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "trials")
    assert len(rows_of(call, "digits")) == 3


def test_python_has_the_same_verbs(at_home: Path) -> None:
    rows = ressearch.leaderboard("digits", top=2)
    assert [type(row) for row in rows] == [Row, Row]
    assert ressearch.check("digits.yaml", samples=10).size == 4
    with pytest.raises(ValueError, match="top >= 1 must hold, got 0"):
        ressearch.leaderboard("digits", top=0)


@pytest.mark.parametrize("trial", ["best", "0"])
def test_an_exported_module_runs_without_ressearch(call: Call, at_home: Path, tmp_path: Path, trial: str) -> None:
    directory = tmp_path / "network"
    ended = call("export", "digits", trial, "-o", directory)
    assert ended == Ended(0, f"{directory}\n", "")
    assert sorted(path.name for path in directory.iterdir()) == ["architecture.yaml", "model.py", "weights.safetensors"]
    script = (
        "import sys; sys.modules['ressearch'] = None\n"
        "import torch; from safetensors.torch import load_file; from model import build\n"
        "print(tuple(build(load_file('weights.safetensors')).eval()(torch.zeros(5, 1, 8, 8)).shape))"
    )
    process = subprocess.run([sys.executable, "-c", script], cwd=directory, capture_output=True, text=True, check=False)
    assert process.stdout == "(5, 10)\n", process.stderr


def test_run_exports_the_best_trial(call: Call, at_home: Path) -> None:
    best = rows_of(call, "digits", "--top", 1)[0]
    description = (at_home / "trials" / "digits" / "best" / "architecture.yaml").read_text()
    assert f"architecture_id: {best['architecture_id']}" in description


def test_export_refuses_what_it_cannot_do(call: Call, at_home: Path, tmp_path: Path) -> None:
    ended = call("export", "digits", "17", "-o", tmp_path / "network")
    assert ended.code == 1
    assert "there is no trial '17'; say 'best' or a number, it holds 0 to 2" in ended.err

    (tmp_path / "thesis.txt").write_text("years of work")
    ended = call("export", "digits", "best", "-o", tmp_path)
    assert ended.code == 1
    assert f"{tmp_path} exists and is not an empty directory" in ended.err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_export_names_weights_that_are_gone(call: Call, at_home: Path, tmp_path: Path) -> None:
    weights = at_home / "trials" / "digits" / "trials" / "000001" / "weights.safetensors"
    moved = weights.rename(weights.with_suffix(".away"))
    try:
        ended = call("export", "digits", "1", "-o", tmp_path / "network")
    finally:
        moved.rename(weights)
    assert ended.code == 1
    assert "trial 1 is complete, but its weights are gone" in ended.err
    assert "000001/weights.safetensors is missing" in ended.err


def pretend(assignment: Assignment) -> Iterator[EpochResult]:
    """Fail as trial 0, be worse with every trial after it."""
    if assignment.number == 0:
        raise TrainingError("non_finite", "the loss is nan")
    for epoch in (1, 2):
        accuracy = 0.9 - 0.1 * assignment.number
        yield EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        ("0", r"trial 0 failed \(non_finite: the loss is nan\), so it has no trained weights"),
        ("1", r"trial 1 is complete, but its weights are gone"),
        ("2", r"trial 2 was stopped early, after 1 epochs, so it has no trained weights"),
    ],
)
def test_export_says_why_a_trial_has_no_weights(tmp_path: Path, trial: str, message: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE.replace("{name: none}", "{name: asha, first_rung: 1}").replace("[resnet-8]", "[]"))
    run(path, trials=3, directory=tmp_path / "study", backend="local", function=pretend)
    with pytest.raises(StudyError, match=message):
        verbs.export_trial(tmp_path / "study", trial, tmp_path / "network")
    assert not (tmp_path / "network").exists()


# The dashboard


@pytest.fixture
def dashboard(home: Path) -> Iterator[str]:
    """The address of a dashboard served by a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(ressearch.__file__).parents[1])}
    command = [sys.executable, "-m", "ressearch", "dashboard", "digits", "--port", "0"]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.split()[1]
        finally:
            process.terminate()


def test_the_dashboard_shows_curves_parameters_and_attributes(call: Call, at_home: Path, dashboard: str) -> None:
    rows = {row["trial"]: row for row in rows_of(call, "digits")}
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
    assert {param["name"] for param in trials[1]["params"]} == {"depth", "width_2"}


def test_a_port_in_use_is_named(call: Call, at_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = call("dashboard", "digits", "--port", port)
    assert ended.code == 1
    assert f"cannot serve at 127.0.0.1:{port}: Address already in use; name another --port" in ended.err
