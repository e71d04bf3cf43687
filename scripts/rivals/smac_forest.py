"""SMAC's HyperparameterOptimizationFacade, asked and told: a random forest, conditions, and trainings to the end.

Each network is trained once, as in SMAC's own example of asking and telling. An infeasible one is told as a crash, at
the cost of an accuracy of zero: the default cost of a crash, infinity, is none that a forest can be fitted to.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ConfigSpace import AndConjunction, ConfigurationSpace, InCondition, OrConjunction
from ConfigSpace.conditions import ConditionLike
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Hyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory import StatusType, TrialInfo, TrialValue

from ressearch.experiment import Experiment
from ressearch.schedulers import Decision
from ressearch.space import Choice, Parameter, Space, Value
from ressearch.space.domains import FloatRange, IntRange
from rivals.places import as_told, place_of, value_at

CRASH_COST = 1.0
logging.getLogger("smac").setLevel(logging.CRITICAL)


class Adapter:
    """Asks and tells the facade."""

    def __init__(self, experiment: Experiment, seed: int) -> None:
        self._space, self._epochs = experiment.space, experiment.recipe.epochs
        self._asked: list[TrialInfo] = []
        with TemporaryDirectory() as directory:  # nothing is written to it but at the start
            scenario = Scenario(
                _config_space(self._space),
                output_directory=Path(directory),
                deterministic=True,
                crash_cost=CRASH_COST,
                seed=seed,
            )
            self._facade = HyperparameterOptimizationFacade(scenario, logging_level=False)

    def suggest(self) -> tuple[str, Mapping[str, Value]]:
        """Ask the facade."""
        with warnings.catch_warnings(action="ignore"):  # it takes means of nothing
            asked = self._facade.ask()
        self._asked.append(asked)
        params = self._space.draw(lambda name, domain: value_at(domain, asked.config[name]))
        return str(len(self._asked) - 1), params

    def refuse(self, name: str) -> None:
        """Tell of a crash."""
        value = TrialValue(cost=CRASH_COST, status=StatusType.CRASHED)
        self._facade.tell(self._asked[int(name)], value, save=False)

    def tell(self, name: str, epoch: int, accuracy: float) -> Decision:
        """Tell of the last epoch only."""
        if epoch == self._epochs:
            self._facade.tell(self._asked[int(name)], TrialValue(cost=1 - accuracy), save=False)
        return Decision.GO


def _config_space(space: Space) -> ConfigurationSpace:
    made = ConfigurationSpace()
    made.add(_hyperparameter(parameter) for parameter in space.parameters)
    made.add(_condition(parameter, space, made) for parameter in space.parameters if parameter.when)
    return made


def _hyperparameter(parameter: Parameter) -> Hyperparameter:
    match as_told(parameter.domain):
        case Choice(values):
            return CategoricalHyperparameter(parameter.name, values)
        case IntRange(low, high, log=log):
            return UniformIntegerHyperparameter(parameter.name, low, high, log=log)
        case FloatRange(low, high, log=log):
            return UniformFloatHyperparameter(parameter.name, low, high, log=log)


def _condition(parameter: Parameter, space: Space, made: ConfigurationSpace) -> ConditionLike:
    """Return all conditions of a parameter as one."""
    domains = {other.name: other.domain for other in space.parameters}
    conditions = []
    for condition in parameter.when:
        either = []
        for name in condition.parameters:
            values = [value for value in condition.values if domains[name].member(value) is not None]
            if values:
                places = [place_of(domains[name], value) for value in values]
                either.append(InCondition(made[parameter.name], made[name], places))
        conditions.append(_joined(OrConjunction, either))
    return _joined(AndConjunction, conditions)


def _joined(kind: type[AndConjunction | OrConjunction], conditions: Sequence[ConditionLike]) -> ConditionLike:
    return kind(*conditions) if len(conditions) > 1 else conditions[0]
