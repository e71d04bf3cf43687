"""The id of a network: equal for equal networks, however they were described."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from enum import Enum
from functools import lru_cache

from ressearch.arch.architecture import Architecture
from ressearch.arch.initialisation import Initialisation
from ressearch.arch.layers import Conv, Layer, Linear, Path
from ressearch.arch.options import name_of
from ressearch.arch.plan_tree import Block, Group, Plan
from ressearch.arch.planning import plan


def architecture_id(architecture: Architecture) -> str:
    """Return ten hexadecimal digits that are equal for equal networks, however they were described.

    Hashes the resolved layers rather than the description: a projection that never projects, two squeeze ratios
    that leave the same hidden units, or two alphas that round to the same widths are one network. The number of
    classes and of input channels do not enter.
    """
    return plan_id(plan(architecture, in_channels=3, num_classes=10))


def plan_id(resolved: Plan) -> str:
    """Return the id of the network that a plan resolves, for any images: `architecture_id` without a second plan."""
    lines = [_path_text(_for_any_images(resolved.stem)), *_group_text(resolved.body)]
    lines.append(_path_text(_for_any_images(resolved.head)))
    if resolved.survival:
        lines.append(f"survival {resolved.survival}")
    if resolved.initialisation != Initialisation():
        lines.append(_layer_text(resolved.initialisation))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:10]


def _for_any_images(path: Path) -> Path:
    """Return a stem for 3 channels and a head for 10 classes: ids are taken of these."""
    match path:
        case (Conv() as conv, *others):
            return (replace(conv, c_in=3), *others)
        case (*others, Linear() as linear):
            return (*others, replace(linear, c_out=10))
        case _:
            return path


def _group_text(group: Group) -> Iterator[str]:
    if group.shortcut is not None:
        yield "group"
    for item in group.items:
        if isinstance(item, Group):
            yield from _group_text(item)
        else:
            yield _text(item)
    if group.shortcut is not None:
        yield f"end; {_path_text(group.shortcut)}; {_path_text(group.after)}"


@lru_cache(maxsize=65_536)
def _text(block: Block) -> str:
    paths = (block.before, block.branch, block.shortcut, block.after, *(((block.gate,),) if block.gate else ()))
    return "; ".join("none" if path is None else _path_text(path) for path in paths)


def _path_text(path: Path) -> str:
    return " ".join(_layer_text(layer) for layer in path)


@lru_cache(maxsize=65_536)
def _layer_text(layer: Layer | Initialisation) -> str:
    """Name a layer by its fields; defaults are left out so that a field added later keeps old ids."""
    given = {}
    for spec in fields(layer):
        value = getattr(layer, spec.name)
        if spec.default is MISSING or value != spec.default:
            given[spec.name] = name_of(value) if isinstance(value, Enum) else value
    return type(layer).__name__ + json.dumps(given, sort_keys=True)
