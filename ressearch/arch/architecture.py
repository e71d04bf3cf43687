"""The architecture: a point of the residual design space, as one frozen value that validates itself."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from ressearch.arch.axes import Axis, axes_of, axis, parsed, plain, settle_fields, short_repr, unread
from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.options import Accepts, Named, name_of
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

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.rule, str(self))  # an error's own way out of a process forgets the rule


def _required() -> Any:
    """Declare a field that is no axis; as a call of ours, since type checkers see no descriptor behind `field()`."""
    return field()


def _merges_by(*merges: Merge) -> Callable[[Any], bool]:
    return lambda stage: stage.merge in merges


def _has_inner_width(stage: Any) -> bool:
    return bool(stage.transform.has_inner_width)


def _has_se(stage: Any) -> bool:
    return stage.se is not SqueezeExcitation.NONE


def _has_levels(architecture: Any) -> bool:
    return bool(architecture.levels > 1)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks that share one width, one transform and one resolution.

    A field with named values takes a member of its enum or the member's YAML name: `Stage(depth=2, width=16,
    shortcut="projection")`.

    Raises:
        ValueError: For a value outside its range, or a name that does not exist, with the nearest guess.
    """

    per_stage: ClassVar[bool] = True

    depth: int = axis("number of blocks", minimum=1)
    width: int | None = axis("output channels of every block (not under a pyramid)", minimum=1, default=None)
    stride: int = axis("stride of the first block", minimum=1, default=1)
    transform: Named[Transform] = axis("convolutions of the branch", default=Transform.BASIC)
    bottleneck_ratio: float = axis("inner width / output width of a bottleneck", default=0.25, reads=_has_inner_width)
    cardinality: int = axis("groups of a bottleneck's 3x3 convolution", minimum=1, default=1, reads=_has_inner_width)
    stride_on: Named[StrideOn] = axis(
        "convolution of a bottleneck that has the stride", default=StrideOn.CONV3X3, reads=_has_inner_width
    )
    dropout: float = axis("dropout rate in front of the branch's last convolution", below=1, default=0.0)
    shortcut: Named[Shortcut] = axis("what leads around the branch", default=Shortcut.ZERO_PAD)
    merge: Named[Merge] = axis("how branch and shortcut become one", default=Merge.ADD)
    shortcut_scale: float = axis("constant on the shortcut", default=1.0, reads=_merges_by(Merge.CONSTANT_SCALE))
    branch_scale: float = axis("constant on the branch", default=1.0, reads=_merges_by(Merge.CONSTANT_SCALE))
    gate_bias: float = axis(
        "where the bias of a gate starts",
        minimum=float("-inf"),
        default=-6.0,
        reads=_merges_by(Merge.EXCLUSIVE_GATE, Merge.SHORTCUT_ONLY_GATE),
    )
    shortcut_dropout: float = axis(
        "dropout rate on the shortcut", below=1, default=0.5, reads=_merges_by(Merge.DROPOUT)
    )
    se: Named[SqueezeExcitation] = axis("place of a squeeze-and-excitation gate", default=SqueezeExcitation.NONE)
    se_ratio: int = axis(
        "channels / hidden units of the squeeze-and-excitation gate", minimum=1, default=16, reads=_has_se
    )
    se_bias: bool = axis("biases in the squeeze-and-excitation gate", default=True, reads=_has_se)

    def __post_init__(self) -> None:
        settle_fields(self)

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def inactive(self) -> frozenset[str]:
        """Fields that change nothing here and are left out of the canonical form."""
        return unread(self)


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

    A field with named values takes a member of its enum or the member's YAML name: `Architecture(stages=[Stage(depth=3,
    width=16)], ordering="full_preactivation")`. Stages may come as a list and become a tuple.

    Raises:
        ValueError: For a value outside its range, or a name that does not exist, with the nearest guess.
        InfeasibleError: For valid values that do not make a network together.
    """

    per_stage: ClassVar[bool] = False

    stages: Accepts[tuple[Stage, ...], Iterable[Stage]] = _required()
    stem: Named[Stem] = axis("layers before the first block", default=Stem.CIFAR)
    stem_width: int = axis("output channels of the stem's convolution", minimum=1, default=16)
    stem_steps: Named[Places] = axis("norm and activation after the stem's convolution", default=Places.BY_ORDERING)
    tail_steps: Named[Places] = axis("norm and activation before the global pooling", default=Places.BY_ORDERING)
    ordering: Named[Ordering] = axis("places of norm and activation in a block", default=Ordering.ORIGINAL)
    projection_norm: Named[ProjectionNorm] = axis(
        "whether a norm follows the 1x1 convolution of a shortcut", default=ProjectionNorm.BY_ORDERING
    )
    projection_input: Named[ProjectionInput] = axis(
        "what the 1x1 convolution of a shortcut reads",
        default=ProjectionInput.PREACTIVATED,
        reads=lambda architecture: bool(architecture.ordering.first),
    )
    widening: Named[Widening] = axis("how the width grows over the blocks", default=Widening.PER_STAGE)
    alpha: float = axis(
        "total widening of a pyramid: added channels, or a factor",
        default=0.0,
        reads=lambda architecture: bool(architecture.widening.is_pyramid),
    )
    widen_factor: float = axis(
        "factor on the width of every stage, k of a Wide ResNet (Zagoruyko and Komodakis 2016, arXiv:1605.07146)",
        default=1.0,
        reads=lambda architecture: not architecture.widening.is_pyramid,
    )
    levels: int = axis(
        "levels of shortcuts: 1 around blocks, 2 also around all blocks, 3 also around every stage, 4 also around "
        "halves of stages, and so on (RoR, Zhang et al. 2017, arXiv:1608.02908)",
        minimum=1,
        default=1,
    )
    level_shortcut: Named[Shortcut] = axis(
        "what leads around stages and all blocks", default=Shortcut.PROJECTION_EVERYWHERE, reads=_has_levels
    )
    level_projection_norm: Named[ProjectionNorm] = axis(
        "whether a norm follows the 1x1 convolution around stages and all blocks; the figure of the paper has none",
        default=ProjectionNorm.NONE,
        reads=_has_levels,
    )
    drop_path: Named[DropPath] = axis("stochastic depth: how survival goes over the blocks", default=DropPath.NONE)
    drop_path_rate: float = axis(
        "1 - survival probability of the last block",
        below=1,
        default=0.5,
        reads=lambda architecture: architecture.drop_path is not DropPath.NONE,
    )
    activation: Named[Activation] = axis("non-linearity", default=Activation.RELU)
    norm: Named[Normalisation] = axis("normalisation", default=Normalisation.BATCH)
    norm_groups: int = axis(
        "groups of channels under group normalisation (the paper's default is 32, for wider networks)",
        minimum=1,
        default=8,
        reads=lambda architecture: architecture.norm is Normalisation.GROUP,
    )
    init: Named[InitRule] = axis("variance of a convolution's weights at the start", default=InitRule.HE)
    init_c: float = axis(
        "constant of the depth-scaled initialisation",
        default=1.0,
        reads=lambda architecture: architecture.init.shrinks_branches,
    )
    zero_init: bool = axis(
        "whether the last scale of every branch starts at zero, or its last convolution where no norm follows it "
        "(Goyal et al. 2017, arXiv:1706.02677, section 5.1)",
        default=False,
    )

    def __post_init__(self) -> None:
        _settle_stages(self)
        settle_fields(self)
        if not self.stages:
            raise ValueError("an architecture must have at least one stage, got none")
        for number, stage in enumerate(self.stages, start=1):
            if stage.width is None and not self.widening.is_pyramid:
                raise ValueError(f"stage {number}: width is missing; only a pyramid decides widths itself")
        if self.widening.is_pyramid and self.alpha < self.widening.least_alpha:
            least = self.widening.least_alpha
            raise ValueError(f"alpha >= {least:g} must hold for {name_of(self.widening)}, got {self.alpha:g}")
        _ = self.blocks

    def __repr__(self) -> str:
        return short_repr(self, stages=self.stages)

    @property
    def inactive(self) -> frozenset[str]:
        """Fields that change nothing here and are left out of the canonical form; those of stages count apart."""
        return unread(self)

    @cached_property
    def blocks(self) -> tuple[BlockShape, ...]:
        """Every block of the network in order, channels and strides resolved.

        Raises:
            InfeasibleError: If groups, ratios or widths do not fit together; the message names the stage.
        """
        rule = self.widening.inner_widths
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
        stages = [plain(stage, skip=stage.inactive | skip) for stage in self.stages]
        return {"version": VERSION, **plain(self, skip=self.inactive | {"stages"}), "stages": stages}

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
        read = [_read_stage(stage, f"stages[{index}]") for index, stage in enumerate(stages)]
        return cls(stages=read, **parsed(cls, data, "architecture"))


def _read_stage(data: Mapping[str, Any], where: str) -> Stage:
    values = parsed(Stage, data, where)
    try:
        return Stage(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _widths(stage: Stage, factor: float, pyramid_width: int | None, number: int) -> tuple[int, int]:
    """Return (inner width, output width) of a block; a pyramid rules the inner width, a stage the output."""
    has_inner = stage.transform.has_inner_width
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
    """Return the whole number that a product of floats means, such as 29 for 7 * (29 / 7)."""
    nearest = float(round(number))
    return nearest if math.isclose(number, nearest, rel_tol=1e-12) else float(number)


def _settle_stages(architecture: Architecture) -> None:
    """Make a tuple of the stages.

    Raises:
        ValueError: For anything that is no `Stage`, and for a single stage without a list around it.
    """
    given: object = architecture.stages
    if not isinstance(given, Iterable):
        raise ValueError(f"stages must be a list of Stage(...), got {given!r}")
    stages = tuple(given)
    for stage in stages:
        if not isinstance(stage, Stage):
            raise ValueError(f"stages must be a list of Stage(...), got {stage!r} in it")
    object.__setattr__(architecture, "stages", stages)


AXES: Mapping[str, Axis] = {**axes_of(Architecture), **axes_of(Stage)}
"""Every searchable axis by its YAML name."""
