"""What every sampler is: settings from the YAML file, which start a sampler at work in one study."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ressearch.arch import Cost
from ressearch.ranking import Direction
from ressearch.space import Candidate, Space, Value
from ressearch.store.record import TrialRecord

Params = Mapping[str, Value]

STARTUP_TRIALS = 10
"""Trials drawn at random before there is something to learn from (Optuna's own default)."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a sampler needs to know of a study.

    objectives: names, as in a record's measures; directions: what is better of each.
    candidate: resolves a point to its network and what that costs; raises as `Space.candidate`.
    parents: points that are known to be good: the best of an earlier study.
    seconds: predicts how long a network would train; None while nobody knows, or where time is not what is short.
    likeliness: weighs a candidate, from 0 to 1, by what is known beforehand and short trainings do not tell.
    """

    space: Space
    candidate: Callable[[Params], Candidate]
    objectives: tuple[str, ...]
    directions: tuple[Direction, ...]
    seed: int
    parents: tuple[Params, ...] = ()
    seconds: Callable[[Cost], float | None] = lambda _: None
    likeliness: Callable[[Candidate], float] = lambda _: 1.0


class Sampler(ABC):
    """A sampler at work: it proposes points of the space, and is told what becomes of them.

    Whoever asks refuses points that are no network, are outside the limits or are known, and asks again.

    Attributes:
        max_refusals: Refused points in a row after which a random draw takes over.
    """

    max_refusals: int = 20

    @abstractmethod
    def ask(self) -> Params | None:
        """Return a point of the space, or None to leave it to a random draw."""

    def refuse(self, *, is_duplicate: bool) -> None:  # noqa: B027 - here and below: for samplers that learn
        """Take note that the point asked for last is not trained.

        Args:
            is_duplicate: Whether its only fault is that its network is known already.
        """

    def begin(self, number: int, params: Params) -> None:  # noqa: B027
        """Take note that a trial trains a point: the one asked for last, a random draw, or a baseline."""

    def tell(self, record: TrialRecord) -> None:  # noqa: B027
        """Learn how a trial has ended, which began in this session."""

    def restore(self, records: Iterable[TrialRecord]) -> None:  # noqa: B027
        """Learn from the trials of earlier sessions, all of which have ended."""


class SamplerSettings(ABC):
    """One row: a frozen dataclass of the options that a YAML file may give, with the sampler's docstring as help.

    The fields have defaults, and `__post_init__` raises ValueError for what is out of range. What the sampler can do
    is declared by class attributes; `misfit` refuses what does not fit.
    """

    learns: ClassVar[bool] = True
    """Whether it proposes by the results of earlier trials."""
    learns_from_stopped: ClassVar[bool] = False
    """Whether trials that the scheduler stops early teach it anything."""
    handles_continuous: ClassVar[bool] = True
    """Whether it serves parameters without a step."""
    handles_objectives: ClassVar[bool] = True
    """Whether it serves several objectives."""
    starts_near_parents: ClassVar[bool] = False
    """Whether it begins near points that are known to be good, see `Task.parents`."""

    def misfit(self, space: Space, objectives: Sequence[str]) -> str | None:
        """Return why this sampler cannot serve such a study, None if it can."""
        if space.continuous and not self.handles_continuous:
            return f"needs a finite space, got continuous {', '.join(space.continuous)}; give a step or a choice"
        if len(objectives) > 1 and not self.handles_objectives:
            return f"serves one objective, got {', '.join(objectives)}"
        return None

    @abstractmethod
    def start(self, task: Task) -> Sampler:
        """Return a sampler for a study. Heavy packages are imported here, not before."""
