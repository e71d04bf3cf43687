"""Trials as a search writes them."""

from collections.abc import Callable
from dataclasses import asdict
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
