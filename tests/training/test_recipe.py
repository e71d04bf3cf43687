import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.training.recipe import SCHEDULE_NAMES, Recipe
from ressearch.training.schedule import lr_at


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": -1}, "lr > 0 must hold, got -1"),
        ({"lr": math.nan}, "lr > 0 must hold, got nan"),
        ({"lr": math.inf}, "lr > 0 must hold, got inf"),
        ({"epochs": 0}, "epochs >= 1 must hold, got 0"),
        ({"batch_size": 0}, "batch_size >= 1 must hold, got 0"),
        ({"crop_padding": -1}, "crop_padding >= 0 must hold, got -1"),
        ({"cutout": -1}, "cutout >= 0 must hold, got -1"),
        ({"weight_decay": -1e-4}, "weight_decay >= 0 must hold, got -0.0001"),
        ({"momentum": 1.0}, "0 <= momentum < 1 must hold, got 1.0"),
        ({"label_smoothing": 1.0}, "0 <= label_smoothing < 1 must hold, got 1.0"),
        ({"epochs": 1, "warmup_epochs": 1}, "0 <= warmup_epochs < epochs must hold, got 1 with epochs=1"),
        ({"schedule": "cosin"}, "schedule: got 'cosin', expected one of cosine, one_cycle"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**values)


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
@given(num_steps=st.integers(1, 3000), warmup_share=st.floats(0, 0.9))
def test_learning_rate_is_positive_and_at_most_the_peak(schedule, num_steps: int, warmup_share: float) -> None:
    warmup = int(num_steps * warmup_share)
    rates = [
        lr_at(step, num_steps=num_steps, peak=0.4, schedule=schedule, warmup_steps=warmup) for step in range(num_steps)
    ]
    assert all(0 < rate <= 0.4 + 1e-12 for rate in rates)


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
def test_learning_rate_rises_to_the_peak_then_only_falls(schedule) -> None:
    rates = [lr_at(step, num_steps=1000, peak=1.0, schedule=schedule, warmup_steps=100) for step in range(1000)]
    top = rates.index(max(rates))
    assert top == {"cosine": 100, "one_cycle": 450}[schedule]
    assert rates[top] == pytest.approx(1.0)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.01


def test_cosine_is_half_way_down_in_the_middle() -> None:
    assert lr_at(50, num_steps=100, peak=0.2, schedule="cosine") == pytest.approx(0.1)
    assert lr_at(55, num_steps=100, peak=0.2, schedule="cosine", warmup_steps=10) == pytest.approx(0.1)
    assert lr_at(0, num_steps=100, peak=0.2, schedule="cosine", warmup_steps=9) == pytest.approx(0.02)


def test_one_cycle_has_three_straight_lines() -> None:
    at = {step: lr_at(step, num_steps=1000, peak=1.0, schedule="one_cycle") for step in (0, 225, 450, 675, 900, 950)}
    assert at == pytest.approx({0: 0.1, 225: 0.55, 450: 1.0, 675: 0.55, 900: 0.1, 950: 0.0505})
