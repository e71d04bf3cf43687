"""The ranking of a study: its rows, and the forms they are printed in."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ressearch.messages import printable
from ressearch.report.formatting import duration, measure_text, network, short_count
from ressearch.store.files import LEADERBOARD
from ressearch.store.record import TrialRecord, ranked
from ressearch.store.study_record import StudyRecord

if TYPE_CHECKING:
    from rich.table import Table

_BY_ACCURACY = (
    "Rank: validation accuracy at the last epoch, over the trials that finished at full length within the limits. "
)
_BY_FRONT = (
    "Rank: front, then validation accuracy at the last epoch, over the trials that finished at full length within the "
    "limits. Front 1 holds those that no other dominates in {objectives}, front 2 those that only front 1 dominates. "
)
_UNRANKED = "Trials without a rank follow: outside the limits, still running, pruned early, failed."
_STATES = ("complete", "running", "paused", "pruned", "failed")
"""In the order of the leaderboard."""
_RIGHT_ALIGNED = {"rank", "front", "trial", "val_accuracy", "num_params", "num_macs", "epochs", "seconds"}
_FROM_TRIAL = (
    "state",
    "val_accuracy",
    "num_params",
    "num_macs",
    "architecture_id",
    "baseline",
    "epochs",
    "seconds",
    "within_limits",
    "reason",
    "message",
)
"""Columns that say what the trial's record says."""
COLUMNS = ("rank", "trial", *_FROM_TRIAL, "network", "settings")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial of the leaderboard.

    rank: None unless the trial finished at full length within the limits.
    settings: the recipe's searched values.
    front: number of its front, 1 if no other trial dominates it; None without a rank.
    objectives: names; with one of them there is no need to tell of fronts.
    """

    rank: int | None
    trial: TrialRecord
    network: str
    settings: str
    front: int | None = None
    objectives: tuple[str, ...] = ("val_accuracy",)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values by column."""
        values = {
            "rank": self.rank,
            **({"front": self.front} if len(self.objectives) > 1 else {}),
            "trial": self.trial.number,
            **{name: getattr(self.trial, name) for name in _FROM_TRIAL},
            **{name: _measure(self.trial, name) for name in _more(self.objectives)},
            "network": self.network,
            "settings": self.settings,
        }
        values["seconds"] = round(self.trial.seconds, 3)
        return values

    @property
    def note(self) -> str:
        """What sets this trial apart: a baseline, or why it has no rank."""
        notes = [f"baseline {self.trial.baseline}"] if self.trial.baseline else []
        match self.trial.state:
            case "complete":
                notes += [] if self.trial.within_limits else ["outside the limits"]
            case "failed":
                notes.append(f"failed: {self.trial.reason}")
            case state:
                notes.append(state)
        return ", ".join(notes)


def leaderboard_rows(study: StudyRecord) -> list[Row]:
    """Rank the trials of a study, the best first and those without a rank last."""
    best_first = ranked(study.trials, study.directions)
    others = sorted((trial for trial in study.trials if not trial.is_ranked), key=_order)
    places = [(rank, *placed) for rank, placed in enumerate(best_first, start=1)]
    searched = _varying(study.trials)
    return [
        Row(
            rank=rank,
            trial=trial,
            network=network(trial.build_architecture()),
            settings=" ".join(f"{name}={trial.recipe[name]:.3g}" for name in searched),
            front=front,
            objectives=study.objectives,
        )
        for rank, front, trial in [*places, *((None, None, trial) for trial in others)]
    ]


def rank_text(objectives: Sequence[str]) -> str:
    """Return what a rank means."""
    rule = _BY_ACCURACY if len(objectives) == 1 else _BY_FRONT.format(objectives=", ".join(objectives))
    return rule + _UNRANKED


def write_leaderboard(study: StudyRecord) -> None:
    """Write leaderboard.md into the directory of a study."""
    question = printable(study.manifest.get("question") or "")
    table, rule = as_markdown(leaderboard_rows(study)), rank_text(study.objectives)
    parts = [f"# Leaderboard of {printable(study.name)}", question, table, rule]
    (study.directory / LEADERBOARD).write_text("\n\n".join(part for part in parts if part) + "\n")


def as_json(rows: Iterable[Row]) -> str:
    """Return a list of objects."""
    return json.dumps([row.to_dict() for row in rows], indent=2)


def as_csv(rows: Sequence[Row]) -> str:
    """Return comma-separated values with a header line; what does not apply is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=_columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_dict() for row in rows)
    return text.getvalue().removesuffix("\n")


def as_markdown(rows: Sequence[Row]) -> str:
    """Return a table with the columns of the JSON form; baselines are bold."""
    columns = _columns(rows)
    rule = ["---:" if name in {*_RIGHT_ALIGNED, *_objectives(rows)} else "---" for name in columns]
    lines = [columns, rule, *([_cell(name, value) for name, value in row.to_dict().items()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_table(rows: Sequence[Row], title: str) -> "Table":
    """Return a table for the terminal; baselines are coloured, trials without a rank are dim."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    objectives = _objectives(rows)
    several, more = len(objectives) > 1, _more(objectives)
    table = Table(
        title=title,
        caption=rank_text(objectives),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in (
        "rank",
        *(["front"] if several else []),
        "trial",
        "accuracy",
        "params",
        "MACs",
        "epochs",
        "time",
        *more,
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", no_wrap=True)
    table.add_column("network")
    for row in rows:
        trial = row.trial
        table.add_row(
            _or_dash(row.rank),
            *([_or_dash(row.front)] if several else []),
            str(trial.number),
            _or_dash(trial.val_accuracy, partial(measure_text, "val_accuracy")),
            f"{trial.num_params:,}",
            short_count(trial.num_macs),
            str(trial.epochs),
            duration(trial.seconds),
            *(_or_dash(_measure(trial, name), partial(measure_text, name)) for name in more),
            row.note,
            Text(f"{row.network} {row.settings}", no_wrap=True, overflow="ellipsis"),  # gives way where it is narrow
            style="bold cyan" if trial.baseline else "dim" if row.rank is None else "",
        )
    return table


def _order(trial: TrialRecord) -> tuple[Any, ...]:
    """Sort key of trials without a rank: by state, for stopped trials how far they came, accuracy."""
    epochs = trial.epochs if trial.state != "complete" else 0
    return (_STATES.index(trial.state), -epochs, -(trial.val_accuracy or 0.0), trial.number)


def _objectives(rows: Sequence[Row]) -> tuple[str, ...]:
    return rows[0].objectives if rows else ("val_accuracy",)


def _or_dash(value: Any, text: Callable[[Any], str] = str) -> str:
    return "-" if value is None else text(value)


def _measure(trial: TrialRecord, name: str) -> float | None:
    """Return the value of an objective, None where it was not measured."""
    return getattr(trial, name) if hasattr(trial, name) else (trial.measures or {}).get(name)


def _more(objectives: Sequence[str]) -> list[str]:
    """Return the objectives that no column tells of but for their sake."""
    return [name for name in objectives if name not in _FROM_TRIAL]


def _varying(trials: Sequence[TrialRecord]) -> list[str]:
    """Return the recipe fields in which the trials differ: the searched ones."""
    names = trials[0].recipe if trials else ()
    return [name for name in names if len({trial.recipe[name] for trial in trials}) > 1]


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(rows[0].to_dict()) if rows else list(COLUMNS)


def _cell(name: str, value: Any) -> str:
    """Return a value as a cell of Markdown."""
    match name, value:
        case _, None | "":
            return "-"
        case "baseline", _:
            return f"**{value}**"
        case "val_accuracy", _:
            return f"{value:.4f}"
        case _, bool():
            return "yes" if value else "no"
        case _, int():
            return f"{value:,}"
        case _, float():
            return f"{value:.1f}"
        case _:
            return printable(" ".join(str(value).split())).replace("|", "\\|")
