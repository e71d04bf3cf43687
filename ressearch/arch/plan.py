"""The plan: an architecture for given images with every layer resolved. Counting, building and exporting read it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from functools import lru_cache

from ressearch.arch.architecture import Architecture, BlockShape, InfeasibleError, SqueezeExcitation, name_of
from ressearch.arch.layers import (
    Act,
    Activation,
    Conv,
    GlobalAvgPool,
    Layer,
    Linear,
    Norm,
    Path,
    SqueezeExcite,
)
from ressearch.arch.orderings import Ordering


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block: x = before(x); return after(branch(x) + shortcut(x)).

    `shortcut` is () for the identity and None where nothing is added (a plain network).
    """

    before: Path
    branch: Path
    shortcut: Path | None
    after: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Stem, stages of blocks, head: a network from (N, in_channels, H, W) images to (N, num_classes) logits."""

    stem: Path
    stages: tuple[tuple[Block, ...], ...]
    head: Path

    def layers(self) -> Iterator[Layer]:
        """Every layer in the order in which parameters are created: before, branch, shortcut, after."""
        yield from self.stem
        for stage in self.stages:
            for block in stage:
                for path in (block.before, block.branch, block.shortcut or (), block.after):
                    yield from path
        yield from self.head


def plan(architecture: Architecture, in_channels: int, num_classes: int) -> Plan:
    """Resolve every layer of an architecture.

    Raises:
        InfeasibleError: If a shortcut cannot connect two widths.
    """
    ordering, activation = architecture.ordering, architecture.activation
    steps = ordering.value
    stem: Path = (
        Conv(in_channels, architecture.stem_width, kernel=3),
        *_steps(steps.stem, architecture.stem_width, activation),
    )
    shapes = iter(architecture.blocks)
    stages = tuple(
        tuple(_block(next(shapes), ordering, activation, number == 0 and index == 0) for index in range(stage.depth))
        for number, stage in enumerate(architecture.stages)
    )
    c_out = architecture.blocks[-1].c_out
    head: Path = (*_steps(steps.tail, c_out, activation), GlobalAvgPool(), Linear(c_out, num_classes))
    return Plan(stem, stages, head)


@lru_cache(maxsize=65_536)  # blocks repeat within and across candidates; sharing them is what makes counting fast
def _block(shape: BlockShape, ordering: Ordering, activation: Activation, is_first: bool) -> Block:
    """Assemble one block.

    The leading steps feed both paths where the shortcut has parameters and, if they activate, in the first block
    of the network, whose stem was left without an activation (He et al. 2016, arXiv:1603.05027, appendix).
    """
    steps, stage = ordering.value, shape.stage
    try:
        shortcut = stage.shortcut.path(shape.c_in, shape.c_out, shape.stride)
    except ValueError as error:
        raise InfeasibleError("shortcut", str(error)) from None
    if shortcut and isinstance(shortcut[-1], Conv):
        shortcut += _steps(steps.projection, shape.c_out, activation)
    has_weights = any(isinstance(layer, Conv) for layer in shortcut or ())
    shared = has_weights or (is_first and "A" in steps.first)
    first = _steps(steps.first, shape.c_in, activation)
    branch = _branch(shape, ordering, activation)
    return Block(
        before=first if shared else (),
        branch=branch if shared else first + branch,
        shortcut=shortcut,
        after=_steps(steps.merged, shape.c_out, activation),
    )


def _branch(shape: BlockShape, ordering: Ordering, activation: Activation) -> Path:
    """Return the convolutions with the steps between and after them; squeeze-and-excitation ends the branch."""
    steps, stage = ordering.value, shape.stage
    convs = stage.transform.value.convs
    path: Path = ()
    c_in = shape.c_in
    for index, conv in enumerate(convs):
        is_last = index == len(convs) - 1
        c_out = shape.c_out if is_last else shape.inner
        stride = shape.stride if conv.strided else 1
        path += (Conv(c_in, c_out, conv.kernel, stride, stage.cardinality if conv.grouped else 1),)
        path += _steps(steps.last if is_last else steps.between, c_out, activation)
        c_in = c_out
    if stage.se is SqueezeExcitation.STANDARD:
        path += (SqueezeExcite(shape.c_out, shape.c_out // stage.se_ratio),)
    return path


def _steps(steps: str, channels: int, activation: Activation) -> Path:
    return tuple(Norm(channels) if step == "N" else Act(activation) for step in steps)


def architecture_id(architecture: Architecture) -> str:
    """Return ten hexadecimal digits that are equal for equal networks, however they were described.

    Hashes the resolved layers rather than the description: a projection that never projects, two squeeze ratios
    that leave the same hidden units, or two alphas that round to the same widths are one network. The number of
    classes and of input channels do not enter.
    """
    resolved = plan(architecture, in_channels=3, num_classes=10)
    blocks = (_text(block) for stage in resolved.stages for block in stage)
    text = "\n".join((_path_text(resolved.stem), *blocks, _path_text(resolved.head)))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@lru_cache(maxsize=65_536)
def _text(block: Block) -> str:
    paths = (block.before, block.branch, block.shortcut, block.after)
    return "; ".join("none" if path is None else _path_text(path) for path in paths)


def _path_text(path: Path) -> str:
    return " ".join(_layer_text(layer) for layer in path)


@lru_cache(maxsize=65_536)
def _layer_text(layer: Layer) -> str:
    """Name a layer by its fields; defaults are left out so that a field added later keeps old ids."""
    given = {}
    for spec in fields(layer):
        value = getattr(layer, spec.name)
        if spec.default is MISSING or value != spec.default:
            given[spec.name] = name_of(value) if isinstance(value, Enum) else value
    return type(layer).__name__ + json.dumps(given, sort_keys=True)
