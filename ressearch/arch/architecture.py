"""The architecture: a point of the residual design space, as one frozen value that validates itself."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cached_property
from math import isfinite
from types import UnionType
from typing import Any, get_args

from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Places, Stem
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening

VERSION = 1
"""Version of the dictionary form, written into every file that holds one."""


class InfeasibleError(ValueError):
    """A combination of valid values that is no network; never repaired, always refused.

    Attributes:
        rule: The axis that cannot be met, for counting refusals.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def _axis(
    summary: str,
    *,
    minimum: float = 0,
    below: float = float("inf"),
    default: Any = MISSING,
    reads: Callable[[Any], bool] | None = None,
) -> Any:
    """Declare a field together with what the YAML loader and the help text need to know of it.

    Numbers lie in minimum <= x < below. `reads` tells whether a stage or an architecture reads the field at all; where
    it does not, the field changes nothing and is left out of the canonical form.
    """
    return field(default=default, metadata={"summary": summary, "minimum": minimum, "below": below, "reads": reads})


def _merge_reads(name: str) -> Callable[[Any], bool]:
    return lambda stage: name in stage.merge.value.reads


def _has_inner_width(stage: Any) -> bool:
    return bool(stage.transform.value.has_inner_width)


def _has_se(stage: Any) -> bool:
    return stage.se is not SqueezeExcitation.NONE


def _has_levels(architecture: Any) -> bool:
    return bool(architecture.levels > 1)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks that share one width, one transform and one resolution."""

    depth: int = _axis("number of blocks", minimum=1)
    width: int | None = _axis("output channels of every block (not under a pyramid)", minimum=1, default=None)
    stride: int = _axis("stride of the first block", minimum=1, default=1)
    transform: Transform = _axis("convolutions of the branch", default=Transform.BASIC)
    bottleneck_ratio: float = _axis("inner width / output width of a bottleneck", default=0.25, reads=_has_inner_width)
    cardinality: int = _axis("groups of a bottleneck's 3x3 convolution", minimum=1, default=1, reads=_has_inner_width)
    stride_on: StrideOn = _axis(
        "convolution of a bottleneck that has the stride", default=StrideOn.CONV3X3, reads=_has_inner_width
    )
    dropout: float = _axis("dropout rate in front of the branch's last convolution", below=1, default=0.0)
    shortcut: Shortcut = _axis("what leads around the branch", default=Shortcut.ZERO_PAD)
    merge: Merge = _axis("how branch and shortcut become one", default=Merge.ADD)
    shortcut_scale: float = _axis("constant on the shortcut", default=1.0, reads=_merge_reads("shortcut_scale"))
    branch_scale: float = _axis("constant on the branch", default=1.0, reads=_merge_reads("branch_scale"))
    gate_bias: float = _axis(
        "where the bias of a gate starts", minimum=float("-inf"), default=-6.0, reads=_merge_reads("gate_bias")
    )
    shortcut_dropout: float = _axis(
        "dropout rate on the shortcut", below=1, default=0.5, reads=_merge_reads("shortcut_dropout")
    )
    se: SqueezeExcitation = _axis("place of a squeeze-and-excitation gate", default=SqueezeExcitation.NONE)
    se_ratio: int = _axis(
        "channels / hidden units of the squeeze-and-excitation gate", minimum=1, default=16, reads=_has_se
    )
    se_bias: bool = _axis("biases in the squeeze-and-excitation gate", default=True, reads=_has_se)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def inactive(self) -> frozenset[str]:
        """Fields that change nothing here and are left out of the canonical form."""
        return _unread(self)


@dataclass(frozen=True, slots=True)
class BlockShape:
    """One block with its channels resolved: c_in -> inner (convolutions inside the branch) -> c_out."""

    stage: Stage
    c_in: int
    inner: int
    c_out: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A residual network, independent of the images it will see.

    Raises:
        ValueError: For a value outside its range.
        InfeasibleError: For valid values that do not make a network together.
    """

    stages: tuple[Stage, ...]
    stem: Stem = _axis("what stands before the first block", default=Stem.CIFAR)
    stem_width: int = _axis("output channels of the stem's convolution", minimum=1, default=16)
    stem_steps: Places = _axis("norm and activation after the stem's convolution", default=Places.BY_ORDERING)
    tail_steps: Places = _axis("norm and activation before the global pooling", default=Places.BY_ORDERING)
    ordering: Ordering = _axis("places of norm and activation in a block", default=Ordering.ORIGINAL)
    projection_norm: ProjectionNorm = _axis(
        "whether a norm follows the 1x1 convolution of a shortcut", default=ProjectionNorm.BY_ORDERING
    )
    projection_input: ProjectionInput = _axis(
        "what the 1x1 convolution of a shortcut reads",
        default=ProjectionInput.PREACTIVATED,
        reads=lambda architecture: bool(architecture.ordering.value.first),
    )
    widening: Widening = _axis("how the width grows over the blocks", default=Widening.PER_STAGE)
    alpha: float = _axis(
        "total widening of a pyramid: added channels, or a factor",
        default=0.0,
        reads=lambda architecture: bool(architecture.widening.is_pyramid),
    )
    widen_factor: float = _axis(
        "factor on the width of every stage, k of a Wide ResNet (Zagoruyko and Komodakis 2016, arXiv:1605.07146)",
        default=1.0,
        reads=lambda architecture: not architecture.widening.is_pyramid,
    )
    levels: int = _axis(
        "levels of shortcuts: 1 around blocks, 2 also around all blocks, 3 also around every stage, 4 also around "
        "halves of stages, and so on (RoR, Zhang et al. 2017, arXiv:1608.02908)",
        minimum=1,
        default=1,
    )
    level_shortcut: Shortcut = _axis(
        "what leads around stages and all blocks", default=Shortcut.PROJECTION_EVERYWHERE, reads=_has_levels
    )
    level_projection_norm: ProjectionNorm = _axis(
        "whether a norm follows the 1x1 convolution around stages and all blocks; the figure of the paper has none",
        default=ProjectionNorm.NONE,
        reads=_has_levels,
    )
    drop_path: DropPath = _axis("stochastic depth: how survival goes over the blocks", default=DropPath.NONE)
    drop_path_rate: float = _axis(
        "1 - survival probability of the last block",
        below=1,
        default=0.5,
        reads=lambda architecture: architecture.drop_path is not DropPath.NONE,
    )
    activation: Activation = _axis("non-linearity", default=Activation.RELU)
    norm: Normalisation = _axis("normalisation", default=Normalisation.BATCH)
    norm_groups: int = _axis(
        "groups of channels under group normalisation (the paper's default is 32, for wider networks)",
        minimum=1,
        default=8,
        reads=lambda architecture: architecture.norm is Normalisation.GROUP,
    )
    init: InitRule = _axis("variance of a convolution's weights at the start", default=InitRule.HE)
    init_c: float = _axis(
        "constant of the depth-scaled initialisation",
        default=1.0,
        reads=lambda architecture: architecture.init.value.shrinks_branches,
    )
    zero_init: bool = _axis(
        "whether the last scale of every branch starts at zero, or its last convolution where no norm follows it "
        "(Goyal et al. 2017, arXiv:1706.02677, section 5.1)",
        default=False,
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.stages:
            raise ValueError("an architecture must have at least one stage, got none")
        for number, stage in enumerate(self.stages, start=1):
            if stage.width is None and not self.widening.is_pyramid:
                raise ValueError(f"stage {number}: width is missing; only a pyramid decides widths itself")
        if self.widening.is_pyramid and self.alpha < self.widening.value.least_alpha:
            least = self.widening.value.least_alpha
            raise ValueError(f"alpha >= {least:g} must hold for {name_of(self.widening)}, got {self.alpha:g}")
        _ = self.blocks

    @property
    def inactive(self) -> frozenset[str]:
        """Fields that change nothing here and are left out of the canonical form; those of stages count apart."""
        return _unread(self)

    @cached_property
    def blocks(self) -> tuple[BlockShape, ...]:
        """Every block of the network in order, channels and strides resolved.

        Raises:
            InfeasibleError: If groups, ratios or widths do not fit together; the message names the stage.
        """
        rule = self.widening.value.inner_widths
        num_blocks = sum(stage.depth for stage in self.stages)
        pyramid = iter(rule(self.stem_width, self.alpha, num_blocks)) if rule else None
        shapes = []
        c_in = self.stem_width
        for number, stage in enumerate(self.stages, start=1):
            for index in range(stage.depth):
                inner, c_out = _widths(stage, self.widen_factor, next(pyramid) if pyramid else None, number)
                stride = stage.stride if index == 0 else 1
                shapes.append(BlockShape(stage, c_in, inner, c_out, stride))
                c_in = c_out
        return tuple(shapes)

    def to_dict(self) -> dict[str, Any]:
        """Return the canonical form as plain JSON values; parameters that change nothing are left out."""
        skip = {"width"} if self.widening.is_pyramid else set()
        stages = [_plain(stage, skip=stage.inactive | skip) for stage in self.stages]
        return {"version": VERSION, **_plain(self, skip=self.inactive | {"stages"}), "stages": stages}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Architecture":
        """Read the form that `to_dict` writes.

        Raises:
            ValueError: For an unknown version, an unknown or missing field, or a value that is not allowed.
        """
        data = dict(data)
        if (version := data.pop("version", None)) != VERSION:
            raise ValueError(f"architecture: version {VERSION} must be given, got {version!r}")
        stages = data.pop("stages", None)
        if not isinstance(stages, list | tuple) or not all(isinstance(stage, Mapping) for stage in stages):
            raise ValueError("architecture: stages must be a list of mappings")
        parsed = tuple(Stage(**_parsed(Stage, stage, f"stages[{i}]")) for i, stage in enumerate(stages))
        return cls(stages=parsed, **_parsed(cls, data, "architecture"))


def name_of(member: Enum) -> str:
    """Return the YAML name of an enum member."""
    return member.name.lower()


def check_fields(value: Stage | Architecture) -> None:
    """Check type and range of every declared field.

    Raises:
        ValueError: Naming the field, the value and what is allowed.
    """
    for axis in AXES_OF[type(value)].values():
        got = getattr(value, axis.name)
        if got is None and axis.default is None and not axis.required:
            continue
        axis.check(got)


def _unread(value: Stage | Architecture) -> frozenset[str]:
    """Return the fields that a stage, or an architecture, does not read."""
    readers = ((spec.name, spec.metadata.get("reads")) for spec in fields(value))
    return frozenset(name for name, reads in readers if reads is not None and not reads(value))


def _widths(stage: Stage, factor: float, pyramid_width: int | None, number: int) -> tuple[int, int]:
    """Return (inner width, output width) of a block; a pyramid rules the inner width, a stage the output."""
    has_inner = stage.transform.value.has_inner_width
    ratio = float(stage.bottleneck_ratio) if has_inner else 1.0
    if pyramid_width is None:
        assert stage.width is not None
        c_out = _whole(stage.width * factor)
        if not (c_out.is_integer() and c_out >= 1):
            raise InfeasibleError(
                "widen_factor",
                f"stage {number}: widen_factor {factor:g} makes {c_out:g} channels of width {stage.width}; "
                "it must be a whole number of at least 1",
            )
        inner = _whole(c_out * ratio)
    else:
        inner, c_out = float(pyramid_width), _whole(pyramid_width / ratio) if ratio else 0.0
    if not (inner.is_integer() and c_out.is_integer() and inner >= 1 and c_out >= 1):
        raise InfeasibleError(
            "bottleneck_ratio",
            f"stage {number}: bottleneck_ratio {ratio:g} gives {inner:g} inner and {c_out:g} output channels; "
            "both must be whole numbers of at least 1",
        )
    if has_inner and inner % stage.cardinality:
        raise InfeasibleError(
            "cardinality",
            f"stage {number}: cardinality {stage.cardinality} does not divide the inner width {inner:g}",
        )
    return int(inner), int(c_out)


def _whole(number: float) -> float:
    """Return the whole number that a product of floats stands for, such as 29 for 7 * (29 / 7)."""
    nearest = float(round(number))
    return nearest if math.isclose(number, nearest, rel_tol=1e-12) else float(number)


def _plain(value: Stage | Architecture, skip: frozenset[str] | set[str]) -> dict[str, Any]:
    """Return fields by name with enum members as their YAML names."""
    return {
        spec.name: name_of(got) if isinstance(got := getattr(value, spec.name), Enum) else got
        for spec in fields(value)
        if spec.name not in skip
    }


def _parsed(kind: type[Stage | Architecture], data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Turn YAML names back into enum members."""
    axes = AXES_OF[kind]
    if unknown := sorted(set(data) - set(axes)):
        raise ValueError(f"{where}: unknown field {unknown[0]!r}, expected some of {', '.join(axes)}")
    if missing := [name for name, axis in axes.items() if axis.required and name not in data]:
        raise ValueError(f"{where}: field {missing[0]!r} is missing")
    return {name: axes[name].parse(value, f"{where}.{name}") for name, value in data.items()}


@dataclass(frozen=True)
class Axis:
    """What a searchable field allows; read by the YAML loader, by help texts and by the tests."""

    name: str
    per_stage: bool
    kind: type[int] | type[float] | type[bool] | type[Enum]
    minimum: float
    below: float
    default: Any
    required: bool
    summary: str

    @cached_property  # as `types`: every candidate of a search has some eighty fields checked
    def is_number(self) -> bool:
        """Whether it is a number rather than a name or a truth value."""
        return self.kind in (int, float)

    @cached_property
    def types(self) -> tuple[type, ...]:
        """Types of its values; whole numbers pass as float, truth values only as such."""
        return (int, float) if self.kind is float else (self.kind,)

    @property
    def names(self) -> tuple[str, ...]:
        """YAML names of the members of an enum axis, () for numbers and truth values."""
        return tuple(name_of(member) for member in self.kind) if issubclass(self.kind, Enum) else ()

    def check(self, value: Any) -> None:
        """Check the type and range of a field's value.

        Raises:
            ValueError: Naming the axis, the value and what is allowed.
        """
        if not isinstance(value, self.types) or (isinstance(value, bool) and self.kind is not bool):
            raise ValueError(f"{self.name} must be of type {self.kind.__name__}, got {value!r}")
        if isinstance(value, int | float) and not (self.minimum <= value < self.below and isfinite(value)):
            raise ValueError(f"{self.range} must hold, got {value!r}")

    @property
    def range(self) -> str:
        """What a number must keep, such as 0 <= dropout < 1."""
        if self.below < float("inf"):
            return f"{self.minimum:g} <= {self.name} < {self.below:g}"
        return f"{self.name} >= {self.minimum:g}" if self.minimum > float("-inf") else f"finite {self.name}"

    def parse(self, value: Any, where: str) -> Any:
        """Turn a plain YAML value into the field's value; numbers are checked by the constructor.

        Raises:
            ValueError: If the value is not a name of this axis.
        """
        if not issubclass(self.kind, Enum):
            return value
        if value not in self.names:
            raise ValueError(f"{where}: got {value!r}, expected one of {', '.join(self.names)}")
        return self.kind[value.upper()]


def _axes(kind: type[Stage | Architecture]) -> dict[str, Axis]:
    return {
        spec.name: Axis(
            name=spec.name,
            per_stage=kind is Stage,
            kind=get_args(spec.type)[0] if isinstance(spec.type, UnionType) else spec.type,  # type: ignore[arg-type]
            minimum=spec.metadata["minimum"],
            below=spec.metadata["below"],
            default=None if spec.default is MISSING else spec.default,
            required=spec.default is MISSING,
            summary=spec.metadata["summary"],
        )
        for spec in fields(kind)
        if spec.metadata
    }


AXES_OF: Mapping[type[Stage | Architecture], Mapping[str, Axis]] = {
    Stage: _axes(Stage),
    Architecture: _axes(Architecture),
}
AXES: Mapping[str, Axis] = {**AXES_OF[Architecture], **AXES_OF[Stage]}
"""Every searchable axis by its YAML name."""
