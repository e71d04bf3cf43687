"""Tables whose truth is known, so that a test knows what replays must make of them."""

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ressearch.arch import InfeasibleError
from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.space import Candidate, random_choose
from ressearch.store.record import TrialRecord
from ressearch.store.table import Table

SPACE = """\
# A space that is recorded
version: 1
data: {name: digits}
architecture:
  stages: 2
  stem_width: 8
  depth: {int: {low: 1, high: 4}}
  width: [{choice: [8, 12, 16]}, {choice: [16, 24, 32]}]
  activation: {choice: [relu, silu]}
recipe: {epochs: 4, warmup_epochs: 0, lr: {float: {low: 0.01, high: 1.0, log: true}}}
sampler: {name: random}
scheduler: {name: none}
"""
SEED_NOISE = 0.005


def truth_of(candidate: Candidate) -> float:
    """Return the expected accuracy at the last epoch: deeper is better, and a learning rate of 0.1 is."""
    lr = float(candidate.recipe_values["lr"])
    silu = 0.02 if candidate.params["activation"] == "silu" else 0.0
    return 0.5 + 0.03 * int(candidate.params["depth"]) + silu - 0.02 * math.log10(lr / 0.1) ** 2


@pytest.fixture(scope="session")
def truth() -> Callable[[Candidate], float]:
    """Return the expected accuracy of a candidate."""
    return truth_of


@pytest.fixture(scope="session")
def recorded_space() -> Experiment:
    """Return the experiment that is recorded."""
    return parse_experiment(SPACE, "recorded.yaml")


@pytest.fixture(scope="session")
def make_table(recorded_space: Experiment) -> Callable[..., Table]:
    """Return a table of random networks, each of which takes a second per block and epoch.

    `chance` replaces truth by chance; `num_repeated` networks are trained twice more.
    """

    def make(num_networks: int = 80, *, num_repeated: int = 15, chance: bool = False) -> Table:
        rng = Random(0)

        def run(candidate: Candidate, number: int, trial_of: int | None = None) -> TrialRecord:
            final = rng.random() if chance else truth_of(candidate) + rng.gauss(0, SEED_NOISE)
            pace = float(candidate.params["depth"])
            curve = tuple(
                {"epoch": epoch, "val_accuracy": final - 0.1 / epoch + 0.025, "seconds": pace} for epoch in range(1, 5)
            )
            return TrialRecord.of(
                candidate,
                recorded_space.recipe_of(candidate),
                number=number,
                seed=number,
                state="complete",
                num_images=1000,
                num_val_images=500,
                trial_of=trial_of,
                curve=curve,
                seconds=4 * pace,
                measures={"val_accuracy": final},
            )

        candidates: list[Candidate] = []
        while len(candidates) < num_networks:
            try:
                candidates.append(recorded_space.candidate(recorded_space.space.draw(random_choose(rng))))
            except InfeasibleError:
                continue
        trials = [run(candidate, number) for number, candidate in enumerate(candidates)]
        repeats = [run(candidates[index // 2], 1000 + index, index // 2) for index in range(2 * num_repeated)]
        return Table(
            trials=tuple(trials),
            repeats=tuple(repeats),
            origin={"space": SPACE, "shape": {"channels": 1, "resolution": 8, "num_classes": 10}},
        )

    return make


@pytest.fixture(scope="session")
def macro_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file like NAS-Bench-Macro's: every 2 adds to the accuracy, every 1 half as much, and to the cost."""
    rows: list[dict[str, Any]] = []
    rng = Random(0)
    for digits in product(range(3), repeat=8):
        accuracy = 0.8 + 0.005 * sum(digits)
        seeds = {f"test_accuracy_{index}": accuracy + rng.gauss(0, 0.002) for index in (1, 2, 3)}
        cost = 1000 + sum(digits)
        rows.append({"architecture": "".join(map(str, digits)), **seeds, "num_params": cost, "num_macs": cost})
    path = tmp_path_factory.mktemp("macro") / "macro.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path
