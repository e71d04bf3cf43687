"""Searches with today's tools beside ours, replayed on a table of trained networks.

    python scripts/bench_replays.py TABLE.parquet --hours 1 --repeats 200

What each rival is told, and of infeasible networks, is at the top of its file in `rivals`: all of them are the tools'
own classes, driven by our simulated clock. What is reported is the trial with the highest last accuracy. Ray starts a
process for every trial, one outside the limits included, and is charged for it; the others are not. A rival that is not
installed is left out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rivals import RIVALS

from ressearch.replays.replaying import Replayed, Setting
from ressearch.replays.tournament import held
from ressearch.report.plain_tables import findings_markdown
from ressearch.report.replay_findings import replay_findings
from ressearch.report.replays_live import progress

OURS = (
    ("random", "none", 0.0),
    ("tpe", "asha", 0.2),
    ("gp", "calibrated", 0.1),  # the defaults; then each of them replaced
    ("gp", "calibrated", 0.0),
    ("gp", "none", 0.1),
    ("tpe", "calibrated", 0.1),
    ("evolution", "calibrated", 0.1),
)
"""Sampler, scheduler, and the share that repeats the best."""


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
        *(Setting.parse(sampler, scheduler, repeat_share=share) for sampler, scheduler, share in OURS),
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
