"""What an audit came to: the networks, the correlations, when the ranking settles, and what follows in words."""

from collections.abc import Iterator, Sequence

from ressearch.messages import printable
from ressearch.noise import CONFIDENCE
from ressearch.report.plain_tables import Findings, PlainTable
from ressearch.search.agreement import MIN_NETWORKS, NUM_RESAMPLES, IntervalEstimate, settled_epoch
from ressearch.search.audit import MEASURE, Audit

TOLERANCE = 0.05
"""The ranking has settled where Kendall's tau stays at most so much below that of the last epoch."""
_SETTLED = f"from there on tau is at most {TOLERANCE} below that of the last epoch"
MAX_EPOCHS = 12
"""Epochs that a table shows; of more, some are left out."""
_INTERVAL = f"{CONFIDENCE:.0%} interval"
_NAMES = {MEASURE: "search's val_accuracy"}


def audit_findings(audit: Audit) -> Findings:
    """Return tables and sentences."""
    return Findings(audit_tables(audit), audit_sentences(audit))


def audit_tables(audit: Audit) -> list[PlainTable]:
    """Return the networks and, where there are enough, the correlations."""
    tables = [_networks(audit)]
    if audit.has_enough:
        title = f"How well each ranks {len(audit.rows)} networks as {audit.epochs} epochs do"
        tables += [
            PlainTable(
                title, ("ranked by", "Kendall's tau", _INTERVAL, "Spearman's rho", _INTERVAL), _agreements(audit)
            ),
            _epochs("Search after each epoch against the end of full training", audit.proxy_curve),
            _epochs("Full training after each epoch against its end", audit.full_curve),
        ]
    return tables


def audit_sentences(audit: Audit) -> list[str]:
    """Say what follows: whether the search ranks well, whether counting does as well, when the ranking settles."""
    return [printable(line) for line in _sentences(audit)]


def _sentences(audit: Audit) -> Iterator[str]:
    for failure in audit.failures:
        yield f"{failure.group}: the training failed and is left out: {failure.message}"
    if not audit.has_enough:
        yield f"{len(audit.rows)} networks are trained; correlations need {MIN_NETWORKS} or more."
        return
    proxy = audit.agreements[MEASURE].kendall
    if proxy.value is None:
        yield "All networks have the same accuracy in the search, or at full length: there is no ranking to compare."
        return
    yield f"Kendall's tau between the search and full training is {_text(proxy)}."
    yield from _counting(audit)
    yield from _settling(audit)
    yield (
        f"Intervals are percentiles of {NUM_RESAMPLES:,} resamples of the networks; one training each, so that the "
        "noise of a seed is in them. Accuracies are those of the validation images; the test images were not read."
    )


def _counting(audit: Audit) -> Iterator[str]:
    """Warn where counting does as well as the search."""
    for name, advantage in audit.advantages.items():
        if advantage.interval is None:
            yield f"{name} is the same for all networks, so it ranks nothing."
        elif advantage.interval[0] <= 0:
            yield (
                f"WARNING: {name} ranks the networks as well, within noise: the search's tau minus that of counting is "
                f"{_text(advantage, signed=True)}."
            )
        else:
            yield f"The search ranks better than {name}: its tau is {_text(advantage, signed=True)} higher."


def _settling(audit: Audit) -> Iterator[str]:
    for what, curve in (("of the search", audit.proxy_curve), ("of full training", audit.full_curve)):
        if epoch := _settled(curve):
            yield f"The ranking {what} settles at epoch {epoch} of {len(curve)}: {_SETTLED}."


def _settled(curve: Sequence[IntervalEstimate]) -> int | None:
    return settled_epoch([each.value for each in curve], TOLERANCE)


def _networks(audit: Audit) -> PlainTable:
    """Return the networks in the order of the search, with their ranks in both."""
    before = [row.trial.val_accuracy or 0.0 for row in audit.rows]
    then = [row.full.val_accuracy or 0.0 for row in audit.rows]
    rows = [
        (
            f"trial {row.trial.number}" + (f" ({row.trial.baseline})" if row.trial.baseline else ""),
            f"{row.trial.num_params:,}",
            f"{row.trial.num_macs:,}",
            f"{searched:.4f}",
            f"{trained:.4f}",
            f"{_rank(searched, before)}",
            f"{_rank(trained, then)}",
        )
        for row, searched, trained in zip(audit.rows, before, then, strict=True)
    ]
    columns = ("network", "params", "MACs", "in the search", f"{audit.epochs} epochs", "rank", "rank then")
    return PlainTable("Validation accuracy", columns, rows)


def _rank(accuracy: float, accuracies: Sequence[float]) -> int:
    """Return 1 for the highest; equals share their rank."""
    return 1 + sum(other > accuracy for other in accuracies)


def _agreements(audit: Audit) -> list[tuple[str, ...]]:
    return [
        (_NAMES.get(name, name), *_cells(agreement.kendall), *_cells(agreement.spearman))
        for name, agreement in audit.agreements.items()
    ]


def _epochs(title: str, curve: Sequence[IntervalEstimate]) -> PlainTable:
    """Return Kendall's tau by epoch; of many epochs some, always the first, the last and where it settles."""
    settled, last = _settled(curve), len(curve)
    step = -(-last // MAX_EPOCHS)
    shown = {1, last, settled, *range(step, last + 1, step)}
    rows = [
        (f"{epoch}" + (" (settled)" if epoch == settled else ""), *_cells(estimate))
        for epoch, estimate in enumerate(curve, start=1)
        if epoch in shown
    ]
    return PlainTable(title, ("epoch", "Kendall's tau", _INTERVAL), rows)


def _cells(estimate: IntervalEstimate) -> tuple[str, str]:
    if estimate.value is None or estimate.interval is None:
        return "-", "-"
    low, high = estimate.interval
    return f"{estimate.value:.2f}", f"{low:.2f} to {high:.2f}"


def _text(estimate: IntervalEstimate, *, signed: bool = False) -> str:
    assert estimate.value is not None
    form = "{:+.2f}" if signed else "{:.2f}"
    value, interval = form.format(estimate.value), " to ".join(map(form.format, estimate.interval or ()))
    return f"{value} ({_INTERVAL} {interval})"
