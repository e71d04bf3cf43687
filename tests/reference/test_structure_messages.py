"""What a structure may not say: one message each."""

import copy
import re
from typing import Any

import pytest
import yaml

from ressearch.arch import plan
from ressearch.reference import read_structure
from ressearch.reference.structure import Structure as Network
from ressearch.space.yaml_nodes import compose

Structure = dict[str, Any]

RESNET_20: Structure = {
    "input_size": 32,
    "block": "basic",
    "residual": True,
    "ordering": "original",
    "blocks_per_stage": [3, 3, 3],
    "expansion": 1,
    "stage_inner_channels": [16, 32, 64],
    "stage_out_channels": [16, 32, 64],
    "stage_strides": [1, 2, 2],
    "cardinality": 1,
    "stride_on": "conv3x3",
    "stem": {"kernel": 3, "stride": 1, "channels": 16, "bn": True, "relu": True, "max_pool": None},
    "shortcut": {"type": "identity", "dim_change": "zero_pad_subsample"},
    "tail": "none",
}
BOTTLENECK = {"block": "bottleneck", "expansion": 4, "stage_out_channels": [64, 128, 256]}
SE = {"ratio": 8, "placement": "standard"}
DROP_PATH = {"rule": "linear_decay", "p_0": 1.0, "p_L": 0.5, "units": 9, "expected_active_units": 6.5}
ROR = {"levels": 3, "root_shortcut": "conv1x1 to the end", "middle_shortcut": "conv1x1 over each stage"}
PYRAMID = {
    "widening": {"rule": "additive", "alpha": 9, "start": 16, "units": 9, "final_inner_channels": 25},
    "stage_inner_channels": None,
    "stage_out_channels": None,
}


def read(structure: object) -> Network:
    """A structure as it is read from a file."""
    return read_structure(compose(yaml.safe_dump({"structure": structure}), "networks.yaml").items["structure"])


def changed(changes: Structure) -> Structure:
    """ResNet-20 with other values; a dotted name reaches into a section, None takes a field away."""
    structure = copy.deepcopy(RESNET_20)
    for name, value in changes.items():
        section, _, key = name.rpartition(".")
        target = structure[section] if section else structure
        target[key] = copy.deepcopy(value)
    return structure


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bottleneck_width": 16},
        {**BOTTLENECK, "cardinality": 8, "bottleneck_width": 2},
        {"widening": {"rule": "constant_factor", "k": 16}},
        PYRAMID,
        {"se": SE},
        {"drop_path": DROP_PATH},
        {"drop_path": {"rule": "uniform", "p_0": 0.8, "p_L": 0.8, "expected_active_units": 7.2}},
        {"ror": {**ROR, "root_stride": 4, "middle_strides": [1, 2, 2], "relu_after_stage_addition": True}},
        {"ror": {"levels": 2, "root_shortcut": "projection"}},
        {"ror": {"levels": 1}},
        {"ror": {**ROR, "levels": 1, "relu_after_stage_addition": True}},
        {"ror": {**ROR, "levels": 2, "relu_after_stage_addition": True}},
        {"residual": False, "shortcut": {"type": "none", "dim_change": "none"}},
    ],
)
def test_what_the_refused_ones_differ_from_is_read(changes: Structure) -> None:
    assert plan(read(changed(changes)).architecture, 3, 10).stages


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block": None}, "networks.yaml:2: structure: 'block' is missing"),
        ({"block": "inverted"}, "structure.block: got 'inverted', expected one of basic, bottleneck, single"),
        ({"ordering": "preact"}, "structure.ordering: got 'preact', expected one of original, bn_after_addition, "),
        ({"blocks_per_stage": [3, 0, 3]}, "structure.blocks_per_stage[1]: got 0, expected a positive integer"),
        ({"stage_strides": [1, 2]}, "structure.stage_strides: got [1, 2], expected one for each of the 3 stages"),
        ({"blocks_per_stage": [10**6, 1, 1]}, "blocks_per_stage: got 1,000,002 blocks, expected 1 to 100,000"),
        ({"input_size": 0}, "structure.input_size: got 0, expected a positive integer"),
        ({"input_size": "32"}, "structure.input_size: got '32', expected a whole number; leave the quotes out"),
        ({"dilation": 2}, "structure.dilation: got 2, unknown here, or without effect"),
        (
            {"shortcut.dropout_rate": 0.5},
            "structure.shortcut.dropout_rate: got 0.5, unknown here, or without effect",
        ),
        ({"stem": [3, 1]}, "structure.stem: got a list, expected keys with values"),
        (
            {"stem.kernel": 5},
            "structure.stem: got 5x5 with stride 1; there are only cifar: 3x3 convolution (section 4.2); ",
        ),
        ({"stem.bn": 1}, "structure.stem.bn: got 1, expected true or false"),
        (
            {"stem.max_pool": {"kernel": 3, "stride": 2, "padding": 0}},
            "structure.stem.max_pool.padding: got 0, expected 1",
        ),
        ({"tail": "dropout"}, "structure.tail: got 'dropout', expected one of none, bn, relu, bn_relu"),
        ({"conv_bias": True}, "structure.conv_bias: got True, expected False"),
        ({"fc_bias": False}, "structure.fc_bias: got False, expected True"),
        ({"pool": "max"}, "structure.pool: got 'max', expected 'global_average'"),
        ({"cardinality": 4}, "basic blocks have one width and no groups; got expansion 1 and cardinality 4"),
        ({"expansion": 4}, "basic blocks have one width and no groups; got expansion 4 and cardinality 1"),
        (
            {"stage_inner_channels": [8, 16, 32]},
            "expansion: 1 does not lead from inner widths [8, 16, 32] to [16, 32, 64]",
        ),
        ({**BOTTLENECK, "expansion": 2}, "structure.expansion: 2 does not lead from inner widths [16, 32, 64] to [64"),
        ({**BOTTLENECK, "cardinality": 3, "bottleneck_width": 5}, "3 groups of 5 channels are not the 16 of the first"),
        ({**BOTTLENECK, "cardinality": 3}, "stage 1: cardinality 3 does not divide the inner width 16"),
        (
            {"widening": {"rule": "constant_factor", "k": 10}},
            "structure.widening.k: 10 does not divide the inner widths",
        ),
        ({"widening": {"rule": "constant_factor", "k": 0}}, "structure.widening.k: 0 does not divide the inner widths"),
        ({**PYRAMID, "widening.start": 8}, "structure.widening.start: got 8, expected 16"),
        ({**PYRAMID, "widening.units": 54}, "structure.widening.units: got 54, expected 9"),
        ({**PYRAMID, "widening.final_inner_channels": 64}, "widening.final_inner_channels: got 64, expected 25"),
        (
            {**PYRAMID, "widening.first_inner_channels": [17, 19]},
            "first_inner_channels: got [17, 19], expected [17, 18]",
        ),
        (
            {**PYRAMID, "widening.rounding": "floor"},
            "structure.widening.rounding: got 'floor', expected 'floor(d+0.5) of the running",
        ),
        (
            {**PYRAMID, "stage_inner_channels": [16, 32, 64]},
            "structure.stage_inner_channels: got a list, unknown here, or without effect",
        ),
        (
            {"residual": False},
            "residual false contradicts the shortcut of type identity with dim_change zero_pad_subsample",
        ),
        (
            {"shortcut.dim_change": "none"},
            "residual true contradicts the shortcut of type identity with dim_change none",
        ),
        ({"shortcut.type": "dense"}, "structure.shortcut.type: got 'dense', expected one of identity, conv1x1, none, "),
        ({"shortcut.type": "constant_scale"}, "structure.shortcut: 'shortcut_scale' is missing"),
        (
            {"shortcut": {"type": "exclusive_gate", "dim_change": "projection", "gate": "linear"}},
            "structure.shortcut.gate: got 'linear', expected 'conv1x1 with bias, sigmoid'",
        ),
        (
            {
                "shortcut.type": "constant_scale",
                "shortcut.dim_change": "projection",
                "shortcut.shortcut_scale": 0,
                "shortcut.residual_scale": 1,
            },
            "structure.shortcut.shortcut_scale: 0 leaves projections that would never learn",
        ),
        ({"stage_inner_channels": [16, 8, 8], "stage_out_channels": [16, 8, 8]}, "cannot narrow 16 channels to 8"),
        (
            {"se": {**SE, "placement": "everywhere"}},
            "structure.se.placement: got 'everywhere', expected one of end of residual branch, ",
        ),
        ({"se": {**SE, "gate": "softmax"}}, "structure.se.gate: got 'softmax', expected 'sigmoid'"),
        ({"se": {**SE, "ratio": 32}}, "stage 1: se_ratio 32 leaves no hidden unit for 16 channels"),
        ({"drop_path": {**DROP_PATH, "units": 54}}, "structure.drop_path.units: got 54, expected 9"),
        ({"drop_path": {**DROP_PATH, "p_0": 0.9}}, "structure.drop_path.p_0: got 0.9, expected 1"),
        ({"drop_path": {"rule": "linear_decay", "p_L": 0}}, "0 <= drop_path_rate < 1 must hold, got 1"),
        ({"drop_path": {**DROP_PATH, "expected_active_units": 8}}, "expected_active_units: got 8, counted 6.5"),
        (
            {"drop_path": {**DROP_PATH, "granularity": "per sample"}},
            "granularity: got 'per sample', expected 'per mini-batch, whole unit'",
        ),
        ({"ror": {**ROR, "levels": 5}}, "structure.ror.levels: got 5, expected 1, 2 or 3"),
        ({"ror": {**ROR, "root_stride": 2}}, "structure.ror.root_stride: got 2, expected 4"),
        (
            {"ror": {**ROR, "middle_strides": [2, 2, 2]}},
            "structure.ror.middle_strides: got [2, 2, 2], expected [1, 2, 2]",
        ),
        (
            {"ror": {**ROR, "middle_shortcut": "avg_pool_zero_pad"}},
            "root_shortcut and middle_shortcut must be of one kind",
        ),
        (
            {"ror": {**ROR, "relu_at_end_of_last_block_of_stage": True}},
            "structure.ror.relu_at_end_of_last_block_of_stage: got True, expected False",
        ),
    ],
)
def test_structures_that_are_refused(changes: Structure, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(read(changed(changes)).architecture, 3, 10)


@pytest.mark.parametrize("structure", [None, [], "resnet-20", {}])
def test_what_is_no_structure(structure: object) -> None:
    with pytest.raises(
        ValueError, match=r"^networks\.yaml:1: structure: ('\w+' is missing|got .+, expected keys with values)"
    ):
        read(structure)
