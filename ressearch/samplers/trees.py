"""Extremely randomised trees that choose among mutations of the best networks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ressearch.arch import InfeasibleError
from ressearch.ranking import Directions, Point, oriented
from ressearch.samplers.sampler import STARTUP_TRIALS, Params, Sampler, SamplerSettings, Task
from ressearch.space import Candidate, random_choose
from ressearch.space.encoding import Encoding
from ressearch.space.mutation import mutated
from ressearch.store.record import INFRASTRUCTURE, TrialRecord

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

NUM_TREES = 60
MAX_FITTED = 1500
"""Trials that the trees are fitted to: of more, the best third and the latest of the others."""
REFIT_SHARE = 0.02
"""Growth of the trials after which the trees are fitted anew."""
MAX_TRIES = 10
"""Mutations drawn for each that is wanted, since some are no network or outside the limits."""

MIN_FOR_A_SLOPE = 5
"""Trials at full length from which on a slope is fitted."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trees(SamplerSettings):
    """Mutate the best networks and the baselines, and train the mutation that trees predict to be best.

    The trees see every trial as numbers: its parameters, and what its network costs. A trial that was stopped early
    enters with what its curve predicts. With several objectives each proposal weighs them anew, at random.

    Sources: Geurts et al. 2006, doi:10.1007/s10994-006-6226-1 (the trees); White et al. 2021, arXiv:1910.11858 (a model
    over mutations of the best); Knowles 2006, doi:10.1109/TEVC.2005.851274 (random weights).
    """

    learns_from_stopped: ClassVar[bool] = True
    starts_near_parents: ClassVar[bool] = True

    random_share: float = 1 / 3
    """Share of the proposals that are drawn at random, for ever."""

    num_parents: int = 8
    """Trials, the best ones, whose mutations are considered."""

    pool_size: int = 64
    """Mutations that one is chosen from."""

    def __post_init__(self) -> None:
        if not 0 <= self.random_share <= 1:
            raise ValueError(f"0 <= random_share <= 1 must hold, got {self.random_share:g}")
        for name in ("num_parents", "pool_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} >= 1 must hold, got {getattr(self, name)}")

    def start(self, task: Task) -> Sampler:
        """Return the sampler."""
        return _Trees(task, self)


class _Trees(Sampler):
    def __init__(self, task: Task, settings: Trees) -> None:
        self._task, self._settings = task, settings
        self._directions = dict(zip(task.objectives, task.directions, strict=True))
        self._random = Random(task.seed)
        self._encoding = Encoding(task.space)
        self._seen: set[str] = set()
        self._records: list[TrialRecord] = []
        self._vectors: list[Floats] = []
        self._trees: ExtraTreesRegressor | None = None
        self._fitted_to = 0

    def ask(self) -> Params | None:
        if self._random.random() < self._settings.random_share:
            return self._task.space.draw(random_choose(self._random))
        if len(self._records) < STARTUP_TRIALS:
            parents = self._task.parents
            return self._mutated(self._random.choice(parents)) if parents else None
        scores = self._scores()
        pool = self._pool(scores)
        if not pool:
            return None
        trees = self._fitted(scores)
        vectors = np.array([self._encoding.vector(candidate.params, candidate.cost) for candidate in pool])
        return pool[int(np.argmax(_optimistic(trees, vectors)))].params

    def tell(self, record: TrialRecord) -> None:
        self._seen.add(record.candidate_id)
        if record.params and record.reason not in INFRASTRUCTURE:
            self._records.append(record)
            self._vectors.append(self._encoding.vector(record.params, record.cost))

    def restore(self, records: Iterable[TrialRecord]) -> None:
        for record in records:
            self.tell(record)

    def _pool(self, scores: Floats) -> list[Candidate]:
        """Return mutations of the best trials and of the parents that are networks within the limits, and new."""
        best = np.argsort(-scores, kind="stable")[: self._settings.num_parents]
        parents = [*(self._records[index].params for index in best), *self._task.parents]
        found: dict[str, Candidate] = {}
        for _ in range(MAX_TRIES * self._settings.pool_size):
            try:
                candidate = self._task.candidate(self._mutated(self._random.choice(parents)))
            except InfeasibleError:
                continue
            if candidate.id not in self._seen:
                found[candidate.id] = candidate
            if len(found) == self._settings.pool_size:
                break
        return list(found.values())

    def _mutated(self, parent: Params) -> Params:
        return mutated(self._task.space, parent, self._random, num_steps=self._random.choice((1, 1, 2)))

    def _scores(self) -> Floats:
        """Return one number for each trial, the higher the better.

        Several objectives are weighted at random, and the largest weighted loss counts, with a little of their sum.
        """
        points = np.array(predicted_points(self._records, self._directions))
        finite = np.where(np.isfinite(points), points, np.nan)
        worst, best = np.nanmin(finite, axis=0), np.nanmax(finite, axis=0)
        scaled: Floats = (np.where(np.isnan(finite), worst, finite) - worst) / np.maximum(best - worst, 1e-12)
        weights = np.ones(1)
        if scaled.shape[1] > 1:
            weights = np.array([-math.log(1 - self._random.random()) for _ in range(scaled.shape[1])])
        weights /= weights.sum()
        return np.array(0.05 * (scaled @ weights) - np.max(weights * (1 - scaled), axis=1))

    def _fitted(self, scores: Floats) -> "ExtraTreesRegressor":
        from sklearn.ensemble import ExtraTreesRegressor

        is_current = len(scores) <= (1 + REFIT_SHARE) * self._fitted_to and len(self._directions) == 1
        if self._trees is None or not is_current:
            order = np.argsort(-scores, kind="stable")
            chosen = order[: MAX_FITTED // 3]
            latest = np.setdiff1d(order[MAX_FITTED // 3 :], chosen)[-(MAX_FITTED - MAX_FITTED // 3) :]
            chosen = np.concatenate([chosen, latest])
            seed = self._random.randrange(2**32)
            trees = ExtraTreesRegressor(NUM_TREES, min_samples_leaf=2, max_features=0.5, random_state=seed)
            self._trees = trees.fit(np.array(self._vectors)[chosen], scores[chosen])
            self._fitted_to = len(scores)
        return self._trees


def _optimistic(trees: "ExtraTreesRegressor", vectors: Floats) -> Floats:
    """Return mean and standard deviation over the trees, added: what is unsure may be good."""
    predicted = np.array([tree.predict(vectors) for tree in trees.estimators_])
    hoped: Floats = predicted.mean(axis=0) + predicted.std(axis=0)
    return hoped


def predicted_points(records: list[TrialRecord], directions: Directions) -> list[Point]:
    """Return what trials came to; of one that was stopped early, what its curve predicts of its last epoch.

    That is the line of least squares, over the trials that went on, from the accuracy at its epoch to that at the end;
    a shift by the mean gain where they are few.
    """
    length = max(record.epochs for record in records)
    at_end = [record for record in records if record.epochs == length and record.state == "complete"]
    lines = {
        epoch: _line(
            [record.curve[epoch - 1]["val_accuracy"] for record in at_end],
            [record.curve[-1]["val_accuracy"] for record in at_end],
        )
        for epoch in {record.epochs for record in records if record.state == "pruned"}
        if epoch
    }
    points = []
    for record in records:
        measures = dict(record.measures or {})
        if record.state == "pruned" and record.epochs:
            slope, shift = lines[record.epochs]
            measures["val_accuracy"] = shift + slope * (record.val_accuracy or 0.0)
            measures["seconds"] = record.seconds * length / record.epochs
        points.append(oriented(measures, directions))
    return points


def _line(early: list[float], late: list[float]) -> tuple[float, float]:
    """Return slope and shift of the line from early to late values."""
    if not early:
        return 1.0, 0.0
    x, y = np.array(early), np.array(late)
    spread = float(np.var(x))
    slope = 1.0
    if len(x) >= MIN_FOR_A_SLOPE and spread > 0:
        slope = float(np.clip(np.mean((x - x.mean()) * (y - y.mean())) / spread, 0.0, 1.5))
    return slope, float(y.mean() - slope * x.mean())
