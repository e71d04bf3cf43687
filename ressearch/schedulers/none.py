"""No early stopping."""

from dataclasses import dataclass
from typing import ClassVar

from ressearch.ranking import Point
from ressearch.schedulers.rule import Decision, Rule, SchedulerSettings


@dataclass(frozen=True, kw_only=True)
class NoStopping(SchedulerSettings):
    """Train every trial to its last epoch."""

    stops: ClassVar[bool] = False

    def start(self, num_epochs: int) -> Rule:  # noqa: ARG002
        """Return the rule."""
        return _GoOn()


class _GoOn(Rule):
    def decide(self, number: int, epoch: int, point: Point) -> Decision:  # noqa: ARG002
        return Decision.GO

    def record(self, number: int, epoch: int, point: Point) -> None:
        pass
