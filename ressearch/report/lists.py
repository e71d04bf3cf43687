"""What `ressearch list WHAT` prints."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ressearch.arch import AXES
from ressearch.arch.options import first_line
from ressearch.experiment import OBJECTIVES
from ressearch.messages import expected
from ressearch.report.axes_table import axes_table, axis_table
from ressearch.report.drawing import named_table
from ressearch.samplers import SAMPLERS, SamplerSettings
from ressearch.schedulers import SCHEDULERS
from ressearch.space.domains import value_text
from ressearch.training.recipe import DEFAULTS, RECIPE_ORIGINS, RECIPES
from ressearch.training.sources import SOURCES


def listed(what: str) -> RenderableType:
    """Return a list by its name, or the values of an axis.

    Raises:
        ValueError: If there is no such list.
    """
    if what in AXES:
        return axis_table(AXES[what])
    if what not in LISTS:
        raise ValueError(expected(what, [*LISTS, *AXES]))
    return LISTS[what]()


def _samplers() -> Table:
    rows = ((name, first_line(row), _abilities(row), _options(row)) for name, row in SAMPLERS.items())
    return _table(("sampler", "what it does", "not for", "options"), rows)


def _schedulers() -> Table:
    rows = ((name, first_line(row), _options(row)) for name, row in SCHEDULERS.items())
    return _table(("scheduler", "what it does", "options"), rows)


def _objectives() -> Table:
    better = {"maximize": "higher", "minimize": "lower"}
    rows = ((name, better[row.direction], row.summary) for name, row in OBJECTIVES.items())
    return _table(("objective", "better", "meaning"), rows)


def _sources() -> Table:
    return _table(("source", "where images come from"), ((name, row.summary) for name, row in SOURCES.items()))


def _recipes() -> Table:
    rows = [(name, _changes(asdict(row), DEFAULTS), RECIPE_ORIGINS[name]) for name, row in RECIPES.items()]
    found = ("found", "that of a study's trial, or of an exported file", "")
    return _table(("recipe", "fields that differ from the default recipe", "source"), [*rows, found])


def _changes(values: Mapping[str, Any], default: Mapping[str, Any]) -> str:
    """Return what differs as a YAML file has it."""
    return ", ".join(f"{name}: {value_text(value)}" for name, value in values.items() if value != default[name])


LISTS: Mapping[str, Callable[[], RenderableType]] = {
    "architectures": named_table,
    "axes": axes_table,
    "samplers": _samplers,
    "schedulers": _schedulers,
    "objectives": _objectives,
    "sources": _sources,
    "recipes": _recipes,
}


def _table(columns: tuple[str, ...], rows: Any) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _abilities(row: type[SamplerSettings]) -> str:
    """Say what a sampler does not serve."""
    lacks = {
        "continuous parameters": not row.handles_continuous,
        "several objectives": not row.handles_objectives,
        "learning from stopped trials": row.learns and not row.learns_from_stopped,
    }
    return ", ".join(name for name, is_lacking in lacks.items() if is_lacking)


def _options(row: type) -> str:
    """Return the fields that a YAML file may give, with their defaults."""
    defaults = ((spec.name, spec.default) for spec in fields(row) if spec.default is not MISSING)
    return ", ".join(f"{name}: {'left open' if value is None else value}" for name, value in defaults)
