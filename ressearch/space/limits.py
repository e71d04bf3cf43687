"""Bounds on the counted cost of every candidate."""

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
class Limits:
    """Bounds on the counted cost of every candidate."""

    num_params: Bounds = Bounds()
    num_macs: Bounds = Bounds()

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

    def allow(self, counted: Cost) -> bool:
        """Tell whether a network is within the limits."""
        try:
            self.check(counted)
        except InfeasibleError:
            return False
        return True
