"""Every point of a finite space, in order."""

import sys
from dataclasses import dataclass
from typing import ClassVar

from ressearch.samplers.sampler import Params, Sampler, SamplerSettings, Task


@dataclass(frozen=True, kw_only=True)
class Grid(SamplerSettings):
    """Go through every point of a finite space, the last parameter changing fastest."""

    learns: ClassVar[bool] = False
    handles_continuous: ClassVar[bool] = False

    def start(self, task: Task) -> Sampler:
        """Return the sampler."""
        return _Grid(task)


class _Grid(Sampler):
    max_refusals = sys.maxsize

    def __init__(self, task: Task) -> None:
        self._points = task.space.enumerate()

    def ask(self) -> Params | None:
        return next(self._points, None)
