"""What is shown while one network is trained."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from ressearch.report.console import PlainTextConsole
from ressearch.report.training_progress import TrainingDisplay, training_progress
from ressearch.search.training_task import TrainingStart
from ressearch.training.data import Counts


def epoch(number: int, seconds: float = 52.0) -> dict[str, float]:
    return {
        "epoch": number,
        "train_loss": 1.23456,
        "val_loss": 1.0,
        "val_accuracy": 0.65,
        "lr": 0.1,
        "seconds": seconds,
    }


def start(*done: dict[str, float]) -> TrainingStart:
    return TrainingStart(
        directory=Path("trained/resnet-20"),
        name="resnet-20",
        num_epochs=20,
        device="cpu",
        counts=Counts(train=45_000, val=5_000, test=0),
        num_test_images=10_000,
        curve=done,
    )


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown(display: TrainingDisplay) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(display.render())
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_elsewhere_than_on_a_terminal_every_epoch_is_a_line() -> None:
    written = io.StringIO()
    with training_progress(start(), PlainTextConsole(file=written, width=200)) as tell:
        tell(epoch(1))
        tell(epoch(2, seconds=60.0))
    assert written.getvalue().splitlines() == [
        "resnet-20 on cpu: 45,000 images train, 5,000 validate, 10,000 test, 20 epochs; in trained/resnet-20",
        "epoch 1/20: val_accuracy 0.6500 ±0.0067, train_loss 1.2346, 52 s, about 16 min 28 s left",
        "epoch 2/20: val_accuracy 0.6500 ±0.0067, train_loss 1.2346, 1 min 00 s, about 16 min 48 s left",
    ]


def test_a_training_that_goes_on_says_where_and_counts_all_its_epochs() -> None:
    written = io.StringIO()
    with training_progress(start(epoch(1, 10.0), epoch(2, 20.0)), PlainTextConsole(file=written, width=200)) as tell:
        tell(epoch(3, 60.0))
    opening, line = written.getvalue().splitlines()
    assert "10,000 test; goes on after epoch 2/20; in " in opening
    assert line.startswith("epoch 3/20: ")
    assert line.endswith("60 s, about 8 min 30 s left".replace("60 s", "1 min 00 s"))


def test_on_a_terminal_the_lines_stay_and_a_bar_moves() -> None:
    written = io.StringIO()
    with training_progress(start(), PlainTextConsole(file=written, width=120, force_terminal=True)) as tell:
        tell(epoch(1))
    text = written.getvalue()
    assert "epoch 1/20: val_accuracy 0.6500" in text
    assert "Ctrl-C saves and ends" in text
    assert "\x1b[" in text


def test_the_bar_moves_within_an_epoch(clock: Clock) -> None:
    display = TrainingDisplay(start(), lambda _: None, clock)
    assert "epoch 1/20, 0.0 s; Ctrl-C" in shown(display)
    clock.now += 30
    assert "epoch 1/20, 30 s; Ctrl-C" in shown(display)
    display.tell(epoch(1, seconds=30.0))
    clock.now += 12
    assert "epoch 2/20, 12 s, about 9 min 18 s left; Ctrl-C" in shown(display)
    clock.now += 600  # an epoch that takes longer than those before: the others are still to come
    assert "about 9 min 00 s left" in shown(display)


def test_the_bar_is_full_only_at_the_end(clock: Clock) -> None:
    display = TrainingDisplay(start(), lambda _: None, clock)
    clock.now += 1000
    assert display.completed() == 0.0  # nobody knows how long an epoch takes
    for number in range(1, 20):
        display.tell(epoch(number, seconds=50.0))
    clock.now += 25
    assert display.completed() == 19.5
    clock.now += 1000
    assert display.completed() == 19.99
    display.tell(epoch(20))
    clock.now += 1000
    assert display.completed() == 20.0
    assert "testing and exporting, 16 min 40 s; Ctrl-C" in shown(display)
