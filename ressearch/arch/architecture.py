"""The architecture: a point of the residual design space, as one frozen value that validates itself."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cached_property
from typing import Any

from ressearch.arch.layers import Activation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
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


class SqueezeExcitation(Enum):
    """Where squeeze-and-excitation stands (Hu et al. 2018, arXiv:1709.01507)."""

    NONE = "no gate"
    STANDARD = "at the end of the branch, before the addition"

    @property
    def summary(self) -> str:
        """One line of help."""
        return self.value


def _axis(summary: str, *, minimum: float = 0, default: Any = MISSING) -> Any:
    """Declare a field together with what the YAML loader and the help text need to know of it."""
    return field(default=default, metadata={"summary": summary, "minimum": minimum})


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks that share one width, one transform and one resolution."""

    depth: int = _axis("number of blocks", minimum=1)
    width: int | None = _axis("output channels of every block (not under a pyramid)", minimum=1, default=None)
    stride: int = _axis("stride of the first block", minimum=1, default=1)
    transform: Transform = _axis("convolutions of the branch", default=Transform.BASIC)
    bottleneck_ratio: float = _axis("inner width / output width of a bottleneck", minimum=0.0, default=0.25)
    cardinality: int = _axis("groups of a bottleneck's 3x3 convolution", minimum=1, default=1)
    shortcut: Shortcut = _axis("what is added to the branch", default=Shortcut.ZERO_PAD)
    se: SqueezeExcitation = _axis("squeeze-and-excitation", default=SqueezeExcitation.NONE)
    se_ratio: int = _axis("channels / hidden units of the squeeze-and-excitation gate", minimum=1, default=16)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def inactive(self) -> frozenset[str]:
        """Fields that change nothing here and are left out of the canonical form."""
        names = set() if self.transform.value.has_inner_width else {"bottleneck_ratio", "cardinality"}
        return frozenset(names | ({"se_ratio"} if self.se is SqueezeExcitation.NONE else set()))


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
    stem_width: int = _axis("output channels of the 3x3 stem convolution", minimum=1, default=16)
    ordering: Ordering = _axis("places of norm and activation", default=Ordering.ORIGINAL)
    widening: Widening = _axis("how the width grows over the blocks", default=Widening.PER_STAGE)
    alpha: float = _axis("total widening of a pyramid: added channels, or a factor", minimum=0.0, default=0.0)
    activation: Activation = _axis("non-linearity", default=Activation.RELU)

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
                inner, c_out = _widths(stage, next(pyramid) if pyramid else None, number)
                stride = stage.stride if index == 0 else 1
                shapes.append(BlockShape(stage, c_in, inner, c_out, stride))
                c_in = c_out
        return tuple(shapes)

    def to_dict(self) -> dict[str, Any]:
        """Return the canonical form as plain JSON values; parameters that change nothing are left out."""
        skip = {"width"} if self.widening.is_pyramid else set()
        body = _plain(self, skip={"stages"} if self.widening.is_pyramid else {"stages", "alpha"})
        stages = [_plain(stage, skip=stage.inactive | skip) for stage in self.stages]
        return {"version": VERSION, **body, "stages": stages}

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
    for spec in fields(value):
        if "minimum" not in spec.metadata:
            continue
        got = getattr(value, spec.name)
        if isinstance(got, Enum) or (got is None and spec.default is None):
            continue
        least = spec.metadata["minimum"]
        kind = float if isinstance(least, float) else int
        allowed = (int, float) if kind is float else (int,)
        if isinstance(got, bool) or not isinstance(got, allowed):
            raise ValueError(f"{spec.name} must be of type {kind.__name__}, got {got!r}")
        if not least <= got < float("inf"):
            raise ValueError(f"{spec.name} >= {least:g} must hold, got {got!r}")


def _widths(stage: Stage, pyramid_width: int | None, number: int) -> tuple[int, int]:
    """Return (inner width, output width) of a block; a pyramid rules the inner width, a stage the output."""
    has_inner = stage.transform.value.has_inner_width
    ratio = float(stage.bottleneck_ratio) if has_inner else 1.0
    if pyramid_width is None:
        assert stage.width is not None
        inner, c_out = stage.width * ratio, float(stage.width)
    else:
        inner, c_out = float(pyramid_width), pyramid_width / ratio if ratio else 0.0
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
    if stage.se is not SqueezeExcitation.NONE and c_out < stage.se_ratio:
        raise InfeasibleError(
            "se_ratio",
            f"stage {number}: se_ratio {stage.se_ratio} leaves no hidden unit for {c_out:g} channels",
        )
    return int(inner), int(c_out)


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
    kind: type[int] | type[float] | type[Enum]
    minimum: float
    default: Any
    required: bool
    summary: str

    @property
    def names(self) -> tuple[str, ...]:
        """YAML names of the members of an enum axis, () for numbers."""
        return tuple(name_of(member) for member in self.kind) if issubclass(self.kind, Enum) else ()

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
    axes = {}
    for spec in fields(kind):
        if "minimum" not in spec.metadata:
            continue
        least = spec.metadata["minimum"]
        number = float if isinstance(least, float) else int
        annotated = spec.type
        axes[spec.name] = Axis(
            name=spec.name,
            per_stage=kind is Stage,
            kind=annotated if isinstance(annotated, type) and issubclass(annotated, Enum) else number,
            minimum=least,
            default=None if spec.default is MISSING else spec.default,
            required=spec.default is MISSING,
            summary=spec.metadata["summary"],
        )
    return axes


AXES_OF: Mapping[type[Stage | Architecture], Mapping[str, Axis]] = {
    Stage: _axes(Stage),
    Architecture: _axes(Architecture),
}
AXES: Mapping[str, Axis] = {**AXES_OF[Architecture], **AXES_OF[Stage]}
"""Every searchable axis by its YAML name."""
