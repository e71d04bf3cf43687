"""What a confirmation came to, as a Markdown table: readable in a terminal and in a file alike."""

from collections.abc import Sequence

from ressearch.messages import printable
from ressearch.search.confirm import Confirmed

_COLUMNS = ("network", "params", "MACs", "lr", "weight decay", "test accuracy", "standard deviation", "seeds")


def confirmation_table(rows: Sequence[Confirmed]) -> str:
    """Return one line per contestant, with the mean over the seeds and every single accuracy."""
    lines = [_COLUMNS, tuple("---" for _ in _COLUMNS), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Confirmed) -> tuple[str, ...]:
    trial, recipe = row.contestant.trial, row.contestant.recipe
    return (
        printable(row.contestant.name),
        f"{trial.num_params:,}",
        f"{trial.num_macs:,}",
        f"{recipe.lr:.3g}",
        f"{recipe.weight_decay:.2g}",
        "-" if row.mean is None else f"{row.mean:.4f}",
        "-" if row.std is None else f"{row.std:.4f}",
        ", ".join(f"{value:.4f}" for value in row.accuracies) or "-",
    )
