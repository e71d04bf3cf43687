"""What `check --time` says: how long a trial takes here, and what a budget buys."""

from collections.abc import Iterator
from statistics import median

from ressearch.report.formatting import duration
from ressearch.search.pacing import Pace

HOURS = (0.25, 1.0, 4.0)


def pace_lines(pace: Pace | None) -> Iterator[str]:
    """Say how long trials take, how sure that is, and how many fit into some budgets."""
    if pace is None:
        yield "too few networks within the limits were found to predict how long a trial takes"
        return
    low, high = pace.seconds[0], pace.seconds[-1]
    yield (
        f"a trial trained in full takes {duration(median(pace.seconds))} (median; {duration(low)} to {duration(high)}) "
        f"on one worker that has the machine to itself; {pace.num_timed} networks were timed for a few steps, the "
        f"others are predicted, with a median error of {pace.error:.0%}"
    )
    bought = ", ".join(f"--hours {hours:g} buys {pace.trials(hours):.0f}" for hours in HOURS)
    yield f"of such trials, {bought} per worker; more where a scheduler stops some early"
