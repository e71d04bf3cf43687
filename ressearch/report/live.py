"""What is shown while a search runs: a display on a terminal, one line per finished trial elsewhere.

Both are told of every change by the thread that drives the search. The display is drawn by a thread of its own, so it
takes what it is told, and what it draws, under a lock.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ressearch.messages import printable
from ressearch.noise import few_images_text
from ressearch.report.budget_text import finished_text, images_text, left_text, share_used
from ressearch.report.console import new_console
from ressearch.report.formatting import duration, estimate_text, network
from ressearch.report.recipe_text import recipe_text
from ressearch.report.study_summary import StudySummary, counts_text, refused_text, summarised
from ressearch.search.ledger import Tell
from ressearch.search.session import Start
from ressearch.store.record import TrialRecord, front_of

REFRESHES_PER_SECOND = 4


def progress(start: Start, console: Console | None = None) -> AbstractContextManager[Tell]:
    """Show the progress of a search as long as the context is open; it gives what is to be told of every change."""
    console = console or new_console()
    if not console.is_terminal or console.is_dumb_terminal:
        return _lines(start, console)
    return _live(start, console)


@contextmanager
def _live(start: Start, console: Console) -> Iterator[Tell]:
    display = Display(start)
    with Live(get_renderable=display.render, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True):
        yield display.tell


class Display:
    """The display of one session."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._started = time.time()
        self._lock = threading.Lock()
        self._records = {record.number: record for record in start.records}
        self._num_before = sum(record.is_finished for record in start.records)

    def tell(self, record: TrialRecord) -> None:
        """Take a trial as it is now."""
        with self._lock:
            self._records[record.number] = record

    def render(self) -> RenderableType:
        """Return what is to be seen now."""
        with self._lock:
            records = list(self._records.values())
        start = self._start
        now = summarised(records, start.directions)
        return Group(
            Text(f"{start.directory}  {start.question}", style="bold", no_wrap=True, overflow="ellipsis"),
            *(Text(line, style="dim") for line in _seen(start)),
            self._progress(records),
            Text(f"{counts_text(now.counts)}, {refused_text(dict(start.refused))}"),
            *(Text(line) for line in (start.findings(),) if line),
            self._running([record for record in records if record.is_open]),
            _best(now),
            Text("Ctrl-C saves and ends; the same command carries on.", style="dim"),
        )

    def _progress(self, records: list[TrialRecord]) -> Table:
        done, budget = sum(record.is_finished for record in records), self._start.budget
        elapsed = time.time() - self._started
        seconds = self._start.seconds_before + elapsed
        line = f"{finished_text(budget, done)} finished, {duration(elapsed)}"
        if budget.trials and self._num_before < done < budget.trials:
            left = elapsed / (done - self._num_before) * (budget.trials - done)
            line += f", about {duration(left)} left"
        if ends := left_text(budget, seconds):
            line += f", {ends}"
        table = Table.grid(padding=(0, 2))
        table.add_row(ProgressBar(total=1.0, completed=share_used(budget, done, seconds), width=30), line)
        return table

    def _running(self, running: list[TrialRecord]) -> RenderableType:
        if not running:
            return Text("workers are starting or ending", style="dim")
        table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in ("trial", "epoch", "accuracy", "params"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("network", no_wrap=True, overflow="ellipsis")
        for trial in running:
            described = network(trial.build_architecture())
            table.add_row(
                str(trial.number),
                f"{trial.epochs}/{self._start.num_epochs}" + (" paused" if trial.state == "paused" else ""),
                estimate_text(trial.score),
                f"{trial.num_params:,}",
                f"{trial.baseline}: {described}" if trial.baseline else described,
                style="cyan" if trial.baseline else "",
            )
        return table


def _best(now: StudySummary) -> RenderableType:
    """Return the best network found, what else the front has to offer, and each baseline beside them."""
    if now.found is None and not now.baselines:
        return Text("no trial has finished at full length yet", style="dim")
    table = Table.grid(padding=(0, 2))
    if now.found:
        table.add_row(
            "best found",
            estimate_text(now.found.score),
            f"{now.found.num_params:,} params",
            _told(f"trial {now.found.number}", recipe_text(now.found, now.told)),
        )
    for name, trial in list(now.extremes.items())[1:]:
        table.add_row(
            f"front of {len(now.front)}: best {name}",
            estimate_text(trial.score),
            f"{trial.num_params:,} params",
            f"trial {trial.number}",
        )
    for baseline in now.baselines:
        difference = now.difference(baseline)
        against = "" if difference is None else f"best found {estimate_text(difference, '+')}"
        table.add_row(
            f"{baseline.baseline}",
            estimate_text(baseline.score),
            f"{baseline.num_params:,} params",
            _told(against, recipe_text(baseline, now.told)),
            style="cyan",
        )
    return table


def _told(words: str, recipe: str) -> Text:
    """Join words and a recipe, which gives way where it is narrow."""
    return Text("  ".join(part for part in (words, recipe) if part), no_wrap=True, overflow="ellipsis")


def _seen(start: Start) -> list[str]:
    """Say why the proxy is as it is, if it was chosen, how many images there are, and whether they are few."""
    lines = [start.proxy] if start.proxy else []
    if start.images is not None:
        note = few_images_text(start.images.val)
        lines += [images_text(start.images), *([f"note: {note}"] if note else [])]
    return lines


@contextmanager
def _lines(start: Start, console: Console) -> Iterator[Tell]:
    """Print what trials see, and a line for every one that finishes."""

    def write(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    for line in _seen(start):
        write(line)
    yield Lines(start, write).tell


class Lines:
    """One line per trial that ends in this session, in the order of their ends."""

    def __init__(self, start: Start, write: Callable[[str], Any]) -> None:
        self._budget = start.budget
        self._directions = start.directions
        self._write = write
        self._findings = start.findings
        self._said = start.findings()
        self._ended = {record.number: record for record in start.records if not record.is_open}

    def tell(self, record: TrialRecord) -> None:
        """Write the line of a trial that has ended."""
        if not record.is_open:
            self._ended[record.number] = record
            self._write(self._line(record))
            if (findings := self._findings()) != self._said:
                self._said = findings
                self._write(findings)

    def _line(self, record: TrialRecord) -> str:
        again = None if record.trial_of is None else f"trial {record.trial_of} again"
        told = record.baseline or again
        name = f"trial {record.number}" + (f" ({told})" if told else "")
        how = "interrupted" if record.reason == "interrupted" else "failed"
        state = f"{how}: {printable(record.message or '')}" if record.state == "failed" else record.state
        accuracy = estimate_text(record.score)
        size, length = f"{record.num_params:,} params", f"{record.epochs} epochs"
        return "  ".join([name, state, accuracy, size, length, duration(record.seconds), self._account()])

    def _account(self) -> str:
        done = sum(record.is_finished for record in self._ended.values())
        front = front_of(self._ended.values(), self._directions)
        best_text = f", best {estimate_text(front[0].score)} (trial {front[0].number})" if front else ""
        front_text = f", front of {len(front)}" if front and len(self._directions) > 1 else ""
        return f"[{finished_text(self._budget, done)}{best_text}{front_text}]"
