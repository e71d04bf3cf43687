"""An audit on the command line, with real trainings."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ressearch

Call = Callable[..., Any]


@pytest.fixture
def copy(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a study of its own, of five trials."""
    shutil.copytree(home / "trials", tmp_path / "trials")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESSEARCH_CACHE", str(home / "cache"))
    text = (home / "digits.yaml").read_text().replace("choice: [8, 16]", "choice: [8, 12, 16]")
    (tmp_path / "digits.yaml").write_text(text)
    ressearch.run("digits.yaml", trials=5, backend="local")
    return tmp_path / "trials" / "digits"


def test_audit_trains_a_sample_and_compares_the_rankings(call: Call, copy: Path) -> None:
    arguments = ("audit", "digits", "--epochs", 1, "--subset", 100, "--backend", "local")
    before = ressearch.leaderboard("digits")
    first = call(*arguments, "--sample", 4)
    assert first.code == 0, first.err
    assert first.out.startswith("audit: 4 trainings, 1 epoch of 100 images each; about ")
    assert len(re.findall(r"^trial \d \(1 epochs, 100 images\), seed \d+: val_accuracy ", first.out, re.MULTILINE)) == 4
    again = call(*arguments, "--sample", 4, "--format", "md")
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("Validation accuracy:\n\n| network | params | MACs |")
    assert "| num_macs | " in again.out
    more = call(*arguments, "--sample", 9, "--format", "md")  # there are but five
    assert more.code == 0
    assert more.err.startswith("audit: 5 trainings, 4 of them done before, ")
    assert more.out.startswith("Validation accuracy:")
    study = ressearch.open_study("digits")
    assert sorted(record.trial_of or 0 for record in study.audits) == [0, 1, 2, 3, 4]
    assert all("test_accuracy" not in (record.measures or {}) for record in study.audits)
    assert [row.to_dict() for row in ressearch.leaderboard("digits")] == [row.to_dict() for row in before]


def test_too_few_trials_end_in_one_line(call: Call, at_home: Path) -> None:
    ended = call("audit", "digits", "--backend", "local")
    message = "ressearch: trials/digits: an audit needs 4 complete trials or more, got 3\n"
    assert ended == (1, "", message)


def test_audit_can_be_ended(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ressearch.verbs, "audit", interrupted)
    assert call("audit", "digits") == (130, "", "\nressearch: ended; the same command carries on\n")
