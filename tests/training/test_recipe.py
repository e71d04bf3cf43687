import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ressearch.training.recipe import RECIPES, SCHEDULE_NAMES, Recipe, ScheduleName
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
        ({"ema_decay": 1.0}, "0 <= ema_decay < 1 must hold, got 1.0"),
        ({"ema_decay": math.nan}, "0 <= ema_decay < 1 must hold, got nan"),
        ({"epochs": 1, "warmup_epochs": 1}, "0 <= warmup_epochs < epochs must hold, got 1 with epochs=1"),
        ({"crop_fill": "white"}, "crop_fill: got 'white', expected one of black, reflect"),
        ({"schedule": "cosin"}, "schedule: got 'cosin', expected one of cosine, one_cycle, step_he2016, step_wrn"),
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
    assert top == (450 if schedule == "one_cycle" else 100)
    assert rates[top] == pytest.approx(1.0)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.0101


def test_cosine_is_half_way_down_in_the_middle() -> None:
    assert lr_at(50, num_steps=100, peak=0.2, schedule="cosine") == pytest.approx(0.1)
    assert lr_at(55, num_steps=100, peak=0.2, schedule="cosine", warmup_steps=10) == pytest.approx(0.1)
    assert lr_at(0, num_steps=100, peak=0.2, schedule="cosine", warmup_steps=9) == pytest.approx(0.02)


def test_one_cycle_has_three_straight_lines() -> None:
    at = {step: lr_at(step, num_steps=1000, peak=1.0, schedule="one_cycle") for step in (0, 225, 450, 675, 900, 950)}
    assert at == pytest.approx({0: 0.1, 225: 0.55, 450: 1.0, 675: 0.55, 900: 0.1, 950: 0.0505})


def levels(schedule: ScheduleName, num_steps: int, **more: int) -> list[tuple[int, float]]:
    """Step and rate wherever the rate changes."""
    rates = [lr_at(step, num_steps=num_steps, peak=0.1, schedule=schedule, **more) for step in range(num_steps)]
    return [(step, rate) for step, rate in enumerate(rates) if step == 0 or rate != rates[step - 1]]


def test_steps_of_he2016_divide_by_10_at_half_and_at_three_quarters() -> None:
    """The paper's 64,000 steps, with its borders at 32,000 and 48,000."""
    found = levels("step_he2016", 64_000)
    assert [step for step, _ in found] == [0, 32_000, 48_000]
    assert [rate for _, rate in found] == pytest.approx([0.1, 0.01, 0.001])


def test_steps_of_wide_resnets_divide_by_5_after_60_120_and_160_of_200_epochs() -> None:
    found = levels("step_wrn", 200 * 351)
    assert [step for step, _ in found] == [0, 60 * 351, 120 * 351, 160 * 351]
    assert [rate for _, rate in found] == pytest.approx([0.1, 0.02, 0.004, 0.0008])


@pytest.mark.parametrize(("schedule", "factors"), [("step_he2016", (0.1, 0.01)), ("step_wrn", (0.2, 0.04, 0.008))])
def test_steps_of_short_and_uneven_trainings(schedule: ScheduleName, factors: tuple[float, ...]) -> None:
    """A level begins with the first step that is at its share or after; the warm-up does not move it."""
    begins = {"step_he2016": [4, 6], "step_wrn": [3, 5, 6]}[schedule]  # 3.5 and 5.25; 2.1, 4.2 and 5.6 of 7
    found = levels(schedule, 7, warmup_steps=1)
    assert [step for step, _ in found] == [0, 1, *begins]
    assert [rate for _, rate in found] == pytest.approx([0.05, 0.1, *(0.1 * factor for factor in factors)])
    assert len(levels(schedule, 1)) == 1


def test_named_recipes_are_those_of_their_papers() -> None:
    he = {
        "crop_fill": "black",
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "batch_size": 128,
        "flip": True,
    }
    wide = {
        "crop_fill": "reflect",
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
        "batch_size": 128,
        "epochs": 200,
    }
    none = {"warmup_epochs": 0, "label_smoothing": 0, "cutout": 0, "ema_decay": 0, "crop_padding": 4}
    for name, values in {"he2016": he | none, "wrn": wide | none}.items():
        assert {field: getattr(RECIPES[name], field) for field in values} == values
        assert RECIPES[name].decay_norms
    assert RECIPES["he2016"].epochs == round(64_000 / (45_000 // 128))
    assert RECIPES["fast"].schedule == "one_cycle"
    assert RECIPES["fast"].label_smoothing > 0
    assert RECIPES["fast"].ema_decay > 0.9
