"""Names and texts that hold terminal codes, through every verb: a terminal must never get them as they are."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.table import Table
from rich.text import Text

from ressearch.report.console import PlainTextConsole
from ressearch.report.leaderboard import leaderboard_rows
from ressearch.report.leaderboard_forms import as_csv, as_markdown
from ressearch.store.study_record import open_study

HOSTILE = 'x\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\x08\x7f[bold]"""\n# y'
"""Clears a screen, sets a title, colours, reverses, deletes, is markup, ends a docstring and begins a line."""

SPACE = """\
# Is it \N{RIGHT-TO-LEFT OVERRIDE} safe?
version: 1
data: {name: folder, root: %s, resolution: 8, val_images: 8}
architecture: {stages: 1, stem_width: 8, depth: {choice: [1, 2]}, width: 8}
recipe: {epochs: 1, warmup_epochs: 0, batch_size: 8}
scheduler: {name: none}
sampler: {name: random}
baselines: [resnet-8]
"""


def assert_safe(text: str) -> None:
    assert [character for character in text if not character.isprintable() and character != "\n"] == []


@pytest.fixture(scope="session")
def hostile_home(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A working directory with images of two classes and a study of them, all with names that hold terminal codes."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for name in (HOSTILE, f"other{HOSTILE}"):
        folder = home / "images" / name
        folder.mkdir(parents=True)
        for index in range(16):
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(folder / f"{index}{HOSTILE}.png")
        (folder / f"notes{HOSTILE}.txt").touch()
    (home / f"{HOSTILE}.yaml").write_text(SPACE % "images")
    command = [sys.executable, "-m", "ressearch", "run", f"{HOSTILE}.yaml", "--trials", "2", "--backend", "local"]
    variables = environment | {"RESSEARCH_CACHE": str(home / "cache"), "PYTHONWARNINGS": "ignore"}
    ended = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (home / "output.txt").write_text(ended.stdout)
    assert_safe(ended.stdout)
    return home


VERBS = {
    "check": ["check", f"{HOSTILE}.yaml"],
    "leaderboard": ["leaderboard", HOSTILE],
    "leaderboard of a directory": ["leaderboard", f"trials/{HOSTILE}"],
    "leaderboard md": ["leaderboard", HOSTILE, "--format", "md"],
    "show": ["show", HOSTILE, "best"],
    "show a file": ["show", f"trials/{HOSTILE}/best/architecture.yaml"],
    "no trial": ["show", HOSTILE],
    "another trial": ["show", HOSTILE, HOSTILE],
    "no study": ["leaderboard", f"a{HOSTILE}"],
    "no file": ["check", f"a{HOSTILE}.yaml"],
    "no list": ["list", HOSTILE],
    "no network": ["show", f"resnet-{HOSTILE}"],
    "no architecture": ["train", HOSTILE, f"{HOSTILE}.yaml"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_prints_codes(
    verb: str, hostile_home: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile_home)
    ended = call(*VERBS[verb])
    assert_safe(ended.out + ended.err)
    assert ended.out + ended.err
    assert ended.code == verb.startswith(("no", "another"))
    assert ended.err.count("\n") == ended.code
    if verb in ("check", "leaderboard of a directory", "show", "no study", "no file", "no list"):
        assert r"\x1b[2J" in ended.out + ended.err


def test_a_terminal_gets_no_codes_but_those_of_styles(hostile_home: Path, environment: dict[str, str]) -> None:
    for verb in ("check", "leaderboard", "leaderboard of a directory", "show", "no study"):
        shown = on_terminal(["-m", "ressearch", *VERBS[verb]], hostile_home, environment)
        assert_safe(re.sub(r"\x1b\[[\d;]*m", "", shown.replace("\r\n", "\n")))


def test_the_live_display_shows_codes(hostile_home: Path, environment: dict[str, str]) -> None:
    """Rich moves the cursor, hides it and clears lines; nothing else may come."""
    command = [
        "-m",
        "ressearch",
        "run",
        f"{HOSTILE}.yaml",
        "--trials",
        "3",
        "--backend",
        "local",
        "--study",
        f"s{HOSTILE}",
    ]
    variables = environment | {"RESSEARCH_CACHE": str(hostile_home / "cache"), "PYTHONWARNINGS": "ignore"}
    shown = on_terminal(command, hostile_home, variables)
    assert r"sx\x1b[2J" in shown
    assert_safe(re.sub(r"\x1b\[([\d;]*m|\d*A|\dK|\?25[lh])", "", shown).replace("\r", ""))


def test_data_on_a_terminal_are_text_and_stay_data_elsewhere(
    hostile_home: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's message is foreign text, too: here it is one that a trial's failure may hold."""
    code = f"""
import sys
from ressearch import cli, verbs
from dataclasses import replace
rows = verbs.leaderboard
verbs.leaderboard = lambda *a, **k: [replace(r, trial=replace(r.trial, message={HOSTILE!r})) for r in rows(*a, **k)]
sys.argv = ["ressearch", "leaderboard", {HOSTILE!r}, "--format", "csv"]
cli.main()
"""
    command = [sys.executable, "-c", code]
    piped = subprocess.run(command, cwd=hostile_home, env=environment, capture_output=True, text=True, check=True)
    assert HOSTILE.replace('"', '""') in piped.stdout
    assert_safe(on_terminal(["-c", code], hostile_home, environment).replace("\r\n", "\n"))


def on_terminal(arguments: list[str], home: Path, environment: dict[str, str]) -> str:
    """Run a command on a terminal of its own and return what the terminal gets."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=home,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "300"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    process.wait()
    return shown.decode()


def test_files_for_people_hold_no_codes(hostile_home: Path) -> None:
    study = hostile_home / "trials" / HOSTILE
    assert_safe((study / "leaderboard.md").read_text())
    assert_safe((study / "best" / "model.py").read_text())
    rows = leaderboard_rows(open_study(study))
    assert_safe(as_markdown(rows))
    assert as_csv(rows).count("\n") == len(rows)


def test_an_export_is_code_whatever_the_names_are(
    hostile_home: Path, tmp_path: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile_home)
    ended = call("export", HOSTILE, "best", "-o", tmp_path / HOSTILE)
    assert (ended.code, ended.err) == (0, "")
    assert_safe(ended.out)
    source = (tmp_path / HOSTILE / "model.py").read_text()
    code = compile(source, "model.py", "exec")
    assert HOSTILE.splitlines()[0] not in source
    assert "# y" not in [line.strip() for line in source.splitlines()]
    assert code.co_consts[0].count("x") > 0


def test_a_folder_with_one_class(tmp_path: Path, call: Callable[..., Any]) -> None:
    (tmp_path / "images" / HOSTILE).mkdir(parents=True)
    (tmp_path / "space.yaml").write_text(SPACE % (tmp_path / "images"))
    ended = call("check", tmp_path / "space.yaml")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert_safe(ended.err)
    assert f"{tmp_path}/space.yaml:3: data.root: folder: " in ended.err
    assert r"found x\x1b[2J\x1b]0;owned\x07\x9b31m\u202e" in ended.err


def test_text_is_text_to_the_console() -> None:
    file = io.StringIO()
    console = PlainTextConsole(file=file, width=400, force_terminal=True)
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE, style="red")
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE, style="bold"))
    console.print(table, HOSTILE, Text(HOSTILE))
    shown = file.getvalue()
    assert_safe(re.sub(r"\x1b\[[\d;]*m", "", shown))
    assert shown.count("bold") >= 3  # a table cuts what its column has no room for


def test_bytes_that_are_no_text(tmp_path: Path, environment: dict[str, str]) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\xfe.yaml"
    command = [sys.executable, "-m", "ressearch", "check", name]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith(r"\udcff\udcfe.yaml: there is no such file" + "\n")
