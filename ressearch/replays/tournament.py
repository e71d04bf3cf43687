"""Many replays of several settings, side by side on all cores."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from ressearch.replays.factors import Anytime, Factor, anytime, factor
from ressearch.replays.macro import Macro, is_macro
from ressearch.replays.oracle import Oracle
from ressearch.replays.pool import Pool
from ressearch.replays.recorded_networks import Recording
from ressearch.replays.replaying import Replay, Replayed
from ressearch.replays.surrogate import Surrogate
from ressearch.store.table import read_table

MIN_TAU = 0.6
"""Kendall's tau with networks left out, below which only recorded networks are searched."""

Tell = Callable[[int, int], None]
"""Told how many replays of how many are done."""


@dataclass(frozen=True, kw_only=True)
class Tournament:
    """What settings came to on one table.

    replays: one row per setting; replays of equal places are paired: they had the same seed.
    seconds: how long each searched. origin: what the trainings are, in a sentence.
    """

    settings: tuple[Replayed, ...]
    replays: tuple[tuple[Replay, ...], ...]
    seconds: float
    origin: str

    @cached_property
    def anytimes(self) -> tuple[Anytime, ...]:
        """Regret over time, of each setting."""
        return tuple(anytime(row, self.seconds) for row in self.replays)

    def factor(self, own: int, other: int) -> Factor:
        """Return how much sooner one setting, by its place, comes to where another one ends."""
        return factor(self.anytimes[own], self.anytimes[other])


def open_oracle(path: Path) -> Oracle:
    """Return what a table says: of every candidate, or of recorded ones only where it predicts others too badly.

    Raises:
        TableError: If it cannot be read, or holds too few networks.
    """
    if is_macro(path):
        return Macro(path)
    recording = Recording(read_table(path))
    surrogate = Surrogate(recording)
    return surrogate if surrogate.tau >= MIN_TAU else Pool(recording, tau=surrogate.tau)


def held(
    path: Path, settings: Sequence[Replayed], *, hours: float, repeats: int, workers: int, seed: int, tell: Tell
) -> Tournament:
    """Replay every setting with the same seeds.

    Args:
        path: The table.
        settings: What is compared.
        hours: Simulated time of each search.
        repeats: Searches of each setting.
        workers: Simulated trials at a time.
        seed: Of the first search; the others follow.
        tell: Told of progress.

    Raises:
        TableError: As `open_oracle`.
    """
    oracle = open_oracle(path)
    seconds = 3600 * hours
    jobs = list(product(range(seed, seed + repeats), range(len(settings))))
    found: dict[tuple[int, int], Replay] = {}
    for job, result in _done(oracle, settings, jobs, seconds, workers):
        found[job] = result
        tell(len(found), len(jobs))
    return Tournament(
        settings=tuple(settings),
        replays=tuple(
            tuple(found[each, index] for each in range(seed, seed + repeats)) for index in range(len(settings))
        ),
        seconds=seconds,
        origin=oracle.origin,
    )


def _done(
    oracle: Oracle, settings: Sequence[Replayed], jobs: Sequence[tuple[int, int]], seconds: float, workers: int
) -> Iterator[tuple[tuple[int, int], Replay]]:
    """Do replays in other processes, each with a copy of the oracle."""
    pool = ProcessPoolExecutor(
        min(len(jobs), os.cpu_count() or 1), mp_context=get_context("spawn"), initializer=_prepare, initargs=(oracle,)
    )
    try:
        under_way = {
            pool.submit(_replay, settings[index], seconds, workers, seed): (seed, index) for seed, index in jobs
        }
        for done in as_completed(under_way):
            yield under_way[done], done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_oracle: Oracle


def _prepare(oracle: Oracle) -> None:
    """Keep the oracle for all replays of this process, which has one thread."""
    global _oracle
    import threadpoolctl  # type: ignore[import-untyped]

    threadpoolctl.threadpool_limits(1)
    _oracle = oracle


def _replay(setting: Replayed, seconds: float, workers: int, seed: int) -> Replay:
    return setting.replay(_oracle, seconds=seconds, num_workers=workers, seed=seed)
