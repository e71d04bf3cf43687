"""Domains: the values a searched parameter may take."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from random import Random
from typing import Any

MAX_VALUES = 100_000
"""That steps of a `FloatRange` may make."""

Value = bool | int | float | str
"""A plain YAML value; members of an enum axis go by their YAML names."""


@dataclass(frozen=True)
class Choice:
    """One of some values.

    Raises:
        ValueError: If there are none, or one is given twice.
    """

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("one or more values must be given, got none")
        if repeated := [value for index, value in enumerate(self.values) if value in self.values[:index]]:
            raise ValueError(f"every value must be given once, got {value_text(repeated[0])} twice")

    def __str__(self) -> str:
        return ", ".join(map(value_text, self.values))

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.values)

    @property
    def centre(self) -> Value:
        """The value in the middle; of two, the first."""
        return self.values[(len(self.values) - 1) // 2]

    def member(self, value: object) -> Value | None:
        """Return the value of this domain that is equal to `value`, None if there is none; true is not 1."""
        for own in self.values:
            if own == value:
                return own if isinstance(own, bool) == isinstance(value, bool) else None
        return None


@dataclass(frozen=True)
class IntRange:
    """Whole numbers from low to high, both included.

    Raises:
        ValueError: If it is empty, a step does not end at high, or log does not go with low or step.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self)

    def __str__(self) -> str:
        return _range_text(self)

    @property
    def values(self) -> range:
        """Every value in rising order."""
        return range(self.low, self.high + 1, self.step)

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.values)

    @property
    def centre(self) -> int:
        """The value in the middle, the geometric one under log."""
        if self.log:
            return round(math.sqrt(self.low * self.high))
        return self.values[(self.size - 1) // 2]

    def member(self, value: object) -> int | None:
        """Return the value of this domain that is equal to `value`, None if there is none; true is not 1."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return int(value) if value in self.values else None


@dataclass(frozen=True)
class FloatRange:
    """Numbers from low to high, both included; every one of them, or those that steps from low reach.

    Raises:
        ValueError: If it is empty, a step does not end at high, or log does not go with low or step.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self)

    def __str__(self) -> str:
        return _range_text(self)

    @cached_property  # exact fractions take their time, and values are drawn by the thousand
    def values(self) -> tuple[float, ...] | None:
        """Every value in rising order, free of accumulated rounding; None if they are not countable."""
        if self.step is None:
            return None
        low, step = _exact(self.low), _exact(self.step)
        return tuple(float(low + step * index) for index in range(_num_steps(self) + 1))

    @property
    def size(self) -> int | None:
        """Number of values, None if they are not countable."""
        return None if self.values is None else len(self.values)

    @property
    def centre(self) -> float:
        """The value in the middle, the geometric one under log."""
        if self.values is not None:
            return self.values[(len(self.values) - 1) // 2]
        return math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2

    def member(self, value: object) -> float | None:
        """Return the value of this domain that is equal to `value` up to rounding, None if there is none."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        tolerance = 1e-9 * max(abs(self.low), abs(self.high))
        if not self.low - tolerance <= value <= self.high + tolerance:
            return None
        if self.values is None:
            return min(max(float(value), self.low), self.high)
        assert self.step is not None
        index = round((value - self.low) / self.step)
        nearest = self.values[min(max(index, 0), len(self.values) - 1)]
        return nearest if abs(nearest - value) <= tolerance else None


Domain = Choice | IntRange | FloatRange


def includes(domain: Domain, earlier: Domain) -> bool:
    """Tell whether every value of an earlier domain is one of this domain, drawn in the same way."""
    if isinstance(earlier, Choice):
        return isinstance(domain, Choice) and all(domain.member(value) is not None for value in earlier.values)
    if isinstance(domain, Choice) or type(domain) is not type(earlier) or domain.log != earlier.log:
        return False
    return domain.low <= earlier.low and domain.high >= earlier.high and _on_grid(domain, earlier)


def domain_to_dict(domain: Domain) -> dict[str, Any]:
    """Return a domain as plain JSON values, in the form that YAML files give it."""
    kind = {Choice: "choice", IntRange: "int", FloatRange: "float"}[type(domain)]
    return {kind: list(domain.values) if isinstance(domain, Choice) else asdict(domain)}


def domain_from_dict(values: Mapping[str, Any]) -> Domain:
    """Return the domain of `domain_to_dict`."""
    match values:
        case {"choice": list(members)}:
            return Choice(tuple(members))
        case {"int": Mapping() as bounds}:
            return IntRange(**bounds)
        case {"float": Mapping() as bounds}:
            return FloatRange(**bounds)
    raise ValueError(f"expected a choice, int or float, got {dict(values)!r}")


def random_choose(rng: Random) -> Callable[[str, Domain], Value]:
    """Return a function for `Space.draw` that draws uniformly, or uniformly in the logarithm under log."""

    def choose(name: str, domain: Domain) -> Value:  # noqa: ARG001 - the name is for samplers that learn
        match domain:
            case Choice(values):
                return rng.choice(values)
            case IntRange(low, high, log=True):  # every integer owns half a unit to both sides
                drawn = math.exp(rng.uniform(math.log(low - 0.5), math.log(high + 0.5)))
                return min(max(round(drawn), low), high)
            case IntRange():
                return rng.choice(domain.values)
            case FloatRange(low, high, step=None, log=True):
                return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)
            case FloatRange(low, high, step=None):
                return rng.uniform(low, high)
            case FloatRange():
                assert domain.values is not None
                return rng.choice(domain.values)

    return choose


def value_text(value: Value) -> str:
    """Write a value as YAML does."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_range(domain: IntRange | FloatRange) -> None:
    low, high, step = domain.low, domain.high, domain.step
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"low and high must be finite, got {low} and {high}")
    if low > high:
        raise ValueError(f"low <= high must hold, got low {low:g} and high {high:g}")
    if domain.log and low <= 0:
        raise ValueError(f"low > 0 must hold with log, got low {low:g}")
    if step is None:
        return
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"step > 0 must hold, got {step:g}")
    if isinstance(domain, FloatRange) and (num_values := _num_steps(domain) + 1) > MAX_VALUES:
        raise ValueError(f"step must make at most {MAX_VALUES:,} values, got step {step:g}, which makes {num_values:,}")
    if domain.log and (step != 1 or isinstance(domain, FloatRange)):
        raise ValueError(f"step and log exclude each other, got step {step:g} with log")
    if (_exact(high) - _exact(low)) % _exact(step):
        last = float(_exact(low) + _exact(step) * _num_steps(domain))
        raise ValueError(
            f"step must reach high from low, got step {step:g}, which ends at {last:g} short of high {high:g}"
        )


def _on_grid(domain: IntRange | FloatRange, earlier: IntRange | FloatRange) -> bool:
    """Tell whether the steps of one range meet all those of another."""
    if domain.step is None or earlier.step is None:
        return domain.step is None
    step = _exact(domain.step)
    return not (_exact(earlier.low) - _exact(domain.low)) % step and not _exact(earlier.step) % step


def _num_steps(domain: IntRange | FloatRange) -> int:
    assert domain.step is not None
    return int((_exact(domain.high) - _exact(domain.low)) / _exact(domain.step))


def _exact(number: float) -> Fraction:
    """Return the decimal number that was written, since 0.1 + 0.2 is not 0.3 in binary."""
    return Fraction(repr(number))


def _range_text(domain: IntRange | FloatRange) -> str:
    step = (
        "" if domain.step is None or (domain.step == 1 and isinstance(domain, IntRange)) else f", step {domain.step:g}"
    )
    return f"{domain.low:g} to {domain.high:g}{step}{', log' if domain.log else ''}"
