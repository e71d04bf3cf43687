"""The stage before a search: the searched part of the recipe is tuned on baselines, then candidates keep near it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from ressearch.experiment import Experiment
from ressearch.search.recipe_tuning import MAX_EXTENSIONS, Ladder, Recipe, tuning
from ressearch.search.restore import Waiting
from ressearch.space import Choice, Domain, FloatRange
from ressearch.store.record import TrialRecord

FACTORS: Mapping[str, tuple[float, ...]] = {"lr": (0.5, 1.0, 2.0, 4.0), "weight_decay": (0.25, 1.0, 4.0)}
"""By field, in the order in which they are tuned: what the recipe's own value is multiplied by at first."""
NUM_NETWORKS = 2
"""Baselines that the recipe is tuned on, the first ones."""
WIDTH = 2.0
"""Candidates have the tuned value times or divided by this at most."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far the stage has come.

    missing: trials that have not begun. recipe: what was found, None as long as trials are missing or running.
    """

    missing: tuple[Waiting, ...] = ()
    recipe: Recipe | None = None


class RecipeStage:
    """Tunes lr, weight decay and batch size, as far as a space searches them, on its first baselines.

    A recipe's score is the mean validation accuracy of these networks. It knows nothing but the trials, so that a later
    session goes on where an earlier one was ended.

    Args:
        experiment: What is searched; with fewer `recipe_tuning.trials` than a ladder needs, there is no stage.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._networks = experiment.session.baselines[:NUM_NETWORKS]
        self._ladders = _ladders(experiment)
        self._start = {name: getattr(experiment.recipe, name) for name in self._ladders}
        self._max_recipes = experiment.recipe_tuning.trials // len(self._networks) if self._networks else 0

    def step(self, records: Iterable[TrialRecord]) -> Step:
        """Return what is to be trained next, or what was found.

        Args:
            records: All trials of the study.
        """
        known = {
            (record.baseline, *(record.recipe[name] for name in self._start)): record
            for record in records
            if record.baseline in self._networks and (record.is_finished or record.is_open)
        }
        work = tuning(self._start, self._ladders, max_recipes=self._max_recipes)
        try:
            recipes = next(work)
            while True:
                rows = [[known.get((name, *recipe.values())) for name in self._networks] for recipe in recipes]
                missing = [
                    self._waiting(name, recipe)
                    for recipe, row in zip(recipes, rows, strict=True)
                    for name, record in zip(self._networks, row, strict=True)
                    if record is None
                ]
                found = [record for row in rows for record in row if record]
                if missing or any(record.is_open for record in found):
                    return Step(missing=tuple(missing))
                recipes = work.send([_score(record for record in row if record) for row in rows])
        except StopIteration as end:
            return Step(recipe=end.value)

    def _waiting(self, name: str, recipe: Recipe) -> Waiting:
        experiment = self._experiment
        values = {
            field: recipe.get(field, getattr(experiment.recipe, field)) for field in experiment.space.searched_recipe
        }
        return Waiting(experiment.space.baseline(name, values, experiment.shape), name)


def _score(records: Iterable[TrialRecord]) -> float:
    return fmean(
        math.nan if record.val_accuracy is None or record.state == "failed" else record.val_accuracy
        for record in records
    )


def _ladders(experiment: Experiment) -> dict[str, Ladder]:
    """Return what is tried of each field that is searched, always, over a range or, of the batch size, a few values."""
    domains = {parameter.axis: parameter.domain for parameter in experiment.space.parameters if not parameter.when}
    ladders = {}
    for name, factors in FACTORS.items():
        value, domain = getattr(experiment.recipe, name), domains.get(name)
        if isinstance(domain, FloatRange) and domain.step is None and value > 0:
            ladders[name] = Ladder(values=tuple(value * factor for factor in factors), step=factors[-1] / factors[-2])
    sizes = domains.get("batch_size")
    if isinstance(sizes, Choice):
        ladders["batch_size"] = Ladder(values=tuple(sorted(map(int, sizes.values))))
    return ladders


def near(experiment: Experiment, recipe: Recipe) -> Experiment:
    """Return the experiment whose candidates have recipes near a tuned one, and whose baselines have that.

    A field may leave the range that it was given, where the optimum is outside.
    """
    domains: dict[str, Domain] = {
        name: FloatRange(value / WIDTH, value * WIDTH, log=True) if name in FACTORS else Choice((value,))
        for name, value in recipe.items()
    }
    values: dict[str, Any] = dict(recipe)
    return replace(_with_domains(experiment, domains), recipe=replace(experiment.recipe, **values))


def reached(experiment: Experiment) -> Experiment:
    """Return the experiment whose ranges hold all that a recipe stage may come to."""
    domains: dict[str, Domain] = {}
    for parameter in experiment.space.parameters:
        ladder = _ladders(experiment).get(parameter.axis)
        if ladder and ladder.step and isinstance(parameter.domain, FloatRange):
            margin = ladder.step**MAX_EXTENSIONS * WIDTH
            low = min(parameter.domain.low, ladder.values[0] / margin)
            domains[parameter.axis] = replace(
                parameter.domain, low=low, high=max(parameter.domain.high, ladder.values[-1] * margin)
            )
    return _with_domains(experiment, domains)


def _with_domains(experiment: Experiment, domains: Mapping[str, Domain]) -> Experiment:
    parameters = tuple(
        replace(parameter, domain=domains.get(parameter.axis, parameter.domain))
        for parameter in experiment.space.parameters
    )
    return replace(experiment, space=replace(experiment.space, parameters=parameters))
