"""The one training: from a `TrialSpec` to its epochs and its result. Knows neither Optuna nor Ray."""

import ctypes
import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ressearch.arch import cost, plan
from ressearch.experiment.objectives import Trained, measured
from ressearch.model import build
from ressearch.search.contract import Progress, TrialResult, TrialSpec
from ressearch.training.data import Images, Prepared, load, load_test
from ressearch.training.device_memory import limit_memory
from ressearch.training.loop import Training, TrainingError, evaluate, memory_watched
from ressearch.whole_files import write_whole


def train_once(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
    """Train one network; yield every epoch and, last, the result, whatever happens.

    The same spec gives the same numbers on the same device. When it ends, however it does, the process has handed back
    what the trial has used but for the images.
    """
    try:
        yield from _events(spec)
    finally:
        _return_memory()  # what held the network and its gradients has gone


def _events(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
    started, earlier = time.perf_counter(), spec.seconds
    curve: list[Mapping[str, float]] = []

    def seconds() -> float:
        return earlier + time.perf_counter() - started

    def result(measures: Mapping[str, float], reason: str | None = None, message: str = "") -> TrialResult:
        return TrialResult(measures=measures, curve=tuple(curve), seconds=seconds(), reason=reason, message=message)

    try:
        device = _device(spec)
        images = _images(spec.images, device)
        with memory_watched(device):
            network = _network(spec, images, device)
        training = Training(network, images, spec.recipe, seed=spec.seed, device=device)
        if spec.resumes and spec.checkpoint is not None and spec.checkpoint.is_file():
            training.restore(spec.checkpoint)
            curve += map(asdict, training.results)
            earlier = max(earlier, sum(epoch["seconds"] for epoch in curve))
        for epoch in training.epochs():
            curve.append(asdict(epoch))
            if epoch.epoch in spec.checkpoint_epochs and spec.checkpoint is not None:
                training.save(spec.checkpoint)
            yield Progress(epoch=epoch, seconds=seconds())
        with memory_watched(device):
            measures = _measured(spec, network, images, device, curve, seconds())
        if spec.weights is not None:
            _save(network.state_dict(), spec.weights)
    except TrainingError as error:
        yield result({}, error.reason, str(error))
    except Exception as error:  # a trial may fail in any way; the run goes on
        yield result({}, "error", f"{type(error).__name__}: {error}")
    else:
        yield result(measures)


def _device(spec: TrialSpec) -> torch.device:
    """Make this process ready to train as the spec says, and return where."""
    if spec.num_threads is not None:
        torch.set_num_threads(spec.num_threads)
    device = torch.device(spec.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    limit_memory(device, spec.device_share)
    return device


def _network(spec: TrialSpec, images: Images, device: torch.device) -> nn.Module:
    torch.manual_seed(spec.seed)
    return build(plan(spec.architecture, images.shape.channels, images.shape.num_classes)).to(device)


def _measured(
    spec: TrialSpec,
    network: nn.Module,
    images: Images,
    device: torch.device,
    curve: list[Mapping[str, float]],
    seconds: float,
) -> dict[str, float]:
    """Take the measures that the spec asks for; the test images are read here and nowhere else."""
    network.eval()
    resolved = plan(spec.architecture, images.shape.channels, images.shape.num_classes)
    counted = cost(resolved, images.shape.resolution)
    with torch.no_grad():
        measures = measured(spec.measures, Trained(cost=counted, curve=curve, seconds=seconds, network=network))
    if spec.test is not None:
        test = load_test(spec.test, device)
        measures["test_accuracy"] = evaluate(network, *test, images.mean, images.std, device)[1]
    return measures


def _return_memory() -> None:
    """Hand back what trials of this process have freed: to the device, which others may share, and to the system.

    Without it a worker grows by some MB per trial.
    """
    gc.collect()
    torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # only glibc knows the call
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@lru_cache(maxsize=1)  # a worker lives through many trials of one study: its images are loaded once
def _images(prepared: Prepared, device: torch.device) -> Images:
    return load(prepared, device)


def _save(state: Mapping[str, Any], file: Path) -> None:
    """Write the weights so that a killed worker leaves either all of them or none."""
    from safetensors.torch import save

    file.parent.mkdir(parents=True, exist_ok=True)
    content = save({name: tensor.contiguous().cpu() for name, tensor in state.items()})
    write_whole(file, content)  # `save_file` would let nobody else read it, whatever the umask says
