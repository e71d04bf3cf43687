"""A directory to take home: the network in one of three formats and its description, checked against our own."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

from safetensors.torch import load_file, save
from torch import Tensor, nn

from ressearch.arch import Architecture
from ressearch.codegen import model_source
from ressearch.images import ImageShape
from ressearch.packaging.description import Description, TrainingData
from ressearch.packaging.equivalence import (
    ExportError,
    executed,
    largest_difference,
    network_of,
    paired,
    seeded,
    single_threaded,
)
from ressearch.packaging.graphs import write_onnx, write_program
from ressearch.training.recipe import Recipe

Format = Literal["module", "onnx", "torch-export"]
FILES: dict[Format, str] = {"module": "model.py", "onnx": "model.onnx", "torch-export": "model.pt2"}
WEIGHTS = "weights.safetensors"
DESCRIPTION = "architecture.yaml"

TOLERANCE = 1e-5
"""Largest difference of a logit of the written module from our own network's, float32."""

BATCH = 2
"""Images of the check of a module."""


@dataclass(frozen=True)
class Bundle:
    """What was written, and the largest difference of a logit from our own network's.

    Attributes:
        model: The module, ONNX file or program.
        weights: None where the model holds them, or has none.
        architecture: The description.
    """

    model: Path
    weights: Path | None
    architecture: Path
    max_difference: float


def export_bundle(
    directory: Path,
    *,
    architecture: Architecture,
    shape: ImageShape,
    state: Mapping[str, Tensor] | None,
    name: str,
    origin: Mapping[str, str | int | float] | None = None,
    normalisation: Mapping[str, list[Any]] | None = None,
    recipe: Recipe | None = None,
    seed: int | None = None,
    data: TrainingData | None = None,
    format: Format = "module",
) -> Bundle:
    """Write a network with its weights and its description.

    A module is a file that needs torch only, beside weights.safetensors; `onnx` and `torch-export` are one file that
    holds both. The directory appears when all is written and, read again, gives the logits of the network that
    `model.build` makes of `state`.

    Args:
        directory: A new or an empty one.
        architecture: The network.
        shape: Its images.
        state: The trained weights, under the names of `model.build` or of earlier versions; None for a network that
            was not trained: a module comes without weights then, and is checked to start from those of `model.build`;
            the other formats hold the weights that seed 0 starts.
        name: What the network is called.
        origin: Where it comes from and how well it did, such as {"study": "cifar10", "val_accuracy": 0.912}.
        normalisation: What it was trained on: `mean` and `std` per channel on the scale 0..1, and `class_names`.
        recipe: What it was trained with.
        seed: Of its weights, the order of its images and their augmentation.
        data: The images that it was trained on.
        format: What to write.

    Raises:
        ExportError: If the directory holds files, a package is missing, the weights belong to another network, or
            the logits differ.
    """
    directory = Path(directory).absolute()
    check_target(directory)
    described = Description(
        name=name,
        architecture=architecture,
        shape=shape,
        origin=origin or {},
        normalisation=normalisation or {},
        recipe=recipe,
        seed=seed,
        data=data,
        has_seeded_weights=state is None and format != "module",
    )
    network = network_of(described.plan, state)
    source = _source(described, has_weights=state is not None)
    with single_threaded(), _appearing(directory) as unfinished:
        difference = _write_network(unfinished, format, source, network, described, is_trained=state is not None)
        described.write(unfinished / DESCRIPTION)
    return _bundle(directory, format, difference)


def check_target(directory: Path) -> None:
    """Check that an export can be written there.

    Raises:
        ExportError: If it is a file, or a directory that holds files.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ExportError(f"{directory} exists and is not an empty directory; name another one, or delete it first")


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """Give a directory to write into; it takes its name in the end, or disappears if writing fails."""
    unfinished = directory.with_name(f".{directory.name}.{os.getpid()}")
    try:
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise ExportError(f"{directory} cannot be written: {error.strerror}; name another directory with -o") from error
    try:
        yield unfinished
        if directory.exists():
            directory.rmdir()
        unfinished.rename(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _source(described: Description, *, has_weights: bool) -> str:
    return model_source(
        described.plan,
        name=described.name,
        resolution=described.shape.resolution,
        origin=described.origin_sentence,
        training=described.training_sentence,
        inputs=described.input_sentence,
        has_weights=has_weights,
    )


def _write_network(
    directory: Path, format: Format, source: str, network: nn.Module, described: Description, *, is_trained: bool
) -> float:
    """Write the network in one of the formats; return the largest difference of a logit.

    Raises:
        ExportError: If a package is missing, or what was written is not the network.
    """
    file = directory / FILES[format]
    match format:
        case "module":
            return _write_module(file, source, network, described.shape, is_trained=is_trained)
        case "onnx":
            return write_onnx(file, _loaded(source, network), network, described.shape, described.metadata())
        case "torch-export":
            return write_program(file, _loaded(source, network), network, described.shape)
        case _:
            assert_never(format)


def _bundle(directory: Path, format: Format, max_difference: float) -> Bundle:
    weights = directory / WEIGHTS
    return Bundle(
        model=directory / FILES[format],
        weights=weights if weights.exists() else None,
        architecture=directory / DESCRIPTION,
        max_difference=max_difference,
    )


def _write_module(file: Path, source: str, network: nn.Module, shape: ImageShape, *, is_trained: bool) -> float:
    """Write model.py and, for a trained network, the weights beside it; return the largest difference of a logit.

    Raises:
        ExportError: If the module is not the network.
    """
    file.write_text(source, encoding="utf-8")
    written = seeded(executed(source)).eval()
    weights = paired(network, written)
    if is_trained:
        weights_file = file.with_name(WEIGHTS)
        content = save(weights, metadata={"format": "pt"})
        weights_file.write_bytes(content)  # `save_file` would let nobody else read it, whatever the umask says
        written.load_state_dict(load_file(weights_file), assign=True)
    else:
        for key, tensor in written.state_dict().items():
            if not tensor.allclose(weights[key], rtol=1e-5, atol=1e-6):
                raise ExportError(f"what was written is not the network: {key} starts from other weights")
        written.load_state_dict(weights)
        network.train()  # before training, running statistics hold back no logit of a thousand layers
        written.train()
    return largest_difference(network, written, shape, batches=(BATCH,), tolerance=TOLERANCE)


def _loaded(source: str, network: nn.Module) -> nn.Module:
    """Return the written module for evaluation, with the weights of our network: its names are the readable ones."""
    written = seeded(executed(source)).eval()
    written.load_state_dict(paired(network, written), assign=True)
    return written
