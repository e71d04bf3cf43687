"""Single fields of a recipe from text."""

from dataclasses import asdict, fields
from typing import Any

import pytest

from ressearch.training.recipe import FAST, RECIPES, Recipe
from ressearch.training.recipe_settings import assignments, with_settings

TEXTS: dict[str, tuple[str, Any]] = {
    "epochs": ("7", 7),
    "batch_size": ("32", 32),
    "lr": ("0.123456789012345", 0.123456789012345),
    "momentum": ("0", 0.0),
    "nesterov": ("false", False),
    "weight_decay": ("1e-4", 1e-4),
    "decay_norms": ("True", True),
    "schedule": ("step_wrn", "step_wrn"),
    "warmup_epochs": ("1.5", 1.5),
    "label_smoothing": ("0.2", 0.2),
    "crop_padding": ("0", 0),
    "crop_fill": ("reflect", "reflect"),
    "flip": ("false", False),
    "cutout": ("8", 8),
    "ema_decay": ("0.9", 0.9),
}


@pytest.mark.parametrize("name", [spec.name for spec in fields(Recipe)])
def test_every_field_is_read_from_its_text(name: str) -> None:
    text, value = TEXTS[name]
    changed = asdict(with_settings(Recipe(), assignments([f" {name} = {text} "])))
    assert changed == asdict(Recipe()) | {name: value}
    assert type(changed[name]) is type(getattr(Recipe(), name))


def test_values_are_taken_as_they_are() -> None:
    changed = with_settings(FAST, {"lr": 1, "flip": False, "epochs": 3})
    assert (changed.lr, type(changed.lr), changed.flip, changed.epochs) == (1.0, float, False, 3)
    assert changed.schedule == FAST.schedule
    assert with_settings(FAST, {}) == FAST


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lrr": "1"}, "there is no field 'lrr', expected one of epochs, .*; did you mean 'lr'\\?"),
        ({"weight-decay": "1"}, "did you mean 'weight_decay'\\?"),
        ({"lr": "abc"}, "lr: got 'abc', expected a number"),
        ({"lr": True}, "lr: got True, expected a number"),
        ({"lr": "nan"}, "lr > 0 must hold, got nan"),
        ({"lr": "-inf"}, "lr > 0 must hold, got -inf"),
        ({"epochs": "3.0"}, "epochs: got '3.0', expected a whole number"),
        ({"epochs": 3.0}, "epochs: got 3.0, expected a whole number"),
        ({"epochs": "0"}, "epochs >= 1 must hold, got 0"),
        ({"flip": "yes"}, "flip: got 'yes', expected true or false"),
        ({"flip": 1}, "flip: got 1, expected true or false"),
        ({"schedule": "cosin"}, "schedule: got 'cosin', expected cosine, .*; did you mean 'cosine'\\?"),
        ({"crop_fill": "reflekt"}, "crop_fill: got 'reflekt', expected black, reflect; did you mean 'reflect'\\?"),
        ({"epochs": "2", "warmup_epochs": "2"}, "warmup_epochs < epochs must hold, .*: --set warmup_epochs=N"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        with_settings(Recipe(), settings)
    assert str(caught.value).startswith("recipe: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["lr", "lr=", "=0.1", "", " = "])
def test_a_setting_has_a_field_and_a_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected FIELD=VALUE, such as lr=0\.1"):
        assignments([text])


def test_a_field_is_set_once() -> None:
    with pytest.raises(ValueError, match="--set: lr is given twice, as '1' and '2'"):
        assignments(["lr=1", "flip=true", "lr=2"])


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_is_stretched_to_any_number_of_epochs(name: str) -> None:
    assert with_settings(RECIPES[name], {"epochs": 1}).epochs == 1
