"""Syne Tune's ASHACQR: stopping by ASHA, proposals by conformal quantile regression.

Its spaces know no conditions, and parameters that do not apply are left out of what it proposes. An infeasible network
is told as a trial that failed, which its searcher takes no notice of.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, lograndint, loguniform, randint, uniform
from syne_tune.optimizer.baselines import ASHACQR
from syne_tune.optimizer.scheduler import SchedulerDecision

from ressearch.experiment import Experiment
from ressearch.schedulers import Decision
from ressearch.space import Choice, Domain, Value
from ressearch.space.domains import FloatRange, IntRange
from rivals.places import as_told, value_at

logging.getLogger("syne_tune").setLevel(logging.CRITICAL)


class Adapter:
    """Does what Syne Tune's tuner does with its scheduler."""

    def __init__(self, experiment: Experiment, seed: int) -> None:
        self._space = experiment.space
        self._trials: list[Trial] = []
        np.random.seed(seed)
        self._scheduler = ASHACQR(
            {parameter.name: _told(parameter.domain) for parameter in self._space.parameters},
            metric="accuracy",
            time_attr="epoch",
            max_t=max(experiment.recipe.epochs, 1),
            do_minimize=False,
            random_seed=seed,
        )

    def suggest(self) -> tuple[str, Mapping[str, Value]]:
        """Ask the scheduler."""
        config = self._scheduler.suggest().config
        trial = Trial(trial_id=len(self._trials), config=config, creation_time=datetime.now())
        self._trials.append(trial)
        self._scheduler.on_trial_add(trial)
        return str(trial.trial_id), self._space.draw(lambda name, domain: value_at(domain, config[name]))

    def refuse(self, name: str) -> None:
        """Tell of a failure."""
        self._scheduler.on_trial_error(self._trials[int(name)])

    def tell(self, name: str, epoch: int, accuracy: float) -> Decision:
        """Tell the scheduler, which decides, also after the last epoch."""
        trial = self._trials[int(name)]
        decision = self._scheduler.on_trial_result(trial, {"accuracy": accuracy, "epoch": epoch})
        if decision != SchedulerDecision.STOP:
            return Decision.GO
        self._scheduler.on_trial_remove(trial)
        return Decision.STOP


def _told(domain: Domain) -> Any:
    match as_told(domain):
        case Choice(values):
            return choice(list(values))
        case IntRange(low, high, log=log):
            return lograndint(low, high) if log else randint(low, high)
        case FloatRange(low, high, log=log):
            return loguniform(low, high) if log else uniform(low, high)
