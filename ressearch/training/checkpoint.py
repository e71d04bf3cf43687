"""The file that a training goes on from: its tensors by name, and the results of the epochs done."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ressearch.training.recipe import DEFAULTS
from ressearch.whole_files import write_whole

VERSION = 2

Row = Mapping[str, Any]
"""What one epoch came to, by name."""


def write_checkpoint(
    path: Path, curve: Sequence[Row], tensors: Mapping[str, Tensor], *, recipe: Mapping[str, Any]
) -> None:
    """Write beside the final place and move the file there, so that a killed process leaves no half of a file.

    Raises:
        OSError: If the file cannot be written.
    """
    content = io.BytesIO()
    kept = {"recipe": _plain(recipe), "curve": [_plain(row) for row in curve], "tensors": dict(tensors)}
    torch.save({"version": VERSION, **kept}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.getbuffer())


def read_curve(path: Path) -> tuple[Row, ...]:
    """What the epochs done came to, one row per epoch, exactly as `EpochResult` had it.

    Raises:
        ValueError: If the file is damaged, or of another version.
        OSError: If the file cannot be opened.
    """
    return tuple(_read(path)["curve"])


def read_checkpoint(
    path: Path, like: Mapping[str, Tensor], *, recipe: Mapping[str, Any]
) -> tuple[tuple[Row, ...], dict[str, Tensor]]:
    """What the epochs done came to, one row per epoch, and the tensors, in the memory of the CPU.

    Args:
        path: What `write_checkpoint` has written.
        like: Tensors with the names, shapes and types that the file must hold.
        recipe: The recipe that it must have been trained with, plain values by name.

    Raises:
        ValueError: If the file is damaged, of another version, or is of another recipe or other tensors.
        OSError: If the file cannot be opened.
    """
    content = _read(path)
    if difference := _other_recipe({**DEFAULTS, **content["recipe"]}, recipe) or _difference(content["tensors"], like):
        raise ValueError(f"{path}: the checkpoint is of another network or training: {difference}")
    return tuple(content["curve"]), content["tensors"]


def _read(path: Path) -> dict[str, Any]:
    match content := _load(path):
        case {"version": int(version)} if version != VERSION:
            raise ValueError(f"{path}: got a checkpoint of version {version}, expected {VERSION}")
        case {"version": int(), "recipe": dict(), "curve": list(), "tensors": dict(), **rest} if not rest:
            return dict(content)
        case _:
            raise ValueError(f"{path}: this is no checkpoint of a training")


def _plain(row: Row) -> Row:
    """Values that are numpy's, which is how an lr out of `numpy.geomspace` comes, are not read back."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}


def _load(path: Path) -> Any:
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # torch writes checksums but does not compare them
            if damaged := archive.testzip():
                raise ValueError(f"wrong checksum of {damaged}")
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # zip and pickle raise a dozen types on broken content
        raise ValueError(f"{path}: the checkpoint is damaged: {error}") from error


def _other_recipe(got: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """The first value that differs; "" if there is none."""
    for name in [*expected, *got]:
        if got.get(name) != expected.get(name):
            return f"its {name} is {got.get(name)}, expected {expected.get(name)}"
    return ""


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
