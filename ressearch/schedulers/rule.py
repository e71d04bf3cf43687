"""What every scheduler is: settings from the YAML file, which start a rule that judges the trials of one study."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import ClassVar

from ressearch.ranking import Point


class Decision(Enum):
    """What becomes of a trial after an epoch."""

    GO = "train the next epoch"
    STOP = "end here: pruned"
    PAUSE = "save a checkpoint and wait until the rule resumes or stops it"


class Rule(ABC):
    """A scheduler at work in one study. It knows nothing but points by trial and epoch: one value per objective.

    The higher is better in each of them, see `ressearch.ranking`. With one objective a point is one value; with several
    a trial is judged by how many others dominate it, so that a small network is not stopped for being small.

    A study that is carried on replays its curves through `record`, so a rule goes on from what earlier sessions saw
    and decides alike on every backend.

    Attributes:
        pauses_at: Epochs after which `decide` may say PAUSE. Workers save a checkpoint there.
    """

    pauses_at: frozenset[int] = frozenset()

    @property
    def findings(self) -> str:
        """What the rule has found out in this study, in one line; empty if it finds out nothing."""
        return ""

    @abstractmethod
    def decide(self, number: int, epoch: int, point: Point) -> Decision:
        """Note a point of a trial and say how it goes on. Not asked after the last epoch."""

    @abstractmethod
    def record(self, number: int, epoch: int, point: Point) -> None:
        """Note a point without a decision: of a last epoch, of a baseline, or of an earlier session."""

    def ended(self, number: int) -> None:  # noqa: B027 - most rules need not know
        """Note that a trial reports no more, for whatever reason."""

    def resumed(self, *, is_idle: bool) -> Mapping[int, Decision]:  # noqa: ARG002 - for rules that pause
        """Return what the rule has decided on paused trials since the last call: GO on, or STOP.

        Args:
            is_idle: Whether nothing runs and no trial can begin, so that waiting any longer is in vain.
        """
        return {}


class SchedulerSettings(ABC):
    """One row: a frozen dataclass of the options that a YAML file may give, with the scheduler's docstring as help.

    The fields have defaults, and `__post_init__` raises ValueError for what is out of range.
    """

    stops: ClassVar[bool] = True
    """Whether the rule ends trials early, so that samplers see short ones."""

    def misfit(self, num_epochs: int) -> str | None:  # noqa: ARG002 - most fit any length
        """Return why these settings do not suit trials of this length, starting with the field's name."""
        return None

    @abstractmethod
    def start(self, num_epochs: int) -> Rule:
        """Return a rule for trials of `num_epochs` epochs."""


def is_finite(point: Point) -> bool:
    """Tell whether all values of a point are numbers that can be compared."""
    return all(map(math.isfinite, point))


def check_at_least(settings: object, **least: float) -> None:
    """Check lower bounds of fields; None is left alone.

    Raises:
        ValueError: Naming the field, what must hold and what was got.
    """
    for name, bound in least.items():
        value = getattr(settings, name)
        if value is not None and value < bound:
            raise ValueError(f"{name} >= {bound:g} must hold, got {value:g}")


def late_rung(first_rung: int, num_epochs: int) -> str | None:
    """Return why a first rung does not suit trials of this length, None if it does."""
    if first_rung <= num_epochs:
        return None
    return f"first_rung <= epochs must hold, got first_rung {first_rung} and epochs {num_epochs}"
