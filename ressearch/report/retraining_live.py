"""What is shown while networks are trained again: a display on a terminal, lines elsewhere.

Both are told of every change by the thread that drives the trainings; the display is drawn by a thread of its own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ressearch.messages import printable
from ressearch.report.console import new_console
from ressearch.report.formatting import duration
from ressearch.report.live import REFRESHES_PER_SECOND
from ressearch.search.ledger import Tell
from ressearch.search.retraining import Outlook
from ressearch.store.record import TrialRecord


@contextmanager
def progress(outlook: Outlook, console: Console | None = None) -> Iterator[Tell]:
    """Show how far the trainings are as long as the context is open; it gives what is to be told of every change."""
    console = console or new_console()

    def write(line: str) -> None:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    write(announcement(outlook))
    account = Account(outlook)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(account, write).tell
        return
    display = Display(account)
    with Live(get_renderable=display.render, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True):
        yield display.tell


def announcement(outlook: Outlook) -> str:
    """Say how many trainings there are, how long they are, and how much work is left."""
    account = Account(outlook)
    epochs = sorted({repeat.recipe.epochs for repeat in outlook.repeats})
    lengths = f"{epochs[0]:,} to {epochs[-1]:,} epochs" if len(epochs) > 1 else _several(epochs[0], "epoch")
    before = f", {account.num_done} of them done before" if account.num_done else ""
    return (
        f"{outlook.part}: {_several(len(outlook.repeats), 'training')}{before}, {lengths} of {outlook.num_images:,} "
        f"images each; about {duration(outlook.seconds)} of one worker's time, by the pace of the search"
    )


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class Account:
    """How far the trainings are. A training that fails counts as done."""

    def __init__(self, outlook: Outlook) -> None:
        self._lengths = {(repeat.group, repeat.seed): repeat.recipe.epochs for repeat in outlook.repeats}
        self.records: dict[int, TrialRecord] = {record.number: record for record in outlook.records}
        self._started = time.monotonic()
        self._epochs_before = self.num_epochs

    @property
    def num_trainings(self) -> int:
        """All trainings."""
        return len(self._lengths)

    @property
    def num_done(self) -> int:
        """Trainings that have ended."""
        return len({self._key(record) for record in self._mine() if record.is_finished})

    @property
    def total_epochs(self) -> int:
        """Epochs of all trainings."""
        return sum(self._lengths.values())

    @property
    def num_epochs(self) -> int:
        """Epochs that are trained, or no longer needed."""
        done = {self._key(record): self.epochs_of(record) for record in self._mine() if record.is_open}
        done |= {self._key(record): self.epochs_of(record) for record in self._mine() if record.is_finished}
        return sum(done.values())

    @property
    def running(self) -> list[TrialRecord]:
        """Trainings at work."""
        return [record for record in self._mine() if record.state == "running"]

    def epochs_of(self, record: TrialRecord) -> int:
        """Return the epochs that a training is through with: all of them where it has ended."""
        return self.length_of(record) if record.is_finished else min(record.epochs, self.length_of(record))

    def length_of(self, record: TrialRecord) -> int:
        """Return the epochs of a training."""
        return self._lengths[self._key(record)]

    def text(self) -> str:
        """Say how far it is and, once an epoch is trained, how much time is left."""
        told = f"{self.num_done}/{self.num_trainings} trainings, {self.num_epochs:,}/{self.total_epochs:,} epochs"
        elapsed, trained = time.monotonic() - self._started, self.num_epochs - self._epochs_before
        left = self.total_epochs - self.num_epochs
        return f"{told}, about {duration(elapsed / trained * left)} left" if trained and left else told

    def _mine(self) -> list[TrialRecord]:
        return [record for record in self.records.values() if self._key(record) in self._lengths]

    @staticmethod
    def _key(record: TrialRecord) -> tuple[str, int]:
        return record.group or "", record.seed


class Lines:
    """One line per training that ends, and one whenever another tenth of all epochs is trained."""

    def __init__(self, account: Account, write: Callable[[str], Any]) -> None:
        self._account = account
        self._write = write
        self._tenth = self._tenths()

    def tell(self, record: TrialRecord) -> None:
        """Take a training as it is now."""
        self._account.records[record.number] = record
        tenth = self._tenths()
        if not record.is_open:
            self._write(f"{record.group}, seed {record.seed}: {outcome(record)}  [{self._account.text()}]")
        elif tenth > self._tenth and record.epochs < self._account.length_of(record):
            self._write(f"{record.group}, seed {record.seed}: epoch {record.epochs}  [{self._account.text()}]")
        self._tenth = max(tenth, self._tenth)

    def _tenths(self) -> int:
        return 10 * self._account.num_epochs // self._account.total_epochs


def outcome(record: TrialRecord) -> str:
    """Say what a training came to."""
    if record.state == "failed":
        return f"failed: {record.message or ''}"
    measures = record.measures or {}
    name = "test_accuracy" if "test_accuracy" in measures else "val_accuracy"
    return f"{name} {measures[name]:.4f}"


class Display:
    """The display of one session."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()

    def tell(self, record: TrialRecord) -> None:
        """Take a training as it is now."""
        with self._lock:
            self._account.records[record.number] = record

    def render(self) -> RenderableType:
        """Return what is to be seen now."""
        with self._lock:
            account = self._account
            bar = Table.grid(padding=(0, 2))
            bar.add_row(ProgressBar(total=account.total_epochs, completed=account.num_epochs, width=30), account.text())
            return Group(
                bar,
                self._running(),
                Text("Ctrl-C saves and ends; the same command carries on.", style="dim"),
            )

    def _running(self) -> RenderableType:
        if not self._account.running:
            return Text("workers are starting or ending", style="dim")
        table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in ("training", "seed", "epoch", "val_accuracy"):
            table.add_column(name, justify="left" if name == "training" else "right", no_wrap=True)
        for record in self._account.running:
            accuracy = "-" if record.val_accuracy is None else f"{record.val_accuracy:.4f}"
            epoch = f"{record.epochs}/{self._account.length_of(record)}"
            table.add_row(Text(record.group or ""), f"{record.seed}", epoch, accuracy)
        return table
