"""What is shown while one network is trained: a line per epoch, and on a terminal a bar that moves within it, too."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from ressearch.noise import std_error
from ressearch.report.console import new_console
from ressearch.report.formatting import duration
from ressearch.report.live import REFRESHES_PER_SECOND
from ressearch.search.training_task import Tell, TrainingStart


@contextmanager
def training_progress(start: TrainingStart, console: Console | None = None) -> Iterator[Tell]:
    """Show the progress of a training as long as the context is open; it gives what is to be told of every epoch."""
    console = console or new_console()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    say(_opening(start))
    display = TrainingDisplay(start, say)
    if not console.is_terminal or console.is_dumb_terminal:
        yield display.tell
        return
    with Live(get_renderable=display.render, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True):
        yield display.tell


class TrainingDisplay:
    """Epochs as lines, and what is going on now as a bar, whose place within an epoch is estimated from those before.

    A thread of its own may draw the bar: it reads one list that only grows.
    """

    def __init__(
        self, start: TrainingStart, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start, self._write, self._clock = start, write, clock
        self._curve: list[Mapping[str, float]] = list(start.curve)
        self._epoch_began = clock()
        self._spinner = Spinner("line")

    def tell(self, epoch: Mapping[str, float]) -> None:
        """Take an epoch, and write its line."""
        self._curve.append(epoch)
        self._epoch_began = self._clock()
        accuracy = epoch["val_accuracy"]
        line = (
            f"epoch {epoch['epoch']}/{self._start.num_epochs}: "
            f"val_accuracy {accuracy:.4f} ±{std_error(accuracy, self._start.counts.val):.4f}, "
            f"train_loss {epoch['train_loss']:.4f}, {duration(epoch['seconds'])}"
        )
        self._write(line + self._left_text(0.0))

    def completed(self) -> float:
        """Return the epochs done, and the share of this one that has passed if it takes as long as those before."""
        done, each = len(self._curve), self._seconds_per_epoch()
        within = min((self._clock() - self._epoch_began) / each, 0.99) if each else 0.0
        return min(done + within, self._start.num_epochs)

    def render(self) -> RenderableType:
        """Return the bar as it is now."""
        done, total = len(self._curve), self._start.num_epochs
        elapsed = self._clock() - self._epoch_began
        now = "testing and exporting" if done == total else f"epoch {done + 1}/{total}"
        table = Table.grid(padding=(0, 1))
        table.add_row(
            self._spinner,
            ProgressBar(total=total, completed=self.completed(), width=30),
            f"{now}, {duration(elapsed)}{self._left_text(elapsed)}; Ctrl-C saves and ends",
        )
        return table

    def _left_text(self, elapsed: float) -> str:
        """Say how much time is left, "" where nobody knows or all is done."""
        each, left = self._seconds_per_epoch(), self._start.num_epochs - len(self._curve)
        if not each or not left:
            return ""
        return f", about {duration(max(each * left - elapsed, each * (left - 1)))} left"

    def _seconds_per_epoch(self) -> float:
        """Return the mean over the epochs, 0 if there is none yet."""
        return sum(epoch["seconds"] for epoch in self._curve) / len(self._curve) if self._curve else 0.0


def _opening(start: TrainingStart) -> str:
    """Say what begins, or goes on."""
    what = f"{start.name} on {start.device}: {start.counts.train:,} images train, {start.counts.val:,} validate"
    done = len(start.curve)
    epochs = "1 epoch" if start.num_epochs == 1 else f"{start.num_epochs} epochs"
    on = f"; goes on after epoch {done}/{start.num_epochs}" if done else f", {epochs}"
    return f"{what}, {start.num_test_images:,} test{on}; in {start.directory}"
