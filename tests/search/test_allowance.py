"""When a budget is used up: by a clock that the test holds, and by trials that it makes up."""

import math
from dataclasses import replace

import pytest

from ressearch.arch import Cost
from ressearch.experiment import Budget
from ressearch.search.allowance import Allowance
from ressearch.search.forecast import MIN_TRIALS, Forecast
from ressearch.store.record import State, TrialRecord

ONE = {"val_accuracy": "maximize"}
TWO = {"val_accuracy": "maximize", "num_params": "minimize"}


def trial(
    number: int, accuracy: float, *, state: State = "complete", ended: float | None = None, **values: object
) -> TrialRecord:
    fields = {
        "number": number,
        "state": state,
        "params": {},
        "architecture": {},
        "architecture_id": "",
        "candidate_id": "",
        "recipe": {},
        "num_params": 1,
        "num_macs": 1,
        "num_activations": 1,
        "within_limits": True,
        "seed": 0,
        "curve": ({"epoch": 1, "val_accuracy": accuracy},),
        "measures": {"val_accuracy": accuracy, "num_params": values.get("num_params", 1)},
        "ended": float(number) if ended is None else ended,
        **values,
    }
    return TrialRecord(**fields)  # type: ignore[arg-type]


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_hours_count_over_all_sessions() -> None:
    clock = Clock()
    allowance = Allowance(Budget(hours=0.5), ONE, before=1000.0, clock=clock)
    clock.now += 799.9
    assert allowance.ended_by() is None
    clock.now += 0.1
    assert (allowance.ended_by(), allowance.seconds) == ("hours", pytest.approx(800.0))
    assert Allowance(Budget(hours=0.5), ONE, before=1800.0, clock=clock).ended_by() == "hours"
    assert Allowance(Budget(trials=3), ONE, before=1e9, clock=clock).ended_by() is None


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ({}, True),
        ({"baseline": "resnet-8"}, True),
        ({"state": "pruned"}, False),
        ({"within_limits": False}, False),
        ({"state": "failed", "reason": "non_finite"}, False),
    ],
)
def test_a_target_is_reached_by_a_complete_trial_within_the_limits(values: dict[str, object], ends: bool) -> None:
    allowance = Allowance(Budget(target=0.6), ONE)
    allowance.take(trial(0, 0.59))
    assert allowance.ended_by() is None
    allowance.take(trial(1, 0.6, **values))  # type: ignore[arg-type]
    assert (allowance.ended_by() == "target") is ends


def test_patience_counts_finished_trials_in_a_row_that_bring_no_new_best() -> None:
    allowance = Allowance(Budget(patience=3), ONE)
    story = [
        (trial(0, 0.9, baseline="resnet-8"), None),  # neither counted nor a bar
        (trial(1, 0.5), None),
        (trial(2, 0.4, state="pruned"), None),
        (trial(3, 0.5), None),  # equal to the best is no new best
        (trial(4, 0.6), None),
        (trial(5, 0.9, state="pruned"), None),
        (trial(6, 0.9, within_limits=False), None),
        (trial(7, 0.1, state="failed", reason="interrupted"), None),  # not finished
        (trial(8, 0.1, baseline="resnet-14"), None),
        (trial(9, 0.1, state="failed", reason="non_finite"), "patience"),
        (trial(10, 0.99), "patience"),  # it was running then: the end stays the end
    ]
    for record, expected in story:
        allowance.take(record)
        assert allowance.ended_by() == expected, record.number


def test_patience_is_with_the_front_where_there_are_several_objectives() -> None:
    allowance = Allowance(Budget(patience=2), TWO)  # type: ignore[arg-type]
    for number, (accuracy, num_params) in enumerate([(0.5, 10), (0.4, 5), (0.3, 4), (0.3, 4)]):
        allowance.take(trial(number, accuracy, num_params=num_params))
        assert allowance.ended_by() is None
    allowance.take(trial(5, 0.45, num_params=10))
    assert allowance.ended_by() == "patience"


def test_earlier_sessions_are_taken_in_the_order_of_their_ends() -> None:
    """Trial 0 took longest: it was the new best that came last."""
    records = [trial(0, 0.9, ended=9.0), trial(1, 0.5, ended=1.0), trial(2, 0.4, ended=2.0), trial(3, 0.4, ended=3.0)]
    allowance = Allowance(Budget(patience=2), ONE)
    allowance.restore([*records, replace(records[0], number=4, state="running", ended=None)])
    assert allowance.ended_by() is None
    late = Allowance(Budget(patience=2), ONE)
    late.restore([*records[1:], replace(records[0], ended=0.0)])
    assert late.ended_by() == "patience"


def test_what_the_command_gives_holds_instead_of_the_file() -> None:
    file = Budget(trials=100, hours=2.0)
    assert file.overridden(Budget(hours=0.1, patience=4)) == Budget(trials=100, hours=0.1, patience=4)
    assert not Budget(seconds_per_trial=3.0).ends
    assert all(Budget(**{name: 1}).ends for name in ("trials", "hours", "target", "patience"))


@pytest.mark.parametrize("name", ["trials", "patience", "hours", "seconds_per_trial", "target"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_budget_of_nothing_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} .*must hold, got {value}$"):
        Budget(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [("hours", math.nan), ("hours", math.inf), ("seconds_per_trial", math.nan), ("target", math.nan), ("target", 1.01)],
)
def test_a_budget_that_is_no_number_or_cannot_be_reached_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} .*must hold, got {value:g}$"):
        Budget(**{name: value})  # type: ignore[arg-type]


def timed(number: int, macs: int, activations: int, epochs: int = 4) -> TrialRecord:
    """A trial of four epochs, or its beginning: half a second of set-up, 2 s per million MACs and epoch."""
    epoch = 2e-6 * macs + 1e-3 * activations
    curve = tuple({"epoch": index + 1, "val_accuracy": 0.5, "seconds": epoch} for index in range(epochs))
    return trial(
        number,
        0.5,
        num_macs=macs,
        num_activations=activations,
        curve=curve,
        seconds=0.5 + epochs * epoch,
        state="complete" if epochs == 4 else "pruned",
    )


def test_seconds_follow_from_macs_and_activations() -> None:
    forecast = Forecast(epochs=4)
    for number in range(MIN_TRIALS):
        assert forecast.seconds(Cost(1, 1, 1)) is None
        macs, activations = 1_000_000 * (1 + number % 3), 100 * (1 + number)
        forecast.take(timed(number, macs, activations, epochs=1 + number % 4))
    predicted = forecast.seconds(Cost(0, 10_000_000, 2000))
    assert predicted == pytest.approx(0.5 + 4 * (20 + 2), rel=1e-6)


def test_nothing_is_learnt_from_trials_that_did_not_train() -> None:
    forecast = Forecast(epochs=4)
    for number in range(2 * MIN_TRIALS):
        forecast.take(replace(timed(number, 10, 10), curve=(), state="failed", reason="worker_lost"))
    assert forecast.seconds(Cost(1, 10, 10)) is None


def test_larger_networks_are_never_predicted_to_be_faster() -> None:
    """Though the trials say so: the times are noise."""
    forecast = Forecast(epochs=1)
    for number in range(MIN_TRIALS):
        record = timed(number, 1000 * (number + 1), 1000 * (number + 1))
        forecast.take(replace(record, seconds=10.0 - number, curve=({"epoch": 1, "val_accuracy": 0.5},)))
    small, large = forecast.seconds(Cost(1, 10, 10)), forecast.seconds(Cost(1, 10**6, 10**6))
    assert small is not None
    assert large is not None
    assert 0 < small <= large
