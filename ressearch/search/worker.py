"""One trial: a plain function from an assignment to its epochs. Knows neither Optuna nor Ray."""

import ctypes
import gc
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ressearch.arch import Architecture, plan
from ressearch.training.data import Images, Prepared, load
from ressearch.training.loop import EpochResult, train
from ressearch.training.recipe import Recipe

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """All that a worker needs to know of a trial; plain values, since it crosses process borders."""

    number: int
    seed: int
    architecture: Mapping[str, Any]
    recipe: Mapping[str, Any]
    epochs: int
    images: Prepared | None
    directory: Path
    """Where the trial's weights are written, absolute."""
    num_threads: int = 1


TrialFunction = Callable[[Assignment], Iterator[EpochResult]]


@dataclass
class Clock:
    """Seconds a worker has spent on a trial, set-up included; `started` is the time of day."""

    started: float = field(default_factory=time.time)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.time() - self.started


def trial_seed(study_seed: int, number: int) -> int:
    """Return the seed of a trial, a function of the study's seed and the trial's number."""
    digest = hashlib.sha256(f"{study_seed}:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def run_trial(assignment: Assignment) -> Iterator[EpochResult]:
    """Train one architecture and save its weights when the last epoch is done.

    Raises:
        TrainingError: If the loss is no longer finite, memory runs out, or the images cannot be used.
    """
    import torch

    from ressearch.model import build

    assert assignment.images is not None
    _return_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(assignment.num_threads)
    images = _images(assignment.images, device)
    torch.manual_seed(assignment.seed)
    architecture = Architecture.from_dict(assignment.architecture)
    network = build(plan(architecture, images.shape.channels, images.shape.num_classes)).to(device)
    yield from train(network, images, Recipe(**assignment.recipe), seed=assignment.seed, device=device)
    _save(network.state_dict(), assignment.directory)


def _return_memory() -> None:
    """Hand back what earlier trials of this process have freed; without it a worker grows by some MB per trial."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only glibc knows the call
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@lru_cache(maxsize=1)  # a worker lives through many trials of one study: its images are loaded once
def _images(prepared: Prepared, device: Any) -> Images:
    return load(prepared, device)


def _save(state: Mapping[str, Any], directory: Path) -> None:
    """Write the weights so that a killed worker leaves either all of them or none."""
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f".{WEIGHTS}.partial"
    save_file({name: tensor.contiguous().cpu() for name, tensor in state.items()}, partial)
    os.replace(partial, directory / WEIGHTS)
