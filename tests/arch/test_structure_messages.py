"""What a structure may not say: one message each."""

import copy
import re
from typing import Any

import pytest

from ressearch.arch import plan
from ressearch.arch.structure import read_structure

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
    assert plan(read_structure(changed(changes)).architecture, 3, 10).stages


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block": None}, "structure.block is missing"),
        ({"block": "inverted"}, "structure.block: expected one of basic; bottleneck; single, got 'inverted'"),
        ({"ordering": "preact"}, "structure.ordering: expected one of original; bn_after_addition; "),
        ({"blocks_per_stage": [3, 0, 3]}, "blocks_per_stage: expected a list of positive integers, got [3, 0, 3]"),
        ({"stage_strides": [1, 2]}, "structure.stage_strides: expected one for each of the 3 stages, got [1, 2]"),
        ({"blocks_per_stage": [10**6, 1, 1]}, "blocks_per_stage: expected 1 to 100,000 blocks, got 1,000,002"),
        ({"input_size": 0}, "structure.input_size: expected a positive integer, got 0"),
        ({"input_size": "32"}, "structure.input_size: expected a positive integer, got '32'"),
        ({"dilation": 2}, "structure.dilation is unknown, or says nothing of this network: 2"),
        ({"shortcut.dropout_rate": 0.5}, "structure.shortcut.dropout_rate is unknown, or says nothing of this network"),
        ({"stem": [3, 1]}, "structure.stem must be a mapping, got [3, 1]"),
        (
            {"stem.kernel": 5},
            "structure.stem: got 5x5 with stride 1; there are only cifar: 3x3 convolution (section 4.2); ",
        ),
        ({"stem.bn": 1}, "structure.stem.bn: expected true or false, got 1"),
        (
            {"stem.max_pool": {"kernel": 3, "stride": 2, "padding": 0}},
            "structure.stem.max_pool.padding: expected 1, got 0",
        ),
        ({"tail": "dropout"}, "structure.tail: expected one of none; bn; relu; bn_relu, got 'dropout'"),
        ({"conv_bias": True}, "structure.conv_bias: expected False, got True"),
        ({"fc_bias": False}, "structure.fc_bias: expected True, got False"),
        ({"pool": "max"}, "structure.pool: expected 'global_average', got 'max'"),
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
        ({**PYRAMID, "widening.start": 8}, "structure.widening.start: expected 16, got 8"),
        ({**PYRAMID, "widening.units": 54}, "structure.widening.units: expected 9, got 54"),
        ({**PYRAMID, "widening.final_inner_channels": 64}, "widening.final_inner_channels: expected 25, got 64"),
        (
            {**PYRAMID, "widening.first_inner_channels": [17, 19]},
            "first_inner_channels: expected [17, 18], got [17, 19]",
        ),
        (
            {**PYRAMID, "widening.rounding": "floor"},
            "structure.widening.rounding: expected 'floor(d+0.5) of the running",
        ),
        (
            {**PYRAMID, "stage_inner_channels": [16, 32, 64]},
            "structure.stage_inner_channels is unknown, or says nothing",
        ),
        (
            {"residual": False},
            "residual false contradicts the shortcut of type identity with dim_change zero_pad_subsample",
        ),
        (
            {"shortcut.dim_change": "none"},
            "residual true contradicts the shortcut of type identity with dim_change none",
        ),
        ({"shortcut.type": "dense"}, "structure.shortcut.type: expected one of identity; conv1x1; none; "),
        ({"shortcut.type": "constant_scale"}, "structure.shortcut.shortcut_scale is missing"),
        (
            {"shortcut": {"type": "exclusive_gate", "dim_change": "projection", "gate": "linear"}},
            "structure.shortcut.gate: expected 'conv1x1 with bias, sigmoid', got 'linear'",
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
        ({"se": {**SE, "placement": "everywhere"}}, "structure.se.placement: expected one of end of residual branch, "),
        ({"se": {**SE, "gate": "softmax"}}, "structure.se.gate: expected 'sigmoid', got 'softmax'"),
        ({"se": {**SE, "ratio": 32}}, "stage 1: se_ratio 32 leaves no hidden unit for 16 channels"),
        ({"drop_path": {**DROP_PATH, "units": 54}}, "structure.drop_path.units: expected 9, got 54"),
        ({"drop_path": {**DROP_PATH, "p_0": 0.9}}, "structure.drop_path.p_0: expected 1, got 0.9"),
        ({"drop_path": {"rule": "linear_decay", "p_L": 0}}, "0 <= drop_path_rate < 1 must hold, got 1"),
        ({"drop_path": {**DROP_PATH, "expected_active_units": 8}}, "expected_active_units: got 8, counted 6.5"),
        (
            {"drop_path": {**DROP_PATH, "granularity": "per sample"}},
            "granularity: expected 'per mini-batch, whole unit'",
        ),
        ({"ror": {**ROR, "levels": 5}}, "structure.ror.levels: got 5; a structure says where 1, 2 or 3 levels stand"),
        ({"ror": {**ROR, "root_stride": 2}}, "structure.ror.root_stride: expected 4, got 2"),
        (
            {"ror": {**ROR, "middle_strides": [2, 2, 2]}},
            "structure.ror.middle_strides: expected [1, 2, 2], got [2, 2, 2]",
        ),
        (
            {"ror": {**ROR, "middle_shortcut": "avg_pool_zero_pad"}},
            "root_shortcut and middle_shortcut must be of one kind",
        ),
        (
            {"ror": {**ROR, "relu_at_end_of_last_block_of_stage": True}},
            "structure.ror.relu_at_end_of_last_block_of_stage: expected False, got True",
        ),
    ],
)
def test_structures_that_are_refused(changes: Structure, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        plan(read_structure(changed(changes)).architecture, 3, 10)


@pytest.mark.parametrize("structure", [None, [], "resnet-20", {}])
def test_what_is_no_structure(structure: object) -> None:
    with pytest.raises(ValueError, match=r"^structure(\.\w+ is missing| must be a mapping)"):
        read_structure(structure)
