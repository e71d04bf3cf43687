"""Sections whose form a dataclass declares, and domains: from YAML entries to checked values."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ressearch.space.domains import Choice, Domain, FloatRange, IntRange, Value
from ressearch.space.parameters import Parameter
from ressearch.space.yaml_nodes import Entry
from ressearch.training.recipe import Recipe

T = TypeVar("T")


def section(
    entry: Entry | None, kind: type[T], *, also: tuple[str, ...] = (), set_elsewhere: Mapping[str, Any] | None = None
) -> T:
    """Read a mapping as a dataclass; a section that is left out has its defaults.

    Args:
        entry: The mapping; None where the file leaves it out.
        kind: The dataclass.
        also: Keys that somebody else reads.
        set_elsewhere: Fields that the file may not give, with their values.

    Raises:
        SpaceError: For an unknown key, a wrong type, or a value that the dataclass refuses.
    """
    preset = dict(set_elsewhere or {})
    if entry is None:
        return kind(**preset)
    every = get_type_hints(kind, include_extras=True)
    hints = {spec.name: every[spec.name] for spec in fields(kind) if spec.name not in preset}  # type: ignore[arg-type]
    given = {key: child for key, child in entry.known((*also, *hints)).items() if key not in also}
    return _built(entry, kind, preset | {key: _read(child, hints[key]) for key, child in given.items()})


def recipe_section(entry: Entry | None) -> tuple[Recipe, tuple[Parameter, ...]]:
    """Read the recipe: its fixed fields, and a parameter for each searched one.

    Raises:
        SpaceError: As `section`, and for a domain that holds a value that the recipe refuses.
    """
    if entry is None:
        return Recipe(), ()
    hints = get_type_hints(Recipe)
    fixed: dict[str, Any] = {}
    parameters = []
    for key, child in entry.known(hints).items():
        if not child.is_mapping:
            fixed[key] = _read(_not_a_list(child), hints[key])
        elif hints[key] not in (int, float) or key == "epochs":
            reason = (
                "it is the fidelity that trials are compared at" if key == "epochs" else "only numbers are searched"
            )
            raise child.error(f"{key} takes one fixed value, got a domain; {reason}")
        else:
            read = partial(_read, kind=hints[key])
            parameters.append(Parameter(key, key, None, domain(child, hints[key], read)))
    recipe = _built(entry, Recipe, fixed)
    for parameter in parameters:
        for value in extremes(parameter.domain):
            _built(entry, partial(replace, recipe), {parameter.name: value})
        default = parameter.domain.member(getattr(recipe, parameter.name))
        value = parameter.domain.centre if default is None else default
        recipe = _built(entry, partial(replace, recipe), {parameter.name: value})
    return recipe, tuple(parameters)


def domain(
    entry: Entry, kind: type, read: Callable[[Entry], Value], *, allowed: tuple[str, ...] = ("choice", "int", "float")
) -> Domain:
    """Read a domain with its explicit kind; `read` reads and checks one of its values.

    Raises:
        SpaceError: If it does not have exactly one kind, a kind that fits, or is no domain.
    """
    kinds = [key for key in entry.known(allowed) if key != "when"]
    if len(kinds) != 1:
        raise entry.error(f"got {' and '.join(kinds) or 'no kind'}, expected exactly one of choice, int, float")
    inner = entry.items[kinds[0]]
    if kinds[0] == "choice":
        return _built(inner, Choice, {"values": tuple(read(element) for element in inner.elements)})
    if kind not in (int, float):
        values = "true and false" if kind is bool else "names"
        raise inner.error(f"got a range of kind {kinds[0]}, expected {{choice: [...]}}; the values are {values}")
    if kind is int and kinds[0] == "float":
        raise inner.error("got a range of kind float, expected {int: ...} or {choice: [...]} of whole numbers")
    return _range(inner, int if kinds[0] == "int" else float, read)


def _range(entry: Entry, kind: type[int] | type[float], read: Callable[[Entry], Value]) -> Domain:
    items = entry.known(("low", "high", "step", "log"))
    for key in ("low", "high"):
        if key not in items:
            raise entry.error(f"{key!r} is missing, expected {{low: ..., high: ...}}")
    values: dict[str, Any] = {key: items[key].scalar(kind) for key in items if key != "log"}
    if "log" in items:
        values["log"] = items["log"].scalar(bool)
    made = _built(entry, IntRange, values) if kind is int else _built(entry, FloatRange, values)
    read(items["low"])  # the outermost values decide whether all are allowed
    read(items["high"])
    return made


def _read(entry: Entry, kind: Any) -> Any:
    """Read a value of an annotated type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return section(entry, kind)
    if origin is Literal:
        return entry.name(arguments)
    if origin is Annotated:  # a name, and the table that it must be in
        return entry.name(arguments[1])
    if origin is UnionType:
        if entry.is_null:
            return None
        is_number = set(arguments) >= {int, float}  # a whole number stays one: it may mean something else than a share
        return _read(entry, float if is_number and not isinstance(entry.plain, int) else arguments[0])
    return Path(entry.scalar(str)) if kind is Path else entry.scalar(kind)


def _built(entry: Entry, build: Callable[..., T], values: Mapping[str, Any]) -> T:
    """Call a constructor; its complaint is placed at the first field that it names."""
    try:
        return build(**values)
    except ValueError as error:
        items = entry.items if entry.is_mapping else {}
        place = next((items[word] for word in re.findall(r"\w+", str(error)) if word in items), entry)
        raise place.error(str(error)) from None


def _not_a_list(entry: Entry) -> Entry:
    if entry.is_list:
        raise entry.error("got a list, expected one value; say {choice: [...]} to search over several")
    return entry


def extremes(domain: Domain) -> tuple[Value, ...]:
    """Return the outermost values of a range, all values of a choice."""
    return domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
