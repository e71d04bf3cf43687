"""The elitist genetic algorithm NSGA-II."""

from dataclasses import dataclass

from ressearch.samplers.sampler import Sampler, SamplerSettings, Task


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

        from ressearch.samplers.optuna_sampler import OptunaSampler

        sampler = NSGAIISampler(seed=task.seed, population_size=self.population_size)
        key = NSGAIISampler._get_generation_key()  # others' trials would belong to no generation, and be no parents
        return OptunaSampler(
            task,
            sampler,
            num_startup=0,
            system_attributes=lambda index: {key: index // self.population_size},
            adopt=sampler.get_trial_generation,
        )
