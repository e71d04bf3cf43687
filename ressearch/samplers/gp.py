"""Bayesian optimisation with a Gaussian process."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ressearch.samplers.sampler import Sampler, SamplerSettings, Task
from ressearch.space import Choice, Space


@dataclass(frozen=True, kw_only=True)
class Gp(SamplerSettings):
    """Maximise the expected improvement under a Gaussian process; for few trials of mostly numeric parameters.

    Source: Jones et al. 1998, doi:10.1023/A:1008306431147.
    """

    needs: ClassVar[tuple[str, ...]] = ("scipy",)
    handles_conditions: ClassVar[bool] = False
    max_trials: ClassVar[int | None] = 300

    def misfit(self, space: Space, objectives: Sequence[str], trials: int | None) -> str | None:
        """Return why a Gaussian process cannot serve such a study: choices have no distances to learn by."""
        num_choices = sum(isinstance(parameter.domain, Choice) for parameter in space.parameters)
        if 2 * num_choices > len(space.parameters):
            return f"needs mostly int and float ranges, got {num_choices} choices of {len(space.parameters)} parameters"
        return super().misfit(space, objectives, trials)

    def start(self, task: Task) -> Sampler:
        """Return Optuna's sampler."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import GPSampler

        from ressearch.samplers.optuna_sampler import OptunaSampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = GPSampler(seed=task.seed, n_startup_trials=1, warn_independent_sampling=False)
        return OptunaSampler(task, sampler)
