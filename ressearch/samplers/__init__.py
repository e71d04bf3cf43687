"""Samplers: what proposes the next candidate. One file and one row each; Optuna loads when one of its own starts."""

from ressearch.samplers.evolution import Evolution
from ressearch.samplers.gp import Gp
from ressearch.samplers.grid import Grid
from ressearch.samplers.nsga2 import Nsga2
from ressearch.samplers.random_draws import RandomDraws
from ressearch.samplers.sampler import Params, Sampler, SamplerSettings, Task
from ressearch.samplers.tpe import Tpe

SAMPLERS: dict[str, type[SamplerSettings]] = {
    "gp": Gp,
    "tpe": Tpe,
    "evolution": Evolution,
    "nsga2": Nsga2,
    "random": RandomDraws,
    "grid": Grid,
}
"""Every sampler by its YAML name."""
DEFAULT_SAMPLER = "gp"

__all__ = [
    "DEFAULT_SAMPLER",
    "SAMPLERS",
    "Evolution",
    "Gp",
    "Grid",
    "Nsga2",
    "Params",
    "RandomDraws",
    "Sampler",
    "SamplerSettings",
    "Task",
    "Tpe",
]
