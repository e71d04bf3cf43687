"""The epochs of a training as files for people and their tools: metrics.csv, and events for TensorBoard."""

import csv
import io
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from itertools import product
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

from ressearch.search.training_directory import writing
from ressearch.training.loop import EpochResult
from ressearch.whole_files import write_whole

METRICS = "metrics.csv"
EVENTS = "tensorboard"
COLUMNS = tuple(spec.name for spec in fields(EpochResult))


class CurveFiles:
    """Both files of one training. They are written anew from the epochs so far, so they hold what the checkpoint does.

    Raises:
        DirectoryError: If they cannot be written.
    """

    def __init__(self, directory: Path, epochs: Iterable[Mapping[str, float]]) -> None:
        self._directory = directory
        self._epochs = list(epochs)
        with writing(directory):
            self._events = RecordWriter(str(_new_events(directory / EVENTS)))
            self._events.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
            self._write_events(*self._epochs)
            self._write_metrics()

    def add(self, epoch: Mapping[str, float]) -> None:
        """Write one more epoch."""
        self._epochs.append(epoch)
        with writing(self._directory):
            self._write_metrics()
            self._write_events(epoch)

    def close(self) -> None:
        """Close the events."""
        with suppress(OSError):  # what a full disk has not taken has been told
            self._events.close()

    def _write_metrics(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._epochs)
        write_whole(self._directory / METRICS, text.getvalue().encode())

    def _write_events(self, *epochs: Mapping[str, float]) -> None:
        """Write one number per epoch and curve; the step is the epoch."""
        for epoch, name in product(epochs, COLUMNS[1:]):
            summary = scalar(name, epoch[name])
            event = Event(wall_time=time.time(), step=int(epoch["epoch"]), summary=summary)
            self._events.write(event.SerializeToString())
        self._events.flush()


@contextmanager
def curve_files(directory: Path, epochs: Iterable[Mapping[str, float]]) -> Iterator[CurveFiles]:
    """Keep the files of a training open."""
    files = CurveFiles(directory, epochs)
    try:
        yield files
    finally:
        files.close()


def _new_events(directory: Path) -> Path:
    """Return the file for events; that of an earlier part of the training goes, or its steps would count twice."""
    directory.mkdir(exist_ok=True)
    for earlier in directory.glob("events.out.tfevents.*"):
        earlier.unlink()
    return directory / f"events.out.tfevents.{time.time():.0f}.ressearch"
