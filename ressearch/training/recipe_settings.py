"""Single fields of a recipe from text, as `--set FIELD=VALUE` gives them. No torch."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ressearch.messages import did_you_mean, quoted
from ressearch.training.recipe import Recipe

_KINDS: Mapping[str, Any] = get_type_hints(Recipe)
_TRUTH = {"true": True, "false": False}


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """Split texts of the form FIELD=VALUE.

    Raises:
        ValueError: If a text has another form, or a field is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ValueError(f"--set: got {quoted(text)}, expected FIELD=VALUE, such as lr=0.1")
        if name in found:
            raise ValueError(f"--set: {name} is given twice, as {quoted(found[name])} and {quoted(value)}")
        found[name] = value
    return found


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some fields changed, given as values or as their texts.

    Raises:
        ValueError: For an unknown field, with the nearest guess, a wrong type, or a value out of its range.
    """
    for name in settings:
        if name not in _KINDS:
            hint = did_you_mean(name, _KINDS)
            raise ValueError(
                f"recipe: there is no field {quoted(name)}, expected one of {', '.join(_KINDS)}"
                + (f"; {hint}" if hint else "")
            )
    values = {name: _value(name, given, _KINDS[name]) for name, given in settings.items()}
    try:
        return replace(recipe, **values)
    except ValueError as error:
        hint = "; change it, too: --set warmup_epochs=N" if "warmup_epochs" in str(error) else ""
        raise ValueError(f"recipe: {error}{hint}") from None


def _value(name: str, given: object, kind: Any) -> Any:
    """Return a value of a field's type; nothing is converted but text, and whole numbers to fractions."""
    if get_origin(kind) is Literal:
        allowed, choices = ", ".join(get_args(kind)), {choice: choice for choice in get_args(kind)}
        value = choices.get(str(given))
        hint = did_you_mean(given, choices)
    else:
        allowed, hint = {int: "a whole number", float: "a number", bool: "true or false"}[kind], ""
        value = _parsed(given, kind) if isinstance(given, str) else _number(given, kind)
    if value is None:
        raise ValueError(f"recipe: {name}: got {quoted(given)}, expected {allowed}" + (f"; {hint}" if hint else ""))
    return value


def _parsed(text: str, kind: type) -> Any:
    if kind is bool:
        return _TRUTH.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None


def _number(given: object, kind: type) -> Any:
    if isinstance(given, bool) or kind is bool:
        return given if isinstance(given, bool) and kind is bool else None
    return kind(given) if isinstance(given, (int, kind)) else None
