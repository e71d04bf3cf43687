"""The scheduler whose rungs follow from the trials: where they stand, who passes, and what it says of them."""

from random import Random

import pytest
from scipy.stats import spearmanr

from ressearch.schedulers.calibrated import Calibrated, CalibratedRule, correlation
from ressearch.schedulers.rule import Decision

EPOCHS = 8


def rule(noise_until: int, *, num_trials: int = 20, seed: int = 0, **settings: float) -> CalibratedRule:
    """Return a rule that has seen trials whose accuracies up to an epoch are chance, and exact from then on."""
    made = Calibrated(**{"num_full": 20, "reduction_factor": 2, **settings}).start(EPOCHS)  # type: ignore[arg-type]
    rng = Random(seed)
    for number in range(num_trials):
        for epoch in range(1, EPOCHS + 1):
            value = rng.random() if epoch <= noise_until else number / 100
            made.record(number, epoch, (value,))
    return made


def test_the_correlation_is_spearmans() -> None:
    rng = Random(0)
    for size in (4, 10, 50):
        first = [rng.choice((0.1, 0.2, 0.3, rng.random())) for _ in range(size)]
        second = [value + rng.random() for value in first]
        found = correlation(first, second)
        assert found.rho == pytest.approx(spearmanr(first, second).statistic)
        assert -1 <= found.low < found.rho < found.high <= 1


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Normal pairs of correlation 0.7 have Spearman's rho 6 / pi asin(0.35) = 0.683 (Pearson 1907)."""
    rng = Random(0)
    held = 0
    for _ in range(400):
        first = [rng.gauss(0, 1) for _ in range(24)]
        second = [0.7 * value + rng.gauss(0, (1 - 0.7**2) ** 0.5) for value in first]
        found = correlation(first, second)
        held += found.low <= 0.683 <= found.high
    assert 0.91 <= held / 400 <= 0.985


def test_equal_values_rank_nothing() -> None:
    assert correlation([1, 1, 1, 1], [1, 2, 3, 4]).rho == 0


@pytest.mark.parametrize(("noise_until", "rungs"), [(0, [1, 2, 4]), (1, [2, 4]), (2, [3, 6]), (5, [6]), (7, [])])
def test_rungs_begin_at_the_first_epoch_that_ranks_well(noise_until: int, rungs: list[int]) -> None:
    assert list(rule(noise_until).rungs) == rungs


def test_rungs_wait_for_enough_trials_and_are_revised() -> None:
    early = rule(0, num_trials=19)
    assert early.rungs == {}
    assert early.findings == "rungs: none before 20 trials are complete"
    for epoch in range(1, EPOCHS + 1):
        early.record(19, epoch, (0.19,))
    assert early.findings == "rungs at 1, 2, 4: rho 1.00 [1.00, 1.00], 1.00 [1.00, 1.00], 1.00 [1.00, 1.00]"
    rng = Random(1)
    for number in range(100, 200):  # it turns out that early accuracies say nothing
        for epoch in range(1, EPOCHS + 1):
            early.record(number, epoch, (rng.random(),))
    assert early.rungs == {}
    assert early.findings == "rungs: none, no epoch's rank correlation with the last is surely 0.5"


def test_a_rung_does_not_take_away_its_own_reason() -> None:
    """Where the best half goes on, complete trials are alike, and their correlation is lower than that of all."""
    rng = Random(0)
    made = Calibrated(num_full=20, least_correlation=0.5, reduction_factor=2).start(4)
    assert isinstance(made, CalibratedRule)
    early = [rng.gauss(0, 1) for _ in range(200)]
    late = [0.8 * value + 0.6 * rng.gauss(0, 1) for value in early]
    for number, (first, last) in enumerate(zip(early, late, strict=True)):
        made.record(number, 1, (first,))
        if number < 20 or first > 0:
            made.record(number, 4, (last,))
    complete = [number for number in range(200) if number < 20 or early[number] > 0]
    among_complete = correlation([early[number] for number in complete], [late[number] for number in complete])
    among_all = correlation(early, late)
    assert among_complete.rho < among_all.rho - 0.1
    assert made.rungs[1].rho == pytest.approx(among_all.rho, abs=0.05)
    assert made.rungs[1].low < among_all.rho < made.rungs[1].high


def test_the_best_share_passes_a_rung_and_nobody_is_stopped_elsewhere() -> None:
    judge = rule(1, reduction_factor=2)
    assert judge.decide(50, 1, (0.0,)) is Decision.GO  # no rung
    assert judge.decide(50, 2, (0.0,)) is Decision.STOP
    assert judge.decide(51, 2, (1.0,)) is Decision.GO
    assert judge.decide(51, 3, (0.0,)) is Decision.GO
    assert judge.decide(52, 2, (float("nan"),)) is Decision.STOP
    thirds = rule(1, reduction_factor=3)
    assert [thirds.decide(60 + i, 2, (value,)) for i, value in enumerate((0.125, 0.145))] == [
        Decision.STOP,
        Decision.GO,
    ]


def test_before_there_are_rungs_nobody_is_stopped() -> None:
    judge = rule(0, num_trials=5)
    assert all(judge.decide(70 + epoch, epoch, (0.0,)) is Decision.GO for epoch in range(1, EPOCHS))
    assert judge.decide(90, 1, (float("nan"),)) is Decision.GO  # its training fails by itself


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_full": 3}, "num_full >= 4 must hold, got 3"),
        ({"reduction_factor": 1}, "reduction_factor >= 2 must hold, got 1"),
        ({"least_correlation": 1.0}, "-1 <= least_correlation < 1 must hold, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calibrated(**settings)  # type: ignore[arg-type]
