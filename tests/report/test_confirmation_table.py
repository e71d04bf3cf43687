"""What a confirmation came to, as a Markdown table."""

from collections.abc import Callable

from ressearch.report.confirmation_table import confirmation_table
from ressearch.search.confirm import Confirmed, Contestant
from ressearch.store.record import TrialRecord


def cells(record: Callable[..., TrialRecord], *accuracies: float) -> list[str]:
    trial = record(4, [0.9], network="preresnet-20", recipe={"epochs": 2, "lr": 0.25})
    contestant = Contestant(name="trial 4 (2 epochs, all images)", trial=trial, recipe=trial.build_recipe())
    header, rule, line = confirmation_table([Confirmed(contestant=contestant, accuracies=accuracies)]).splitlines()
    assert header.count("|") == rule.count("|") == line.count("|")
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_mean_stands_beside_every_seed(record: Callable[..., TrialRecord]) -> None:
    name, params, macs, lr, decay, mean, spread, seeds = cells(record, 0.5, 0.7)
    assert (name, params, lr, decay) == ("trial 4 (2 epochs, all images)", "269,722", "0.25", "0.0005")
    assert int(macs.replace(",", "")) > 40_000_000
    assert (mean, spread, seeds) == ("0.6000", "0.1414", "0.5000, 0.7000")


def test_one_seed_has_no_spread(record: Callable[..., TrialRecord]) -> None:
    assert cells(record, 0.5)[-3:] == ["0.5000", "-", "0.5000"]


def test_a_contestant_that_nobody_has_trained_has_no_mean(record: Callable[..., TrialRecord]) -> None:
    assert cells(record)[-3:] == ["-", "-", "-"]
