"""Spaces and stand-ins for training that are exact, so that a test knows what a search must make of them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ressearch.arch import cost, plan
from ressearch.experiment import load_experiment
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, failed
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.loop import EpochResult, TrainingError

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
limits: {{num_params: {{max: {max_params}}}}}
sampler: {{name: {sampler}, seed: {seed}}}
scheduler: {scheduler}
objectives: {objectives}
baselines: {baselines}
"""


@pytest.fixture
def write_space(tmp_path: Path) -> Callable[..., Path]:
    """Write a small space with the given settings and return its path."""

    def write(name: str = "space.yaml", **settings: Any) -> Path:
        defaults = {
            "epochs": 4,
            "sampler": "random",
            "seed": 0,
            "scheduler": "{name: none}",
            "objectives": "[val_accuracy]",
            "baselines": "[]",
            "max_params": 60000,
        }
        path = tmp_path / name
        path.write_text(SPACE.format(**{**defaults, **settings}))
        return path

    return write


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def scripted() -> Callable[..., TrialFunction]:
    """Return what a worker would do, its accuracy in every epoch given by a function of (spec, epoch).

    It is a closure, so that Ray sends it to workers by value.
    """

    def make(accuracy: Callable[[TrialSpec, int], float], before: Callable[[TrialSpec], None] | None = None) -> Any:
        def epochs(spec: TrialSpec) -> Iterator[EpochResult]:
            if before:
                before(spec)
            done = int(spec.checkpoint.read_text()) if spec.resumes and spec.checkpoint else 0
            for epoch in range(done + 1, spec.recipe.epochs + 1):
                value = accuracy(spec, epoch)
                if epoch in spec.checkpoint_epochs and spec.checkpoint:
                    spec.checkpoint.parent.mkdir(parents=True, exist_ok=True)
                    spec.checkpoint.write_text(str(epoch))
                yield EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=value, lr=0.1, seconds=0.0)

        def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
            try:
                for epoch in epochs(spec):
                    yield Progress(epoch=epoch, seconds=0.5 * epoch.epoch)
            except TrainingError as error:
                yield failed(error.reason, str(error))
            except Exception as error:
                yield failed("error", f"{type(error).__name__}: {error}")
            else:
                counted = asdict(cost(plan(spec.architecture, in_channels=1, num_classes=10), resolution=8))
                yield TrialResult(measures={"val_accuracy": epoch.val_accuracy, "seconds": 2.0, **counted}, seconds=2.0)

        return do

    return make


@pytest.fixture
def search() -> Callable[..., StudyRecord]:
    """Search in this process with a scripted training, and return the study."""

    def run(path: Path, do: TrialFunction, trials: int = 10, name: str = "study") -> StudyRecord:
        outcome = run_session(load_experiment(path), path.parent / name, partial(run_in_process, do=do), trials=trials)
        return open_study(outcome.directory)

    return run
