"""Points that are known to be good before a search begins: the best of an earlier study."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ressearch.experiment import Experiment
from ressearch.experiment.experiment import name_in
from ressearch.samplers import SAMPLERS, Params
from ressearch.space import Value
from ressearch.space.space import counted
from ressearch.store.files import StudyError
from ressearch.store.record import TrialRecord, ranked
from ressearch.store.study_record import StudyRecord

NUM_BEST = 8
"""Trials of an earlier study that are taken over."""


def with_prior(experiment: Experiment, study: StudyRecord) -> Experiment:
    """Return the experiment whose sampler begins near the best networks of an earlier study.

    Raises:
        StudyError: If none of them is a point of the space.
        ValueError: If the sampler has no use for them.
    """
    if not experiment.sampler.starts_near_parents:
        fitting = ", ".join(name for name, row in SAMPLERS.items() if row.starts_near_parents)
        raise ValueError(
            f"the sampler {name_in(SAMPLERS, experiment.sampler)} has no use for a prior; a sampler that begins near "
            f"one: {fitting}"
        )
    parents = tuple(best_points(study, experiment))
    return replace(experiment, session=replace(experiment.session, parents=parents))


def best_points(study: StudyRecord, experiment: Experiment) -> list[Params]:
    """Return the best networks of an earlier study that are points of the space, which may be another one.

    A field of the recipe that is out of range here becomes the centre of its range.

    Raises:
        StudyError: If none of the best is a point of the space.
    """
    best = [trial for _, trial in ranked(study.trials, study.directions)]
    found = [params for trial in best if (params := _point(experiment, trial))]
    if not found:
        raise StudyError(
            f"{study.directory}: none of its {len(best)} ranked networks is a point of this space, so that it says "
            "nothing of where to begin"
        )
    return found[:NUM_BEST]


def _point(experiment: Experiment, trial: TrialRecord) -> Params | None:
    recipe = dict(_recipe_values(experiment, trial.recipe))
    return experiment.space.params_of(counted({}, trial.build_architecture(), recipe, experiment.shape))


def _recipe_values(experiment: Experiment, recipe: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    for parameter in experiment.space.parameters:
        if parameter.axis in experiment.space.searched_recipe:
            value = parameter.domain.member(recipe[parameter.axis])
            yield parameter.axis, parameter.domain.centre if value is None else value
