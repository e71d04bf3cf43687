"""Files in the directory of a study."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STUDIES = Path("trials")
"""Where a study is that is given by its name, seen from the working directory."""

DATABASE = "study.db"
SPACE = "space.yaml"
LOCK = "study.lock"
MANIFEST = "manifest.json"
LEADERBOARD = "leaderboard.md"
BEST = "best"
EXPORTS = "export"


class StudyError(ValueError):
    """A study that is missing, damaged, in use, or of another experiment."""


def study_directory(study: str | Path) -> Path:
    """Return the directory of a study: a bare name stands for one under `trials/`, unless it is a study itself."""
    path = Path(study)
    is_bare = isinstance(study, str) and study not in ("", ".", "..") and not set(study) & {"/", os.sep}
    return STUDIES / path if is_bare and not is_study(path) else path


def is_study(directory: Path) -> bool:
    """Tell whether a study is there."""
    return (directory / DATABASE).is_file()


def database_url(directory: Path) -> str:
    """Return the URL under which Optuna's own tools open the study of a directory."""
    return f"sqlite:///{(directory / DATABASE).absolute()}"


def weights_file(directory: Path, number: int) -> Path:
    """Return where the weights of a trial are."""
    return _trial_directory(directory, number) / "weights.safetensors"


def checkpoint_file(directory: Path, number: int) -> Path:
    """Return where a trial that pauses leaves what it needs to go on."""
    return _trial_directory(directory, number) / "checkpoint.pt"


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read the manifest of a study.

    Raises:
        StudyError: If it is missing or damaged.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("version") != 1:
        raise StudyError(f"{path}: version 1 must be given, got {manifest!r:.80}")
    return manifest


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest so that a killed process leaves the old one or the new one."""
    partial = directory / f".{MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=2) + "\n")
    os.replace(partial, directory / MANIFEST)


def nearby(directory: Path) -> str:
    """Name studies next to a missing one."""
    studies = sorted(path.parent.name for path in directory.parent.glob(f"*/{DATABASE}"))
    return f"; studies in {directory.parent} are {', '.join(studies)}" if studies else ""


def _trial_directory(directory: Path, number: int) -> Path:
    return directory / "trials" / f"{number:06d}"
