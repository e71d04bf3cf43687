"""Spaces of every kind, and trials as a search tells them to its sampler."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import pytest

from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.space import Candidate
from ressearch.store.record import TrialRecord

CONDITIONAL = """\
  depth: {int: {low: 1, high: 3}}
  width: [{choice: [8, 12, 16]}, {choice: [16, 24, 32]}]
  transform: {choice: [basic, bottleneck]}
  bottleneck_ratio: {choice: [0.25, 0.5], when: {transform: bottleneck}}
  cardinality: {choice: [1, 4], when: {transform: bottleneck}}
recipe: {epochs: 4, lr: {float: {low: 0.001, high: 10.0, log: true}}}
"""
NUMERIC = """\
  depth: {int: {low: 1, high: 3}}
  width: [{int: {low: 8, high: 32, step: 4}}, 32]
recipe: {epochs: 4, lr: {float: {low: 0.001, high: 10.0, log: true}}}
"""
FINITE = """\
  depth: {int: {low: 1, high: 5}}
  width: [{choice: [8, 12, 16, 24]}, {choice: [16, 24, 32, 40]}]
  transform: {choice: [basic, bottleneck]}
  cardinality: {choice: [1, 4], when: {transform: bottleneck}}
recipe: {epochs: 4}
"""
SPACES = {"conditional": CONDITIONAL, "numeric": NUMERIC, "finite": FINITE}


def _made(space: str, sampler: str = "random", *, seed: int = 0, more: str = "") -> Experiment:
    text = (
        f"version: 1\ndata: {{name: digits}}\narchitecture:\n  stages: 2\n  stem_width: 8\n{SPACES.get(space, space)}"
    )
    return parse_experiment(f"{text}sampler: {{name: {sampler}, seed: {seed}}}\n{more}", "space.yaml")


@pytest.fixture
def made() -> Callable[..., Experiment]:
    """Return an experiment of a space, given by name or as YAML text."""
    return _made


@pytest.fixture
def ended() -> Callable[..., TrialRecord]:
    """Return a trial that has ended with an accuracy."""

    def make(number: int, params: Mapping[str, Any], accuracy: float = 0.5, **fields: Any) -> TrialRecord:
        epochs = {"complete": 4, "pruned": 2, "failed": 1}[fields.get("state", "complete")]
        values: dict[str, Any] = {
            "state": "complete",
            "architecture": {},
            "architecture_id": "",
            "candidate_id": f"candidate {number}",
            "recipe": {},
            "num_params": 1000 + number,
            "num_macs": 1,
            "num_activations": 1,
            "within_limits": True,
            "seed": 0,
            "curve": tuple({"epoch": epoch, "val_accuracy": accuracy} for epoch in range(1, epochs + 1)),
            "measures": {"val_accuracy": accuracy, "num_params": 1000.0 + number, "seconds": 1.0},
            **fields,
        }
        if values["state"] == "failed":
            values["measures"] = None
        return TrialRecord(number=number, params=params, **values)

    return make


@pytest.fixture
def trained(ended: Callable[..., TrialRecord]) -> Callable[..., TrialRecord]:
    """Return a trial of a candidate, with its costs, that has ended with an accuracy."""

    def make(number: int, candidate: Candidate, accuracy: float, **fields: Any) -> TrialRecord:
        counted = {"candidate_id": candidate.id, **asdict(candidate.cost)}
        return ended(number, candidate.params, accuracy, **counted, **fields)

    return make
