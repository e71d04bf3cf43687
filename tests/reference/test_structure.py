"""Structures of a reference collection, counted by us and apart from our code."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ressearch.arch import cost, plan
from ressearch.arch.layers import Norm
from ressearch.reference import read_structure
from ressearch.space.yaml_nodes import compose

CHECKOUT = Path(__file__).parents[2]
REFERENCE = CHECKOUT.parent / "shared" / "reference" / "architectures.yaml"
Structure = dict[str, Any]
Counts = tuple[int, int, int]
"""Parameters, parameters without norms, MACs."""


# --- an independent count: the conventions of the collection, unit by unit, without a line of ours ---


def widths_of(structure: Structure) -> list[tuple[int, int]]:
    """Inner and output width of every unit."""
    widening = structure["widening"]
    depths = structure["blocks_per_stage"]
    if widening is None or widening["rule"] == "constant_factor":
        stages = zip(depths, structure["stage_inner_channels"], structure["stage_out_channels"], strict=True)
        return [(inner, out) for depth, inner, out in stages for _ in range(depth)]
    width, widths = float(widening["start"]), []
    for _ in range(sum(depths)):
        if widening["rule"] == "additive":
            width += widening["alpha"] / sum(depths)
        else:
            width *= widening["alpha"] ** (1 / sum(depths))
        inner = math.floor(width + 0.5)
        widths.append((inner, inner * structure["expansion"]))
    return widths


def independent_count(structure: Structure, num_classes: int) -> Counts:
    weights = norms = macs = 0
    side = structure["input_size"]

    def conv(c_in: int, c_out: int, kernel: int, side_out: int, groups: int = 1, bias: bool = False) -> None:
        nonlocal weights, macs
        weights += kernel**2 * c_in * c_out // groups + bias * c_out
        macs += kernel**2 * c_in * c_out // groups * side_out**2

    def excite(channels: int) -> None:
        nonlocal weights, macs
        hidden = channels // structure["se"]["ratio"]
        weights += 2 * channels * hidden + (channels + hidden) * structure["se"]["fc_bias"]
        macs += 2 * channels * hidden

    stem, shortcut, se, ror = (structure[name] for name in ("stem", "shortcut", "se", "ror"))
    side = math.ceil(side / stem["stride"])
    conv(3, stem["channels"], stem["kernel"], side)
    norms += 2 * stem["channels"] * stem["bn"]
    if stem["max_pool"]:
        side = math.ceil(side / stem["max_pool"]["stride"])
    strides = [
        stride if unit == 0 else 1
        for depth, stride in zip(structure["blocks_per_stage"], structure["stage_strides"], strict=True)
        for unit in range(depth)
    ]
    begins = {sum(structure["blocks_per_stage"][:stage]) for stage in range(len(structure["blocks_per_stage"]))}
    c_in = root_in = middle_in = stem["channels"]
    units = list(zip(widths_of(structure), strides, strict=True))
    for number, ((inner, out), stride) in enumerate(units):
        side_in, side = side, math.ceil(side / stride)
        if number in begins:
            middle_in = c_in
        match structure["block"]:
            case "basic":
                convs = [(c_in, inner, 3, side), (inner, out, 3, side)]
            case "single":
                convs = [(c_in, out, 3, side)]
            case "bottleneck":
                first = side if structure["stride_on"] == "first_conv" else side_in
                convs = [
                    (c_in, inner, 1, first),
                    (inner, inner, 3, side, structure["cardinality"]),
                    (inner, out, 1, side),
                ]
        for arguments in convs:
            conv(*arguments)
            norms += 2 * arguments[0 if structure["ordering"] == "full_preactivation" else 1]
        norms += 2 * c_in * (structure["ordering"] == "pyramid_preactivation")
        changes = c_in != out or stride != 1
        if shortcut["type"] == "conv1x1":
            conv(c_in, out, 1, side)
            norms += 2 * out * shortcut["conv1x1_bn"]
        elif shortcut["dim_change"] == "projection_every_unit" or (shortcut["dim_change"] == "projection" and changes):
            conv(c_in, out, 1, side)
            norms += 2 * out * shortcut["projection_bn"]
        if "gate" in shortcut["type"]:
            conv(c_in, out, 1, side, bias=True)
        if se:
            excite(c_in if se["placement"] == "pre" else out)
        ends = number + 1 in begins or number + 1 == len(units)
        if ror and ror["levels"] == 3 and ends and ror["middle_shortcut"].startswith("conv1x1"):
            conv(middle_in, out, 1, side)
            norms += 2 * out * ror["level_projection_bn"]
        c_in = out
    if ror and ror["levels"] >= 2 and ror["root_shortcut"].startswith("conv1x1"):
        conv(root_in, c_in, 1, side)
        norms += 2 * c_in * ror["level_projection_bn"]
    norms += 2 * c_in * (structure["tail"] in ("bn", "bn_relu"))
    weights += c_in * num_classes + num_classes
    macs += c_in * num_classes
    return weights + norms, weights, macs


def our_count(structure: Structure, num_classes: int) -> Counts:
    entry = compose(yaml.safe_dump({"structure": structure}), "networks.yaml").items["structure"]
    architecture, resolution = read_structure(entry)
    resolved = plan(architecture, in_channels=3, num_classes=num_classes)
    found = cost(resolved, resolution)
    norms = sum(2 * layer.channels for layer in resolved.layers() if isinstance(layer, Norm))
    return found.num_params, found.num_params - norms, found.num_macs


# --- structures that nobody has published ---

PADS = ("zero_pad_subsample", "avg_pool_zero_pad")
PROJECTIONS = ("projection", "projection_every_unit")


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    pick: Callable[..., Any] = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    block = pick("basic", "bottleneck", "single")
    ordering = pick(
        "original",
        "bn_after_addition",
        "relu_before_addition",
        "relu_only_preactivation",
        "full_preactivation",
        "pyramid_preactivation",
    )
    num_stages = pick(1, 2, 3, 4, 5)
    depths = [pick(1, 2, 3, 5) for _ in range(num_stages)]
    strides = [pick(1, 2, 2, 3) for _ in range(num_stages)]
    dim_change = pick(*PADS, *PROJECTIONS)
    stem = {
        "kernel": 3,
        "stride": 1,
        "channels": pick(4, 8, 12, 16),
        "bn": pick(True, False),
        "relu": pick(True, False),
    }
    stem["max_pool"] = None
    if pick(True, False):
        stem |= {"kernel": 7, "stride": 2, "max_pool": {"kernel": 3, "stride": 2, "padding": 1}}
    structure: Structure = {
        "input_size": pick(8, 32, 33, 40, 224),
        "block": block,
        "residual": True,
        "ordering": ordering,
        "blocks_per_stage": depths,
        "stage_strides": strides,
        "stride_on": pick("conv3x3", "first_conv"),
        "stem": stem,
        "tail": pick("none", "bn", "relu", "bn_relu"),
        "dropout": pick(0.0, 0.3),
        "cardinality": 1,
        "bottleneck_width": None,
        "widening": None,
        "drop_path": None,
        "ror": None,
        "se": None,
        "pool": "global_average",
        "fc_bias": True,
        "conv_bias": False,
    }
    structure |= draw(sizes(block, num_stages, stem["channels"], sum(depths), narrows=dim_change in PROJECTIONS))
    structure["shortcut"] = draw(shortcuts(dim_change))
    if pick(True, False):
        placement = pick("end of residual branch, before the addition", "pre", "post", "identity")
        structure["se"] = {"ratio": pick(1, 2, 3, 4), "placement": placement, "fc_bias": pick(True, False)}
        structure["se"] |= {"squeeze": "global_average", "gate": "sigmoid"}
    if pick(True, False):
        rule, last = pick(("linear_decay", 1.0), ("uniform", None)), pick(0.5, 0.8, 1.0)
        structure["drop_path"] = {"rule": rule[0], "p_0": rule[1] or last, "p_L": last, "units": sum(depths)}
    if pick(True, False):
        structure["ror"] = draw(levels(ordering, strides))
    if not draw(st.integers(0, 9)):
        structure |= {"residual": False, "ror": None, "drop_path": None, "se": None}
        structure["shortcut"] = {"type": "none", "dim_change": "none"}
    return structure


@st.composite
def sizes(draw: st.DrawFn, block: str, num_stages: int, stem: int, units: int, *, narrows: bool) -> Structure:
    """Widths: dense or grouped, by stage or by unit; they shrink only where a projection can follow."""
    is_bottleneck = block == "bottleneck"
    expansion = draw(st.sampled_from((1, 2, 3, 4))) if is_bottleneck else 1
    rule = draw(st.sampled_from(("none", "none", "constant_factor", "additive", "multiplicative")))
    if rule in ("additive", "multiplicative"):
        alpha = draw(st.integers(0, 300)) if rule == "additive" else draw(st.floats(1, 8))
        rounding = "floor(d+0.5) of the running unrounded d"
        widening = {"rule": rule, "alpha": alpha, "start": stem, "units": units, "rounding": rounding}
        return {"expansion": expansion, "widening": widening}
    growth = sorted(draw(st.lists(st.integers(1, 12), min_size=num_stages, max_size=num_stages)))
    if narrows:
        growth = draw(st.permutations(growth))
    inner = [stem * factor for factor in growth]
    if is_bottleneck and rule == "none" and draw(st.booleans()):
        groups, per_group = draw(st.sampled_from(((2, 3), (4, 8), (7, 1), (8, 5))))
        inner = [groups * per_group * max(1, factor // growth[0]) for factor in growth]
        out = [stem * expansion * factor for factor in growth]
        grouped = {"cardinality": groups, "bottleneck_width": per_group}
        return {"expansion": expansion, "stage_inner_channels": inner, "stage_out_channels": out, **grouped}
    out = [expansion * width for width in inner]
    widening = {"rule": rule, "k": growth[0]} if rule == "constant_factor" and min(growth) == growth[0] else None
    if widening and any(factor % growth[0] for factor in growth):
        widening["k"] = 1
    return {"expansion": expansion, "stage_inner_channels": inner, "stage_out_channels": out, "widening": widening}


@st.composite
def shortcuts(draw: st.DrawFn, dim_change: str) -> Structure:
    shortcut: Structure = {"dim_change": dim_change}
    if dim_change in PROJECTIONS:
        shortcut |= {"projection_bn": draw(st.booleans())}
        shortcut |= {"projection_input": draw(st.sampled_from(("raw", "shared_preactivated")))}
    kinds: tuple[Structure, ...] = (
        {"type": "identity"},
        {"type": "constant_scale", "shortcut_scale": 0.5, "residual_scale": 1.0},
        {"type": "exclusive_gate", "gate": "conv1x1 with bias, sigmoid", "gate_bias_init": [0, -1, -2]},
        {"type": "shortcut_only_gate", "gate": "conv1x1 with bias, sigmoid", "gate_bias_init": -6},
        {"type": "conv1x1", "conv1x1_bn": draw(st.booleans())},
        {"type": "dropout", "dropout_rate": 0.5},
    )
    return shortcut | draw(st.sampled_from(kinds))


@st.composite
def levels(draw: st.DrawFn, ordering: str, strides: list[int]) -> Structure:
    has_relu = ordering in ("original", "bn_after_addition")
    number = draw(st.sampled_from((2, 3)))
    return {
        "levels": number,
        "root_shortcut": "conv1x1 from stem output to final width",
        "root_stride": math.prod(strides),
        "middle_shortcut": "conv1x1 over each stage, from the stage input" if number == 3 else None,
        "middle_strides": strides if number == 3 else None,
        "level_projection_bn": draw(st.booleans()),
        "relu_after_stage_addition": has_relu if number == 3 else None,
        "relu_at_end_of_last_block_of_stage": False if number == 3 else None,
    }


@settings(max_examples=200)
@given(structure=structures(), num_classes=st.integers(1, 1000))
def test_any_structure_counts_as_it_does_apart_from_our_code(structure: Structure, num_classes: int) -> None:
    assert our_count(structure, num_classes) == independent_count(structure, num_classes)


# --- the collection itself ---

ENTRIES = (
    {}
    if not REFERENCE.exists()
    else {entry["id"]: entry for entry in yaml.load(REFERENCE.read_bytes(), Loader=yaml.CSafeLoader)["architectures"]}
)
needs_the_collection = pytest.mark.skipif(not ENTRIES, reason="the reference collection is not beside this checkout")


@needs_the_collection
def test_every_entry_is_exact() -> None:
    def wrong(count: Callable[[Structure, int], Counts]) -> list[str]:
        keys = ("params_exact", "params_without_bn", "macs_exact")
        return [
            name
            for name, entry in ENTRIES.items()
            if count(entry["structure"], entry["num_classes"]) != tuple(entry[key] for key in keys)
        ]

    assert wrong(our_count) == []
    assert wrong(independent_count) == []  # else the test of invented structures would prove nothing
