"""architecture.yaml tells how a network was trained, to the last digit, and is read back; damage ends in one line."""

import ast
import re
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ressearch.arch import named
from ressearch.images import ImageShape
from ressearch.packaging.bundle import export_bundle
from ressearch.packaging.description import Described, Description, TrainingData, read_description
from ressearch.training.recipe import RECIPES, Recipe
from ressearch.training.source import Source

FOUND = Recipe(
    epochs=8,
    batch_size=96,
    lr=0.1 + 0.2,
    momentum=1 / 3,
    nesterov=False,
    weight_decay=1e-05 / 3,
    decay_norms=True,
    schedule="step_wrn",
    warmup_epochs=2 / 3,
    label_smoothing=1e-17,
    crop_padding=3,
    crop_fill="reflect",
    flip=False,
    cutout=7,
    ema_decay=0.1 * 3,
)
"""Every field off its default, and no number that fewer than 16 digits would give back."""
DATA = TrainingData.of(
    Source(name="parquet", root=Path("/home/somebody/secret"), resolution=16, subset=400, val_images=200),
    seed=2**32 - 1,
    num_images=400,
    num_val_images=200,
)
DESCRIPTION = Description(
    name="mine: #1",
    architecture=named("resnet-8"),
    shape=ImageShape(channels=1, resolution=8, num_classes=4),
    recipe=FOUND,
    seed=2**32 - 2,
    data=DATA,
    origin={"study": "mine", "val_accuracy": 2 / 3},
)


def written(directory: Path, description: Description = DESCRIPTION) -> Path:
    description.write(directory / "architecture.yaml")
    return directory / "architecture.yaml"


def read_again(path: Path) -> dict[str, Any]:
    return {spec.name: getattr(read_description(path), spec.name) for spec in fields(Described)}


def test_every_field_of_the_recipe_is_off_its_default() -> None:
    assert all(value != asdict(Recipe())[name] for name, value in asdict(FOUND).items())


@pytest.mark.parametrize("recipe", [FOUND, *RECIPES.values()])
def test_what_is_written_is_read_to_the_last_digit(tmp_path: Path, recipe: Recipe) -> None:
    description = replace(DESCRIPTION, recipe=recipe)
    found = read_again(written(tmp_path, description))
    assert found == {name: getattr(description, name) for name in found}


def test_the_file_is_plain_yaml_and_tells_no_path(tmp_path: Path) -> None:
    path = written(tmp_path)
    told = yaml.safe_load(path.read_text())
    assert told["recipe"] == asdict(FOUND)
    assert told["seed"] == 2**32 - 2
    assert {name: told["data"][name] for name in ("name", "resolution", "subset", "val_images")} == {
        "name": "parquet",
        "resolution": 16,
        "subset": 400,
        "val_images": 200,
    }
    assert (told["data"]["seed"], told["data"]["num_images"], told["data"]["num_val_images"]) == (2**32 - 1, 400, 200)
    assert "secret" not in path.read_text()
    assert "root" not in told["data"]


def test_the_images_are_found_where_the_reader_has_them(tmp_path: Path) -> None:
    data = read_description(written(tmp_path)).data
    assert data is not None
    assert data.at(tmp_path) == Source(name="parquet", root=tmp_path, resolution=16, subset=400, val_images=200)
    with pytest.raises(ValueError, match="root must be given for the source parquet, got none"):
        data.at(None)


def test_what_is_not_known_is_not_told(tmp_path: Path) -> None:
    bare = replace(DESCRIPTION, recipe=None, seed=None, data=None)
    path = written(tmp_path, bare)
    assert yaml.safe_load(path.read_text()).keys().isdisjoint({"recipe", "seed", "data"})
    assert read_description(path).recipe is None
    data = TrainingData.of(Source(), seed=3)
    assert read_description(written(tmp_path, replace(DESCRIPTION, data=data))).data == data


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "name": "old", "architecture": named("resnet-20").to_dict()}))
    found = read_description(path)
    assert (found.name, found.architecture) == ("old", named("resnet-20"))
    assert (found.recipe, found.seed, found.data) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": {"lrr": 0.1}}, "recipe: unknown key 'lrr', expected one of"),
        ({"recipe": {"lr": "fast"}}, "recipe.lr: got 'fast', expected a number"),
        ({"recipe": {"lr": -1.0}}, "recipe.lr: lr > 0 must hold, got -1.0"),
        ({"recipe": {"lr": {"float": {"low": 1, "high": 2}}}}, "recipe.lr: got a mapping, expected a number"),
        ({"recipe": {"schedule": "cosin"}}, "did you mean 'cosine'?"),
        ({"recipe": [1]}, "recipe: got a list, expected keys with values"),
        ({"seed": -1}, "seed: got -1, expected a number from 0 on"),
        ({"seed": "one"}, "seed: got 'one', expected a whole number"),
        ({"data": {"name": "digits"}}, "data: 'seed' is missing"),
        ({"data": {"name": "digit", "seed": 0}}, "did you mean 'digits'?"),
        ({"data": {"name": "digits", "seed": 0, "root": "/etc"}}, "data: unknown key 'root'"),
        ({"data": {"name": "digits", "seed": 0, "subset": "all"}}, "data.subset: got 'all', expected a whole number"),
        ({"data": {"name": "digits", "seed": 0, "num_images": -4}}, "data.num_images: got -4"),
    ],
)
def test_damage_ends_in_one_line_with_its_place(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "architecture.yaml"
    path.write_text(yaml.safe_dump(DESCRIPTION.to_dict() | changes, sort_keys=False))
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_description(path)
    assert re.match(rf"{re.escape(str(path))}:\d+: ", str(error.value))
    assert "\n" not in str(error.value)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + "extra: 1\nseed_of: !!python/object/apply:os.abort []\n")
    assert read_description(path).recipe == FOUND  # what nobody reads is not built
    path.write_text(path.read_text().replace(f"\nseed: {2**32 - 2}", "\nseed: !!python/object/apply:os.abort []"))
    with pytest.raises(ValueError, match=r"seed: got the YAML tag !!python/object/apply:os\.abort"):
        read_description(path)


def test_the_module_tells_the_whole_recipe(tmp_path: Path) -> None:
    made = export_bundle(
        tmp_path / "new",
        architecture=DESCRIPTION.architecture,
        shape=DESCRIPTION.shape,
        state=None,
        name="mine",
        recipe=FOUND,
        seed=5,
        data=DATA,
    )
    docstring = ast.get_docstring(ast.parse(made.model.read_text()))
    assert docstring is not None
    words = " ".join(docstring.split())
    assert all(f"{name}={value}" in words for name, value in asdict(FOUND).items())
    assert "name=parquet, resolution=16, subset=400, val_images=200" in words
    assert "num_images=400, num_val_images=200; seed 5." in words
    assert "secret" not in words
    assert read_description(made.architecture).recipe == FOUND
