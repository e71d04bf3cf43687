"""Verbs on single networks, trained ones or none yet."""

from pathlib import Path
from typing import TYPE_CHECKING

from ressearch.verbs.arguments import find_network, study_path

if TYPE_CHECKING:
    from rich.console import RenderableType
    from torch import nn

    from ressearch.arch import Architecture
    from ressearch.packaging import Format


def build(
    architecture: "str | Architecture", *, num_classes: int | None = None, in_channels: int | None = None
) -> "nn.Module":
    """Build a network: (N, in_channels, H, W) images to (N, num_classes) logits. Seed torch first for equal weights.

    Args:
        architecture: A name such as resnet-110, or an architecture.
        num_classes: Those of the network's own data set if None: 1000 where the name ends in `-imagenet`, else 10.
        in_channels: 3 if None.

    Raises:
        ValueError: If there is no such network.
    """
    from ressearch.arch import named, plan
    from ressearch.arch.literature import DATASETS, dataset_of
    from ressearch.model import build as build_plan

    shape = DATASETS[dataset_of(architecture if isinstance(architecture, str) else "")]
    found = named(architecture) if isinstance(architecture, str) else architecture
    return build_plan(plan(found, in_channels or shape.channels, num_classes or shape.num_classes))


def list_architectures() -> list[str]:
    """Return the names of the literature's networks. Any number that makes a network is a name, too."""
    from ressearch.arch.literature import PUBLISHED

    return list(PUBLISHED)


def export(
    what: "str | Path | Architecture",
    trial: str | int | None = None,
    directory: str | Path | None = None,
    *,
    format: "Format" = "module",
) -> Path:
    """Write a network as a module that needs torch only, or for other runtimes; return the directory.

    Args:
        what: With `trial`, a study: a directory, or a name under `trials/`. Else a name such as resnet-110, the
            architecture.yaml of an export, or an architecture: a module without weights, or a file with those of
            seed 0, for the images of its paper or those that the file names.
        trial: A number, "best", or "front": every network of the study that no other dominates in its objectives.
        directory: Where to write; `<study>/export/<number>` or `exported/<name>` if None, with the format's name
            where it is no module. For the front, what holds a directory `<number>` for each; `<study>/export` if None.
        format: module, onnx (needs `pip install 'ressearch[onnx]'`) or torch-export.

    Raises:
        StudyError: If there is no such trial, or it holds no trained network.
        ValueError: If there is no such architecture.
        ExportError: If the files cannot be written, or do not give the outputs of the network.
    """
    from ressearch.packaging import export_bundle

    if trial is not None:
        return _export_trained(study_path(what), trial, directory, format)
    name, found, shape = find_network(what)
    suffix = "" if format == "module" else f"-{format}"
    target = Path(directory) if directory is not None else Path("exported") / f"{name}{suffix}"
    export_bundle(target, architecture=found, shape=shape, state=None, name=name, format=format)
    return target


def _export_trained(study: str | Path, trial: str | int, directory: str | Path | None, format: "Format") -> Path:
    """Write a trained network of a study, or its front."""
    from ressearch.packaging.trials import directory_name, export_front, export_trial
    from ressearch.store.files import EXPORTS
    from ressearch.store.study_record import open_study

    found = open_study(study)
    exports = found.directory / EXPORTS
    if trial == "front":
        target = Path(directory) if directory is not None else exports
        export_front(found, target, format)
        return target
    record = found.trial(trial)
    target = Path(directory) if directory is not None else exports / directory_name(record, format)
    export_trial(found, record, target, format)
    return target


def show(
    what: "str | Path | Architecture", trial: str | int | None = None, *, every_layer: bool = False
) -> "RenderableType":
    """Return the drawing of one network, for a Rich console: layers, shapes, parameters, MACs, published errors.

    Of a trial it tells the rank, the score with its standard error, the recipe and the curve, too.

    Args:
        what: A name such as resnet-110, the architecture.yaml of an export, or, with `trial`, a study.
        trial: "best" or a number.
        every_layer: One row for each layer instead of each run of like blocks.

    Raises:
        ValueError: If there is no such network.
        StudyError: If there is no such study or trial.
    """
    from ressearch.report.drawing import architecture_table, named_drawing
    from ressearch.report.trial_drawing import trial_drawing
    from ressearch.store.study_record import open_study

    if trial is not None:
        study = open_study(study_path(what))
        return trial_drawing(study, study.trial(trial), every_layer=every_layer)
    name, architecture, shape = find_network(what)
    if str(what) == name:
        return named_drawing(name, every_layer=every_layer)
    return architecture_table(architecture, shape, title=name, every_layer=every_layer)
