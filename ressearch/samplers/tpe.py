"""Tree-structured Parzen estimators."""

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
        """Return Optuna's sampler, each parameter on its own."""
        from optuna.samplers import TPESampler

        from ressearch.samplers.optuna_sampler import OptunaSampler

        return OptunaSampler(task, TPESampler(seed=task.seed, n_startup_trials=1))
