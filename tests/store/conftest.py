"""Trials as a search writes them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ressearch.arch import architecture_id, cost, named, plan
from ressearch.space import Choice, Domain, FloatRange, IntRange
from ressearch.store.record import TrialRecord
from ressearch.store.trial_store import TrialStore
from ressearch.training.recipe import Recipe

DOMAINS: dict[str, Domain] = {
    "depth": IntRange(1, 5),
    "lr": FloatRange(0.001, 10.0, log=True),
    "ordering": Choice(("original", "full_preactivation")),
    "zero_init": Choice((False, True)),
}
PARAMS = {"depth": 3, "lr": 0.05, "ordering": "original", "zero_init": True}
TERMS = {"seed": 0, "objectives": ["val_accuracy"]}


@pytest.fixture
def running() -> Callable[..., TrialRecord]:
    """Return a trial that has just begun."""

    def make(number: int, **fields: Any) -> TrialRecord:
        architecture = named("resnet-8")
        values: dict[str, Any] = {
            "state": "running",
            "params": PARAMS,
            "architecture": architecture.to_dict(),
            "architecture_id": architecture_id(architecture),
            "candidate_id": f"candidate {number}",
            "recipe": asdict(Recipe(epochs=4)),
            **asdict(cost(plan(architecture, 3, 10), 32)),
            "within_limits": True,
            "seed": 10 + number,
            **fields,
        }
        return TrialRecord(number=number, **values)

    return make


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., TrialStore]:
    """Return a store that is open for writing."""

    def make(directory: Path = tmp_path / "study", *, objectives: Any = None, **options: Any) -> TrialStore:
        directory.mkdir(exist_ok=True)
        store = TrialStore(directory, **options)
        store.open(objectives or {"val_accuracy": "maximize"}, DOMAINS, TERMS)
        return store

    return make


@pytest.fixture
def read() -> Callable[..., list[TrialRecord]]:
    """Read the trials of a study as another process would, with a store of its own."""

    def trials(directory: Path, **options: Any) -> list[TrialRecord]:
        store = TrialStore(directory, **options)
        assert store.open_for_reading()
        return store.trials()

    return trials


MANIFEST = {
    "version": 1,
    "question": "Is it read?",
    "seed": 0,
    "shape": {"channels": 3, "resolution": 32, "num_classes": 10},
    "normalisation": {"mean": [0.5], "std": [0.25], "class_names": ["a", "b"]},
    "objectives": ["val_accuracy"],
}


@pytest.fixture
def finished(opened: Callable[..., TrialStore], running: Callable[..., TrialRecord]) -> Callable[..., Path]:
    """Return the directory of a study that nobody has open, with complete trials of the given accuracies."""

    def make(directory: Path, *accuracies: float, within_limits: tuple[bool, ...] = ()) -> Path:
        directory.mkdir()
        (directory / "manifest.json").write_text(json.dumps(MANIFEST))
        store = opened(directory)
        for number, accuracy in enumerate(accuracies):
            record = store.begin(running(number, within_limits=(*within_limits, *[True] * 99)[number]))
            record = replace(record, curve=({"epoch": 1, "val_accuracy": accuracy},), seconds=1.0)
            store.report(record)
            store.close(replace(record, state="complete", measures={"val_accuracy": accuracy}))
        store.let_go()
        return directory

    return make


@pytest.fixture
def content() -> Callable[[Path], dict[str, str]]:
    """Return all that is in a directory, by path, so that any change of it shows."""

    def read(directory: Path) -> dict[str, str]:
        paths = sorted(path for path in directory.rglob("*"))
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "directory" for p in paths}

    return read
