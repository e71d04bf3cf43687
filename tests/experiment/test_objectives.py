"""Measures read off a training by hand, and what a file means that says nothing of them."""

import pytest

from ressearch.arch import Cost
from ressearch.experiment import OBJECTIVES
from ressearch.experiment.loader import parse_experiment
from ressearch.experiment.objectives import Trained, directions_of, measured

CURVE = ({"epoch": 1, "val_accuracy": 0.9}, {"epoch": 2, "val_accuracy": 0.4}, {"epoch": 3, "val_accuracy": 0.5})
TRAINED = Trained(cost=Cost(num_params=1, num_macs=20, num_activations=300), curve=CURVE, seconds=4000.0)
EXPECTED = {"val_accuracy": 0.5, "num_params": 1.0, "num_macs": 20.0, "num_activations": 300.0, "seconds": 4000.0}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_measure_is_read_where_it_stands(name: str) -> None:
    found = measured([name], TRAINED)
    assert found == {name: EXPECTED[name]}
    assert isinstance(found[name], float)


def test_what_cannot_be_measured_is_left_out() -> None:
    untrained = Trained(cost=TRAINED.cost, curve=(), seconds=1.0)
    assert measured(["val_accuracy", "num_params"], untrained) == {"num_params": 1.0}


def test_more_accuracy_is_better_and_less_of_anything_else() -> None:
    assert [*directions_of(EXPECTED).values()] == ["maximize"] + ["minimize"] * 4
    assert OBJECTIVES.keys() >= EXPECTED.keys()


def test_what_a_file_leaves_out_has_these_values() -> None:
    """Another default makes another experiment of every file that relies on it: the changelog must say so."""
    terms = parse_experiment("version: 1\narchitecture: {stages: 1, depth: 1, width: 16}", "space.yaml").terms()
    expected = {
        "recipe.epochs": 6,
        "recipe.batch_size": 128,
        "recipe.lr": 0.1,
        "recipe.momentum": 0.9,
        "recipe.weight_decay": 5e-4,
        "recipe.schedule": "cosine",
        "recipe.warmup_epochs": 0.5,
        "recipe.label_smoothing": 0.0,
        "recipe.crop_padding": 4,
        "recipe.crop_fill": "black",
        "recipe.flip": True,
        "recipe.cutout": 0,
        "data.name": "digits",
        "data.subset": None,
        "data.val_images": None,
        "objectives": ["val_accuracy"],
        "sampler.name": "gp",
        "sampler.random_share": 0.1,
        "scheduler.name": "calibrated",
        "scheduler.num_full": 6,
        "scheduler.least_correlation": 0.5,
        "scheduler.reduction_factor": 3,
        "seed": 0,
    }
    assert {name: terms.get(name) for name in expected} == expected
