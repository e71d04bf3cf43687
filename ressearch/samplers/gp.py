"""Bayesian optimisation over encoded networks, with a Gaussian process."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ressearch.arch import InfeasibleError
from ressearch.ranking import Directions, Point, oriented
from ressearch.samplers.sampler import Params, Sampler, SamplerSettings, Task
from ressearch.space import Candidate, random_choose
from ressearch.space.encoding import Encoding
from ressearch.space.mutation import crossed, jittered, mutated
from ressearch.store.record import INFRASTRUCTURE, TrialRecord

if TYPE_CHECKING:
    from ressearch.samplers.gaussian_process import GaussianProcess

NUM_STARTUP, NUM_SCREENED = 6, 10
"""Trials before the process chooses, and random draws that each of them is chosen from."""
NUM_PARENTS = 8
"""Trials, the best ones, that have children."""
NUM_FIRST, NUM_DRAWN, NUM_CHILDREN = 128, 8, 32
"""Random draws that the first choice is from; random draws and children that join with every choice."""
MAX_WAITING = 512
"""Candidates that wait to be chosen: of more, the most hopeful."""
MAX_TRIES = 4
"""Points drawn for each candidate that is wanted, since some are no network or outside the limits."""
MAX_FITTED, MAX_TUNED = 500, 200
"""Trials that the process is fitted to, and that its weights are found from: of more, the best third and the latest."""
FLOOR = 1
"""A score counts as no worse than so many times as far below the median as the best one is above it: how bad a network
is, and how high a rate it diverges at, says little of where the best one is, and would set the scale of the others."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Gp(SamplerSettings):
    """Train the network whose augmented expected improvement is highest under a Gaussian process.

    Where a number of trials alone does not end the search, it is the improvement for each second that the network would
    train. A short training hardly feels weight decay, so that trials say little of it; the farther its product with the
    learning rate is from the recipe's own, the less is hoped of a network, unless trials do say more. The process sees
    every trial as numbers: its parameters, and what its network costs. A trial that was stopped early enters with its
    accuracy plus what complete trials gained from that epoch on; one that runs, with what is predicted of it. It
    chooses among random draws and children of the best trials. Each of the first trials is the one of a few random
    draws with most parameters and multiply-adds for its activations, since that says something of a network before it
    is trained; where an earlier study is known, every other one is a mutation of its best. With several objectives each
    proposal weighs them anew, at random, and the first trials are plain random draws.

    Sources: Jones et al. 1998, doi:10.1023/A:1008306431147 (expected improvement); Huang et al. 2006,
    doi:10.1007/s10898-005-2454-3 (augmented: for noisy scores); Ginsbourger et al. 2010,
    doi:10.1007/978-3-642-10701-6_6 (running trials); Snoek et al. 2012, arXiv:1206.2944, section 3.2 (for each second);
    Hvarfner et al. 2022, arXiv:2204.11051 (times a prior); Knowles 2006, doi:10.1109/TEVC.2005.851274 (random weights).
    """

    learns_from_stopped: ClassVar[bool] = True
    starts_near_parents: ClassVar[bool] = True

    random_share: float = 0.1
    """Share of the proposals that are drawn at random, for ever."""

    def __post_init__(self) -> None:
        if not 0 <= self.random_share <= 1:
            raise ValueError(f"0 <= random_share <= 1 must hold, got {self.random_share:g}")

    def start(self, task: Task) -> Sampler:
        """Return the sampler."""
        from ressearch.samplers.gaussian_process import GaussianProcess

        encoding = Encoding(task.space)
        return _Gp(task, self.random_share, encoding, GaussianProcess(encoding.measures))


class _Gp(Sampler):
    def __init__(self, task: Task, random_share: float, encoding: Encoding, process: "GaussianProcess") -> None:
        self._task, self._random_share = task, random_share
        self._encoding, self._process = encoding, process
        self._directions = dict(zip(task.objectives, task.directions, strict=True))
        self._random = Random(task.seed)
        self._draw = random_choose(self._random)
        self._seen: set[str] = set()
        self._records: list[TrialRecord] = []
        self._vectors: list[Floats] = []
        self._running: dict[int, Floats] = {}
        self._waiting: dict[str, tuple[Candidate, Floats]] = {}

    def ask(self) -> Params | None:
        if self._random.random() < self._random_share:
            return self._drawn()
        if len(self._records) < NUM_STARTUP:
            return self._first()
        scores = self._scores()
        self._refill(scores)
        if not self._waiting:
            return None
        waiting = list(self._waiting.values())
        improvements, means = self._improvements(scores, np.array([vector for _, vector in waiting]))
        candidates = [candidate for candidate, _ in waiting]
        improvements *= [self._task.likeliness(candidate) for candidate in candidates]
        improvements /= self._seconds(candidates)
        order = np.lexsort((-means, -improvements))  # the means where no improvement is in sight
        chosen: Candidate = waiting[order[0]][0]
        self._waiting = {waiting[index][0].id: waiting[index] for index in order[1 : MAX_WAITING + 1]}
        return chosen.params

    def begin(self, number: int, params: Params) -> None:
        if not params:
            return
        try:
            candidate = self._task.candidate(params)
        except InfeasibleError:  # a baseline outside of the limits
            return
        self._take(candidate.id)
        self._running[number] = self._encoding.vector(params, candidate.cost)

    def tell(self, record: TrialRecord) -> None:
        self._take(record.candidate_id)
        self._running.pop(record.number, None)
        if record.params and record.reason not in INFRASTRUCTURE:
            self._records.append(record)
            self._vectors.append(self._encoding.vector(record.params, record.cost))

    def restore(self, records: Iterable[TrialRecord]) -> None:
        for record in records:
            self.tell(record)

    def _take(self, candidate_id: str) -> None:
        self._seen.add(candidate_id)
        self._waiting.pop(candidate_id, None)

    def _drawn(self) -> Params:
        return self._task.space.draw(self._draw)

    def _first(self) -> Params | None:
        """Return a point to begin with: a mutation of one that is known to be good, or a large network."""
        parents = self._task.parents
        if parents and self._random.random() < 0.5:
            return mutated(self._task.space, self._random.choice(parents), self._random)
        if len(self._task.objectives) > 1:
            return self._drawn()
        fresh = (candidate for candidate in self._feasible(NUM_SCREENED, self._drawn) if candidate.id not in self._seen)
        largest = max(fresh, key=lambda candidate: _size(candidate) * self._task.likeliness(candidate), default=None)
        return largest.params if largest else None

    def _refill(self, scores: Floats) -> None:
        """Let random draws and children of the best trials wait."""
        parents = [self._records[index].params for index in np.argsort(-scores, kind="stable")[:NUM_PARENTS]]

        def child() -> Params:
            pair = self._random.choices(parents, k=2)
            born = crossed(self._task.space, pair, self._random)
            if self._random.random() < 0.5:
                born = mutated(self._task.space, born, self._random)
            return jittered(self._task.space, born, self._random)

        self._gather(NUM_DRAWN if self._waiting else NUM_FIRST, self._drawn)
        self._gather(NUM_CHILDREN, child)

    def _gather(self, wanted: int, propose: Callable[[], Params]) -> None:
        """Let so many proposals wait, but for those that are known."""
        for candidate in self._feasible(wanted, propose):
            if candidate.id not in self._seen and candidate.id not in self._waiting:
                self._waiting[candidate.id] = candidate, self._encoding.vector(candidate.params, candidate.cost)

    def _feasible(self, wanted: int, propose: Callable[[], Params]) -> Iterator[Candidate]:
        """Yield so many proposals that are networks within the limits; fewer where most are not."""
        for _ in range(MAX_TRIES * wanted):
            try:
                candidate = self._task.candidate(propose())
            except InfeasibleError:
                continue
            yield candidate
            wanted -= 1
            if not wanted:
                return

    def _seconds(self, candidates: list[Candidate]) -> Floats:
        """Return how long each would train, 1 as long as nobody knows."""
        predicted = [self._task.seconds(candidate.cost) for candidate in candidates]
        return np.array([1.0 if seconds is None else max(seconds, 1e-6) for seconds in predicted])

    def _scores(self) -> Floats:
        """Return one number for each trial, the higher the better; a very bad one counts as merely bad.

        Several objectives are weighted at random, and the largest weighted loss counts, with a little of their sum.
        """
        points = np.array(predicted_points(self._records, self._directions))
        is_known = np.isfinite(points)
        worst = np.min(points, axis=0, where=is_known, initial=np.inf)
        best = np.max(points, axis=0, where=is_known, initial=-np.inf)
        scaled: Floats = np.where(is_known, points - worst, 0.0) / np.maximum(best - worst, 1e-12)
        weights = np.ones(1)
        if scaled.shape[1] > 1:
            weights = np.array([-math.log(1 - self._random.random()) for _ in range(scaled.shape[1])])
        weights /= weights.sum()
        scores = 0.05 * (scaled @ weights) - np.max(weights * (1 - scaled), axis=1)
        middle = float(np.median(scores))
        return np.array(np.maximum(scores, middle - FLOOR * (scores.max() - middle)))

    def _improvements(self, scores: Floats, vectors: Floats) -> tuple[Floats, Floats]:
        """Return what is hoped of each point, and what is predicted of it.

        That is its expected improvement on the best prediction of a trained point, times the share of its uncertainty
        that is not the noise of one training: else the neighbours of a lucky trial would be trained again and again.
        """
        from scipy.special import ndtr

        known, kept = np.array(self._vectors), _fitted(scores, MAX_FITTED)
        tuned = _fitted(scores, MAX_TUNED)
        self._process.tune(known[tuned], scores[tuned])
        points, values = known[kept], scores[kept]
        self._process.fit(points, values)
        highest = float(self._process.predict(points)[0].max())
        if self._running:
            running = np.array(list(self._running.values()))
            believed, _ = self._process.predict(running)
            self._process.fit(np.concatenate([points, running]), np.concatenate([values, believed]))
        mean, deviation = self._process.predict(vectors)
        deviation = np.maximum(deviation, 1e-9)
        z = (mean - highest) / deviation
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        improvement = np.maximum(deviation * (z * ndtr(z) + density), 0.0)
        return improvement * (1 - self._process.noise / np.hypot(self._process.noise, deviation)), mean


def _size(candidate: Candidate) -> float:
    """Return how large a network is for its activations, which decide how long it trains."""
    cost = candidate.cost
    return cost.num_params * cost.num_macs / max(cost.num_activations, 1)


def _fitted(scores: Floats, limit: int) -> NDArray[np.intp]:
    """Return the places of the trials to learn from: all, or the best third and the latest of the others."""
    order = np.argsort(-scores, kind="stable")
    best, others = order[: limit // 3], np.sort(order[limit // 3 :])
    return np.concatenate([best, others[-(limit - limit // 3) :]])


def predicted_points(records: list[TrialRecord], directions: Directions) -> list[Point]:
    """Return what trials came to; of one that was stopped early, what it would have come to at full length.

    Its accuracy grows by the mean gain of the complete trials from its epoch on, its seconds with the epochs. A line of
    least squares instead of the gain would draw stopped trials to the mean of those that went on, which are the best.
    """
    length = max(record.epochs for record in records)
    whole = [record.curve for record in records if record.epochs == length and record.state == "complete"]
    curves = np.array([[epoch["val_accuracy"] for epoch in curve] for curve in whole]).reshape(-1, length)
    gains = np.mean(curves[:, -1:] - curves, axis=0) if len(curves) else np.zeros(length)
    points = []
    for record in records:
        measures = dict(record.measures or {})
        if record.state == "pruned" and record.epochs:
            measures["val_accuracy"] = (record.val_accuracy or 0.0) + float(gains[record.epochs - 1])
            measures["seconds"] = record.seconds * length / record.epochs
        points.append(oriented(measures, directions))
    return points
