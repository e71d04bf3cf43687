"""NAS-Bench-Macro: 6,561 networks of eight layers with three choices each, every one trained three times.

Source: Su et al. 2021, arXiv:2103.11922.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq

from ressearch.arch import Architecture, Cost, Stage, plan
from ressearch.experiment import Experiment
from ressearch.images import ImageShape
from ressearch.replays.oracle import Curve, RecordedImages, recorded
from ressearch.schedulers import NoStopping
from ressearch.space import Candidate, Choice, Parameter, Space, Value
from ressearch.space.limits import Bounds, Limits
from ressearch.store.table import TableError
from ressearch.training.recipe import Recipe
from ressearch.training.source import Counts

LAYERS = 8
COLUMNS = {"architecture", "test_accuracy_1", "test_accuracy_2", "test_accuracy_3", "num_params", "num_macs"}
SECONDS = 60.0
"""Of every training: the table has no times."""
_STAND_IN = Architecture(stages=(Stage(depth=1, width=16),))
"""What candidates have for an architecture: that of the table is none of ours."""
_PLAN = plan(_STAND_IN, 3, 10)


@dataclass(frozen=True)
class _Network(Candidate):
    digits: str = ""

    @cached_property
    def architecture_id(self) -> str:
        return self.digits

    @property
    def id(self) -> str:
        return self.digits


@dataclass(frozen=True, kw_only=True)
class _MacroSpace(Space):
    costs: Mapping[str, Cost]

    def candidate(self, params: Mapping[str, Value], shape: ImageShape) -> Candidate:  # noqa: ARG002 - one shape only
        digits = "".join(str(params[name]) for name in sorted(params))
        cost = self.costs[digits]
        self.limits.check(cost)
        return _Network(dict(params), _STAND_IN, {}, _PLAN, cost, digits)


def is_macro(path: Path) -> bool:
    """Tell whether a file is this table.

    Raises:
        TableError: If it cannot be read at all.
    """
    try:
        return set(pq.read_schema(path).names) >= COLUMNS
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: it is no table: {error!r:.200}") from None


class Macro:
    """The table behind the contract of an `Oracle`; multiply-adds are limited to their median.

    Every training takes the same time, and its curve is one epoch: the table holds no others.
    """

    def __init__(self, path: Path) -> None:
        rows = pq.read_table(path).to_pylist()
        seeds = np.array([[row[f"test_accuracy_{i}"] for i in (1, 2, 3)] for row in rows])
        names = [str(row["architecture"]) for row in rows]
        self._means: dict[str, float] = dict(zip(names, seeds.mean(axis=1).tolist(), strict=True))
        self._deviations = ((seeds - seeds.mean(axis=1, keepdims=True)) * math.sqrt(3 / 2)).ravel().tolist()
        costs = {row["architecture"]: Cost(row["num_params"], row["num_macs"], row["num_macs"]) for row in rows}
        limits = Limits(num_macs=Bounds(max=int(np.median([cost.num_macs for cost in costs.values()]))))
        parameters = tuple(Parameter(f"layer_{index}", "depth", None, Choice((0, 1, 2))) for index in range(LAYERS))
        self.experiment = Experiment(
            space=_MacroSpace(num_stages=1, parameters=parameters, fixed=(), limits=limits, costs=costs),
            images=RecordedImages(),
            recipe=Recipe(epochs=1, warmup_epochs=0),
            scheduler=NoStopping(),
        )
        self.counts = Counts(train=45_000, val=10_000, test=0)
        self.best = max(self._means[digits] for digits, cost in costs.items() if limits.allow(cost))

    @property
    def origin(self) -> str:
        """What the trainings are, in a sentence."""
        return "All networks are recorded; each training takes a minute here, since the table has no times."

    def truth(self, candidate: Candidate) -> float:
        """Return the mean of the three trainings."""
        return self._means[candidate.id]

    def curve(self, candidate: Candidate, seed: int) -> Curve:
        """Return a training: the mean of the network's three, and how far one of all trainings was from its mean."""
        accuracy = self._means[candidate.id] + Random(seed).choice(self._deviations)
        return recorded([accuracy], SECONDS)
