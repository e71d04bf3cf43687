"""What README says of the borders of the space."""

import pytest

from ressearch.arch import Architecture, Stage, architecture_id, cost, plan
from ressearch.arch.layers import Conv

Sizes = tuple[int, ...]


@pytest.mark.parametrize(
    ("depths", "widths", "group_width", "num_params"),
    [  # torchvision 0.28: regnet_x_400mf, regnet_x_800mf
        ((1, 2, 7, 12), (32, 64, 160, 400), 16, 5_495_976),
        ((1, 3, 7, 5), (64, 128, 288, 672), 16, 7_259_656),
    ],
)
def test_a_regnet_can_be_written_down(depths: Sizes, widths: Sizes, group_width: int, num_params: int) -> None:
    stages = [
        Stage(
            depth=depth,
            width=width,
            stride=2,
            transform="bottleneck",
            bottleneck_ratio=1.0,
            cardinality=width // group_width,
            shortcut="projection",
        )
        for depth, width in zip(depths, widths, strict=True)
    ]
    network = Architecture(stem="strided", stem_width=32, stages=stages)
    assert cost(plan(network, 3, 1000), 224).num_params == num_params


def test_groups_change_nothing_in_a_basic_block() -> None:
    basic, grouped = (Architecture(stages=[Stage(depth=2, width=16, cardinality=groups)]) for groups in (1, 4))
    assert architecture_id(basic) == architecture_id(grouped)


def test_as_many_groups_as_channels_are_a_depthwise_convolution() -> None:
    stage = Stage(depth=1, width=16, transform="bottleneck", bottleneck_ratio=1.0, cardinality=16)
    convolutions = [layer for layer in plan(Architecture(stages=[stage]), 3, 10).layers() if isinstance(layer, Conv)]
    assert [(conv.kernel, conv.groups) for conv in convolutions[1:]] == [(1, 1), (3, 16), (1, 1)]
