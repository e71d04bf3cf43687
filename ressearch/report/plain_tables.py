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


@dataclass(frozen=True)
class Findings:
    """Tables, and what follows from them in sentences."""

    tables: Sequence[PlainTable]
    sentences: Sequence[str]


def findings_markdown(found: Findings) -> str:
    """Return all of it as Markdown, each table under its title."""
    tables = [f"{table.title}:\n\n{as_markdown(table)}" for table in found.tables]
    return "\n\n".join([*tables, "\n".join(f"- {line}" for line in found.sentences)])


def as_markdown(table: PlainTable) -> str:
    """Return a table without its title, one line per row."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return printable(text).replace("|", r"\|")


def for_terminal(table: PlainTable) -> Table:
    """Return what Rich prints, without the title; the first column is a name, the others are numbers.

    Where it is narrow, headers and cells of several words take more lines; a number is never cut.
    """
    printed = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for index, name in enumerate(table.columns):
        words = [word for text in (name, *(row[index] for row in table.rows)) for word in text.split()]
        least = max(map(len, words), default=1) if index else 1
        printed.add_column(name, justify="right" if index else "left", min_width=least, overflow="fold")
    for row in table.rows:
        printed.add_row(*row)
    return printed
