"""Confirmation on the command line: the study's best networks and its baseline with fresh seeds."""

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
    """A working directory with a study of its own, to which trainings may be added."""
    shutil.copytree(home / "trials", tmp_path / "trials")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESSEARCH_CACHE", str(home / "cache"))
    return tmp_path / "trials" / "digits"


TRAINED = r"^(.+), seed (\d+): test_accuracy ([01]\.\d{4})  \["


def table(output: str) -> list[str]:
    """The table of the contestants."""
    start = output.index("| network")
    return output[start : output.index("\n\n", start)].splitlines()


def test_confirm_trains_what_is_missing(call: Call, copy: Path) -> None:
    title = "Accuracy on the test images (1 epochs, 100 images)"
    length = ("--epochs", 1, "--subset", 100)
    arguments = ("confirm", "digits", "--top", 1, *length, "--backend", "local", "--format", "md")
    before = ressearch.leaderboard("digits")
    first = call(*arguments, "--seeds", 1)
    assert first.code == 0, first.err
    best = next(row.trial.number for row in before if row.rank == 1)
    names = [f"trial {best} (1 epochs, 100 images)", "resnet-8 (1 epochs, 100 images)"]
    assert first.err.startswith("confirmation: 2 trainings, 1 epoch of 100 images each; about ")
    done = re.findall(TRAINED, first.err, re.MULTILINE)
    assert [name for name, _, _ in done] == names
    assert len({seed for _, seed, _ in done}) == 1
    header, rule, *rows = table(first.out)
    assert header.startswith("| network | params | MACs |")
    assert set(rule) <= set("| -")
    assert [row.split(" | ")[0] for row in rows] == [f"| trial {best}", "| resnet-8"]
    for row, (_, _, accuracy) in zip(rows, done, strict=True):
        assert row.endswith(f"| {accuracy} | - | {accuracy} |")

    again = call(*arguments, "--seeds", 1)
    assert again.code == 0
    assert (again.err, again.out.splitlines()[0]) == ("", f"{title}:")  # nothing was trained
    assert table(again.out) == [header, rule, *rows]

    second = call(*arguments, "--seeds", 2)
    assert second.code == 0
    assert second.err.startswith("confirmation: 4 trainings, 2 of them done before, ")
    added = re.findall(TRAINED, second.err, re.MULTILINE)
    assert [name for name, _, _ in added] == names
    assert {seed for _, seed, _ in added}.isdisjoint(seed for _, seed, _ in done)
    for row, (_, _, old), (_, _, new) in zip(table(second.out)[-2:], done, added, strict=True):
        assert row.endswith(f"| {old}, {new} |")
        mean = float(row.split(" | ")[5])
        assert mean == pytest.approx((float(old) + float(new)) / 2, abs=1.1e-4)

    shown = call(*arguments[:-2], "--seeds", 2)
    assert "|" not in shown.out
    assert f"{float(rows[0].split(' | ')[5]):.4f}" in shown.out
    assert second.out.splitlines()[-1].removeprefix("- ") in shown.out.splitlines()

    study = ressearch.open_study("digits")
    assert len(study.confirmations) == 4
    assert {record.epochs for record in study.confirmations} == {1}
    after = ressearch.leaderboard("digits")
    assert [(row.rank, row.trial) for row in after] == [(row.rank, row.trial) for row in before]
    tested = {row.trial.number: row.to_dict().get("test_accuracy") for row in after}
    assert {number for number, accuracy in tested.items() if accuracy is not None} == {best, 0}
    assert f"{tested[best]}" in (copy / "leaderboard.md").read_text()


def test_more_images_than_there_are_is_told_in_one_line(call: Call, copy: Path) -> None:
    ended = call("confirm", "digits", "--top", 1, "--seeds", 1, "--epochs", 1, "--subset", 10**6, "--backend", "local")
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("ressearch: ")


def test_confirm_can_be_ended(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ressearch.verbs, "confirm", interrupted)
    ended = call("confirm", "digits")
    assert ended == (130, "", "\nressearch: ended; the same command carries on\n")
