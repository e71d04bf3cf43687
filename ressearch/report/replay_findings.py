"""What replays came to: regret over time, and how much sooner one setting comes to where another one ends."""

import math
from collections.abc import Iterator
from statistics import median

from ressearch.noise import CONFIDENCE
from ressearch.replays.factors import BAND, NUM_RESAMPLES, Factor
from ressearch.replays.tournament import Tournament
from ressearch.report.formatting import duration
from ressearch.report.plain_tables import Findings, PlainTable

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the time, at which the table tells the regret."""


def replay_findings(found: Tournament) -> Findings:
    """Return regret over time and, for several settings, the factors between them."""
    tables = [_regrets(found)]
    if len(found.settings) > 1:
        tables.append(_factors(found))
    return Findings(tables, list(_sentences(found)))


def _sentences(found: Tournament) -> Iterator[str]:
    low, high = BAND
    yield (
        f"Regret: points of accuracy that the expected accuracy of the network reported at that time is below the best "
        f"known; median of {len(found.replays[0]):,} searches and, in brackets, where the middle {high - low:.0%} lie."
    )
    if len(found.settings) > 1:
        yield (
            f"Factor: the time that the setting of the column takes to its final median regret, divided by that "
            f"of the row's setting to the same; in brackets its {CONFIDENCE:.0%} interval over {NUM_RESAMPLES:,} "
            "resamples of the searches. < 1: the row's setting does not come so far."
        )
    yield found.origin


def _regrets(found: Tournament) -> PlainTable:
    rows = []
    for setting, replays, one in zip(found.settings, found.replays, found.anytimes, strict=True):
        cells = []
        for share in SHARES:
            index = int((one.seconds <= share * found.seconds * (1 + 1e-9)).sum()) - 1
            low, high = one.band[:, index]
            cells.append(f"{_points(one.median[index])} [{_points(low)}, {_points(high)}]")
        rows.append((setting.name, f"{median(replay.num_trials for replay in replays):g}", *cells))
    columns = ("setting", "trials", *(f"after {duration(share * found.seconds)}" for share in SHARES))
    return PlainTable("Regret in points", columns, rows)


def _factors(found: Tournament) -> PlainTable:
    numbers = range(len(found.settings))
    rows = [
        (found.settings[own].name, *("" if own == other else _factor(found.factor(own, other)) for other in numbers))
        for own in numbers
    ]
    columns = ("faster by", *(f"than {setting.name}" for setting in found.settings))
    return PlainTable("Factor in time to equal regret", columns, rows)


def _points(regret: float) -> str:
    return "-" if math.isinf(regret) else f"{100 * regret:.2f}"


def _factor(factor: Factor) -> str:
    return f"{_times(factor.value)} [{_times(factor.low)}, {_times(factor.high)}]"


def _times(value: float) -> str:
    return f"{value:.2f}" if value else "< 1"
