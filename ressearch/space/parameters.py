"""Parameters: what a sampler chooses, under which conditions, and how many choices there are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ressearch.space.domains import Domain, Value, domain_to_dict, value_text


@dataclass(frozen=True)
class Condition:
    """Holds if one of the named parameters is active and has one of the values."""

    axis: str
    parameters: tuple[str, ...]
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.axis} is {' or '.join(map(value_text, self.values))}"

    def holds(self, params: Mapping[str, Value]) -> bool:
        """Tell whether it holds among the active parameters."""
        for name in self.parameters:  # noqa: SIM110 - any() takes three times as long, here and below
            if params.get(name) in self.values:
                return True
        return False


@dataclass(frozen=True)
class Parameter:
    """An axis or recipe field that is searched.

    stage: 1-based number of the stage it belongs to; None if it stands for all stages, or for the whole network.
    when: conditions that must all hold; where one does not, the axis has its default and no parameter exists.
    """

    name: str
    axis: str
    stage: int | None
    domain: Domain
    when: tuple[Condition, ...] = ()

    def is_active(self, params: Mapping[str, Value]) -> bool:
        """Tell whether this parameter exists beside the active ones before it."""
        for condition in self.when:  # noqa: SIM110
            if not condition.holds(params):
                return False
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return domain and conditions as plain JSON values."""
        conditions = " and ".join(map(str, self.when))
        return domain_to_dict(self.domain) | ({"when": conditions} if conditions else {})


@dataclass(frozen=True)
class Fixed:
    """An axis that is not searched, or its default where a parameter is inactive; stage as in `Parameter`."""

    axis: str
    stage: int | None
    value: Value | None


def points(parameters: tuple[Parameter, ...], params: dict[str, Value]) -> Iterator[dict[str, Value]]:
    """Complete `params` in every way that the parameters allow."""
    if not parameters:
        yield dict(params)
        return
    parameter, *rest = parameters
    if not parameter.is_active(params):
        yield from points(tuple(rest), params)
        return
    assert parameter.domain.values is not None
    for value in parameter.domain.values:
        yield from points(tuple(rest), params | {parameter.name: value})


def num_points(parameters: tuple[Parameter, ...]) -> int:
    """Count what `points` yields without going through it; a continuous parameter counts once."""
    return prod(_num_points(group) for group in _components(parameters))


def _components(parameters: tuple[Parameter, ...]) -> list[tuple[Parameter, ...]]:
    """Split parameters into groups between which there is no condition."""
    groups: list[tuple[Parameter, ...]] = []
    for parameter in parameters:
        controllers = _controllers(parameter)
        linked = [group for group in groups if any(other.name in controllers for other in group)]
        merged = tuple(other for group in linked for other in group)
        groups = [group for group in groups if group not in linked] + [(*merged, parameter)]
    return groups


def _num_points(group: tuple[Parameter, ...]) -> int:
    """Count the points of a group: every setting of its controllers, times the sizes of what they leave active."""
    controlling = {name for parameter in group for name in _controllers(parameter)}
    controllers = tuple(parameter for parameter in group if parameter.name in controlling)
    others = [parameter for parameter in group if parameter.name not in controlling]
    return sum(
        prod(other.domain.size or 1 for other in others if other.is_active(params))
        for params in points(controllers, {})
    )


def _controllers(parameter: Parameter) -> set[str]:
    return {name for condition in parameter.when for name in condition.parameters}
