"""Tree-structured Parzen estimators."""

import warnings
from dataclasses import dataclass
from typing import ClassVar

from ressearch.samplers.sampler import Sampler, SamplerSettings, Task


@dataclass(frozen=True, kw_only=True)
class Tpe(SamplerSettings):
    """Propose where good trials are dense and bad ones are not.

    Source: Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization; Watanabe 2023, arXiv:2304.11127.
    """

    learns_from_stopped: ClassVar[bool] = True

    def start(self, task: Task) -> Sampler:
        """Return Optuna's sampler, joint over all parameters."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        from ressearch.samplers.optuna_sampler import OptunaSampler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # `group`: what a conditional space needs
            group = task.space.is_conditional
            sampler = TPESampler(seed=task.seed, n_startup_trials=1, group=group, multivariate=True)
        return OptunaSampler(task, sampler)
