"""What a confirmation came to: the contestants, the leader's differences to its rivals, and what follows in words."""

from collections.abc import Iterator, Sequence

from ressearch.messages import printable
from ressearch.noise import CONFIDENCE, MOST_PAIRS
from ressearch.report.formatting import short_count
from ressearch.report.plain_tables import Findings, PlainTable
from ressearch.search.confirm import Comparison, Confirmation, Confirmed

_COLUMNS = ("network", "params", "MACs", "lr", "weight decay", "test accuracy", "standard deviation", "seeds")


def confirmation_findings(confirmation: Confirmation) -> Findings:
    """Return tables and sentences."""
    differences = [difference_table(confirmation)] if confirmation.comparisons else []
    return Findings([confirmation_table(confirmation.rows), *differences], list(_sentences(confirmation)))


def confirmation_table(rows: Sequence[Confirmed]) -> PlainTable:
    """Return one line per contestant, with the mean over the seeds and every single accuracy.

    How long they were trained stands in the title, where that is the same for all.
    """
    lengths = {row.contestant.length for row in rows}
    title = " ".join(["Accuracy on the test images", *(lengths if len(lengths) == 1 else ())])
    names = [row.contestant.title if len(lengths) == 1 else row.contestant.name for row in rows]
    return PlainTable(title, _COLUMNS, [(name, *_cells(row)) for name, row in zip(names, rows, strict=True)])


def _cells(row: Confirmed) -> tuple[str, ...]:
    trial, recipe = row.contestant.trial, row.contestant.recipe
    return (
        f"{trial.num_params:,}",
        short_count(trial.num_macs),
        f"{recipe.lr:.3g}",
        f"{recipe.weight_decay:.2g}",
        "-" if row.mean is None else f"{row.mean:.4f}",
        "-" if row.std is None else f"{row.std:.4f}",
        ", ".join([*(f"{value:.4f}" for value in row.accuracies), *("failed" for _ in row.failures)]) or "-",
    )


def difference_table(confirmation: Confirmation) -> PlainTable:
    """Return one line per rival: the leader's test accuracy minus the rival's, seed by seed."""
    assert confirmation.leader is not None, "nobody leads"
    leader = confirmation.leader.contestant.title
    columns = (
        f"{leader} minus",
        "difference",
        "standard deviation",
        f"{CONFIDENCE:.0%} interval",
        "pairs",
        "separable",
    )
    rows = [_difference_cells(one) for one in confirmation.comparisons]
    return PlainTable("Differences, paired by seed", columns, rows)


def _difference_cells(comparison: Comparison) -> tuple[str, ...]:
    paired = comparison.paired
    return (
        comparison.rival.contestant.title + (" (runner-up)" if comparison.is_runner_up else ""),
        "-" if paired.mean is None else f"{paired.mean:+.4f}",
        "-" if paired.std is None else f"{paired.std:.4f}",
        "-" if paired.interval is None else "{:+.4f} to {:+.4f}".format(*paired.interval),
        f"{len(paired.differences)}",
        "-" if paired.interval is None else "yes" if paired.sign else f"no, {_more_seeds(comparison)}",
    )


def _more_seeds(comparison: Comparison) -> str:
    more = comparison.paired.more_pairs
    return f"{more:,} more seed{'s' if more != 1 else ''}" if more is not None else f"over {MOST_PAIRS:,} seeds"


def _sentences(confirmation: Confirmation) -> Iterator[str]:
    """Say whether the leader is separable, and from whom, and what is to be kept in mind."""
    yield verdict(confirmation)
    compared = [one for one in confirmation.comparisons if one.paired.interval is not None]
    if compared:
        yield (
            "Differences are paired by seed, with Student's t; each interval stands for itself. The leader was picked "
            "by these numbers, which favours it a little. Seeds to add suppose that mean and spread stay as they are."
        )
    if any(one.paired.std == 0.0 for one in compared):
        yield (
            "Differences that are equal for all seeds have an interval without width, which proves little: add seeds."
        )
    if outside := [row.contestant.title for row in confirmation.rows if not row.contestant.trial.within_limits]:
        yield f"Outside the limits of the study: {_listed(outside)}."
    for row in confirmation.rows:
        for failure in row.failures:
            yield f"{row.contestant.name}: a training failed and is left out: {printable(failure)}"


def verdict(confirmation: Confirmation) -> str:
    """Say in one sentence from whom the leader is separable, and how many more seeds the others would take."""
    leader = confirmation.leader
    if leader is None:
        return "No network found by the search was trained to the end, so there is nothing to compare."
    count = len(leader.by_seed)
    start = f"{leader.contestant.title} has the highest mean of the networks found, {leader.mean:.4f} over {count} seed"
    if not confirmation.comparisons:
        return f"{start}{'s' if count > 1 else ''}; there is no other to compare it with."
    if all(one.paired.interval is None for one in confirmation.comparisons):
        return (
            f"{start}{'s' if count > 1 else ''}; one seed in common tells nothing about the spread: train more seeds."
        )
    return f"{start}s; it is {', '.join(_standings(confirmation.comparisons))}."


def _standings(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Say from whom the leader is separable, and in which direction."""
    compared = [one for one in comparisons if one.paired.interval is not None]
    for sign, words in ((1, "separable from"), (-1, "separable from, and worse than,")):
        if names := [one.rival.contestant.title for one in compared if one.paired.sign == sign]:
            yield f"{words} {_listed(names)}"
    if open_ones := [one for one in compared if not one.paired.sign]:
        named = [f"{one.rival.contestant.title} ({_more_seeds(one)} would do)" for one in open_ones]
        yield f"not separable from {_listed(named)}"
    if names := [one.rival.contestant.title for one in comparisons if one.paired.interval is None]:
        yield f"not compared with {_listed(names)}, for want of two pairs"


def _listed(names: Sequence[str]) -> str:
    """Join names; they hold commas themselves."""
    return f"{'; '.join(names[:-1])}; and {names[-1]}" if len(names) > 1 else names[0]
