"""What is shown while a search runs: a display on a terminal, one line per finished trial elsewhere.

Both read the search from a thread of their own while it goes on, so they copy what they walk over.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ressearch.report.standing import Standing, counts_text, refused_text, standing
from ressearch.report.words import duration, network
from ressearch.search.records import TrialRecord, best_of
from ressearch.search.study import Search

REFRESHES_PER_SECOND = 4


def progress(search: Search, directory: Path, console: Console | None = None) -> AbstractContextManager[Any]:
    """Show the progress of a search in `directory` as long as the context is open."""
    console = console or Console()
    if not console.is_terminal or console.is_dumb_terminal:
        return _lines(search, console)
    display = Display(search, directory)
    return Live(get_renderable=display.render, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True)


class Display:
    """The display of one session."""

    def __init__(self, search: Search, directory: Path) -> None:
        self._search = search
        self._directory = directory
        self._num_before = search.num_finished

    def render(self) -> RenderableType:
        """Return what is to be seen now."""
        records = list(self._search.records.values())
        now = standing(records)
        return Group(
            Text(f"{self._directory}  {self._search.space.question}", style="bold", no_wrap=True, overflow="ellipsis"),
            self._progress(records),
            Text(f"{counts_text(now.counts)}, {refused_text(dict(self._search.refused))}"),
            self._running(),
            _best(now),
            Text("Ctrl-C saves and ends; the same command carries on.", style="dim"),
        )

    def _progress(self, records: list[TrialRecord]) -> Table:
        done, target = sum(record.is_finished for record in records), self._search.target
        elapsed = time.time() - self._search.session.started
        line = f"{done}/{target} finished, {duration(elapsed)}"
        if self._num_before < done < target:
            left = elapsed / (done - self._num_before) * (target - done)
            line += f", about {duration(left)} left"
        table = Table.grid(padding=(0, 2))
        table.add_row(ProgressBar(total=target, completed=min(done, target), width=30), line)
        return table

    def _running(self) -> RenderableType:
        running = list(self._search.running.values())
        if not running:
            return Text("workers are starting or ending", style="dim")
        table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in ("trial", "epoch", "accuracy", "params"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("network", no_wrap=True, overflow="ellipsis")
        for trial in running:
            epochs, candidate = len(trial.curve), trial.candidate
            table.add_row(
                str(trial.number),
                f"{epochs}/{candidate.recipe.epochs}",
                f"{trial.curve[epochs - 1]['val_accuracy']:.4f}" if epochs else "-",
                f"{candidate.cost.num_params:,}",
                f"{trial.ancestor}: {network(candidate.architecture)}"
                if trial.ancestor
                else network(candidate.architecture),
                style="cyan" if trial.ancestor else "",
            )
        return table


def _best(now: Standing) -> RenderableType:
    """Return the best network found, and each ancestor beside it."""
    if now.found is None and not now.ancestors:
        return Text("no trial has finished at full length yet", style="dim")
    table = Table.grid(padding=(0, 2))
    if now.found:
        table.add_row(
            "best found",
            f"{now.found.val_accuracy:.4f}",
            f"{now.found.num_params:,} params",
            f"trial {now.found.number}",
        )
    for ancestor in now.ancestors:
        difference = now.difference(ancestor)
        against = "" if difference is None else f"best found {difference:+.4f}"
        table.add_row(
            f"{ancestor.ancestor}",
            f"{ancestor.val_accuracy:.4f}",
            f"{ancestor.num_params:,} params",
            against,
            style="cyan",
        )
    return table


@contextmanager
def _lines(search: Search, console: Console) -> Iterator[None]:
    """Print a line for every trial that finishes."""
    lines = Lines(search, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1 / REFRESHES_PER_SECOND):
            lines.catch_up()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        lines.catch_up()


class Lines:
    """One line per trial that finishes in this session, in the order of their ends."""

    def __init__(self, search: Search, write: Callable[[str], None]) -> None:
        self._search = search
        self._write = write
        self._seen = dict(search.records)

    def catch_up(self) -> None:
        """Write the lines of the trials that have finished since the last call."""
        for record in list(self._search.records.values()):
            if record.number not in self._seen:
                self._seen[record.number] = record
                self._write(self._line(record))

    def _line(self, record: TrialRecord) -> str:
        name = f"trial {record.number}" + (f" ({record.ancestor})" if record.ancestor else "")
        state = f"failed: {record.message}" if record.state == "failed" else record.state
        accuracy = "-" if record.val_accuracy is None else f"{record.val_accuracy:.4f}"
        parts = [
            name,
            state,
            accuracy,
            f"{record.num_params:,} params",
            f"{record.epochs} epochs",
            duration(record.seconds),
            self._account(),
        ]
        return "  ".join(parts)

    def _account(self) -> str:
        done = sum(record.is_finished for record in self._seen.values())
        best = best_of(list(self._seen.values()))
        best_text = f", best {best.val_accuracy:.4f} (trial {best.number})" if best else ""
        return f"[{done}/{self._search.target}{best_text}]"
