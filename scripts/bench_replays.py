"""Searches with today's tools beside ours, replayed on a table of trained networks.

    python scripts/bench_replays.py TABLE.parquet --hours 1 --repeats 200

What each rival is told, and of infeasible networks, is at the top of its file in `rivals`: all of them are the tools'
own classes, driven by our simulated clock. What is reported is the trial with the highest last accuracy. Ray starts a
process for every trial, one outside the limits included, and is charged for it; the others are not. A rival that is not
installed is left out.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random

from rivals import RIVALS

from ressearch.arch import InfeasibleError
from ressearch.experiment import Experiment
from ressearch.replays.oracle import Oracle
from ressearch.replays.replaying import Replay, Replayed, Setting
from ressearch.replays.tournament import held
from ressearch.report.plain_tables import findings_markdown
from ressearch.report.replay_findings import replay_findings
from ressearch.report.replays_live import progress
from ressearch.search.priors import NUM_BEST
from ressearch.space import Candidate, random_choose

DEFAULTS = Setting.parse("gp", "calibrated", repeat_share=0.1)
OURS = (
    Setting.parse("random", "none", repeat_share=0.0),
    Setting.parse("tpe", "asha", repeat_share=0.2),
    DEFAULTS,  # then each part of them replaced, or one added
    Setting.parse("gp", "calibrated", repeat_share=0.0),
    Setting.parse("gp", "none", repeat_share=0.1),
    Setting.parse("tpe", "calibrated", repeat_share=0.1),
    Setting.parse("evolution", "calibrated", repeat_share=0.1),
    Setting.parse("gp", "calibrated", repeat_share=0.1, recipe_trials=12),
)
NUM_EARLIER = 40
"""Random networks of the earlier study that a search with a prior begins near."""


@dataclass(frozen=True, kw_only=True)
class Primed:
    """The defaults, begun near the best networks of an earlier study, or near its worst ones, as if it misled."""

    misleads: bool

    @property
    def name(self) -> str:
        """What a table of results calls it."""
        return f"{DEFAULTS.name}, a prior{' that misleads' if self.misleads else ''}"

    def replay(self, oracle: Oracle, *, seconds: float, num_workers: int, seed: int) -> Replay:
        """Search once; the earlier study costs nothing."""
        experiment = oracle.experiment
        earlier = islice(_feasible(experiment, Random(f"an earlier study of {seed}")), NUM_EARLIER)
        scored = [(oracle.curve(candidate, seed)[-1].val_accuracy, candidate.params) for candidate in earlier]
        scored.sort(key=lambda one: one[0], reverse=not self.misleads)
        parents = tuple(params for _, params in scored[:NUM_BEST])
        begun = copy(oracle)
        begun.experiment = replace(experiment, session=replace(experiment.session, parents=parents))
        return DEFAULTS.replay(begun, seconds=seconds, num_workers=num_workers, seed=seed)


def _feasible(experiment: Experiment, random: Random) -> Iterator[Candidate]:
    while True:
        try:
            yield experiment.candidate(experiment.space.draw(random_choose(random)))
        except InfeasibleError:
            continue


def main(arguments: Sequence[str]) -> None:
    """Replay all of them and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, default=list(RIVALS), help="default: all installed")
    given = parser.parse_args(arguments)
    rivals = [RIVALS[name] for name in given.rivals]
    for rival in rivals:
        if not rival.is_installed:
            print(f"{rival.name} is left out: {rival.install}", file=sys.stderr)
    contestants: list[Replayed] = [
        *(rival for rival in rivals if rival.is_installed),
        *OURS,
        *(Primed(misleads=misleads) for misleads in (False, True)),
    ]
    with progress() as tell:
        found = held(
            given.table,
            contestants,
            hours=given.hours,
            repeats=given.repeats,
            workers=given.workers,
            seed=given.seed,
            tell=tell,
        )
    print(findings_markdown(replay_findings(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
