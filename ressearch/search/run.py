"""One session of a study: open its directory, search on a backend, account for it."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import filelock
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from ressearch.images import ImageShape
from ressearch.search.records import MANIFEST, read_manifest
from ressearch.search.storage import DATABASE, StudyError
from ressearch.search.study import Search
from ressearch.search.worker import TrialFunction, run_trial
from ressearch.space.loader import load_space
from ressearch.space.space import Space
from ressearch.space.survey import check_limits
from ressearch.training.data import Prepared, load, prepare

STORAGE_ERRORS = (StorageInternalError, SQLAlchemyError)
Backend = Literal["ray", "local"]
SPACE = "space.yaml"
LOCK = "study.lock"
MAY_CHANGE = frozenset({"path", "text", "question", "resources", "ancestors"})
"""Parts of a space that may differ when a study is carried on: they change no score."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a session ended."""

    directory: Path
    num_finished: int
    target: int
    exhausted: bool
    refused: dict[str, int]
    summary: dict[str, float]
    """See `Session.summary`."""

    @property
    def was_interrupted(self) -> bool:
        """Whether trials are left to train."""
        return self.num_finished < self.target and not self.exhausted


def run(
    space_path: Path,
    *,
    trials: int,
    directory: Path | None = None,
    backend: Backend = "ray",
    observe: Callable[[Search], AbstractContextManager[Any]] = nullcontext,
    function: TrialFunction = run_trial,
) -> Outcome:
    """Search until `trials` trials of the study have finished in total; the same call again carries on.

    Args:
        space_path: The YAML file of the search space.
        trials: Number of finished trials in the end, those of earlier sessions and the ancestors included.
        directory: The study; `trials/<name of the space>` if None.
        backend: `ray`, or `local` for one trial after the other in this process.
        observe: Called with the search; its context spans the session. For displays.
        function: What runs a trial.

    Raises:
        SpaceError: If the space is wrong, or its limits cannot be met.
        StudyError: If the study is in use, damaged, or of another space.
        ValueError: If the images cannot be used.
    """
    if trials < 1:
        raise ValueError(f"--trials >= 1 must hold, got {trials}")
    space = load_space(space_path)
    shape = space.source.describe()
    check_limits(space, shape)
    directory = directory or Path("trials") / space.name
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory):
        _keep_space(directory, space)
        images = prepare(space.source, seed=space.sampler.seed) if function is run_trial else None
        manifest = _manifest(directory, space, shape, images)
        search = Search(directory, space, shape, images, trials)
        try:
            if not search.is_done:
                with observe(search):
                    _run_on(backend)(search, function)
        except STORAGE_ERRORS as error:
            raise StudyError(
                f"{directory}: the study cannot be written ({str(error).splitlines()[0]}); what was written is safe: "
                "make room and run the same command again"
            ) from error
        finally:
            with suppress(*STORAGE_ERRORS):  # the first of them has been reported
                search.interrupt()
            summary = search.session.summary()
            if search.session.num_trials:
                manifest["sessions"].append({"command": _command(), "backend": backend, **summary})
                _write_manifest(directory, manifest)
    return Outcome(
        directory=directory,
        num_finished=search.num_finished,
        target=trials,
        exhausted=search.exhausted,
        refused=dict(search.refused),
        summary=summary,
    )


def _run_on(backend: Backend) -> Callable[[Search, TrialFunction], None]:
    """Import the backend that is asked for; the other one is not paid for."""
    if backend == "ray":
        from ressearch.search.ray_backend import run_on_ray

        return run_on_ray
    from ressearch.search.local_backend import run_in_process

    return run_in_process


def _locked(directory: Path) -> AbstractContextManager[Any]:
    """Hold the study; the kernel lets go of it when this process ends, however it ends."""
    lock = filelock.FileLock(directory / LOCK, timeout=0)
    try:
        return lock.acquire()
    except filelock.Timeout:
        raise StudyError(
            f"{directory}: another `ressearch run` is working on this study; wait for it, end it, "
            "or name another study with --study"
        ) from None


def _keep_space(directory: Path, space: Space) -> None:
    """Write the space beside the study, or check that the study is of the same one.

    Raises:
        StudyError: If trials of two spaces would mix.
    """
    path = directory / SPACE
    if path.is_file() and (directory / DATABASE).is_file():
        kept = load_space(path)
        for spec in fields(Space):
            if spec.name not in MAY_CHANGE and getattr(kept, spec.name) != getattr(space, spec.name):
                raise StudyError(
                    f"{directory}: this study was begun with another space: {spec.name} differs between "
                    f"{space.path} and {path}; name another study with --study, or bring the file back"
                )
    path.write_text(space.text)


def _manifest(directory: Path, space: Space, shape: ImageShape, images: Prepared | None) -> dict[str, Any]:
    """Read the manifest of the study, or begin it."""
    if (directory / MANIFEST).is_file():
        return read_manifest(directory)
    manifest = {
        "version": 1,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "space": space.name,
        "question": space.question,
        "command": _command(),
        "seed": space.sampler.seed,
        "shape": asdict(shape),
        "normalisation": load(images, "cpu").normalisation if images else {},
        "epochs": space.recipe.epochs,
        "objectives": list(space.objectives),
        "commit": _commit(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torchvision", "optuna", "ray")},
        },
        "device": _device(),
        "sessions": [],
    }
    _write_manifest(directory, manifest)
    return manifest


def _write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    partial = directory / f".{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=2) + "\n")
    os.replace(partial, directory / MANIFEST)


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _commit() -> str | None:
    """Return the commit of the code that runs, None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _device() -> dict[str, Any]:
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"machine": platform.machine(), "system": platform.platform(), "cpus": os.cpu_count(), "gpus": gpus}
