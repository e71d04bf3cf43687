"""The network as a graph for other runtimes: an ONNX file, or a program of torch.export. The batch size stays free."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ressearch.images import ImageShape
from ressearch.packaging.equivalence import ExportError, largest_difference

TOLERANCE_ONNX = 1e-4
"""Largest difference of a logit computed by another runtime."""

TOLERANCE_PROGRAM = 1e-5
"""Largest difference of a logit computed by torch."""

TRACED = 2
"""Batch size for tracing; torch takes 0 and 1 for constants."""

BATCHES = (1, TRACED, 5)
"""Batch sizes of the check."""


def write_onnx(
    file: Path, network: nn.Module, reference: nn.Module, shape: ImageShape, metadata: Mapping[str, str]
) -> float:
    """Write an ONNX file with one input, `images`, and one output, `logits`; return the largest difference of a logit.

    Raises:
        ExportError: If a package is missing, or the file does not give the logits of the reference.
    """
    onnxruntime = _needed("onnx", "onnxscript", "onnxruntime")
    program = torch.onnx.export(
        network,
        (_images(shape),),
        dynamo=True,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=_free_batch(),
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])

    return largest_difference(reference, run, shape, batches=BATCHES, tolerance=TOLERANCE_ONNX)


def write_program(file: Path, network: nn.Module, reference: nn.Module, shape: ImageShape) -> float:
    """Write a program that `torch.export.load` reads; return the largest difference of a logit.

    Raises:
        ExportError: If the program does not give the logits of the reference.
    """
    torch.export.save(torch.export.export(network, (_images(shape),), dynamic_shapes=_free_batch()), file)
    loaded = torch.export.load(file).module()
    return largest_difference(reference, loaded, shape, batches=BATCHES, tolerance=TOLERANCE_PROGRAM)


def _images(shape: ImageShape) -> Tensor:
    return torch.zeros(TRACED, shape.channels, shape.resolution, shape.resolution)


def _free_batch() -> tuple[dict[int, Any]]:
    return ({0: torch.export.Dim("batch")},)


def _needed(*packages: str) -> Any:
    """Import packages and return the last one.

    Raises:
        ExportError: If one is missing.
    """
    try:
        return [import_module(package) for package in packages][-1]
    except ImportError as error:
        raise ExportError(f"ONNX needs the package {error.name}: pip install 'ressearch[onnx]'") from error
