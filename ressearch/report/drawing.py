"""What `ressearch show NAME` and `ressearch list architectures` print."""

from collections.abc import Iterator
from enum import Enum

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ressearch.arch import AXES, Architecture, architecture_id, cost, named, plan
from ressearch.arch.layers import Norm
from ressearch.arch.literature import DATASETS, PUBLISHED, SOURCES, Result, dataset_of, lowest_error, notes_on
from ressearch.arch.names import FAMILIES, MODIFIERS
from ressearch.images import ImageShape
from ressearch.report.formatting import axis_text, network, short_count
from ressearch.report.layer_table import Part, Shape, parts

_ALWAYS = {"transform", "ordering", "shortcut", "bottleneck_ratio", "gate_bias", "shortcut_dropout", "se_ratio"}
_ALWAYS |= {"level_shortcut", "level_projection_norm", "drop_path_rate", "norm_groups", "init_c"}
"""Axes that are shown wherever they are read; all others only where they differ from their defaults."""

_SIZES = {"depth", "width", "stride", "stem_width"}
"""Axes that are left to the table."""


def images_of(name: str) -> ImageShape:
    """Return the images that a named network was made for: CIFAR-10's, or ImageNet's."""
    return DATASETS[dataset_of(name)]


def named_drawing(name: str, images: ImageShape | None = None, *, every_layer: bool = False) -> RenderableType:
    """Draw a network of the literature, with its printed errors, for the images it was made for if none are given.

    Raises:
        ValueError: If there is no such network.
    """
    drawn = architecture_table(named(name), images or images_of(name), title=name, every_layer=every_layer)
    return Group(drawn, published_table(name)) if name in PUBLISHED else drawn


def architecture_table(
    architecture: Architecture, images: ImageShape, *, title: str = "", every_layer: bool = False
) -> RenderableType:
    """Draw a network: its axes in words, its parts with shapes and costs, its totals.

    Every stage is given as runs of like blocks, or as single layers with `every_layer`. A part reads: branch +
    shortcut; what follows the addition.
    """
    resolved = plan(architecture, images.channels, images.num_classes)
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), show_footer=True)
    total = cost(resolved, images.resolution)
    table.add_column("part", no_wrap=True, footer="total")
    table.add_column("blocks", justify="right", footer=f"{len(architecture.blocks)}")
    table.add_column("layers", overflow="fold")
    table.add_column("output", no_wrap=True, justify="right")
    table.add_column("params", no_wrap=True, justify="right", footer=f"{total.num_params:,}")
    table.add_column("MACs", no_wrap=True, justify="right", footer=f"{total.num_macs:,}")
    for part in parts(resolved, images.resolution, every_layer=every_layer):
        table.add_row(*_cells(part))
    norms = sum(2 * layer.channels for layer in resolved.layers() if isinstance(layer, Norm))
    counted = f"{total.num_params - norms:,} parameters without norms, {total.num_activations:,} activations"
    heading = Text(f"{title or 'network'} ({architecture_id(architecture)})", style="bold")
    return Group(heading, Text(network(architecture)), _axes(architecture), table, Text(counted))


def _cells(part: Part) -> Iterator[Text]:
    yield Text(part.place)
    yield Text("" if part.num_blocks is None else f"{part.num_blocks}")
    yield Text(part.words)
    yield Text(_shape(part.shape))
    yield Text(f"{part.cost.num_params:,}" if part.cost.num_params else "")
    yield Text(f"{part.cost.num_macs:,}" if part.cost.num_macs else "")


def _shape(shape: Shape) -> str:
    return " x ".join(f"{size}" for size in shape)


def _axes(architecture: Architecture) -> Table:
    """Say what the axes mean that make this network."""
    table = Table.grid(padding=(0, 2))
    for style in ("bold", "", ""):
        table.add_column(style=style, overflow="fold")
    for axis in AXES.values():
        holders = architecture.stages if axis.per_stage else (architecture,)
        values = dict.fromkeys(getattr(holder, axis.name) for holder in holders if axis.name not in holder.inactive)
        if axis.name not in _SIZES and (axis.name in _ALWAYS or any(value != axis.default for value in values)):
            for value in values:
                meaning = value.summary if isinstance(value, Enum) and hasattr(value, "summary") else axis.summary
                table.add_row(axis.name, axis_text(value), Text(meaning))
    return table


def published_table(name: str) -> RenderableType:
    """Return the published results of a named network: errors with their sources, notes, the papers."""
    results = PUBLISHED.get(name, ())
    table = Table(
        title="published", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in ("data set", "error %", "top-5 %", "statistic", "source", "verified", "note"):
        table.add_column(column, overflow="fold", justify="right" if column.endswith("%") else "left")
    for result in results:
        top5 = "" if result.top5 is None else f"{result.top5}"
        statistic = result.statistic or "not stated"
        cells = (result.dataset, _error(result), top5, statistic, result.source, result.verified, result.note)
        table.add_row(*(Text(cell) for cell in cells))
    lines = [f"- {note}" for note in notes_on(name)]
    if any(result.is_other for result in results):
        lines.append(
            "- A number in brackets is of a variant, which statistic or note name, and not of this very network."
        )
    papers = [f"{key}: {paper}" for key, paper in SOURCES.items() if any(key in result.source for result in results)]
    return Group(table, Text("\n".join(lines + papers)))


def named_table() -> RenderableType:
    """Return the published networks with their costs and best errors, then how names are made."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("name", "params", "MACs", "data set", "best error %", "statistic", "source"):
        is_number = column in ("params", "MACs", "best error %")
        table.add_column(column, overflow="fold", justify="right" if is_number else "left")
    for name in PUBLISHED:
        images, best = images_of(name), lowest_error(name)
        counted = cost(plan(named(name), images.channels, images.num_classes), images.resolution)
        printed = (_error(best), best.statistic or "not stated", best.source) if best else ("", "", "")
        sizes = (short_count(counted.num_params), short_count(counted.num_macs))
        table.add_row(*(Text(cell) for cell in (name, *sizes, dataset_of(name), *printed)))
    families = Table.grid(padding=(0, 2))
    families.add_column(style="bold", overflow="fold")
    families.add_column(overflow="fold")
    for row in (*FAMILIES, *MODIFIERS):
        families.add_row(Text(row.text), Text(row.summary))
    return Group(table, Text("Any number that makes a network is a name:", style="bold"), families)


def _error(result: Result) -> str:
    error = "none printed" if result.error is None else f"{result.error}"
    if result.mean is not None:
        error += f" (mean {result.mean} +- {result.std})"
    return f"[{error}]" if result.is_other else error
