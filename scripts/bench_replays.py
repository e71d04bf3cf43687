"""Searches with today's tools beside ours, replayed on a table of trained networks.

    python scripts/bench_replays.py TABLE.parquet --hours 1 --repeats 200

What each rival is told, and of infeasible networks, is at the top of its file in `rivals`: all of them are the tools'
own classes, driven by our simulated clock. Networks outside the limits cost no time; what is reported is the trial with
the highest last accuracy. A rival that is not installed is left out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rivals import RIVALS

from ressearch.experiment.loader import parse_sampler, parse_scheduler
from ressearch.replays.replaying import Replayed, Setting
from ressearch.replays.tournament import held
from ressearch.report.plain_tables import findings_markdown
from ressearch.report.replay_findings import replay_findings
from ressearch.report.replays_live import progress


def ours(sampler: str, scheduler: str, repeat_share: float) -> Setting:
    """Return a setting of ours."""
    return Setting(
        name=f"{sampler}, {scheduler}, repeats {repeat_share:g}",
        sampler=parse_sampler(sampler),
        scheduler=parse_scheduler(scheduler),
        repeat_share=repeat_share,
    )


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
        ours("random", "none", 0.0),
        ours("tpe", "asha", 0.2),
        ours("gp", "calibrated", 0.1),  # the defaults; then each of them replaced
        ours("gp", "calibrated", 0.0),
        ours("gp", "none", 0.1),
        ours("tpe", "calibrated", 0.1),
        ours("evolution", "calibrated", 0.1),
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
