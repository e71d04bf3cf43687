"""The forms that a leaderboard is printed and kept in: a table, JSON, CSV, Markdown."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ressearch.messages import printable
from ressearch.report.formatting import duration, estimate_text, measure_text, short_count
from ressearch.report.leaderboard import FROM_TRIAL, Board, Row, board_of, leaderboard_rows
from ressearch.store.files import LEADERBOARD
from ressearch.store.study_record import StudyRecord

if TYPE_CHECKING:
    from rich.table import Table

_RIGHT_ALIGNED = {"rank", "front", "trial", "val_accuracy", "std_error", "num_params", "num_macs", "epochs", "seconds"}
_RIGHT_ALIGNED |= {
    "num_runs",
    "estimate",
    "estimate_error",
    "seed",
    "num_images",
    "num_val_images",
    "test_accuracy",
    "test_std",
    "test_seeds",
}
_GIVE_WAY = {"MACs", "epochs", "time"}
"""Columns of the table that become narrow before others do; note and network do, too."""
COLUMNS = ("rank", "trial", "state", "val_accuracy", "std_error", "tied", *FROM_TRIAL, "network", "settings")
"""Of a study without trials."""


def write_leaderboard(study: StudyRecord) -> None:
    """Write leaderboard.md into the directory of a study."""
    question = printable(study.manifest.get("question") or "")
    table, notes = as_markdown(leaderboard_rows(study)), board_of(study).notes
    parts = [f"# Leaderboard of {printable(study.name)}", question, table, *map(printable, notes)]
    (study.directory / LEADERBOARD).write_text("\n\n".join(part for part in parts if part) + "\n")


def as_json(rows: Iterable[Row]) -> str:
    """Return a list of objects."""
    return json.dumps([row.to_dict() for row in rows], indent=2)


def as_csv(rows: Sequence[Row]) -> str:
    """Return comma-separated values with a header line; what does not apply is empty."""
    text = io.StringIO()
    columns = list(rows[0].to_dict()) if rows else COLUMNS
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_dict() for row in rows)
    return text.getvalue().removesuffix("\n")


def as_markdown(rows: Sequence[Row]) -> str:
    """Return a table with the columns of the JSON form but the recipe's fixed fields; baselines are bold."""
    columns = list(rows[0].columns()) if rows else list(COLUMNS)
    numbers = {*_RIGHT_ALIGNED, *(rows[0].board.objectives if rows else ())}
    rule = ["---:" if name in numbers else "---" for name in columns]
    lines = [columns, rule, *([_cell(name, value) for name, value in row.columns().items()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_table(rows: Sequence[Row], title: str) -> "Table":
    """Return a table for the terminal; baselines are coloured, trials without a rank are dim."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    board = rows[0].board if rows else Board()
    table = Table(
        title=title,
        caption="\n".join(board.notes),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    shown = _numbers_of(board)
    for name in shown:
        table.add_column(name, justify="right", no_wrap=name not in _GIVE_WAY)
    for name in ("note", "recipe and network" if board.searched else "network"):
        table.add_column(Text(name, no_wrap=True, overflow="ellipsis"))
    for row in rows:
        cells = _cells(row)
        words = [*(cells[name] for name in shown), row.note, f"{row.short_settings} {row.network}".lstrip()]
        table.add_row(
            *(Text(each, no_wrap=True, overflow="ellipsis") for each in words),
            style="bold cyan" if row.trial.baseline else "dim" if row.rank is None else "",
        )
    return table


def _numbers_of(board: Board) -> list[str]:
    """Return the names of the table's columns that hold numbers."""
    return [
        "rank",
        *(["front"] if len(board.objectives) > 1 else []),
        "trial",
        "accuracy",
        *(["runs"] if board.has_repeats else []),
        *(["test", "std", "seeds"] if board.has_tests else []),
        "params",
        "MACs",
        "epochs",
        "time",
        *board.more_objectives,
    ]


def _cells(row: Row) -> dict[str, str]:
    trial, found = row.trial, row.retrained
    return {
        "rank": _or_dash(row.rank),
        "front": _or_dash(row.front),
        "trial": str(trial.number),
        "accuracy": estimate_text(trial.score),
        "runs": str(trial.num_runs) if trial.estimate else "-",
        "test": _or_dash(found and found.mean, "{:.4f}".format),
        "std": _or_dash(found and found.std, "{:.4f}".format),
        "seeds": _or_dash(found and len(found.accuracies)),
        "params": f"{trial.num_params:,}",
        "MACs": short_count(trial.num_macs),
        "epochs": str(trial.epochs),
        "time": duration(trial.seconds),
        **{name: _or_dash(row.measure(name), partial(measure_text, name)) for name in row.board.more_objectives},
    }


def _or_dash(value: Any, text: Callable[[Any], str] = str) -> str:
    return "-" if value is None else text(value)


def _cell(name: str, value: Any) -> str:
    """Return a value as a cell of Markdown; a fraction keeps all of its digits."""
    match name, value:
        case _, None | "":
            return "-"
        case "baseline", _:
            return f"**{value}**"
        case _, bool():
            return "yes" if value else "no"
        case "seed", int():
            return f"{value}"
        case _, int():
            return f"{value:,}"
        case _:
            return printable(" ".join(str(value).split())).replace("|", "\\|")
