"""Entries of a reference collection compared with what we count, by arithmetic and in built modules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from ressearch.arch import Architecture, Plan, cost, plan
from ressearch.arch.layers import Norm
from ressearch.arch.literature import DATASETS
from ressearch.reference.fields import Fields
from ressearch.reference.structure import read_structure
from ressearch.space.yaml_nodes import Entry, compose, read_text

Counts = dict[str, int]
"""Numbers by what they count: the keys of KEYS, and `params on <dataset>`."""

KEYS = {"params": "params_exact", "params without norms": "params_without_bn", "MACs": "macs_exact"}
NUM_CLASSES = {name: images.num_classes for name, images in DATASETS.items()} | {"svhn": 10, "tiny_imagenet": 200}
STYLES = {"exact": "green", "different": "bold red", "refused": "yellow"}
"""Verdicts, and how the table shows them."""


@dataclass(frozen=True)
class Check:
    """One entry: the numbers in the file, those counted, and whether they agree."""

    name: str
    verdict: str
    remark: str = ""
    expected: Counts = field(default_factory=dict)
    counted: Counts = field(default_factory=dict)


def read_entries(path: Path) -> list[Entry]:
    """Return the entries of a file.

    Raises:
        ValueError: If there are none, with the reason in one line.
    """
    top = compose(read_text(path), path.name, holds="a mapping with a list of architectures")
    if "architectures" not in top.items:
        raise top.error("'architectures' is missing, expected a list of them")
    entries = top.items["architectures"].elements
    if not entries:
        raise top.items["architectures"].error("got an empty list, expected one or more architectures")
    return entries


def check_entry(entry: Entry, number: int, *, with_build: bool) -> Check:
    """Compare the numbers of an entry with what is counted."""
    name = f"{number}"
    try:
        fields = Fields(entry)
        name = fields.text("id", name)
        return _checked(fields, name, with_build=with_build)
    except ValueError as error:
        return Check(name, "refused", str(error))


def _checked(fields: Fields, name: str, *, with_build: bool) -> Check:
    architecture, resolution = read_structure(fields.entry("structure"))
    num_classes = fields.integer("num_classes")
    resolved = plan(architecture, 3, num_classes)
    counted = _count(resolved, resolution)
    expected = {what: fields.integer(key) for what, key in KEYS.items() if what == "params" or fields.has(key)}
    for dataset, (number, classes) in _by_dataset(fields, num_classes).items():
        expected[f"params on {dataset}"] = number
        counted[f"params on {dataset}"] = cost(plan(architecture, 3, classes), resolution).num_params
    differences = _compared("counted", expected, counted)
    if with_build:
        differences += _compared("built", expected, _count_module(resolved, resolution))
    if differences:
        return Check(name, "different", "; ".join(differences), expected, counted)
    nominal = fields.integer("nominal_depth") if fields.has("nominal_depth") else None
    return Check(name, "exact", _depth_remark(nominal, architecture), expected, counted)


def _by_dataset(fields: Fields, num_classes: int) -> dict[str, tuple[int, int]]:
    """Return the parameters that an entry gives for other data sets, each with the number of classes.

    Raises:
        ValueError: If the number of classes is not known.
    """
    known = {**NUM_CLASSES, fields.text("dataset", ""): num_classes}
    given = fields.optional("params_exact_by_dataset")
    for dataset in given.names if given else ():
        if given and dataset not in known:
            raise given.error("an unknown number of classes", dataset)
    return {name: (given.integer(name), known[name]) for name in given.names} if given else {}


def _count(resolved: Plan, resolution: int) -> Counts:
    """Count a plan by arithmetic."""
    total = cost(resolved, resolution)
    norms = sum(2 * layer.channels for layer in resolved.layers() if isinstance(layer, Norm))
    return {"params": total.num_params, "params without norms": total.num_params - norms, "MACs": total.num_macs}


def _count_module(resolved: Plan, resolution: int) -> Counts:
    """Build the module of a plan on the meta device and count what torch sees."""
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    from ressearch.model.network import build

    with torch.device("meta"):
        network = build(resolved).eval()
        images = torch.empty(1, 3, resolution, resolution)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    total = sum(parameter.numel() for parameter in network.parameters())
    scales = sum(parameter.numel() for norm in norms for parameter in norm.parameters())
    return {"params": total, "params without norms": total - scales, "MACs": counter.get_total_flops() // 2}


def _compared(how: str, expected: Counts, counted: Counts) -> list[str]:
    """Say where two counts differ; what only one of them has is not compared."""
    return [
        f"{what}: expected {expected[what]:,}, {how} {counted[what]:,} ({counted[what] - expected[what]:+,})"
        for what in expected
        if what in counted and counted[what] != expected[what]
    ]


def _depth_remark(nominal: int | None, architecture: Architecture) -> str:
    """Say so where the depth in a network's name counts no layers: those of the blocks and two, or also projections."""
    layers = sum(block.stage.transform.num_convs for block in architecture.blocks)
    depths = (layers + 2, layers + 1 + len(architecture.stages))
    if nominal is None or nominal in depths:
        return ""
    return f"nominal_depth {nominal}, counted {depths[0]}, or {depths[1]} with a projection in every stage"


def as_table(checks: Sequence[Check]) -> Table:
    """Draw one row for each entry."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("id", overflow="fold")
    for what in KEYS:
        table.add_column(f"{what}\nexpected", justify="right")
        table.add_column("\ncounted", justify="right")
    table.add_column("verdict", overflow="fold")
    for done in checks:
        numbers = (numbers.get(what) for what in KEYS for numbers in (done.expected, done.counted))
        verdict = Text(done.verdict, style=STYLES[done.verdict]) + Text(f": {done.remark}" if done.remark else "")
        table.add_row(Text(done.name), *("" if number is None else f"{number:,}" for number in numbers), verdict)
    return table


def summary(checks: Sequence[Check], *, with_build: bool) -> str:
    """Say in one line how many entries have which verdict."""
    how = "by arithmetic and as built" if with_build else "by arithmetic"
    verdicts = ", ".join(f"{sum(check.verdict == verdict for check in checks)} {verdict}" for verdict in STYLES)
    return f"{len(checks)} entries counted {how}: {verdicts}"
