"""Tables of texts, for a terminal and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from ressearch.messages import printable


@dataclass(frozen=True)
class PlainTable:
    """Rows of texts under the names of their columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_markdown(table: PlainTable) -> str:
    """Return a table without its title, one line per row."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return printable(text).replace("|", r"\|")


def for_terminal(table: PlainTable) -> Table:
    """Return what Rich prints, without the title; the first column is a name, the others are numbers."""
    printed = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for index, name in enumerate(table.columns):
        printed.add_column(name, justify="right" if index else "left")
    for row in table.rows:
        printed.add_row(*row)
    return printed
