"""NAS-Bench-Macro: 6,561 networks of eight layers with three choices each, every one trained three times.

Source: Su et al. 2021, arXiv:2103.11922.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq

from ressearch.arch import Architecture, Cost, Stage, plan
from ressearch.experiment import Experiment
from ressearch.images import ImageShape
from ressearch.schedulers import NoStopping
from ressearch.search.contract import TrialSpec
from ressearch.space import Candidate, Choice, Parameter, Space, Value
from ressearch.space.limits import Bounds, Limits
from ressearch.training.loop import EpochResult

LAYERS = 8
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
    def id(self) -> str:  # type: ignore[override]
        return self.digits


@dataclass(frozen=True, kw_only=True)
class MacroSpace(Space):
    costs: Mapping[str, Cost]

    def candidate(self, params: Mapping[str, Value], shape: ImageShape) -> Candidate:
        digits = "".join(str(params[name]) for name in sorted(params))
        cost = self.costs[digits]
        self.limits.check(cost)
        return _Network(dict(params), _STAND_IN, {}, _PLAN, cost, digits)


class Macro:
    """The table, with the MACs limited to their median."""

    def __init__(self, path: Path) -> None:
        rows = pq.read_table(path).to_pylist()
        self._seeds = {row["architecture"]: [row[f"test_accuracy_{i}"] for i in (1, 2, 3)] for row in rows}
        costs = {row["architecture"]: Cost(row["num_params"], row["num_macs"], row["num_macs"]) for row in rows}
        limit = int(np.median([row["num_macs"] for row in rows]))
        parameters = tuple(Parameter(f"layer_{index}", "depth", None, Choice((0, 1, 2))) for index in range(LAYERS))
        space = MacroSpace(
            num_stages=1, parameters=parameters, fixed=(), limits=Limits(num_macs=Bounds(max=limit)), costs=costs
        )
        base = Experiment(space=space, scheduler=NoStopping())
        self.experiment = replace(base, recipe=replace(base.recipe, epochs=1, warmup_epochs=0))
        object.__setattr__(self.experiment, "shape", ImageShape(channels=3, resolution=32, num_classes=10))
        self.best = max(self.truth(digits) for digits, cost in costs.items() if cost.num_macs <= limit)

    def truth(self, digits: str) -> float:
        return float(np.mean(self._seeds[digits]))

    def look_up(self, spec: TrialSpec, digits: str) -> list[EpochResult]:
        value = Random(spec.seed).choice(self._seeds[digits])
        return [EpochResult(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=value, lr=0.1, seconds=1.0)]
