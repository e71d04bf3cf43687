"""One good experiment; every test of a message spoils one place of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ressearch.experiment import load_experiment
from ressearch.space import SpaceError

GOOD = """\
# Does it load?
version: 1
data: {name: digits}
architecture:
  stages: 3
  depth: {int: {low: 1, high: 2}}
  width: [8, 16, {choice: [32, 64]}]
  shortcut: {choice: [zero_pad, projection]}
  widening: per_stage
recipe:
  epochs: 6
  lr: {float: {low: 0.01, high: 0.5, log: true}}
limits:
  num_params: {max: 300_000}
sampler: {name: tpe}
scheduler: {name: asha, first_rung: 2}
baselines: [resnet-8]
"""


@pytest.fixture
def good() -> str:
    """The YAML text of a space without mistakes."""
    return GOOD


@pytest.fixture
def complaint(tmp_path: Path) -> Callable[[str, str], str]:
    """Replace one place of the good file and return the message without the file's name."""

    def spoil(old: str, new: str) -> str:
        assert GOOD.count(old) == 1, "exactly one place must change"
        path = tmp_path / "space.yaml"
        path.write_text(GOOD.replace(old, new))
        with pytest.raises(SpaceError) as caught:
            load_experiment(path)
        return str(caught.value).removeprefix(f"{path}:")

    return spoil
