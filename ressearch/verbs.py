"""The verbs of the command line as functions. Torch, Ray and Optuna load only when a verb needs them."""

import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from rich.console import RenderableType

    from ressearch.packaging import Format
    from ressearch.report.leaderboard import Row
    from ressearch.search.records import StudyRecord, TrialRecord
    from ressearch.search.run import Outcome
    from ressearch.search.single import Trained
    from ressearch.search.study import Search
    from ressearch.space import Space
    from ressearch.space.survey import Report
    from ressearch.training.loop import EpochResult

STUDIES = Path("trials")
"""Where a study stands that is given by its name, seen from the working directory."""


def study_directory(study: str | Path) -> Path:
    """Return the directory of a study: a bare name stands for one under `trials/`, unless it is a study itself."""
    path = Path(study)
    is_bare = isinstance(study, str) and study not in ("", ".", "..") and not set(study) & {"/", os.sep}
    return STUDIES / path if is_bare and not (path / "study.db").is_file() else path


def check(space: "Space | str | Path", *, samples: int = 2000, seed: int = 0) -> "Report":
    """Look at a search space: its size, feasible share, ranges of cost, and why points are refused.

    Raises:
        SpaceError: If it is wrong, or its limits cannot be met.
    """
    from ressearch.space import Space, load_space
    from ressearch.space.survey import check as check_space
    from ressearch.space.survey import check_limits

    if samples < 1:
        raise ValueError(f"samples >= 1 must hold, got {samples}")
    space = space if isinstance(space, Space) else load_space(space)
    shape = space.source.describe()
    check_limits(space, shape, seed=seed)
    return check_space(space, shape, samples=samples, seed=seed)


def run(
    space: str | Path,
    *,
    trials: int,
    study: str | Path | None = None,
    backend: Literal["ray", "local"] = "ray",
    observe: "Callable[[Search], AbstractContextManager[Any]]" = nullcontext,
) -> "Outcome":
    """Search until `trials` trials have finished in total, then write leaderboard.md and export the best network.

    Args:
        space: The YAML file of the search space.
        trials: Finished trials in the end, those of earlier sessions included; the same call carries on.
        study: A directory, or a name under `trials/`; the name of the space if None.
        backend: `ray` uses the whole machine, `local` trains one trial after the other in this process.
        observe: Called with the search; its context spans the session.

    Raises:
        SpaceError: If the space is wrong.
        StudyError: If the study is in use, damaged, or of another space.
    """
    from ressearch.search.records import best_of, read_study
    from ressearch.search.run import run as search

    directory = study_directory(study if study is not None else Path(space).stem)
    outcome = search(Path(space), trials=trials, directory=directory, backend=backend, observe=observe)
    record = read_study(directory)
    _write_leaderboard(record)
    if best := best_of(record.trials):
        _export_best(record, best)
    return outcome


def leaderboard(study: str | Path, *, top: int | None = None) -> "list[Row]":
    """Return the trials of a study, ranked; the first `top` of them if given.

    Raises:
        StudyError: If there is no such study.
    """
    from ressearch.report.leaderboard import leaderboard_rows
    from ressearch.search.records import read_study

    if top is not None and top < 1:
        raise ValueError(f"top >= 1 must hold, got {top}")
    return leaderboard_rows(read_study(study_directory(study)))[:top]


def train_network(
    architecture: str | Path,
    space: "Space | str | Path",
    *,
    epochs: int | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    observe: "Callable[[EpochResult], None]" = lambda _: None,
) -> "tuple[Path, Trained]":
    """Train one architecture on the images and with the recipe of a search space, test it once, and export it.

    Args:
        architecture: A name such as resnet-110, or the architecture.yaml of an export.
        space: Its `data` and `recipe` are used; a searched field of the recipe takes its default.
        epochs: Instead of the recipe's.
        seed: Of weights, order of images and augmentation; also which images validate.
        directory: Where to write; `trained/<name>` if None.
        observe: Called with every epoch.

    Raises:
        ValueError: If there is no such architecture or space, or its images cannot be used.
        ExportError: If the files cannot be written; said before the training where the directory holds files.
        TrainingError: If the loss is no longer finite, or memory runs out.
    """
    from dataclasses import replace

    from ressearch.arch import architecture_id
    from ressearch.packaging import check_target, export_bundle
    from ressearch.search.single import train_single
    from ressearch.space import Space, load_space
    from ressearch.space.lookup import find_architecture

    name, found, _ = find_architecture(architecture)
    space = space if isinstance(space, Space) else load_space(space)
    recipe = space.recipe if epochs is None else replace(space.recipe, epochs=epochs)
    target = Path(directory) if directory is not None else Path("trained") / name
    check_target(target)
    trained = train_single(found, space.source, recipe, seed=seed, observe=observe)
    export_bundle(
        target,
        architecture=found,
        shape=trained.shape,
        state=trained.state,
        name=name,
        origin={
            "space": space.name,
            "architecture_id": architecture_id(found),
            "seed": seed,
            "epochs": trained.last.epoch,
            "val_accuracy": round(trained.last.val_accuracy, 4),
            "test_accuracy": round(trained.test_accuracy, 4),
        },
        normalisation=trained.normalisation,
    )
    return target, trained


def export_trial(
    study: str | Path,
    trial: str | int = "best",
    directory: str | Path | None = None,
    *,
    format: "Format" = "module",
) -> Path:
    """Write a trained network as a module that needs torch only, or for other runtimes; return the directory.

    Args:
        study: A directory, or a name under `trials/`.
        trial: A number, or "best".
        directory: Where to write; `<study>/export/<number>` if None, with the format's name where it is no module.
        format: module, onnx (needs `pip install 'ressearch[onnx]'`) or torch-export.

    Raises:
        StudyError: If there is no such trial, or it holds no trained network.
        ExportError: If the files cannot be written, or do not give the outputs of the trained network.
    """
    from ressearch.search.records import read_study

    record = read_study(study_directory(study))
    found = record.trial(str(trial))
    default = record.directory / "export" / _export_name(f"{found.number:06d}", format)
    target = Path(directory) if directory is not None else default
    _export(record, found, target, format)
    return target


def export_network(
    architecture: str | Path, directory: str | Path | None = None, *, format: "Format" = "module"
) -> Path:
    """Write a network that nobody has trained: its module without weights, or a file with those of seed 0.

    Args:
        architecture: A name such as resnet-110, or the architecture.yaml of an export; a name is written for the images
            of its paper, a file for those it names.
        directory: Where to write; `exported/<name>` if None, with the format's name where it is no module.
        format: module, onnx or torch-export.

    Raises:
        ValueError: If there is no such architecture.
        ExportError: If the files cannot be written.
    """
    from ressearch.packaging import export_bundle
    from ressearch.space.lookup import find_architecture

    name, found, shape = find_architecture(architecture)
    target = Path(directory) if directory is not None else Path("exported") / _export_name(name, format)
    export_bundle(target, architecture=found, shape=shape, state=None, name=name, format=format)
    return target


def show(what: str | Path, trial: str | int | None = None, *, every_layer: bool = False) -> "RenderableType":
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
    from ressearch.space.lookup import find_architecture

    if trial is not None:
        from ressearch.search.records import read_study

        record = read_study(study_directory(what))
        found = record.trial(str(trial))
        title = f"trial {found.number} of {record.directory.name}"
        return architecture_table(found.build_architecture(), record.shape, title=title, every_layer=every_layer)
    name, architecture, shape = find_architecture(what)
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

    return dashboard_server(study_directory(study), host, port)


def _write_leaderboard(study: "StudyRecord") -> None:
    from ressearch.report.leaderboard import RANK, as_markdown, leaderboard_rows

    question = study.manifest.get("question") or ""
    parts = [f"# Leaderboard of {study.directory.name}", question, as_markdown(leaderboard_rows(study)), RANK]
    (study.directory / "leaderboard.md").write_text("\n\n".join(part for part in parts if part) + "\n")


def _export_best(study: "StudyRecord", best: "TrialRecord") -> None:
    """Bring `best/` of a study up to date; what else somebody keeps there stays."""
    target = study.directory / "best"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=study.directory, prefix=".best-") as scratch:
        fresh = Path(scratch) / "best"
        _export(study, best, fresh)
        for file in fresh.iterdir():
            file.replace(target / file.name)


def _export_name(name: str, format: "Format") -> str:
    return name if format == "module" else f"{name}-{format}"


def _export(study: "StudyRecord", trial: "TrialRecord", directory: Path, format: "Format" = "module") -> None:
    """Write a trained network.

    Raises:
        StudyError: If the trial has no trained weights.
    """
    from safetensors.torch import load_file

    from ressearch.packaging import export_bundle

    origin: dict[str, str | int | float] = {
        "study": study.directory.name,
        "trial": trial.number,
        **({"ancestor": trial.ancestor} if trial.ancestor else {}),
        "architecture_id": trial.architecture_id,
        "val_accuracy": round(trial.val_accuracy or 0.0, 4),
        "epochs": trial.epochs,
    }
    export_bundle(
        directory,
        architecture=trial.build_architecture(),
        shape=study.shape,
        state=load_file(_weights(study, trial)),
        name=trial.ancestor or f"{study.directory.name}-{trial.number}",
        origin=origin,
        normalisation=study.manifest["normalisation"],
        format=format,
    )


def _weights(study: "StudyRecord", trial: "TrialRecord") -> Path:
    """Return the file of a trial's trained weights.

    Raises:
        StudyError: If there is none, with the reason.
    """
    from ressearch.search.records import trial_directory
    from ressearch.search.storage import StudyError
    from ressearch.search.worker import WEIGHTS

    where = f"{study.directory}: trial {trial.number}"
    match trial.state:
        case "complete":
            path = trial_directory(study.directory, trial.number) / WEIGHTS
            if path.is_file():
                return path
            raise StudyError(f"{where} is complete, but its weights are gone: {path} is missing")
        case "pruned":
            reason = f"was stopped early, after {trial.epochs} epochs"
        case "failed":
            reason = f"failed ({trial.message})"
        case state:
            reason = f"is {state}"
    raise StudyError(f"{where} {reason}, so it has no trained weights; export a complete one, or 'best'")
