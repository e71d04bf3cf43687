"""`best/` of a study: which network it holds, and that whoever reads it while it changes reads a whole file."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from ressearch.arch import architecture_id, cost, named, plan
from ressearch.model import build
from ressearch.packaging.description import TrainingData, read_description
from ressearch.packaging.trials import export_best
from ressearch.store.files import BEST, weights_file
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

ARCHITECTURE = named("resnet-8")
PLAN = plan(ARCHITECTURE, 1, 4)
MANIFEST: dict[str, Any] = {
    "shape": {"channels": 1, "resolution": 8, "num_classes": 4},
    "objectives": ["val_accuracy"],
    "normalisation": {"mean": [0.25], "std": [0.125], "class_names": ["a", "b", "c", "d"]},
}


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., TrialRecord]:
    """Return a trial that has ended, with weights of its own on the disk."""

    def make(number: int, *accuracies: float, **fields: Any) -> TrialRecord:
        torch.manual_seed(number)
        file = weights_file(tmp_path / "study", number)
        file.parent.mkdir(parents=True)
        save_file(build(PLAN).state_dict(), file)
        values: dict[str, Any] = {
            "state": "complete",
            "params": {},
            "architecture": ARCHITECTURE.to_dict(),
            "architecture_id": architecture_id(ARCHITECTURE),
            "candidate_id": f"candidate {number}",
            "recipe": asdict(Recipe()),
            **asdict(cost(PLAN, 8)),
            "within_limits": True,
            "seed": number,
            "curve": tuple({"epoch": epoch, "val_accuracy": value} for epoch, value in enumerate(accuracies, start=1)),
            "measures": {"val_accuracy": accuracies[-1]},
            **fields,
        }
        return TrialRecord(number=number, **values)

    return make


def study_of(directory: Path, *trials: TrialRecord) -> StudyRecord:
    return StudyRecord(directory=directory, trials=trials, manifest=MANIFEST)


def exported(directory: Path) -> dict[str, Any]:
    """Return where `best/` says that its network comes from, after a look at its weights."""
    description = yaml.safe_load((directory / BEST / "architecture.yaml").read_text())
    ours = load_file(weights_file(directory, description["origin"]["trial"]))
    theirs = load_file(directory / BEST / "weights.safetensors")
    assert sorted(map(hash_of, ours.values())) == sorted(map(hash_of, theirs.values()))
    return dict(description["origin"])


def hash_of(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().numpy().tobytes()


def test_it_holds_the_best_trial_at_its_last_epoch_within_the_limits(
    trained: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    trials = [
        trained(0, 0.9, 0.5),
        trained(1, 0.1, 0.6),
        trained(2, 0.1, 0.99, within_limits=False),
        trained(3, 0.98, state="pruned"),
    ]
    export_best(study_of(tmp_path / "study", *trials))
    origin = exported(tmp_path / "study")
    assert (origin["trial"], origin["val_accuracy"], origin["epochs"]) == (1, 0.6, 2)


def test_it_follows_the_study_and_leaves_what_else_somebody_keeps_there(
    trained: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    directory, first, better = tmp_path / "study", trained(0, 0.5), trained(1, 0.6)
    export_best(study_of(directory, first))
    (directory / BEST / "notes.txt").write_text("mine")
    files = {path.name: path.read_bytes() for path in (directory / BEST).iterdir()}
    readers = [(path, path.open("rb")) for path in (directory / BEST).iterdir()]
    export_best(study_of(directory, first, better))
    for path, reader in readers:
        with reader:
            assert reader.read() == files[path.name]  # of the old network, and whole
    assert exported(directory)["trial"] == 1
    assert (directory / BEST / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in directory.iterdir()) == [BEST, "trials"]  # nothing unfinished is left


def test_it_tells_how_it_was_trained_to_the_last_digit_and_where_nothing_lies(
    trained: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    recipe = Recipe(epochs=2, lr=0.1 + 0.2, weight_decay=1 / 3000)
    counts = {"num_images": 400, "num_val_images": 60}
    source = Source(name="folder", root=Path("/home/somebody/secret"), subset=400, val_images=60)
    trial = trained(0, 0.1, 38 / 60, recipe=asdict(recipe), seed=2**32 - 1, **counts)
    terms = {"seed": 17, **{f"data.{name}": value for name, value in source.to_dict().items()}}
    export_best(replace(study_of(tmp_path / "study", trial), terms=terms))
    file = tmp_path / "study" / BEST / "architecture.yaml"
    found = read_description(file)
    assert (found.recipe, found.seed) == (recipe, 2**32 - 1)
    assert found.data == TrainingData.of(source, seed=17, **counts)
    assert "secret" not in file.read_text() + (tmp_path / "study" / BEST / "model.py").read_text()
    origin = exported(tmp_path / "study")
    assert (origin["val_accuracy"], origin["std_error"]) == (38 / 60, math.sqrt(38 / 60 * 22 / 60 / 60))


def test_a_study_of_an_earlier_version_tells_what_it_has_kept(
    trained: Callable[..., TrialRecord], tmp_path: Path
) -> None:
    export_best(study_of(tmp_path / "study", trained(0, 0.5)))
    found = read_description(tmp_path / "study" / BEST / "architecture.yaml")
    assert (found.recipe, found.seed, found.data) == (Recipe(), 0, None)
    assert "std_error" not in exported(tmp_path / "study")


def test_without_a_best_trial_nothing_changes(trained: Callable[..., TrialRecord], tmp_path: Path) -> None:
    first = trained(0, 0.5)
    export_best(study_of(tmp_path / "study", replace(first, state="pruned")))
    assert not (tmp_path / "study" / BEST).exists()
