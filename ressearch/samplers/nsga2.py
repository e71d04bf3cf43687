"""The elitist genetic algorithm NSGA-II."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ressearch.samplers.sampler import Sampler, SamplerSettings, Task

if TYPE_CHECKING:
    from ressearch.store.optuna_study import OptunaStudy


@dataclass(frozen=True, kw_only=True)
class Nsga2(SamplerSettings):
    """Cross and mutate the least dominated trials, generation by generation; for several objectives and many trials.

    Source: Deb et al. 2002, doi:10.1109/4235.996017.
    """

    population_size: int = 20
    """Complete trials of a generation."""

    def __post_init__(self) -> None:
        if self.population_size < 2:
            raise ValueError(f"population_size >= 2 must hold, got {self.population_size}")

    def start(self, task: Task) -> Sampler:
        """Return Optuna's sampler."""
        from optuna.samplers import NSGAIISampler
        from optuna.trial import TrialState

        from ressearch.samplers.optuna_sampler import OptunaSampler

        sampler = NSGAIISampler(seed=task.seed, population_size=self.population_size)
        key = NSGAIISampler._get_generation_key()  # a trial that belongs to no generation would never be a parent

        def generation(study: "OptunaStudy") -> dict[str, int]:
            complete = (trial for trial in study.trials() if trial.state is TrialState.COMPLETE)
            sizes = Counter(trial.system_attrs[key] for trial in complete if key in trial.system_attrs)
            newest = max(sizes, default=0)
            return {key: newest + (sizes[newest] >= self.population_size)}

        return OptunaSampler(task, sampler, num_startup=0, system_attributes=generation)
