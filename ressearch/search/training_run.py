"""One network trained by itself, in a directory of its own: begun, carried on after whatever ended it, and exported.

No study is ranked by it and no candidate chosen, so the test images may be read: once, after the last epoch.
"""

import math
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ressearch import ending
from ressearch.arch import InfeasibleError, cost, plan
from ressearch.experiment.terms import changes
from ressearch.images import ImageShape
from ressearch.messages import Note, expected
from ressearch.search.contract import Progress, TrialResult, TrialSpec
from ressearch.search.trainer import train_once
from ressearch.search.training_curve import CurveFiles, curve_files
from ressearch.search.training_directory import EXPORT, DirectoryError, TrainingDirectory, writing
from ressearch.search.training_task import Export, Observe, Tell, Trained, TrainingStart, TrainingTask, unobserved
from ressearch.training.checkpoint import read_curve
from ressearch.training.data import counted, fingerprint, load, prepare
from ressearch.training.fingerprint import change_of_images
from ressearch.training.loop import TrainingError
from ressearch.training.source import Counts
from ressearch.whole_files import move_whole


@ending.orderly()
def run_training(task: TrainingTask, directory: Path, *, export: Export, observe: Observe = unobserved) -> Trained:
    """Train a network to the end and export it; the same call again goes on where an earlier one was ended.

    On the CPU the result is bit for bit that of a training which nothing has ended.

    Args:
        task: What to train.
        directory: Where its checkpoint, its curve and, in the end, its export are.
        export: Writes the trained network.
        observe: Opens a display.

    Raises:
        ValueError: If the images or the device cannot be used.
        DirectoryError: If the directory is in use, damaged, not to be written, or of another training.
        TrainingError: If the training fails.
    """
    place = TrainingDirectory(directory)
    kept = _kept(place, task)
    if kept and kept["result"]:
        return _cleared(place, _finished(place, task, kept["result"]))
    device = chosen_device(kept["device"] if kept and task.device == "auto" else task.device)
    _check_fit(task)
    run = _Run(place, task, device)
    with place.lease():
        kept = _kept(place, task)  # another process may have worked there until now
        if kept and kept["result"]:
            return _finished(place, task, kept["result"])
        return run.to_the_end(kept or run.begun(), export, observe)


def chosen_device(name: str) -> str:
    """Return where to train, by torch's name: `auto` is a GPU where there is one.

    Raises:
        ValueError: If there is no such device.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    if name == "cpu":
        return name
    found = re.fullmatch(r"cuda(?::(\d{1,9}))?", name)
    if found is None:
        raise ValueError(f"device: {expected(name, ('auto', 'cpu', 'cuda', 'cuda:N'))}")
    if int(found[1] or 0) >= count:
        seen = ", ".join(f"cuda:{index}" for index in range(count)) or "none"
        raise ValueError(f"device: got {name!r}, and there is no such GPU here: torch sees {seen}; say cpu or auto")
    return name


class _Run:
    """A training with its images, whose directory is held.

    Raises:
        ValueError: If the images cannot be used, or are not those that the task expects.
    """

    def __init__(self, place: TrainingDirectory, task: TrainingTask, device: str) -> None:
        self._place, self._task, self._device = place, task, device
        self._test = prepare(task.source, seed=task.split_seed, split="test")  # what is wrong with them is said first
        self._images = prepare(task.source, seed=task.split_seed)
        self._counts = counted(self._images)
        self._prints = {"train": fingerprint(self._images), "test": fingerprint(self._test)}
        if change := change_of_images(self._prints, task.images):
            told = f"{task.what}: its study was begun with other images. Of {change}"
            if not task.other_images:
                raise ValueError(f"{told}; bring the old images back, or name others with --data")
            warnings.warn(told, Note, stacklevel=2)

    def begun(self) -> dict[str, Any]:
        """Return the description of a training that begins."""
        return {
            "what": self._task.what,
            "name": self._task.name,
            "architecture": self._task.architecture.to_dict(),
            "terms": self._task.terms,
            "images": {split: each.to_dict() for split, each in self._prints.items()},
            "device": self._device,
            "num_threads": torch.get_num_threads(),
            "result": None,
        }

    def to_the_end(self, description: dict[str, Any], export: Export, observe: Observe) -> Trained:
        """Train what is left, test, and export."""
        if change := change_of_images(self._prints, description["images"]):
            raise DirectoryError(
                f"{self._place.path}: this training was begun with other images. Of {change}; "
                "bring the old images back, or name another directory with -o"
            )
        where = self._place.path
        curve = self._curve_so_far()
        num_threads = torch.get_num_threads()
        with writing(where):
            self._place.clear(is_finished=False)
            self._place.write(description)
            scratch = Path(tempfile.mkdtemp(dir=where, prefix=EXPORT))
        try:
            spec = self._spec(description, scratch / "trained")
            with curve_files(where, curve) as files, observe(self._start(curve)) as tell:
                trained = self._trained(self._result(spec, files, tell))
                with writing(where), ending.held():
                    self._finish(description, trained, export, scratch)
        finally:
            torch.set_num_threads(num_threads)
            shutil.rmtree(scratch, ignore_errors=True)
        return trained

    def _spec(self, description: Mapping[str, Any], weights: Path) -> TrialSpec:
        return TrialSpec(
            number=0,
            architecture=self._task.architecture,
            recipe=self._task.recipe,
            images=self._images,
            test=self._test,
            seed=self._task.seed,
            weights=weights.absolute(),
            checkpoint=self._place.checkpoint.absolute(),
            checkpoint_epochs=range(1, self._task.recipe.epochs + 1),
            resumes=True,
            device=self._device,
            num_threads=description["num_threads"],  # another number adds up in another order: other last digits
        )

    def _curve_so_far(self) -> tuple[Mapping[str, float], ...]:
        """Return the epochs that earlier calls have trained.

        Raises:
            DirectoryError: If the checkpoint cannot be read.
        """
        try:
            return read_curve(self._place.checkpoint)
        except FileNotFoundError:
            return ()
        except (ValueError, OSError) as error:
            raise DirectoryError(
                f"{error}; restore it from a copy, or delete it to train again from the first epoch on"
            ) from error

    def _start(self, curve: tuple[Mapping[str, float], ...]) -> TrainingStart:
        return TrainingStart(
            directory=self._place.path,
            name=self._task.name,
            num_epochs=self._task.recipe.epochs,
            device=self._device,
            counts=self._counts,
            num_test_images=sum(self._prints["test"].num_images),
            curve=curve,
        )

    def _result(self, spec: TrialSpec, files: CurveFiles, tell: Tell) -> TrialResult:
        for event in train_once(spec):
            match event:
                case Progress(epoch=epoch):
                    files.add(asdict(epoch))
                    tell(asdict(epoch))
                case TrialResult(reason=None):
                    return event
                case TrialResult(reason=str(reason)):
                    message = event.message.removeprefix(f"{reason}: ")
                    raise TrainingError(reason, f"{message}; {self._advice(reason)}")
        raise AssertionError("a training ends in a result")

    def _advice(self, reason: str) -> str:
        """Say what to do about a training that has failed."""
        recipe, where = self._task.recipe, self._place.path
        kept = f"{where} keeps the curve and the checkpoint of the last whole epoch"
        match reason:
            case "non_finite":
                smaller = f"--set lr={recipe.lr / 10:.3g} -o DIR"
                return f"{kept}; the same command would end here again: try a smaller learning rate, as in {smaller}"
            case "out_of_memory":
                fewer = f"--set batch_size={max(1, recipe.batch_size // 2)} -o DIR"
                return f"{kept}; a smaller batch needs less memory, as in {fewer}"
            case _:
                return f"{kept}; mend that and give the same command again"

    def _trained(self, result: TrialResult) -> Trained:
        images = load(self._images, "cpu")
        return Trained(
            task=self._task,
            directory=self._place.path,
            result=result,
            shape=images.shape,
            normalisation=images.normalisation,
            counts=self._counts,
            num_test_images=sum(self._prints["test"].num_images),
        )

    def _finish(self, description: dict[str, Any], trained: Trained, export: Export, scratch: Path) -> None:
        """Bring the export into the directory, and note the result: from then on nothing is left to do."""
        bundle = scratch / "bundle"
        export(trained, load_file(scratch / "trained"), bundle)
        files = sorted((file.name for file in bundle.iterdir()), key=lambda name: name.endswith(".yaml"))
        for name in files:  # the description last: it is what makes the files an export
            move_whole(bundle / name, self._place.path / name)
        result = {
            "measures": dict(trained.result.measures),
            "curve": list(trained.result.curve),
            "seconds": trained.result.seconds,
            "shape": asdict(trained.shape),
            "normalisation": trained.normalisation,
            "counts": list(trained.counts),
            "num_test_images": trained.num_test_images,
            "files": files,
        }
        self._place.write({**description, "result": result})
        self._place.clear(is_finished=True)


def _kept(place: TrainingDirectory, task: TrainingTask) -> dict[str, Any] | None:
    """Return the description of the training that the directory holds, None if it holds none.

    Raises:
        DirectoryError: If it is of another training, naming what differs.
    """
    kept = place.read()
    if kept is None:
        return None
    found = [str(change) for change in changes(task.terms, kept["terms"])]
    if task.device != "auto" and task.device.partition(":")[0] != kept["device"].partition(":")[0]:
        found.append(f"device is {task.device}, and was {kept['device']}")
    if found:
        more = f"; and {len(found) - 3} more values" if len(found) > 3 else ""
        raise DirectoryError(
            f"{place.path}: another training was begun here: {'; '.join(found[:3])}{more}; "
            "name another directory with -o, or bring the old value back"
        )
    return kept


def _finished(place: TrainingDirectory, task: TrainingTask, result: Mapping[str, Any]) -> Trained:
    """Return what an earlier call has trained.

    Raises:
        DirectoryError: If it is not all there any more.
    """
    try:
        gone = [name for name in result["files"] if not (place.path / name).is_file()]
        trained = Trained(
            task=task,
            directory=place.path,
            result=TrialResult(
                measures=result["measures"], curve=tuple(result["curve"]), seconds=float(result["seconds"])
            ),
            shape=ImageShape(**result["shape"]),
            normalisation=result["normalisation"],
            counts=Counts(*result["counts"]),
            num_test_images=int(result["num_test_images"]),
            was_finished=True,
        )
        accuracy = trained.test_accuracy + trained.result.measures["val_accuracy"]
    except (KeyError, TypeError, ValueError, AttributeError):
        gone, accuracy = ["its whole result"], math.nan
    if gone or not math.isfinite(accuracy):
        raise DirectoryError(
            f"{place.path}: this training is finished, but {' and '.join(gone)} is missing; restore it from a copy, "
            "or delete the directory to train again"
        )
    return trained


def _cleared(place: TrainingDirectory, trained: Trained) -> Trained:
    """Remove what a process has left that was killed at the very end, where somebody may and nobody works there."""
    if place.leftovers(is_finished=True):
        with suppress(OSError, DirectoryError), place.lease():
            place.clear(is_finished=True)
    return trained


def _check_fit(task: TrainingTask) -> None:
    """Check that the network takes the images, before any is decoded.

    Raises:
        ValueError: If it does not, or there are no images.
    """
    shape = task.source.describe()
    try:
        cost(plan(task.architecture, shape.channels, shape.num_classes), shape.resolution)
    except InfeasibleError as error:
        raise ValueError(f"{task.name} does not fit images of {shape.resolution} pixels: {error}") from None
