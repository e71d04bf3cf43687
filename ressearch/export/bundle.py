"""A directory to take home: model.py, weights.safetensors, architecture.yaml, checked against the trained network."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from ressearch.arch import Architecture, Plan, architecture_id, cost, plan
from ressearch.export.source import model_source
from ressearch.model import build
from ressearch.train.source import ImageShape

VERSION = 1
"""Version of architecture.yaml."""

TOLERANCE = 1e-5
"""Largest difference of a logit from the trained network's, float32."""

# Runs in a process of its own: what it imports is all that the exported files need.
CHECK = """\
import sys
sys.modules["ressearch"] = None  # an import of ours fails from here on
import torch
from safetensors.torch import load_file, save_file
directory, scratch, num_threads = sys.argv[1:]
sys.path.insert(0, directory)
import model
torch.set_num_threads(int(num_threads))
network = model.build(load_file(directory + "/weights.safetensors")).eval()
with torch.no_grad():
    logits = network(load_file(scratch + "/images.safetensors")["images"])
save_file({"logits": logits.contiguous()}, scratch + "/logits.safetensors")
"""


class ExportError(ValueError):
    """The network cannot be written there, or what was written is not the network."""


@dataclass(frozen=True)
class Bundle:
    """What was written, and the largest difference of a logit from the trained network's."""

    model: Path
    weights: Path
    architecture: Path
    max_difference: float


def export_bundle(
    directory: Path,
    *,
    architecture: Architecture,
    shape: ImageShape,
    state: Mapping[str, Tensor],
    name: str,
    origin: Mapping[str, str | int | float] | None = None,
    normalisation: Mapping[str, list[Any]] | None = None,
) -> Bundle:
    """Write a network as a module that needs torch only, with its weights and its description.

    The directory appears when all is written and the module, run where `ressearch` cannot be imported, has given the
    logits of the network that `model.build` makes of `state`. `origin` says where the network comes from and how well
    it did, such as {"study": "cifar10", "trial": 17, "val_accuracy": 0.912}. `normalisation` says what it was trained
    on: `mean` and `std` per channel on the scale 0..1, and `class_names`.

    Raises:
        ExportError: If the directory holds files, the weights belong to another network, or the logits differ.
    """
    directory = Path(directory).absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ExportError(f"{directory} exists and is not an empty directory; name another one, or delete it first")
    origin, normalisation = dict(origin or {}), dict(normalisation or {})
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    resolved = plan(architecture, shape.channels, shape.num_classes)
    source = model_source(
        resolved, name=name, resolution=shape.resolution, origin=_sentence(origin), inputs=_inputs(normalisation)
    )
    directory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = directory.with_name(f".{directory.name}.{os.getpid()}")
    unfinished.mkdir()
    try:
        (unfinished / "model.py").write_text(source, encoding="utf-8")
        save_file(_renamed(resolved, source, state), unfinished / "weights.safetensors", metadata={"format": "pt"})
        description = _description(architecture, shape, name, origin, normalisation)
        text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
        (unfinished / "architecture.yaml").write_text(text, encoding="utf-8")
        difference = _difference(unfinished, resolved, state, shape)
        if directory.exists():
            directory.rmdir()
        unfinished.rename(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return Bundle(
        model=directory / "model.py",
        weights=directory / "weights.safetensors",
        architecture=directory / "architecture.yaml",
        max_difference=difference,
    )


def _sentence(origin: Mapping[str, str | int | float]) -> str:
    return f"Origin: {', '.join(f'{key} {value}' for key, value in origin.items())}." if origin else ""


def _inputs(normalisation: Mapping[str, list[Any]]) -> str:
    if not normalisation:
        return ""
    mean, std = (", ".join(f"{value:.4f}" for value in normalisation[name]) for name in ("mean", "std"))
    return f"It expects (pixels / 255 - mean) / std for every channel, with mean {mean} and std {std}."


def _description(
    architecture: Architecture,
    shape: ImageShape,
    name: str,
    origin: dict[str, str | int | float],
    normalisation: dict[str, list[Any]],
) -> dict[str, object]:
    counted = cost(plan(architecture, shape.channels, shape.num_classes), shape.resolution)
    return {
        "version": VERSION,
        "name": name,
        "architecture_id": architecture_id(architecture),
        "architecture": architecture.to_dict(),
        "images": asdict(shape) | normalisation,
        "cost": asdict(counted),
        **({"origin": origin} if origin else {}),
    }


def _renamed(resolved: Plan, source: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the names that the written module gives them.

    Both modules create their layers in the order of `Plan.layers()`, and a state dict keeps that order: the names
    are paired one by one.
    """
    module: dict[str, object] = {}
    exec(compile(source, "model.py", "exec"), module)  # our own text: users' words stand in its docstring only
    with torch.device("meta"):
        ours = build(resolved).state_dict()
        written = module["build"]().state_dict()  # type: ignore[operator]
    if missing := sorted(set(ours) ^ set(state)):
        raise ExportError(f"the weights belong to another network: {missing[0]!r} is in one of the two only")
    if wrong := [key for key in ours if ours[key].shape != state[key].shape]:
        shapes = f"{tuple(state[wrong[0]].shape)}, expected {tuple(ours[wrong[0]].shape)}"
        raise ExportError(f"the weights belong to another network: {wrong[0]!r} has the shape {shapes}")
    assert [tensor.shape for tensor in ours.values()] == [tensor.shape for tensor in written.values()]
    return {new: state[old] for old, new in zip(ours, written, strict=True)}


def _difference(directory: Path, resolved: Plan, state: Mapping[str, Tensor], shape: ImageShape) -> float:
    """Compare the logits of random images with those of the written module, run in its own process."""
    with torch.device("meta"):  # no weights of its own, and no draw from the caller's generator
        network = build(resolved).eval()
    network.load_state_dict(state, assign=True)
    size = (8, shape.channels, shape.resolution, shape.resolution)
    images = torch.randn(size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(images)
    with tempfile.TemporaryDirectory() as scratch:
        save_file({"images": images}, Path(scratch, "images.safetensors"))
        command = [sys.executable, "-B", "-P", "-c", CHECK, str(directory), scratch, str(torch.get_num_threads())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ExportError(f"the written module does not run without ressearch:\n{done.stderr.strip()}")
        found = load_file(Path(scratch, "logits.safetensors"))["logits"]
    difference = float((found - expected).abs().max())
    if not difference <= TOLERANCE:  # NaN is no match either
        raise ExportError(
            f"the written module is not the trained network: a logit differs by {difference:g}, "
            f"at most {TOLERANCE:g} is allowed"
        )
    return difference
