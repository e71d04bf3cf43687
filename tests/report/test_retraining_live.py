"""What is shown while networks are trained again."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ressearch.report.retraining_live import Account, Display, announcement, progress
from ressearch.search.retraining import Outlook, Repeat
from ressearch.store.record import TrialRecord

Record = Callable[..., TrialRecord]


@pytest.fixture
def outlook(record: Record) -> Outlook:
    """Four trainings of two epochs, one of them done, one with an epoch behind it."""
    trial = record(4, [0.9])
    groups = ("one", "two")
    repeats = tuple(
        Repeat(group=group, trial=trial, recipe=trial.build_recipe(), seed=seed) for seed in (7, 8) for group in groups
    )
    records = (
        record(0, [0.5, 0.6], group="one", seed=7),
        record(1, [0.5], state="paused", group="two", seed=7),
        record(2, [0.5], group="of another length", seed=7),
    )
    return Outlook(
        directory=Path("trials/x"), part="confirmation", repeats=repeats, records=records, num_images=4500, seconds=90
    )


def test_what_is_to_come_is_told_first(outlook: Outlook) -> None:
    assert announcement(outlook) == (
        "confirmation: 4 trainings, 1 of them done before, 2 epochs of 4,500 images each; "
        "about 1 min 30 s of one worker's time, by the pace of the search"
    )


def test_trainings_and_epochs_are_counted(outlook: Outlook, record: Record) -> None:
    account = Account(outlook)
    assert account.text() == "1/4 trainings, 3/8 epochs"
    account.records[1] = record(1, [0.5], state="failed", reason="non_finite", message="nan", group="two", seed=7)
    account.records[3] = record(3, [0.5], state="running", group="one", seed=8)
    assert account.text().startswith("2/4 trainings, 5/8 epochs, about ")
    account.records[4] = record(4, [0.5], state="failed", reason="lost_driver", message="", group="two", seed=8)
    assert account.num_done == 2  # what was lost is done again


def tell(outlook: Outlook, record: Record, **options: Any) -> str:
    """Tell of a training's two epochs and its end, and of one that fails; return what is written."""
    written = io.StringIO()
    running = record(1, [0.5], state="running", group="two", seed=7)
    with progress(outlook, Console(file=written, width=120, **options)) as told:
        told(running)
        told(replace(running, curve=(*running.curve, {"epoch": 2, "val_accuracy": 0.6})))
        told(record(1, [0.5, 0.6], group="two", seed=7, measures={"test_accuracy": 0.7, "val_accuracy": 0.6}))

        told(record(3, [0.5], state="running", group="one", seed=8))
        told(record(3, [0.5], state="failed", reason="non_finite", message="nan", group="one", seed=8))
    return written.getvalue()


def test_elsewhere_than_on_a_terminal_there_are_lines(outlook: Outlook, record: Record) -> None:
    lines = tell(outlook, record).splitlines()
    assert lines[0] == announcement(outlook)
    assert lines[1].startswith("two, seed 7: test_accuracy 0.7000  [2/4 trainings, 4/8 epochs, about ")
    assert lines[2].startswith("one, seed 8: epoch 1  [2/4 trainings, 5/8 epochs, about ")
    assert lines[3].startswith("one, seed 8: failed: nan  [3/4 trainings, 6/8 epochs, about ")
    assert len(lines) == 4


def test_a_terminal_shows_what_is_at_work(outlook: Outlook, record: Record) -> None:
    display = Display(Account(outlook))
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(display.render())
    assert "workers are starting" in console.file.getvalue()  # type: ignore[attr-defined]
    display.tell(record(3, [0.25], state="running", group="one", seed=8))
    console.print(display.render())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1/4 trainings, 4/8 epochs, about " in shown
    assert "1/2" in shown
    assert "0.2500" in shown
    assert "\x1b" in tell(outlook, record, force_terminal=True)
