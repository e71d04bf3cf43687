"""The search space: which networks and recipes may be tried, and the way from parameters to a candidate."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any

from ressearch.arch import (
    AXES,
    Architecture,
    Cost,
    InfeasibleError,
    Plan,
    Stage,
    architecture_id,
    cost,
    name_of,
    named,
    plan,
    plan_id,
)
from ressearch.images import ImageShape
from ressearch.space.domains import Domain, Value
from ressearch.space.limits import Limits
from ressearch.space.parameters import Fixed, Parameter, num_points, points


@dataclass(frozen=True)
class Candidate:
    """A point of the space, or a baseline: what one trial trains.

    params: the active parameters; empty for a baseline that is not a point of the space.
    recipe_values: the searched fields of the recipe.
    """

    params: Mapping[str, Value]
    architecture: Architecture
    recipe_values: Mapping[str, Value]
    plan: Plan = field(repr=False, compare=False)
    cost: Cost

    @cached_property
    def architecture_id(self) -> str:
        """Ten hexadecimal digits, equal for equal networks."""
        return plan_id(self.plan)

    @cached_property
    def id(self) -> str:
        """Equal for duplicates: the same network with the same searched recipe."""
        return " ".join((self.architecture_id, *(f"{name}={value!r}" for name, value in self.recipe_values.items())))


@dataclass(frozen=True, kw_only=True)
class Space:
    """Domains, conditions and limits; `ressearch.load_experiment` reads and checks them.

    parameters: every searched one, controllers before what they control; recipe fields are among them.
    fixed: a value for every axis, in force where no active parameter gives another.
    """

    num_stages: int
    parameters: tuple[Parameter, ...]
    fixed: tuple[Fixed, ...]
    limits: Limits = field(default_factory=Limits)

    @property
    def is_conditional(self) -> bool:
        """Whether some parameter exists only under a condition."""
        return any(parameter.when for parameter in self.parameters)

    @property
    def continuous(self) -> tuple[str, ...]:
        """Names of the parameters whose values are not countable."""
        return tuple(parameter.name for parameter in self.parameters if parameter.domain.size is None)

    @property
    def searched_recipe(self) -> tuple[str, ...]:
        """Names of the recipe fields that are searched."""
        return tuple(parameter.axis for parameter in self.parameters if parameter.axis not in AXES)

    @property
    def size(self) -> int:
        """Number of points that differ in countable parameters, conditions respected; continuous ones count once."""
        return num_points(self.parameters)

    def draw(self, choose: Callable[[str, Domain], Value]) -> dict[str, Value]:
        """Ask `choose(name, domain)` for every active parameter, controllers first."""
        params: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.is_active(params):
                params[parameter.name] = choose(parameter.name, parameter.domain)
        return params

    def enumerate(self) -> Iterator[dict[str, Value]]:
        """Return every point of a finite space, the last parameter changing fastest.

        Raises:
            ValueError: If a parameter is continuous.
        """
        if self.continuous:
            raise ValueError(f"only a finite space can be enumerated; {', '.join(self.continuous)} has no step")
        return points(self.parameters, {})

    def candidate(self, params: Mapping[str, Value], shape: ImageShape) -> Candidate:
        """Resolve parameters to a network, its cost and the searched fields of the recipe.

        Raises:
            InfeasibleError: If they make no network, or one outside the limits (rule num_params or num_macs).
            ValueError: If the parameters are not exactly the active ones, or one is outside its domain.
        """
        candidate = self._unlimited(self._checked(params), shape)
        self.limits.check(candidate.cost)
        return candidate

    def baseline(self, name: str, recipe_values: Mapping[str, Value], shape: ImageShape) -> Candidate:
        """Return a network of the literature with these searched recipe fields; limits are not applied.

        Raises:
            ValueError: If there is no such network.
        """
        candidate = counted({}, named(name), recipe_values, shape)
        return replace(candidate, params=self.params_of(candidate) or {})

    def params_of(self, candidate: Candidate) -> dict[str, Value] | None:
        """Return parameters that describe a candidate, None where there are none; limits are not applied."""
        params: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.is_active(params):
                params[parameter.name] = _described(parameter, candidate)
        try:
            is_same = architecture_id(self._architecture(params)) == candidate.architecture_id
        except InfeasibleError:
            return None
        return params if is_same and self._recipe_values(params) == candidate.recipe_values else None

    def to_dict(self) -> dict[str, Any]:
        """Return what the space holds as plain JSON values: every axis with its value or domain, and the limits."""
        network, stages = self._template
        values = {
            **network,
            **{f"{name}_{i}": value for i, stage in enumerate(stages, 1) for name, value in stage.items()},
        }
        axes = {name: name_of(value) if isinstance(value, Enum) else value for name, value in values.items()}
        searched: dict[str, dict[str, Any]] = {"architecture": {}, "recipe": {}}
        for parameter in self.parameters:
            searched["architecture" if parameter.axis in AXES else "recipe"][parameter.name] = parameter.to_dict()
        return {
            "architecture": {"stages": self.num_stages, **axes, **searched["architecture"]},
            "recipe": searched["recipe"],
            "limits": asdict(self.limits),
        }

    def _checked(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """Return the parameters in order, each as the value that its domain holds."""
        checked: dict[str, Value] = {}
        for parameter in self.parameters:
            if not parameter.is_active(checked):
                continue
            if parameter.name not in params:
                raise ValueError(f"parameter {parameter.name!r} is missing")
            value = parameter.domain.member(params[parameter.name])
            if value is None:
                got = params[parameter.name]
                raise ValueError(f"{parameter.name}: got {got!r}, expected {parameter.domain}")
            checked[parameter.name] = value
        if unknown := set(params) - set(checked):
            raise ValueError(f"{min(unknown)!r} is no parameter, or not one under these conditions")
        return checked

    def holds(self, params: Mapping[str, Value]) -> bool:
        """Tell whether parameters are a point of this space, limits apart."""
        try:
            self._checked(params)
        except ValueError:
            return False
        return True

    def _unlimited(self, params: dict[str, Value], shape: ImageShape) -> Candidate:
        return counted(params, self._architecture(params), self._recipe_values(params), shape)

    def _recipe_values(self, params: Mapping[str, Value]) -> dict[str, Value]:
        return {name: params[name] for name in self.searched_recipe}

    def _architecture(self, params: Mapping[str, Value]) -> Architecture:
        fixed, fixed_stages = self._template
        network = dict(fixed)
        stages = [dict(stage) for stage in fixed_stages]
        for parameter in self.parameters:
            if parameter.axis in AXES and parameter.name in params:
                _place(parameter, params[parameter.name], network, stages)
        return Architecture(stages=tuple(Stage(**stage) for stage in stages), **network)

    @cached_property
    def _template(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The fixed values of the network and of its stages."""
        network: dict[str, Any] = {}
        stages: list[dict[str, Any]] = [{} for _ in range(self.num_stages)]
        for fixed in self.fixed:
            _place(fixed, fixed.value, network, stages)
        return network, stages


_MEMBERS: Mapping[str, Mapping[Value | None, Any]] = {
    name: {name_of(member): member for member in axis.kind} if issubclass(axis.kind, Enum) else {}
    for name, axis in AXES.items()
}
"""Members of the enum axes by YAML name; made once, since candidates are refused by the thousand."""


def counted(
    params: Mapping[str, Value], architecture: Architecture, recipe_values: Mapping[str, Value], shape: ImageShape
) -> Candidate:
    """Return a candidate with its plan and its cost; limits are not applied."""
    resolved = plan(architecture, shape.channels, shape.num_classes)
    return Candidate(params, architecture, recipe_values, resolved, cost(resolved, shape.resolution))


def _place(
    setting: Parameter | Fixed, value: Value | None, network: dict[str, Any], stages: list[dict[str, Any]]
) -> None:
    """Write a plain value where its axis belongs."""
    parsed = _MEMBERS[setting.axis].get(value, value)
    if not AXES[setting.axis].per_stage:
        network[setting.axis] = parsed
        return
    for stage in stages if setting.stage is None else stages[setting.stage - 1 : setting.stage]:
        stage[setting.axis] = parsed


def _described(parameter: Parameter, candidate: Candidate) -> Value:
    """Return the value by which a parameter would describe a candidate, the domain's centre where it cannot."""
    architecture = candidate.architecture
    if parameter.axis not in AXES:
        values = [candidate.recipe_values[parameter.axis]]
    elif not AXES[parameter.axis].per_stage:
        values = [getattr(architecture, parameter.axis)]
    else:
        stages = architecture.stages
        if parameter.stage is not None:
            stages = stages[parameter.stage - 1 : parameter.stage]
        meaningful = [stage for stage in stages if parameter.axis not in stage.inactive]
        values = [getattr(stage, parameter.axis) for stage in meaningful or stages]
    plain = (name_of(value) if isinstance(value, Enum) else value for value in values)
    members = (parameter.domain.member(value) for value in plain)
    return next((member for member in members if member is not None), parameter.domain.centre)
