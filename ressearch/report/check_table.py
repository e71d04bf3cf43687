"""What a space holds, for the terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ressearch.experiment import Experiment
from ressearch.noise import few_images_text
from ressearch.report.budget_text import images_text
from ressearch.report.formatting import short_count
from ressearch.space.survey import Report, Spread
from ressearch.training.division import counts_of


def check_table(experiment: Experiment, report: Report) -> RenderableType:
    """Return the axes of a space, then its size, feasible share, ranges of cost and refusals, and what to know."""
    origin = experiment.origin
    title = f"{origin.path}: {origin.question}" if origin.question else origin.path
    images = counts_of(experiment.images, experiment.seed)
    parts: list[RenderableType] = [Text(title, style="bold"), _axes(report), _facts(report)]
    if report.refusals:
        parts.append(_refusals(report))
    parts += [Text(images_text(images))] if images else []
    few = few_images_text(images.val) if images else ""
    parts += [Text(f"note: {note}") for note in [*experiment.notes(), *([few] if few else [])]]
    return Group(*parts)


def _axes(report: Report) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("parameter", "values", "exists when"):
        table.add_column(name, overflow="fold")
    table.add_column("active", justify="right")
    for row in report.rows:
        table.add_row(row.name, row.domain, row.when or "always", f"{row.active:.0%}")
    return table


def _facts(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_row("size", _size(report))
    table.add_row("looked at", f"{'all' if report.is_exact else 'random'} {report.samples:,} points")
    table.add_row("feasible", _feasible(report))
    if report.num_params and report.num_macs:
        table.add_row(
            "duplicates", f"{report.duplicates:.1%} of the feasible points hold a network that an earlier one holds"
        )
        table.add_row("num_params", _spread(report.num_params))
        table.add_row("num_macs", _spread(report.num_macs))
    return table


def _size(report: Report) -> str:
    points = f"{report.size:,} points" if report.size < 10**9 else f"{report.size:.2e} points"
    return f"{points}, times the continuous {', '.join(report.continuous)}" if report.continuous else points


def _feasible(report: Report) -> str:
    share = f"{report.feasible.value:.1%}"
    if report.feasible.interval is None:
        return f"{share} (exactly)"
    low, high = report.feasible.interval
    return f"{share} (95 % interval {low:.1%} to {high:.1%})"


def _spread(spread: Spread) -> str:
    return f"{spread.min:,} to {spread.max:,}, median {short_count(spread.median)}"


def _refusals(report: Report) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("refused by", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold")
    for refusal in report.refusals:
        table.add_row(refusal.rule, f"{refusal.count / report.samples:.1%}", refusal.example)
    return table
