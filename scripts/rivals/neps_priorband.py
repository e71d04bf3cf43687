"""NePS's PriorBand, asked and told, without a prior: Hyperband whose proposals are random or near the best network.

Its numerical spaces know no conditions, and parameters that do not apply are left out of what it proposes. A training
that goes to a higher rung goes on where it was. An infeasible network is told as an exception, which takes its place in
its rung and is the last to rise.
"""

import random
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

with warnings.catch_warnings(action="ignore"):  # what it imports is deprecated
    import neps
    from neps.optimizers.priorband import PriorBandSampler
    from neps.sampling import Sampler


from ressearch.experiment import Experiment
from ressearch.schedulers import Decision
from ressearch.space import Choice, Domain, Value
from ressearch.space.domains import FloatRange, IntRange
from rivals.places import as_told, value_at

EPOCHS = "epochs"
Told = neps.HPOCategorical | neps.HPOInteger | neps.HPOFloat


class Adapter:
    """Asks and tells; NePS counts a network at another rung as another trial, which here is the same one."""

    def __init__(self, experiment: Experiment, seed: int) -> None:
        self._space, self._epochs = experiment.space, experiment.recipe.epochs
        self._asked: dict[str, neps.Trial] = {}
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        told: dict[str, Told] = {parameter.name: _told(parameter.domain) for parameter in self._space.parameters}
        told[EPOCHS] = neps.HPOInteger(1, max(self._epochs, 2), is_fidelity=True)  # bounds must differ
        optimizer = neps.algorithms.priorband(neps.SearchSpace(told))
        optimizer.sampler = _PriorBand(**vars(optimizer.sampler))
        self._neps = neps.AskAndTell(optimizer)

    def suggest(self) -> tuple[str, Mapping[str, Value]]:
        """Ask for a network, or for one at a higher rung."""
        trial = self._neps.ask()
        name = trial.id.partition("_rung_")[0]
        self._asked[name] = trial
        return name, self._space.draw(lambda name, domain: value_at(domain, trial.config[name]))

    def refuse(self, name: str) -> None:
        """Tell of an exception."""
        self._neps.tell(self._asked[name], RuntimeError("outside the limits"))

    def tell(self, name: str, epoch: int, accuracy: float) -> Decision:
        """Tell of the epoch that its rung asks for."""
        trial = self._asked[name]
        if epoch < min(trial.config[EPOCHS], self._epochs):
            return Decision.GO
        self._neps.tell(trial, 1 - accuracy)
        return Decision.PAUSE if epoch < self._epochs else Decision.STOP


class _PriorBand(PriorBandSampler):
    """Does not fail while no rung has enough trainings to compare: its own test for that takes no NumPy's false."""

    def sample_config(self, table: pd.DataFrame, rung: int) -> dict[str, Any]:
        """Propose evenly until then, as it means to."""
        sizes = table[table["perf"].notna()].groupby("rung").size()
        if (sizes >= self.eta).any():
            return super().sample_config(table, rung)
        return Sampler.uniform(ndim=self.encoder.ndim).sample_config(to=self.encoder)


def _told(domain: Domain) -> Told:
    match as_told(domain):
        case Choice(values):
            return neps.HPOCategorical(list(values))
        case IntRange(low, high, log=log):
            return neps.HPOInteger(low, high, log=log)
        case FloatRange(low, high, log=log):
            return neps.HPOFloat(low, high, log=log)
