"""Settings of a study beside the space itself: limits, sampler, scheduler, resources."""

from dataclasses import dataclass
from typing import Literal

from ressearch.arch import Cost, InfeasibleError

Objective = Literal["val_accuracy", "num_params", "num_macs", "num_activations", "seconds"]
"""val_accuracy is maximised, the others are minimised."""


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
            InfeasibleError: With the rule num_params or num_macs.
        """
        for name in ("num_params", "num_macs"):
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


@dataclass(frozen=True)
class Sampler:
    """What proposes parameters."""

    name: Literal["tpe", "random", "grid"] = "tpe"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"0 <= seed < 2**32 must hold, got {self.seed}")


@dataclass(frozen=True)
class Scheduler:
    """What ends unpromising trials early; first_rung None lets the search choose the first epoch to judge at."""

    name: Literal["asha", "none"] = "asha"
    first_rung: int | None = None
    reduction_factor: int = 2

    def __post_init__(self) -> None:
        if self.first_rung is not None and self.first_rung < 1:
            raise ValueError(f"first_rung >= 1 must hold, got {self.first_rung}")
        if self.reduction_factor < 2:
            raise ValueError(f"reduction_factor >= 2 must hold, got {self.reduction_factor}")


@dataclass(frozen=True)
class Resources:
    """Share of the machine; workers None is as many as it holds."""

    workers: int | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float = 1.0

    def __post_init__(self) -> None:
        for name in ("workers", "cpus_per_trial"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} >= 1 must hold, got {value}")
        if not 0 < self.gpus_per_trial <= 1:
            raise ValueError(f"0 < gpus_per_trial <= 1 must hold, got {self.gpus_per_trial:g}")
