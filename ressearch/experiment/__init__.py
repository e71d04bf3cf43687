"""A space with all that a study of it needs: images, recipe, objectives, sampler, scheduler, budget. No torch."""

from ressearch.experiment.experiment import Budget, Experiment, Fidelity, Origin, RecipeTuning, Resources, Session
from ressearch.experiment.loader import load_experiment
from ressearch.experiment.objectives import OBJECTIVES, Objective

__all__ = [
    "OBJECTIVES",
    "Budget",
    "Experiment",
    "Fidelity",
    "Objective",
    "Origin",
    "RecipeTuning",
    "Resources",
    "Session",
    "load_experiment",
]
