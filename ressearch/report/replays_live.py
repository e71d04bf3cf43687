"""How far replays are: a bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ressearch.replays.tournament import Tell


@contextmanager
def progress() -> Iterator[Tell]:
    """Show how many searches are done as long as the context is open; it gives what is to be told."""
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("searches", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
