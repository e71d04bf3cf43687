"""The cost of a plan by arithmetic: no tensors, no torch."""

from dataclasses import dataclass
from typing import assert_never

from ressearch.arch.layers import (
    Act,
    AvgPool,
    Conv,
    Dropout,
    Gate,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool,
    Norm,
    Path,
    Scale,
    SqueezeExcite,
    Subsample,
    UnscaledDropout,
    ZeroPad,
)
from ressearch.arch.plan_tree import Block, Group, Plan


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
        if other is FREE:
            return self
        return Cost(
            self.num_params + other.num_params,
            self.num_macs + other.num_macs,
            self.num_activations + other.num_activations,
        )


FREE = Cost()
"""One object for all that costs nothing: adding zeros would take half of the time."""


def cost(plan: Plan, resolution: int) -> Cost:
    """Count parameters, MACs and activations for one square image of `resolution` pixels a side."""
    stem, side = path_cost(plan.stem, resolution)
    body, side = _group_cost(plan.body, side, {})
    return stem + body + path_cost(plan.head, side)[0]


_Counted = dict[tuple[int, int], tuple[Cost, int]]


def _group_cost(group: Group, side: int, counted: _Counted) -> tuple[Cost, int]:
    """Count a group on a (side, side) map; equal blocks are one object and count once per size."""
    total, side_out = Cost(), side
    for item in group.items:
        if isinstance(item, Group):
            item_cost, side_out = _group_cost(item, side_out, counted)
        else:
            key = (id(item), side_out)
            if key not in counted:
                counted[key] = _block_cost(item, side_out)
            item_cost, side_out = counted[key]
        total += item_cost
    if group.shortcut:
        total += path_cost(group.shortcut, side)[0]
    if group.after:
        total += path_cost(group.after, side_out)[0]
    return total, side_out


def _block_cost(block: Block, side: int) -> tuple[Cost, int]:
    before, side_in = path_cost(block.before, side)
    branch, side_out = path_cost(block.branch, side_in)
    shortcut, _ = path_cost(block.shortcut or (), side_in)
    gate, _ = path_cost((block.gate,) if block.gate else (), side_in)
    after, _ = path_cost(block.after, side_out)
    return before + branch + shortcut + gate + after, side_out


def path_cost(path: Path, side: int) -> tuple[Cost, int]:
    """Return the cost of layers in sequence on a (side, side) map, and the side of their output."""
    num_params = num_macs = num_activations = 0
    for layer in path:
        counted, side = layer_cost(layer, side)
        if counted is not FREE:
            num_params += counted.num_params
            num_macs += counted.num_macs
            num_activations += counted.num_activations
    is_free = not (num_params or num_macs or num_activations)
    return FREE if is_free else Cost(num_params, num_macs, num_activations), side


def layer_cost(layer: Layer, side: int) -> tuple[Cost, int]:
    """Return the cost of a layer on a (side, side) map, and the side of its output."""
    match layer:
        case Conv(c_in, c_out, kernel, stride, groups):
            side = -(-side // stride)
            weights = kernel * kernel * (c_in // groups) * c_out
            return Cost(weights, weights * side * side, c_out * side * side), side
        case Norm(channels):
            return Cost(num_params=2 * channels), side
        case Act() | ZeroPad() | Scale() | Dropout() | UnscaledDropout():
            return FREE, side
        case SqueezeExcite(channels, hidden, bias):
            weights = 2 * channels * hidden
            return Cost(weights + (hidden + channels if bias else 0), weights, hidden + channels), side
        case Gate(c_in, c_out, stride, _, _):
            side = -(-side // stride)
            return Cost(c_in * c_out + c_out, c_in * c_out * side * side, c_out * side * side), side
        case Linear(c_in, c_out):
            return Cost(c_in * c_out + c_out, c_in * c_out, c_out), side
        case Subsample(stride) | AvgPool(stride) | MaxPool(_, stride):
            return FREE, -(-side // stride)
        case GlobalAvgPool():
            return FREE, 1
        case _:
            assert_never(layer)
