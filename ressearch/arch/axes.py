"""Axes: the fields of an architecture together with what the YAML loader, help texts and tests need to know of them."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cache, cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, get_args

from ressearch.arch.options import name_of
from ressearch.messages import expected

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class HasAxes(DataclassInstance, Protocol):
        """A dataclass whose fields are declared by `axis`."""

        per_stage: ClassVar[bool]


def axis(
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

    @property
    def is_number(self) -> bool:
        """Whether it is a number rather than a name or a truth value."""
        return self.kind in (int, float)

    @cached_property  # every candidate of a search has some eighty fields checked
    def types(self) -> tuple[type, ...]:
        """Types of its values; whole numbers pass as float, truth values only as such."""
        return (int, float) if self.kind is float else (self.kind,)

    @cached_property
    def members(self) -> Mapping[str, Enum]:
        """Members of an enum axis by YAML name, none for numbers and truth values."""
        return {name_of(member): member for member in self.kind} if issubclass(self.kind, Enum) else {}

    @property
    def names(self) -> tuple[str, ...]:
        """YAML names of the members of an enum axis, () for numbers and truth values."""
        return tuple(self.members)

    def check(self, value: Any) -> None:
        """Check the type and range of a field's value.

        Raises:
            ValueError: Naming the axis, the value and what is allowed.
        """
        if not isinstance(value, self.types) or (isinstance(value, bool) and self.kind is not bool):
            raise ValueError(f"{self.name} must be of type {self.kind.__name__}, got {value!r}")
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"{self.range} must hold, got {value!r}")
        if isinstance(value, int | float) and not self.minimum <= value < self.below:
            raise ValueError(f"{self.range} must hold, got {value!r}")

    @property
    def range(self) -> str:
        """What a number must keep, such as 0 <= dropout < 1."""
        if self.below < float("inf"):
            return f"{self.minimum:g} <= {self.name} < {self.below:g}"
        return f"{self.name} >= {self.minimum:g}" if self.minimum > float("-inf") else f"finite {self.name}"

    def parse(self, value: Any, where: str) -> Any:
        """Turn the YAML name of a member into the member; numbers and truth values are checked by the constructor.

        Raises:
            ValueError: If the value is not a name of this axis, with the nearest guess.
        """
        if not self.members:
            return value
        if not isinstance(value, str) or value not in self.members:
            raise ValueError(f"{where}: {expected(value, self.members)}")
        return self.members[value]


@cache
def axes_of(kind: "type[HasAxes]") -> Mapping[str, Axis]:
    """Return the axes that a class declares, by name."""
    return {
        spec.name: Axis(
            name=spec.name,
            per_stage=kind.per_stage,
            kind=(get_args(spec.type) or (spec.type,))[0],  # of `Named[Shortcut]` and `int | None` the first
            minimum=spec.metadata["minimum"],
            below=spec.metadata["below"],
            default=None if spec.default is MISSING else spec.default,
            required=spec.default is MISSING,
            summary=spec.metadata["summary"],
        )
        for spec in fields(kind)
        if spec.metadata
    }


def settle_fields(value: "HasAxes") -> None:
    """Turn YAML names into members, and check type and range of every declared field.

    Raises:
        ValueError: Naming the field, the value and what is allowed.
    """
    given = value.__dict__
    for name, axis in axes_of(type(value)).items():
        got = given[name]
        if axis.members:
            if got.__class__ is not axis.kind:
                object.__setattr__(value, name, axis.parse(got, name))
        elif got is not None or axis.default is not None or axis.required:
            axis.check(got)


def unread(value: "HasAxes") -> frozenset[str]:
    """Return the fields that change nothing beside the others."""
    readers = ((spec.name, spec.metadata.get("reads")) for spec in fields(value))
    return frozenset(name for name, reads in readers if reads is not None and not reads(value))


def plain(value: "HasAxes", skip: frozenset[str] | set[str]) -> dict[str, Any]:
    """Return fields by name with enum members as their YAML names."""
    return {
        spec.name: name_of(got) if isinstance(got := getattr(value, spec.name), Enum) else got
        for spec in fields(value)
        if spec.name not in skip
    }


def parsed(kind: "type[HasAxes]", data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Turn YAML names back into enum members.

    Raises:
        ValueError: For an unknown or a missing field, or a name that is none, after `where`.
    """
    axes = axes_of(kind)
    if unknown := [name for name in data if name not in axes]:
        raise ValueError(f"{where}: {expected(unknown[0], axes, 'unknown field')}")
    if missing := [name for name, axis in axes.items() if axis.required and name not in data]:
        raise ValueError(f"{where}: field {missing[0]!r} is missing")
    return {name: axes[name].parse(value, f"{where}.{name}") for name, value in data.items()}


def short_repr(value: "HasAxes", **first: object) -> str:
    """Return a constructor call with `first` and the fields that differ from their defaults, members by YAML name."""
    told = dict(first)
    for name, axis in axes_of(type(value)).items():
        got = getattr(value, name)
        if axis.required or got != axis.default:
            told[name] = name_of(got) if isinstance(got, Enum) else got
    return f"{type(value).__name__}({', '.join(f'{name}={got!r}' for name, got in told.items())})"
