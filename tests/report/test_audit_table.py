"""What an audit came to, in tables and in words."""

from collections.abc import Callable

import pytest

from ressearch.report.audit_table import audit_findings, audit_sentences, audit_tables
from ressearch.report.plain_tables import findings_markdown
from ressearch.search.audit import Audit, Audited
from ressearch.store.record import TrialRecord

NETWORKS = ("resnet-8", "resnet-14", "resnet-20", "resnet-26", "resnet-32", "resnet-38")


@pytest.fixture
def audited(record: Callable[..., TrialRecord]) -> Callable[..., Audit]:
    """An audit of networks that grow, given the curve of each in the search and at full length."""

    def make(*curves: tuple[list[float], list[float]], failures: int = 0) -> Audit:
        rows = tuple(
            Audited(
                trial=record(number, before, network=NETWORKS[number]),
                full=record(number, then, network=NETWORKS[number], group=f"trial {number} (3 epochs, all images)"),
            )
            for number, (before, then) in enumerate(curves)
        )
        failed = tuple(
            record(9, [], state="failed", reason="non_finite", message="nan", group="trial 9 (3 epochs, all images)")
            for _ in range(failures)
        )
        return Audit(rows=rows, failures=failed, num_missing=0, epochs=3, seed=0)

    return make


def test_the_larger_the_better_needs_no_search(audited: Callable[..., Audit]) -> None:
    """Six networks in one order by all: the difference of equal taus is 0 in every resample."""
    audit = audited(*(([0.5, 0.1 * place], [0.2, 0.3, 0.12 * place]) for place in range(1, 7)))
    said = audit_sentences(audit)
    assert said[0] == "Kendall's tau between the search and full training is 1.00 (95% interval 1.00 to 1.00)."
    for name in ("num_params", "num_macs"):
        assert (
            f"WARNING: {name} ranks the networks as well, within noise: the search's tau minus that of counting is "
            "+0.00 (95% interval +0.00 to +0.00)."
        ) in said
    settled = "from there on tau is at most 0.05 below that of the last epoch."
    assert f"The ranking of the search settles at epoch 2 of 2: {settled}" in said
    assert f"The ranking of full training settles at epoch 3 of 3: {settled}" in said


def test_a_search_that_ranks_better_than_counting_is_told(audited: Callable[..., Audit]) -> None:
    """The smaller, the better: counting is wrong throughout."""
    audit = audited(*(([0.1 * place], [0.12 * place, 0.12 * place]) for place in range(6, 0, -1)))
    said = audit_sentences(audit)
    assert "The search ranks better than num_params: its tau is +2.00 (95% interval +2.00 to +2.00) higher." in said
    assert not any("WARNING" in line for line in said)
    assert any("full training settles at epoch 1 of 2" in line for line in said)


def test_the_tables_as_markdown(audited: Callable[..., Audit]) -> None:
    order = [0.3, 0.6, 0.2, 0.5]
    audit = audited(*(([0.1, before], [then]) for before, then in zip((0.6, 0.5, 0.4, 0.4), order, strict=True)))
    text = findings_markdown(audit_findings(audit))
    assert "| trial 0 | 75,290 | " in text
    assert "| 0.6000 | 0.3000 | 1 | 3 |" in text
    assert "| 0.4000 | 0.2000 | 3 | 4 |" in text
    assert "| 0.4000 | 0.5000 | 3 | 2 |" in text  # equals share their rank
    assert "| search's val_accuracy | 0.18 | " in text  # 3 of 5 pairs agree, one is tied: 1 / sqrt(5 * 6)
    assert "| 1 | - | - |" in text  # equal accuracies after the first epoch
    assert "| 2 (settled) | 0.18 | " in text


def test_many_epochs_are_shown_in_part(audited: Callable[..., Audit]) -> None:
    audit = audited(*(([0.1 * place], [0.1 * place] * 200) for place in range(1, 5)))
    shown = [row[0] for row in audit_tables(audit)[-1].rows]
    assert shown[0] == "1 (settled)"
    assert shown[-1] == "200"
    assert len(shown) <= 15


def test_too_few_networks_and_failures_are_told(audited: Callable[..., Audit]) -> None:
    audit = audited(*(([0.1 * place], [0.1 * place]) for place in range(1, 4)), failures=1)
    assert audit_sentences(audit) == [
        "trial 9 (3 epochs, all images): the training failed and is left out: nan",
        "3 networks are trained; correlations need 4 or more.",
    ]
    assert len(audit_tables(audit)) == 1


def test_equal_networks_have_no_ranking(audited: Callable[..., Audit]) -> None:
    audit = audited(*(([0.5], [0.1 * place]) for place in range(1, 5)))
    assert "there is no ranking to compare" in audit_sentences(audit)[0]
    assert findings_markdown(audit_findings(audit))
