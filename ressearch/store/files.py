"""Files in the directory of a study."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ressearch.whole_files import write_whole

STUDIES = Path("trials")
"""Where a study is that is given by its name, seen from the working directory."""

DATABASE = "study.db"
SPACE = "space.yaml"
LOCK = "study.lock"
MANIFEST = "manifest.json"
TRIALS = "trials"
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
    """Tell whether a study is there, be it a damaged one."""
    return (directory / DATABASE).exists()


def database_url(directory: Path, name: str = DATABASE) -> str:
    """Return the URL under which Optuna's own tools open the study of a directory."""
    path = str((directory / name).absolute())
    return "sqlite:///" + path.replace("{", "{{").replace("}", "}}")  # Optuna fills in what stands in braces


def weights_file(directory: Path, number: int) -> Path:
    """Return where the weights of a trial are."""
    return _trial_directory(directory, number) / "weights.safetensors"


def checkpoint_file(directory: Path, number: int, part: str | None = None) -> Path:
    """Return where a trial of a study, or of a part of it, leaves what it needs to go on."""
    return _trial_directory(directory, number, part or TRIALS) / "checkpoint.pt"


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read the manifest of a study.

    Raises:
        StudyError: If it is missing or damaged.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StudyError(f"{path}: it is missing; the next `ressearch run` writes it anew") from error
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{path}: it is damaged ({error}); {_MEND_MANIFEST}") from error
    if not isinstance(manifest, dict) or manifest.get("version") != 1:
        raise StudyError(f"{path}: version 1 must be given, got {manifest!r:.80}; {_MEND_MANIFEST}")
    for name, (is_required, allowed, is_allowed) in _MANIFEST_KEYS.items():
        if name not in manifest and is_required:
            raise StudyError(f"{path}: {name} is missing; {_MEND_MANIFEST}")
        if name in manifest and not is_allowed(manifest[name]):
            raise StudyError(f"{path}: {name} must be {allowed}, got {manifest[name]!r:.80}; {_MEND_MANIFEST}")
    return manifest


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest so that a killed process leaves the old one or the new one."""
    write_whole(directory / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())


def left_behind(directory: Path) -> list[str]:
    """Name what a study has left in a directory that has lost its database."""
    return [] if is_study(directory) else [name for name in (MANIFEST, TRIALS) if (directory / name).exists()]


def nearby(directory: Path) -> str:
    """Name studies next to a missing one."""
    studies = sorted(path.parent.name for path in directory.parent.glob(f"*/{DATABASE}"))
    return f"; studies in {directory.parent} are {', '.join(studies)}" if studies else ""


def _trial_directory(directory: Path, number: int, part: str = TRIALS) -> Path:
    return directory / part / f"{number:06d}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_shape(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"channels", "resolution", "num_classes"}:
        return False
    return all(_is_whole(each) and each > 0 for each in value.values())


def _is_normalisation(value: Any) -> bool:
    """Tell whether it is what `Images.normalisation` gives, or empty, as versions wrote it that knew no images."""
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        return False
    numbers = [number for name in ("mean", "std") for number in value.get(name, [])]
    is_complete = not value or value.keys() >= {"mean", "std", "class_names"}
    return is_complete and all(isinstance(number, int | float) for number in numbers)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_whole(each) and each >= 0 for each in value.values())


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(each, kind) for each in value)


_MANIFEST_KEYS: dict[str, tuple[bool, str, Callable[[Any], bool]]] = {
    "shape": (True, "channels, resolution and num_classes, each a positive whole number", _is_shape),
    "seed": (True, "a whole number", _is_whole),
    "sessions": (False, "a list of mappings", _is_list_of(dict)),  # older versions kept them here
    "normalisation": (False, "lists of mean, std and class_names", _is_normalisation),
    "num_images": (False, "whole numbers of images by train, val and test", _is_counts),
    "test_images": (False, "a mapping, the fingerprint of the images set aside to test", _is_mapping),
    "objectives": (True, "a list of names", lambda value: bool(value) and _is_list_of(str)(value)),
    "question": (False, "a text", lambda value: isinstance(value, str)),
}
"""Keys that somebody reads: whether every version wrote them, what is allowed, and whether a value is that."""
_MEND_MANIFEST = "restore it from a copy, or delete it: the next `ressearch run` writes it anew"
