"""A rival as replays take it."""

from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec

from ressearch.replays.oracle import Curve, Oracle
from ressearch.replays.replaying import Replay
from ressearch.replays.simulation import Clock, simulated
from ressearch.search.contract import TrialSpec
from rivals.work import RivalWork


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A rival that is imported where it searches, which is in another process.

    module: holds its `Adapter`, which is made of an experiment and a seed. packages: what must be installed for it.
    install: how. start_seconds: what each trial costs a worker before it trains, one outside the limits included.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    install: str
    start_seconds: float = 0.0

    @property
    def is_installed(self) -> bool:
        """Whether its packages are there."""
        return all(find_spec(package) for package in self.packages)

    def replay(self, oracle: Oracle, *, seconds: float, num_workers: int, seed: int) -> Replay:
        """Search once."""
        clock = Clock()
        rival = import_module(f"rivals.{self.module}").Adapter(oracle.experiment, seed)
        work = RivalWork(rival, oracle, clock, seconds=seconds, seed=seed)

        def look_up(spec: TrialSpec) -> Curve:
            first, *others = oracle.curve(work.candidates[spec.number], spec.seed)
            starts = 1 + work.num_refused[spec.number]
            return [replace(first, seconds=first.seconds + starts * self.start_seconds), *others]

        simulated(look_up, clock, num_workers=num_workers)(work)
        return Replay(steps=tuple(work.steps), num_trials=len(work.candidates))
