"""The ranking of a study: its rows, and the forms they are printed in."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ressearch.experiment.objectives import OBJECTIVES
from ressearch.messages import printable
from ressearch.report.formatting import duration, network, short_count
from ressearch.store.files import LEADERBOARD
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord

if TYPE_CHECKING:
    from rich.table import Table

RANK = (
    "Rank: validation accuracy at the last epoch, over the trials that finished at full length within the limits. "
    "Trials without a rank follow: outside the limits, still running, pruned early, failed."
)
_STATES = ("complete", "running", "paused", "pruned", "failed")
"""In the order of the leaderboard."""
_RIGHT_ALIGNED = {"rank", "trial", "val_accuracy", "num_params", "num_macs", "epochs", "seconds"}
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
    pareto: whether no ranked trial is better in one objective and as good in all others; None with one objective.
    """

    rank: int | None
    trial: TrialRecord
    network: str
    settings: str
    pareto: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values by column."""
        values = {
            "rank": self.rank,
            "trial": self.trial.number,
            **{name: getattr(self.trial, name) for name in _FROM_TRIAL},
            "network": self.network,
            "settings": self.settings,
        }
        values["seconds"] = round(self.trial.seconds, 3)
        return values if self.pareto is None else {**values, "pareto": self.pareto}

    @property
    def note(self) -> str:
        """What sets this trial apart: a baseline, a place on the Pareto front, or why it has no rank."""
        notes = [f"baseline {self.trial.baseline}"] if self.trial.baseline else []
        match self.trial.state:
            case "complete":
                notes += [] if self.trial.within_limits else ["outside the limits"]
            case "failed":
                notes.append(f"failed: {self.trial.reason}")
            case state:
                notes.append(state)
        return ", ".join([*notes, *(["pareto"] if self.pareto else [])])


def leaderboard_rows(study: StudyRecord) -> list[Row]:
    """Rank the trials of a study, the best first and those without a rank last."""
    ordered = sorted(study.trials, key=_order)
    ranked = [trial for trial in ordered if trial.is_ranked]
    ranks = {trial.number: rank for rank, trial in enumerate(ranked, start=1)}
    front = _pareto_front(ranked, study.objectives) if len(study.objectives) > 1 else None
    searched = _varying(study.trials)
    return [
        Row(
            rank=ranks.get(trial.number),
            trial=trial,
            network=network(trial.build_architecture()),
            settings=" ".join(f"{name}={trial.recipe[name]:.3g}" for name in searched),
            pareto=None if front is None else trial.number in front,
        )
        for trial in ordered
    ]


def write_leaderboard(study: StudyRecord) -> None:
    """Write leaderboard.md into the directory of a study."""
    question = printable(study.manifest.get("question") or "")
    parts = [f"# Leaderboard of {printable(study.name)}", question, as_markdown(leaderboard_rows(study)), RANK]
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
    rule = ["---:" if name in _RIGHT_ALIGNED else "---" for name in columns]
    lines = [columns, rule, *([_cell(name, value) for name, value in row.to_dict().items()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def as_table(rows: Sequence[Row], title: str) -> "Table":
    """Return a table for the terminal; baselines are coloured, trials without a rank are dim."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title,
        caption=RANK,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in ("rank", "trial", "accuracy", "params", "MACs", "epochs", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", no_wrap=True)
    table.add_column("network")
    for row in rows:
        trial = row.trial
        table.add_row(
            "-" if row.rank is None else str(row.rank),
            str(trial.number),
            "-" if trial.val_accuracy is None else f"{trial.val_accuracy:.4f}",
            f"{trial.num_params:,}",
            short_count(trial.num_macs),
            str(trial.epochs),
            duration(trial.seconds),
            row.note,
            Text(f"{row.network} {row.settings}", no_wrap=True, overflow="ellipsis"),  # gives way where it is narrow
            style="bold cyan" if trial.baseline else "dim" if row.rank is None else "",
        )
    return table


def _order(trial: TrialRecord) -> tuple[Any, ...]:
    """Sort key: ranked ones first, then by state, accuracy, and for stopped trials how far they came."""
    epochs = trial.epochs if trial.state != "complete" else 0
    return (not trial.is_ranked, _STATES.index(trial.state), -epochs, -(trial.val_accuracy or 0.0), trial.number)


def _pareto_front(trials: Sequence[TrialRecord], objectives: Sequence[str]) -> set[int]:
    """Return the numbers of the trials that no other one dominates."""
    signs = {name: -1 if OBJECTIVES[name].direction == "maximize" else 1 for name in objectives}

    def losses(trial: TrialRecord) -> tuple[float, ...]:
        return tuple(sign * (trial.measures or {}).get(name, sign * math.inf) for name, sign in signs.items())

    def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    points = {trial.number: losses(trial) for trial in trials}
    return {number for number, point in points.items() if not any(dominates(other, point) for other in points.values())}


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
