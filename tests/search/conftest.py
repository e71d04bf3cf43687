"""Spaces and stand-ins for training that are exact, so that a test knows what a search must make of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ressearch.search.worker import Assignment, TrialFunction

from ressearch.training.loop import EpochResult

SPACE = """# Does the search keep its book?
# Paper: none, a test
version: 1
data: {{name: digits, subset: 400, val_images: 200}}
architecture:
  stages: 2
  stem_width: 8
  depth: {{int: {{low: 1, high: 3}}}}
  width: [{{choice: [8, 12, 16]}}, {{choice: [16, 24, 32]}}]
  transform: {{choice: [basic, bottleneck]}}
  bottleneck_ratio: {{choice: [0.25, 0.5], when: {{transform: bottleneck}}}}
  cardinality: {{choice: [1, 4], when: {{transform: bottleneck}}}}
  ordering: {{choice: [original, full_preactivation]}}
recipe: {{epochs: {epochs}, batch_size: 50, flip: false, crop_padding: 4, lr: 0.1}}
limits: {{num_params: {{max: 60000}}}}
sampler: {{name: {sampler}, seed: {seed}}}
scheduler: {{name: {scheduler}, reduction_factor: 2, first_rung: 2}}
objectives: {objectives}
ancestors: {ancestors}
"""


@pytest.fixture
def write_space(tmp_path: Path) -> Callable[..., Path]:
    """Write a small space with the given settings and return its path."""

    def write(name: str = "space.yaml", **settings: Any) -> Path:
        defaults = {
            "epochs": 4,
            "sampler": "random",
            "seed": 0,
            "scheduler": "none",
            "objectives": "[val_accuracy]",
            "ancestors": "[]",
        }
        path = tmp_path / name
        path.write_text(SPACE.format(**{**defaults, **settings}))
        return path

    return write


@pytest.fixture
def scripted() -> Callable[..., TrialFunction]:
    """Return a trial function whose accuracy in every epoch is given by a function of (assignment, epoch).

    It is a closure, so that Ray sends it to workers by value.
    """

    def make(accuracy: Callable[[Assignment, int], float], before: Callable[[Assignment], None] | None = None) -> Any:
        def run(assignment: Assignment) -> Iterator[EpochResult]:
            if before:
                before(assignment)
            for epoch in range(1, assignment.epochs + 1):
                yield EpochResult(
                    epoch=epoch,
                    train_loss=1.0,
                    val_loss=1.0,
                    val_accuracy=accuracy(assignment, epoch),
                    lr=0.1,
                    seconds=0.0,
                )

        return run

    return make
