"""The verbs of the command line as functions. Torch, Ray and Optuna load only when a verb needs them."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ressearch import ending

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from rich.console import RenderableType
    from torch import nn

    from ressearch.arch import Architecture
    from ressearch.experiment import Experiment
    from ressearch.images import ImageShape
    from ressearch.packaging import Format
    from ressearch.report.leaderboard import Row
    from ressearch.search.confirm import Confirmed
    from ressearch.search.ledger import Tell
    from ressearch.search.session import Observe, Outcome
    from ressearch.search.single import Trained
    from ressearch.space import Space
    from ressearch.space.survey import Report
    from ressearch.training.loop import EpochResult

BackendName = Literal["ray", "local"]


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


def check(
    experiment: "Experiment | Space | str | Path",
    *,
    images: "ImageShape | None" = None,
    samples: int = 2000,
    seed: int = 0,
) -> "Report":
    """Look at a search space: its size, feasible share, ranges of cost, and why points are refused.

    Args:
        experiment: An experiment, the path of one, or a space.
        images: What networks must fit; those of the experiment if None, of CIFAR-10 for a space.
        samples: Points to look at.
        seed: Of the points.

    Raises:
        SpaceError: If the file is wrong, or its limits cannot be met.
    """
    from ressearch.arch.literature import DATASETS
    from ressearch.experiment.loader import check_feasible, check_fit
    from ressearch.space import Space
    from ressearch.space.survey import check_limits, survey

    if samples < 1:
        raise ValueError(f"samples >= 1 must hold, got {samples}")
    if isinstance(experiment, Space):
        images = images or DATASETS["cifar10"]
        check_limits(experiment, images, seed=seed)
        return survey(experiment, images, samples=samples, seed=seed)
    experiment = _experiment(experiment)
    check_fit(experiment)
    check_feasible(experiment, seed=seed)
    return survey(experiment.space, images or experiment.shape, samples=samples, seed=seed)


@ending.orderly()
def run(
    experiment: "Experiment | str | Path",
    *,
    trials: int | None = None,
    study: str | Path | None = None,
    backend: BackendName = "ray",
    observe: "Observe | None" = None,
) -> "Outcome":
    """Search until `trials` trials have finished in total, then write leaderboard.md and export the best network.

    Args:
        experiment: An experiment, or the path of its YAML file.
        trials: Finished trials in the end, those of earlier sessions included; the same call carries on. What the
            experiment's budget says if None.
        study: A directory, or a name under `trials/`; the name of the experiment if None.
        backend: `ray` uses the whole machine, `local` trains one trial after the other in this process.
        observe: Opens a display, see `ressearch.search.session.Start`.

    Raises:
        SpaceError: If the experiment is wrong.
        StudyError: If the study is in use, damaged, or of another experiment.
    """
    from ressearch.packaging.trials import export_best
    from ressearch.report.leaderboard import write_leaderboard
    from ressearch.search.backends import backend_named
    from ressearch.search.session import run_session, unobserved
    from ressearch.store.files import study_directory
    from ressearch.store.study_record import open_study

    experiment = _experiment(experiment)
    directory = study_directory(study if study is not None else experiment.name)
    outcome = run_session(experiment, directory, backend_named(backend), trials=trials, observe=observe or unobserved)
    record = open_study(directory)
    with ending.held():
        write_leaderboard(record)
        export_best(record)
    return outcome


def leaderboard(study: str | Path, *, top: int | None = None) -> "list[Row]":
    """Return the trials of a study, ranked; the first `top` of them if given.

    Raises:
        StudyError: If there is no such study.
    """
    from ressearch.report.leaderboard import leaderboard_rows
    from ressearch.store.study_record import open_study

    if top is not None and top < 1:
        raise ValueError(f"top >= 1 must hold, got {top}")
    return leaderboard_rows(open_study(study))[:top]


@ending.orderly()
def train(
    architecture: "str | Path | Architecture",
    experiment: "Experiment | str | Path",
    *,
    epochs: int | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    observe: "Callable[[EpochResult], None]" = lambda _: None,
) -> "tuple[Path, Trained]":
    """Train one architecture on the images and with the recipe of an experiment, test it once, and export it.

    Args:
        architecture: A name such as resnet-110, the architecture.yaml of an export, or an architecture.
        experiment: Its `data` and `recipe` are used; a searched field of the recipe takes its default.
        epochs: Instead of the recipe's.
        seed: Of weights, order of images and augmentation; also which images validate.
        directory: Where to write; `trained/<name>` if None.
        observe: Called with every epoch.

    Raises:
        ValueError: If there is no such architecture or experiment, or its images cannot be used.
        ExportError: If the files cannot be written; said before the training where the directory holds files.
        TrainingError: If the loss is no longer finite, or memory runs out.
    """
    from dataclasses import replace

    from ressearch.packaging import check_target, export_bundle
    from ressearch.search.single import train_single

    name, found, _ = _found(architecture)
    experiment = _experiment(experiment)
    recipe = experiment.recipe if epochs is None else replace(experiment.recipe, epochs=epochs)
    target = Path(directory) if directory is not None else Path("trained") / name
    check_target(target)
    with tempfile.TemporaryDirectory(prefix="ressearch-train-") as scratch:
        trained = train_single(
            found, experiment.images, recipe, seed=seed, weights=Path(scratch) / "weights.safetensors", observe=observe
        )
        export_bundle(
            target,
            architecture=found,
            shape=trained.shape,
            state=trained.load_state(),
            name=name,
            origin={"space": experiment.name, "seed": seed, **trained.origin},
            normalisation=trained.normalisation,
        )
    return target, trained


@ending.orderly()
def confirm(
    study: str | Path,
    *,
    top: int = 3,
    seeds: int = 3,
    epochs: int | None = None,
    subset: int | None = None,
    backend: BackendName = "ray",
    tell: "Tell" = lambda _: None,
) -> "list[Confirmed]":
    """Train the best networks of a study and its baselines again with fresh seeds, and test each once.

    The trainings are kept with the study, apart from its trials; the same call again trains what is missing, and more
    seeds add to those that are there.

    Args:
        study: A directory, or a name under `trials/`.
        top: Networks found by the search, the best first; with several objectives members of the front.
        seeds: Trainings of each.
        epochs: Of each training; those of the search if None.
        subset: Training images; all but the validation images if None.
        backend: As for `run`.
        tell: Told of every training that begins, has trained an epoch, or ends.

    Raises:
        StudyError: If the study is missing or in use, or no trial of it is complete.
        ValueError: If its images have no test images.
    """
    from ressearch.search.backends import backend_named
    from ressearch.search.confirm import confirm_study
    from ressearch.store.files import study_directory

    directory = study_directory(study)
    return confirm_study(
        directory, backend_named(backend), top=top, num_seeds=seeds, epochs=epochs, subset=subset, tell=tell
    )


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
        return _export_trained(_path(what), trial, directory, format)
    name, found, shape = _found(what)
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

    Args:
        what: A name such as resnet-110, the architecture.yaml of an export, or, with `trial`, a study.
        trial: "best" or a number.
        every_layer: One row for each layer instead of each run of like blocks.

    Raises:
        ValueError: If there is no such network.
        StudyError: If there is no such study or trial.
    """
    from ressearch.report.drawing import architecture_table, named_drawing
    from ressearch.store.study_record import open_study

    if trial is not None:
        study = open_study(_path(what))
        record = study.trial(trial)
        title = f"trial {record.number} of {study.name}"
        return architecture_table(record.build_architecture(), study.shape, title=title, every_layer=every_layer)
    name, architecture, shape = _found(what)
    if str(what) == name:
        return named_drawing(name, every_layer=every_layer)
    return architecture_table(architecture, shape, title=name, every_layer=every_layer)


def dashboard(study: str | Path, *, host: str = "127.0.0.1", port: int = 8080) -> "WSGIServer":
    """Return a server of the Optuna dashboard on a study, bound to its port; `serve_forever` starts it.

    Raises:
        StudyError: If there is no such study.
        ValueError: If the port cannot be used.
    """
    from ressearch.report.dashboard import dashboard_server
    from ressearch.store.files import study_directory

    return dashboard_server(study_directory(study), host, port)


def _experiment(experiment: "Experiment | str | Path") -> "Experiment":
    from ressearch.experiment import Experiment, load_experiment

    return experiment if isinstance(experiment, Experiment) else load_experiment(experiment)


def _path(study: "str | Path | Architecture") -> str | Path:
    """Return what names a study.

    Raises:
        ValueError: If an architecture is given, which has no trials.
    """
    if isinstance(study, str | Path):
        return study
    raise ValueError("a trial belongs to a study, got an architecture; leave the trial out")


def _found(what: "str | Path | Architecture") -> "tuple[str, Architecture, ImageShape]":
    """Return the name of a network, the network, and the images that it was made for."""
    from ressearch.arch import Architecture, architecture_id
    from ressearch.arch.literature import DATASETS
    from ressearch.space.lookup import find_architecture

    if isinstance(what, Architecture):
        return architecture_id(what), what, DATASETS["cifar10"]
    return find_architecture(what)
