"""Trials of a study as the storage would give them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ressearch.arch import architecture_id, cost, named, plan
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord


def make_record(
    number: int, accuracies: list[float], *, state: str = "complete", network: str = "resnet-8", **fields: Any
) -> TrialRecord:
    architecture = named(network)
    curve = tuple({"epoch": epoch, "val_accuracy": value} for epoch, value in enumerate(accuracies, start=1))
    values: dict[str, Any] = {
        "architecture": architecture.to_dict(),
        "architecture_id": architecture_id(architecture),
        "candidate_id": f"candidate-{number}",
        "recipe": {"epochs": 2, "lr": 0.1},
        "params": {},
        **asdict(cost(plan(architecture, 3, 10), 32)),
        "within_limits": True,
        "seconds": 1.5,
        "seed": number,
        **fields,
    }
    if accuracies and "measures" not in values:
        values["measures"] = {
            "val_accuracy": accuracies[-1],
            **{name: float(values[name]) for name in ("num_params", "num_macs", "num_activations", "seconds")},
        }
    return TrialRecord(number=number, state=state, curve=curve, **values)  # type: ignore[arg-type]


@pytest.fixture
def record() -> Callable[..., TrialRecord]:
    return make_record


@pytest.fixture
def study(tmp_path: Path) -> StudyRecord:
    """One trial of every kind, in an order that is not the ranking."""
    trials = (
        make_record(0, [0.5, 0.80], baseline="resnet-8"),
        make_record(1, [0.5, 0.95], network="resnet-110", baseline="resnet-110", within_limits=False),
        make_record(2, [0.70], state="pruned"),
        make_record(3, [], state="failed", reason="non_finite", message="loss is nan | after 3 steps"),
        make_record(4, [0.6, 0.90], network="preresnet-20", recipe={"epochs": 2, "lr": 0.25}),
        make_record(5, [0.60], state="pruned"),
        make_record(6, [0.4], state="running"),
        make_record(7, [0.6, 0.90]),
        make_record(8, [0.5], state="failed", reason="worker_lost", message="the worker process ended"),
    )
    return StudyRecord(directory=tmp_path / "mixed", trials=trials, manifest={"objectives": ["val_accuracy"]})
