"""The axes of the design space, for the terminal."""

from enum import Enum

from rich import box
from rich.table import Table

from ressearch.arch import AXES, Axis, name_of
from ressearch.report.formatting import axis_text


def axes_table() -> Table:
    """Return every axis with its values, its default and its meaning."""
    table = _table("axes: those of stages may differ between stages; `ressearch list AXIS` explains the values of one")
    for name in ("axis", "of", "values", "default", "meaning"):
        table.add_column(name, overflow="fold")
    for name, axis in AXES.items():
        table.add_row(name, "stages" if axis.per_stage else "network", _values(axis), _default(axis), axis.summary)
    return table


def axis_table(axis: Axis) -> Table:
    """Return one axis, and what each of its values means where they are names."""
    table = _table(f"{axis.name}: {axis.summary} (default: {_default(axis)})")
    for name in ("value", "meaning"):
        table.add_column(name, overflow="fold")
    if issubclass(axis.kind, Enum):
        for member in axis.kind:
            table.add_row(name_of(member), member.summary)  # type: ignore[attr-defined]  # every one has it: tested
    else:
        table.add_row(_values(axis), axis.summary)
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _values(axis: Axis) -> str:
    if axis.names:
        return ", ".join(axis.names)
    if axis.kind is bool:
        return "true, false"
    return f"{'whole numbers' if axis.kind is int else 'numbers'}, {axis.range}"


def _default(axis: Axis) -> str:
    return "must be given" if axis.default is None else axis_text(axis.default)
