"""The file that a training goes on from: its tensors by name, and the results of the epochs done."""

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

VERSION = 2

Row = Mapping[str, Any]
"""What one epoch came to, by name."""


def write_checkpoint(path: Path, curve: Sequence[Row], tensors: Mapping[str, Tensor]) -> None:
    """Write beside the final place and move the file there, so that a killed process leaves no half of a file.

    Raises:
        OSError: If the file cannot be written.
    """
    content = io.BytesIO()
    torch.save({"version": VERSION, "curve": [dict(row) for row in curve], "tensors": dict(tensors)}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.getbuffer())
    os.replace(partial, path)


def read_curve(path: Path) -> tuple[Row, ...]:
    """What the epochs done came to, one row per epoch, exactly as `EpochResult` had it.

    Raises:
        ValueError: If the file is damaged, or of another version.
        OSError: If the file cannot be opened.
    """
    return _read(path)[0]


def read_checkpoint(path: Path, like: Mapping[str, Tensor]) -> tuple[tuple[Row, ...], dict[str, Tensor]]:
    """What the epochs done came to, one row per epoch, and the tensors, in the memory of the CPU.

    Args:
        path: What `write_checkpoint` has written.
        like: Tensors with the names, shapes and types that the file must hold.

    Raises:
        ValueError: If the file is damaged, of another version, or holds other tensors than `like`.
        OSError: If the file cannot be opened.
    """
    curve, tensors = _read(path)
    if difference := _difference(tensors, like):
        raise ValueError(f"{path}: the checkpoint is of another network or training: {difference}")
    return curve, tensors


def _read(path: Path) -> tuple[tuple[Row, ...], dict[str, Tensor]]:
    match _load(path):
        case {"version": int(version)} if version != VERSION:
            raise ValueError(f"{path}: got a checkpoint of version {version}, expected {VERSION}")
        case {"version": int(), "curve": list(curve), "tensors": dict(tensors)}:
            return tuple(curve), tensors
        case _:
            raise ValueError(f"{path}: this is no checkpoint of a training")


def _load(path: Path) -> object:
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # torch writes checksums but does not compare them
            if damaged := archive.testzip():
                raise ValueError(f"wrong checksum of {damaged}")
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # zip and pickle raise a dozen types on broken content
        raise ValueError(f"{path}: the checkpoint is damaged: {error}") from error


def _difference(got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """The first name that one side lacks, or whose tensors differ in form; "" if there is none."""
    for name in [*expected, *got]:
        if name not in got:
            return f"it has no {name}"
        if name not in expected:
            return f"it has {name}, which is not expected"
        if _form(got[name]) != _form(expected[name]):
            return f"{name} is {_form(got[name])}, expected {_form(expected[name])}"
    return ""


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
