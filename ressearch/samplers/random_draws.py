"""Random draws."""

from dataclasses import dataclass
from typing import ClassVar

from ressearch.samplers.sampler import Params, Sampler, SamplerSettings, Task


@dataclass(frozen=True, kw_only=True)
class RandomDraws(SamplerSettings):
    """Draw every parameter uniformly, or uniformly in the logarithm under log."""

    learns: ClassVar[bool] = False

    def start(self, task: Task) -> Sampler:  # noqa: ARG002
        """Return the sampler."""
        return _LeaveItToChance()


class _LeaveItToChance(Sampler):
    def ask(self) -> Params | None:
        return None
