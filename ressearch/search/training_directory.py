"""The directory of one training: who works in it, what is trained there, and what came of it."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import filelock

from ressearch.messages import quoted
from ressearch.training.fingerprint import Fingerprint
from ressearch.whole_files import write_whole

DESCRIPTION = "training.json"
CHECKPOINT = "checkpoint.pt"
LOCK = ".training.lock"
EXPORT = ".training-export-"
"""How the name of the directory begins in which the export is prepared."""
VERSION = 1


class DirectoryError(ValueError):
    """A directory of a training that is in use, damaged, or of another training."""


@dataclass(frozen=True)
class TrainingDirectory:
    """Where one network is trained: `path` holds a description, a checkpoint until the end, and then the export."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """What the training needs to go on."""
        return self.path / CHECKPOINT

    def read(self) -> dict[str, Any] | None:
        """Return the description, None where no training has begun.

        Raises:
            DirectoryError: If the description is damaged, or there are files and no description.
        """
        file = self.path / DESCRIPTION
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            self._check_empty()
            return None
        except NotADirectoryError:
            raise DirectoryError(f"{self.path} is no directory; name another one with -o") from None
        except UnicodeDecodeError:
            text = ""
        return _parsed(text, file)

    def write(self, description: Mapping[str, Any]) -> None:
        """Write the description."""
        text = json.dumps({"version": VERSION, **description}, indent=2, ensure_ascii=False) + "\n"
        write_whole(self.path / DESCRIPTION, text.encode(errors="replace"))

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold the directory, made where it is missing; the kernel lets go of it when this process ends.

        Raises:
            DirectoryError: If another process holds it.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / LOCK)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise DirectoryError(
                    f"{self.path}: another `ressearch` is training there; wait for it, end it, "
                    "or name another directory with -o"
                ) from None
        try:
            yield
        finally:
            self._remove_partials()
            lock.release()

    def leftovers(self, *, is_finished: bool) -> list[Path]:
        """Return what a killed process has left; of a finished training the checkpoint, too."""
        checkpoint = [self.checkpoint] if is_finished and self.checkpoint.is_file() else []
        return [*checkpoint, *self.path.glob(f"{EXPORT}*")]

    def clear(self, *, is_finished: bool) -> None:
        """Remove what a killed process has left; whoever calls holds the directory."""
        for leftover in self.leftovers(is_finished=is_finished):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()

    def _remove_partials(self) -> None:
        """Remove what a write has left that was interrupted."""
        for partial in self.path.glob(".*.partial"):
            partial.unlink(missing_ok=True)

    def _check_empty(self) -> None:
        """Check that nothing of somebody else's is there."""
        if self.path.is_dir() and any(not each.name.startswith(".training") for each in self.path.iterdir()):
            raise DirectoryError(
                f"{self.path} exists and is not an empty directory; name another one with -o, or delete it first"
            )


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Put what a failed write in a directory leads to into one message.

    Raises:
        DirectoryError: If the disk is full, the directory read-only, or the like.
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        raise DirectoryError(
            f"{directory} cannot be written ({reason}); the checkpoint that is there is whole: "
            "mend that and give the same command again"
        ) from error


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(file, "it is no JSON") from None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        version = found.get("version") if isinstance(found, dict) else found
        raise _damaged(file, f"version {VERSION} must be given, got {quoted(version)}")
    for name, is_allowed in _KEYS.items():
        if name not in found or not is_allowed(found[name]):
            raise _damaged(file, f"{name} is {'wrong' if name in found else 'missing'}")
    return found


def _are_terms(value: object) -> bool:
    return isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values())


def _are_fingerprints(value: object) -> bool:
    names = {spec.name for spec in fields(Fingerprint)}
    return isinstance(value, dict) and all(isinstance(each, dict) and each.keys() == names for each in value.values())


def _damaged(file: Path, reason: str) -> DirectoryError:
    return DirectoryError(
        f"{file}: it is damaged ({reason}); restore it from a copy, or delete {file.parent} to begin anew"
    )


_KEYS: Mapping[str, Callable[[object], bool]] = {
    "terms": _are_terms,
    "images": _are_fingerprints,
    "device": lambda value: isinstance(value, str),
    "num_threads": lambda value: type(value) is int and value > 0,
    "result": lambda value: value is None or isinstance(value, dict),
}
"""What every description holds, and whether a value is that; `result` is null until the training has ended."""
