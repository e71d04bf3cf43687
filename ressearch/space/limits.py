"""Bounds on what every candidate costs."""

import math
from dataclasses import dataclass

from ressearch.arch import Cost, InfeasibleError

LIMITED = ("num_params", "num_macs")
"""Costs that can be limited."""


@dataclass(frozen=True)
class Bounds:
    """Least and largest value that is allowed, both included; None is unbounded."""

    min: int | None = None
    max: int | None = None

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min <= max must hold, got min {self.min:,} and max {self.max:,}")


@dataclass(frozen=True)
class Longest:
    """Longest time that is allowed, in seconds; None is unbounded."""

    max: float | None = None

    def __post_init__(self) -> None:
        if self.max is not None and not 0 < self.max < math.inf:
            raise ValueError(f"max > 0 must hold, got {self.max:g}")


@dataclass(frozen=True)
class Limits:
    """Bounds on the counted cost of every candidate, and on the worker time of its whole training.

    The time is known only afterwards: candidates that are predicted to take longer are refused, and a network that has
    taken longer is outside the limits.
    """

    num_params: Bounds = Bounds()
    num_macs: Bounds = Bounds()
    seconds: Longest = Longest()

    def check(self, counted: Cost) -> None:
        """Refuse a network outside the limits.

        Raises:
            InfeasibleError: With the cost as its rule.
        """
        for name in LIMITED:
            bounds, got = getattr(self, name), getattr(counted, name)
            if bounds.max is not None and got > bounds.max:
                raise InfeasibleError(name, f"{name} {got:,} exceeds the limit of {bounds.max:,}")
            if bounds.min is not None and got < bounds.min:
                raise InfeasibleError(name, f"{name} {got:,} falls short of the limit of {bounds.min:,}")

    def allow(self, counted: Cost, seconds: float = 0.0) -> bool:
        """Tell whether a network is within the limits, by its cost and the seconds that it has trained."""
        try:
            self.check(counted)
        except InfeasibleError:
            return False
        return self.seconds.max is None or seconds <= self.seconds.max
