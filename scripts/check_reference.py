"""Count the networks of a reference collection and compare with the numbers that stand there.

python scripts/check_reference.py FILE [--build]

For every entry of the YAML file: its `structure` becomes an architecture, whose parameters, parameters without norms
and MACs are counted by arithmetic; --build makes the module too, on the meta device, and counts its tensors and what
torch's flop counter sees. A number that an entry leaves out is shown, but not compared.

Exit status: 0 if all entries are exact, 1 if one differs or is refused, 2 if the file cannot be read.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich import box
from rich.table import Table
from rich.text import Text

from ressearch.arch import Architecture, Plan, cost, plan
from ressearch.arch.fields import Fields
from ressearch.arch.layers import Norm
from ressearch.arch.literature import DATASETS
from ressearch.arch.structure import read_structure
from ressearch.report.console import new_console

Counts = dict[str, int]
"""Numbers by what they count: the keys of KEYS, and `params on <dataset>`."""

KEYS = {"params": "params_exact", "params without norms": "params_without_bn", "MACs": "macs_exact"}
NUM_CLASSES = {name: images.num_classes for name, images in DATASETS.items()} | {"svhn": 10, "tiny_imagenet": 200}
STYLES = {"exact": "green", "different": "bold red", "refused": "yellow"}


@dataclass(frozen=True)
class Check:
    """One entry: the numbers in the file, those counted, and whether they agree."""

    name: str
    verdict: str
    remark: str = ""
    expected: Counts = field(default_factory=dict)
    counted: Counts = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, help="YAML file in the schema of the reference collection")
    parser.add_argument("--build", action="store_true", help="also build every module and count again")
    arguments = parser.parse_args()
    try:
        entries = read_entries(arguments.file)
    except ValueError as error:
        print(f"check_reference: {error}", file=sys.stderr)
        sys.exit(2)
    checks = [check(entry, number, with_build=arguments.build) for number, entry in enumerate(entries, start=1)]
    new_console().print(as_table(checks))
    totals = {verdict: sum(done.verdict == verdict for done in checks) for verdict in STYLES}
    how = "by arithmetic and as built" if arguments.build else "by arithmetic"
    verdicts = ", ".join(f"{total} {verdict}" for verdict, total in totals.items())
    print(f"{len(checks)} entries counted {how}: {verdicts}")
    sys.exit(0 if totals["exact"] == len(checks) else 1)


def read_entries(path: Path) -> list[Any]:
    """Return the entries of a file.

    Raises:
        ValueError: If there are none, with the reason in one line.
    """
    try:
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    entries = data.get("architectures") if isinstance(data, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path}: expected a mapping with a list of architectures")
    return entries


def check(entry: Any, number: int, *, with_build: bool) -> Check:
    """Compare the numbers of an entry with what is counted."""
    name = str(entry.get("id", number)) if isinstance(entry, Mapping) else str(number)
    try:
        fields = Fields(entry, "entry")
        architecture, resolution = read_structure(entry.get("structure"))
        num_classes = fields.integer("num_classes")
        resolved = plan(architecture, 3, num_classes)
        counted = count(resolved, resolution)
        expected = {what: fields.integer(key) for what, key in KEYS.items() if what == "params" or fields.has(key)}
        for dataset, (number, classes) in by_dataset(fields, num_classes).items():
            expected[f"params on {dataset}"] = number
            counted[f"params on {dataset}"] = cost(plan(architecture, 3, classes), resolution).num_params
    except ValueError as error:
        return Check(name, "refused", str(error))
    differences = compared("counted", expected, counted)
    if with_build:
        differences += compared("built", expected, count_module(resolved, resolution))
    if differences:
        return Check(name, "different", "; ".join(differences), expected, counted)
    return Check(name, "exact", depth_remark(entry.get("nominal_depth"), architecture), expected, counted)


def by_dataset(entry: Fields, num_classes: int) -> dict[str, tuple[int, int]]:
    """Return the parameters that an entry gives for other data sets, each with the number of classes.

    Raises:
        ValueError: If nobody knows how many classes there are.
    """
    known = {**NUM_CLASSES, entry.text("dataset", ""): num_classes}
    given = entry.optional("params_exact_by_dataset")
    for dataset in given.names if given else ():
        if dataset not in known:
            raise ValueError(f"entry.params_exact_by_dataset: nobody knows how many classes {dataset} has")
    return {name: (given.integer(name), known[name]) for name in given.names} if given else {}


def count(resolved: Plan, resolution: int) -> Counts:
    """Count a plan by arithmetic."""
    total = cost(resolved, resolution)
    norms = sum(2 * layer.channels for layer in resolved.layers() if isinstance(layer, Norm))
    return {"params": total.num_params, "params without norms": total.num_params - norms, "MACs": total.num_macs}


def count_module(resolved: Plan, resolution: int) -> Counts:
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


def compared(how: str, expected: Counts, counted: Counts) -> list[str]:
    """Say where two counts differ; what only one of them has is not compared."""
    return [
        f"{what}: expected {expected[what]:,}, {how} {counted[what]:,} ({counted[what] - expected[what]:+,})"
        for what in expected
        if what in counted and counted[what] != expected[what]
    ]


def depth_remark(nominal: object, architecture: Architecture) -> str:
    """Say so where the depth in a network's name counts no layers: those of the blocks and two, or also projections."""
    layers = sum(block.stage.transform.num_convs for block in architecture.blocks)
    depths = (layers + 2, layers + 1 + len(architecture.stages))
    if nominal is None or nominal in depths:
        return ""
    return f"nominal_depth {nominal}, counted {depths[0]}, or {depths[1]} with a projection in every stage"


def as_table(checks: list[Check]) -> Table:
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


if __name__ == "__main__":
    main()
