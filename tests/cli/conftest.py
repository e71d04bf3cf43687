"""The command line in this process, and a working directory with one finished study."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import ressearch
from ressearch import cli

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
baselines: [resnet-8]
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


@pytest.fixture(scope="session")
def space_text() -> str:
    """The YAML of the study's space."""
    return SPACE


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment of a process that runs this package."""
    return {**os.environ, "PYTHONPATH": str(Path(ressearch.__file__).parents[1])}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A working directory with one finished study of three trials, `trials/digits`."""
    home = tmp_path_factory.mktemp("home")
    (home / "digits.yaml").write_text(SPACE)
    command = [sys.executable, "-m", "ressearch", "run", "digits.yaml", "--trials", "3", "--backend", "local"]
    variables = environment | {"RESSEARCH_CACHE": str(home / "cache")}
    ended = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    (home / "output.txt").write_text(ended.stdout)
    return home


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def rows_of(call: Call) -> Callable[..., list[dict[str, Any]]]:
    """The leaderboard of a study as rows."""

    def rows(*arguments: object) -> list[dict[str, Any]]:
        ended = call("leaderboard", *arguments, "--format", "json")
        assert (ended.code, ended.err) == (0, "")
        found: list[dict[str, Any]] = json.loads(ended.out)
        return found

    return rows
