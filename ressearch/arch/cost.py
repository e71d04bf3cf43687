"""The cost of a plan by arithmetic: no tensors, no torch."""

from dataclasses import dataclass
from typing import assert_never

from ressearch.arch.layers import (
    Act,
    Conv,
    GlobalAvgPool,
    Layer,
    Linear,
    Norm,
    Path,
    SqueezeExcite,
    Subsample,
    ZeroPad,
)
from ressearch.arch.plan import Block, Plan


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one image.

    num_params: weights that are trained, norms included.
    num_macs: multiply-adds of convolutions and linear layers; norms, activations and pooling are left out.
    num_activations: output elements of convolutions and linear layers (Radosavovic et al. 2020, arXiv:2003.13678).
    """

    num_params: int = 0
    num_macs: int = 0
    num_activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.num_params + other.num_params,
            self.num_macs + other.num_macs,
            self.num_activations + other.num_activations,
        )


def cost(plan: Plan, resolution: int) -> Cost:
    """Count parameters, MACs and activations for one square image of `resolution` pixels a side."""
    total, side = _path_cost(plan.stem, resolution)
    counted: dict[tuple[int, int], tuple[Cost, int]] = {}  # equal blocks are one object: count each once per size
    for stage in plan.stages:
        for block in stage:
            key = (id(block), side)
            if key not in counted:
                counted[key] = _block_cost(block, side)
            block_cost, side = counted[key]
            total += block_cost
    return total + _path_cost(plan.head, side)[0]


def _block_cost(block: Block, side: int) -> tuple[Cost, int]:
    before, side_in = _path_cost(block.before, side)
    branch, side_out = _path_cost(block.branch, side_in)
    shortcut, _ = _path_cost(block.shortcut or (), side_in)
    after, _ = _path_cost(block.after, side_out)
    return before + branch + shortcut + after, side_out


def _path_cost(path: Path, side: int) -> tuple[Cost, int]:
    total = Cost()
    for layer in path:
        layer_cost, side = _layer_cost(layer, side)
        total += layer_cost
    return total, side


def _layer_cost(layer: Layer, side: int) -> tuple[Cost, int]:
    """Return the cost of a layer on a (side, side) map, and the side of its output."""
    match layer:
        case Conv(c_in, c_out, kernel, stride, groups):
            side = -(-side // stride)
            weights = kernel * kernel * (c_in // groups) * c_out
            return Cost(weights, weights * side * side, c_out * side * side), side
        case Norm(channels):
            return Cost(num_params=2 * channels), side
        case SqueezeExcite(channels, hidden):
            weights = 2 * channels * hidden
            return Cost(weights + hidden + channels, weights, hidden + channels), side
        case Linear(c_in, c_out):
            return Cost(c_in * c_out + c_out, c_in * c_out, c_out), side
        case Subsample(stride):
            return Cost(), -(-side // stride)
        case GlobalAvgPool():
            return Cost(), 1
        case Act() | ZeroPad():
            return Cost(), side
        case _:
            assert_never(layer)
