"""The search space: which networks and recipes a study may try, and the way from parameters to a candidate."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from ressearch.arch import AXES, Architecture, Cost, InfeasibleError, Stage, architecture_id, cost, name_of, named, plan
from ressearch.images import ImageShape
from ressearch.space.domains import Domain, Value
from ressearch.space.parameters import Fixed, Parameter, num_points, points
from ressearch.space.settings import Limits, Objective, Resources, Sampler, Scheduler
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source


@dataclass(frozen=True)
class Candidate:
    """A point of the space, or an ancestor: what one trial trains.

    params: the active parameters; empty for an ancestor that the space does not hold.
    """

    params: Mapping[str, Value]
    architecture: Architecture
    recipe: Recipe
    cost: Cost
    searched_recipe: tuple[str, ...] = ()

    @cached_property
    def architecture_id(self) -> str:
        """Ten hexadecimal digits, equal for equal networks."""
        return architecture_id(self.architecture)

    @cached_property
    def id(self) -> str:
        """Equal for duplicates: the same network with the same searched recipe."""
        recipe = (f"{name}={getattr(self.recipe, name)!r}" for name in self.searched_recipe)
        return " ".join((self.architecture_id, *recipe))


@dataclass(frozen=True, kw_only=True)
class Space:
    """What a YAML file says; `loader.load_space` reads and checks it.

    text: the YAML as it was read. question: its first comment line.
    parameters: every searched one, controllers before what they control.
    fixed: a value for every axis, in force where no active parameter gives another.
    recipe: fixed fields and, for the searched ones, their defaults.
    """

    path: str
    text: str
    question: str
    source: Source
    recipe: Recipe
    num_stages: int
    parameters: tuple[Parameter, ...]
    fixed: tuple[Fixed, ...]
    limits: Limits = field(default_factory=Limits)
    objectives: tuple[Objective, ...] = ("val_accuracy",)
    sampler: Sampler = field(default_factory=Sampler)
    scheduler: Scheduler = field(default_factory=Scheduler)
    resources: Resources = field(default_factory=Resources)
    ancestors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem

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
            raise ValueError(
                f"{self.path}: only a finite space can be enumerated; {', '.join(self.continuous)} has no step"
            )
        return points(self.parameters, {})

    def candidate(self, params: Mapping[str, Value], shape: ImageShape) -> Candidate:
        """Resolve parameters to a network, a recipe and their cost.

        Raises:
            InfeasibleError: If they make no network, or one outside the limits (rule num_params or num_macs).
            ValueError: If the parameters are not exactly the active ones, or one is outside its domain.
        """
        candidate = self._unlimited(self._checked(params), shape)
        self.limits.check(candidate.cost)
        return candidate

    def ancestor(self, name: str, shape: ImageShape) -> Candidate:
        """Return a named network with this space's recipe; limits are not applied.

        Raises:
            ValueError: If there is no such network.
        """
        candidate = self.assemble(named(name), self.recipe, {}, shape)
        return replace(candidate, params=self.params_of(candidate) or {})

    def assemble(
        self, architecture: Architecture, recipe: Recipe, params: Mapping[str, Value], shape: ImageShape
    ) -> Candidate:
        """Count the cost of a network and put it together with a recipe; limits are not applied."""
        counted = cost(plan(architecture, shape.channels, shape.num_classes), shape.resolution)
        return Candidate(params, architecture, recipe, counted, self.searched_recipe)

    def params_of(self, candidate: Candidate) -> dict[str, Value] | None:
        """Return parameters that describe a candidate, None where there are none; limits are not applied."""
        params: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.is_active(params):
                params[parameter.name] = _described(parameter, candidate)
        try:
            found = self._architecture(params)
            is_same = architecture_id(found) == candidate.architecture_id
        except InfeasibleError:
            return None
        return params if is_same and self._recipe(params) == candidate.recipe else None

    def _checked(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """Return the parameters in order, each as the value that its domain holds."""
        checked: dict[str, Value] = {}
        for parameter in self.parameters:
            if not parameter.is_active(checked):
                continue
            if parameter.name not in params:
                raise ValueError(f"{self.path}: parameter {parameter.name!r} is missing")
            value = parameter.domain.member(params[parameter.name])
            if value is None:
                got = params[parameter.name]
                raise ValueError(f"{self.path}: {parameter.name}: got {got!r}, expected {parameter.domain}")
            checked[parameter.name] = value
        if unknown := set(params) - set(checked):
            raise ValueError(f"{self.path}: {min(unknown)!r} is no parameter, or not one under these conditions")
        return checked

    def _unlimited(self, params: dict[str, Value], shape: ImageShape) -> Candidate:
        return self.assemble(self._architecture(params), self._recipe(params), params, shape)

    def _recipe(self, params: Mapping[str, Value]) -> Recipe:
        searched: dict[str, Any] = {name: params[name] for name in self.searched_recipe}
        return replace(self.recipe, **searched) if searched else self.recipe

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
        values = [getattr(candidate.recipe, parameter.axis)]
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
