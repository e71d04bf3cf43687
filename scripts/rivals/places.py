"""Domains as every tool knows them: categories, whole numbers and real numbers, evenly or logarithmically."""

from typing import Any

from ressearch.space import Choice, Domain, Value
from ressearch.space.domains import IntRange


def as_told(domain: Domain) -> Domain:
    """Return what a tool searches for a domain: the places of its values where these are listed, else the values."""
    if not _is_listed(domain):
        return domain
    assert domain.size is not None
    return Choice(tuple(range(domain.size))) if isinstance(domain, Choice) else IntRange(0, domain.size - 1)


def value_at(domain: Domain, told: Any) -> Value:
    """Return the value that a tool's number stands for."""
    if not _is_listed(domain):
        return int(told) if isinstance(domain, IntRange) else float(told)
    assert domain.values is not None
    return domain.values[int(told)]


def place_of(domain: Domain, value: Value) -> Value:
    """Return the number that stands for a value."""
    if not _is_listed(domain):
        return value
    assert domain.values is not None
    return list(domain.values).index(value)


def _is_listed(domain: Domain) -> bool:
    """Tell whether values have even places: those of a logarithmic range have not, a continuous one has none."""
    return isinstance(domain, Choice) or (domain.size is not None and not domain.log)
