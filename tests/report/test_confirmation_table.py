"""What a confirmation came to."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from ressearch.report.confirmation_table import confirmation_findings, confirmation_table, verdict
from ressearch.report.plain_tables import findings_markdown, for_terminal
from ressearch.search.confirm import Confirmation, Confirmed
from ressearch.search.contestants import Contestant
from ressearch.store.record import TrialRecord

Record = Callable[..., TrialRecord]


@pytest.fixture
def confirmed(record: Record) -> Callable[..., Confirmed]:
    """A contestant with its accuracies in the order of the seeds, None where the training failed."""

    def make(title: str, *accuracies: float | None, baseline: str | None = None) -> Confirmed:
        trial = record(4, [0.9], network="preresnet-20", recipe={"epochs": 2, "lr": 0.25}, baseline=baseline)
        length = "(2 epochs, all images)"
        contestant = Contestant(title=title, length=length, trial=trial, recipe=trial.build_recipe())
        by_seed = {seed: value for seed, value in enumerate(accuracies) if value is not None}
        failures = tuple("the loss is nan" for value in accuracies if value is None)
        return Confirmed(contestant=contestant, by_seed=by_seed, failures=failures)

    return make


def cells(row: Confirmed) -> list[str]:
    table = confirmation_table([row])
    assert len(table.columns) == len(table.rows[0])
    return list(table.rows[0])


def test_the_mean_stands_beside_every_seed(confirmed: Callable[..., Confirmed]) -> None:
    name, params, macs, lr, decay, mean, spread, seeds = cells(confirmed("trial 4", 0.5, 0.7))
    assert (name, params, macs, lr, decay) == ("trial 4", "269,722", "40.6M", "0.25", "0.0005")
    assert (mean, spread, seeds) == ("0.6000", "0.1414", "0.5000, 0.7000")


def test_contestants_of_several_lengths_are_told_apart(confirmed: Callable[..., Confirmed]) -> None:
    one, other = confirmed("trial 4", 0.5), confirmed("trial 6", 0.5)
    assert confirmation_table([one]).title == "Accuracy on the test images (2 epochs, all images)"
    longer = replace(other, contestant=replace(other.contestant, length="(9 epochs, all images)"))
    table = confirmation_table([one, longer])
    assert table.title == "Accuracy on the test images"
    assert [row[0] for row in table.rows] == ["trial 4 (2 epochs, all images)", "trial 6 (9 epochs, all images)"]


@pytest.mark.parametrize("width", [80, 200])
def test_no_number_is_cut(width: int, confirmed: Callable[..., Confirmed]) -> None:
    rows = (
        confirmed("trial 4", 0.7111, 0.7222, 0.7333),
        confirmed("preresnet-20, recipe of trial 28", 0.5111, 0.5333, 0.5222, baseline="preresnet-20"),
    )
    console = Console(file=io.StringIO(), width=width)
    for table in confirmation_findings(Confirmation(rows=rows, num_seeds=3)).tables:
        console.print(for_terminal(table))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert {"0.7111", "0.7222", "0.7333", "0.5333", "269,722", "40.6M"} <= {word.strip(",") for word in shown.split()}
    assert max(map(len, shown.splitlines())) <= width


def test_one_seed_has_no_spread(confirmed: Callable[..., Confirmed]) -> None:
    assert cells(confirmed("trial 4", 0.5))[-3:] == ["0.5000", "-", "0.5000"]


def test_a_contestant_that_nobody_has_trained_has_no_mean(confirmed: Callable[..., Confirmed]) -> None:
    assert cells(confirmed("trial 4"))[-3:] == ["-", "-", "-"]


def test_the_sentence_says_from_whom_the_leader_is_separable(confirmed: Callable[..., Confirmed]) -> None:
    """Differences of 0.01, 0.03, 0.02 take one more pair, see test_noise; none separate 0.01, -0.01, 0.0001."""
    found = Confirmation(
        rows=(
            confirmed("trial 4", 0.71, 0.73, 0.72),
            confirmed("trial 6", 0.70, 0.70, 0.70),
            confirmed("resnet-8", 0.5, 0.51, 0.52, baseline="resnet-8"),
            confirmed("resnet-14", 0.70, 0.74, 0.7199, baseline="resnet-14"),
            confirmed("wrn", 0.9, 0.91, 0.92, baseline="wrn"),
            confirmed("lost", 0.5, None, None, baseline="lost"),
        ),
        num_seeds=3,
    )
    assert verdict(found) == (
        "trial 4 has the highest mean of the networks found, 0.7200 over 3 seeds; it is separable from resnet-8, "
        "separable from, and worse than, wrn, not separable from trial 6 (1 more seed would do); and resnet-14 "
        "(over 1,000 seeds would do), not compared with lost, for want of two pairs."
    )
    report = findings_markdown(confirmation_findings(found))
    assert "| trial 6 (runner-up) | +0.0200 | 0.0100 | -0.0048 to +0.0448 | 3 | no, 1 more seed |" in report
    assert "| lost | +0.2100 | - | - | 1 | - |" in report
    assert "The leader was picked by these numbers" in report
    assert report.count("lost (2 epochs, all images): a training failed and is left out: the loss is nan") == 2


def test_one_seed_separates_nothing(confirmed: Callable[..., Confirmed]) -> None:
    rows = (confirmed("trial 4", 0.9), confirmed("resnet-8", 0.1, baseline="resnet-8"))
    assert verdict(Confirmation(rows=rows, num_seeds=1)) == (
        "trial 4 has the highest mean of the networks found, 0.9000 over 1 seed; one seed in common tells nothing "
        "about the spread: train more seeds."
    )


def test_equal_differences_are_told(confirmed: Callable[..., Confirmed]) -> None:
    rows = (confirmed("trial 4", 0.9, 0.8), confirmed("resnet-8", 0.5, 0.4, baseline="resnet-8"))
    sentences = confirmation_findings(Confirmation(rows=rows, num_seeds=2)).sentences
    assert any("an interval without width, which proves little" in line for line in sentences)


@pytest.mark.parametrize(
    ("baseline", "said"),
    [("resnet-8", "No network found by the search was trained to the end"), (None, "no other to compare it with")],
)
def test_one_contestant_is_compared_with_nobody(
    baseline: str | None, said: str, confirmed: Callable[..., Confirmed]
) -> None:
    alone = Confirmation(rows=(confirmed("one", 0.5, 0.6, baseline=baseline),), num_seeds=2)
    assert said in verdict(alone)
    assert len(confirmation_findings(alone).tables) == 1
