"""What every backend does with a work, stated from the side of the work and with scripted trainings."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ressearch.arch import named
from ressearch.experiment import Resources
from ressearch.schedulers import Decision
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, Work, failed
from ressearch.store.files import StudyError
from ressearch.training.data import Prepared
from ressearch.training.loop import EpochResult
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

# Ray and what it starts leave sockets and log files to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EPOCHS = 4
Backend = Callable[[Work, TrialFunction], None]


@pytest.fixture(scope="module")
def _ray_session() -> Iterator[None]:
    import ray

    import ressearch.search.ray_backend  # noqa: F401 - sets Ray's environment

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(params=["local", "ray"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return a backend; a new one belongs into this list."""
    if request.param == "ray":
        request.getfixturevalue("_ray_session")
        from ressearch.search.ray_backend import run_on_ray

        return run_on_ray
    from ressearch.search.local_backend import run_in_process

    return run_in_process


class Book:
    """A work that writes down every call, and breaks off where a call must not come.

    Attributes:
        said: Every call, in order.
        results: What `finish` was given, by trial.
        epochs: What `report` was given, by trial.

    `in_vain` is a file that appears when a trial is asked for while none waits and some run.
    """

    def __init__(
        self, count: int, decide: Callable[[int, int], Decision], *, workers: int = 2, in_vain: Path | None = None
    ) -> None:
        self.resources = Resources(workers=workers)
        self.num_workers = 0
        self.said: list[tuple[Any, ...]] = []
        self.results: dict[int, TrialResult] = {}
        self.epochs: dict[int, list[Progress]] = {}
        self._decide = decide
        self._in_vain = in_vain
        self._waiting = deque(_spec(number) for number in range(count))
        self._running: dict[int, TrialSpec] = {}

    def next_trial(self) -> TrialSpec | None:
        assert self.num_workers >= 1, "a backend says first how many trials it does at a time"
        if not self._waiting:
            if self._in_vain and self._running:
                self._in_vain.touch()
            return None
        spec = self._waiting.popleft()
        self._running[spec.number] = spec
        assert len(self._running) <= self.num_workers
        self.said.append(("begin", spec.number))
        return spec

    def report(self, number: int, progress: Progress) -> Decision:
        assert number in self._running, "an epoch of a trial that does not run"
        self.said.append(("epoch", number, progress.epoch.epoch))
        self.epochs.setdefault(number, []).append(progress)
        decision = self._decide(number, progress.epoch.epoch)
        if decision is not Decision.GO:
            spec = self._running.pop(number)
            self.said.append((decision.name, number))
            if decision is Decision.PAUSE:
                self._waiting.append(replace(spec, resumes=True))
        return decision

    def finish(self, number: int, result: TrialResult) -> None:
        spec = self._running.pop(number)
        self.said.append(("finish", number, result.reason))
        self.results[number] = result
        if result.reason == "worker_lost" and number < 100:
            self._waiting.append(replace(spec, number=number + 100))  # as a search does, under a new number

    def interrupt(self) -> None:
        for number in [*self._running]:
            self.finish(number, failed("interrupted", "the run was interrupted"))

    def of(self, number: int) -> list[tuple[Any, ...]]:
        """Return what was said of one trial."""
        return [(said[0], *said[2:]) for said in self.said if said[1] == number]


def _spec(number: int) -> TrialSpec:
    images = Prepared(directory=Path("nowhere"), source=Source(), seed=0, split="train")
    return TrialSpec(
        number=number, architecture=named("resnet-8"), recipe=Recipe(epochs=EPOCHS), images=images, seed=number
    )


@pytest.fixture
def do(backend: Backend, request: pytest.FixtureRequest, tmp_path: Path) -> TrialFunction:
    """Return a training: trial 2 loses its worker, trial 4 fails, all others come to a result that one can work out.

    Where there are several workers, the one of trial 2 is lost when no other trial is left to begin. It is a closure,
    so that Ray sends it to workers by value.
    """
    in_process, begun, in_vain = "local" in request.node.callspec.id, tmp_path / "begun", tmp_path / "asked in vain"
    begun.mkdir()

    def train(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        for epoch in range(3 if spec.resumes else 1, spec.recipe.epochs + 1):
            (begun / f"{spec.number}-{epoch}").touch()
            value = spec.seed + epoch / 10
            result = EpochResult(epoch=epoch, train_loss=1 / 3, val_loss=0.1, val_accuracy=value, lr=1e-9, seconds=2.0)
            yield Progress(epoch=result, seconds=epoch / 7)
            if spec.number == 2 and epoch == 2:
                if in_process:
                    return
                deadline = time.monotonic() + 120
                while not in_vain.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGKILL)
        if spec.number == 4:
            yield failed("out_of_memory", "ünlucky\n'trial'")
        else:
            measures = {"val_accuracy": spec.seed + 0.4, "of_my_own": 1e-300}
            yield TrialResult(measures=measures, curve=({"epoch": 1, "lr": 1 / 3},), seconds=1 / 7)

    return train


def run(number: int, first: int = 1, last: int = EPOCHS) -> list[tuple[Any, ...]]:
    return [("begin",), *(("epoch", epoch) for epoch in range(first, last + 1))]


def test_every_trial_is_told_in_order_and_ends_once_in_its_own_way(
    backend: Backend, do: TrialFunction, tmp_path: Path
) -> None:
    decisions = {(1, 3): Decision.STOP, (3, 2): Decision.PAUSE}
    book = Book(6, lambda *event: decisions.get(event, Decision.GO), in_vain=tmp_path / "asked in vain")
    backend(book, do)
    complete = [*run(0), ("finish", None)]
    assert book.of(0) == book.of(5) == book.of(102) == complete
    assert book.of(1) == [*run(1, last=3), ("STOP",)]
    assert book.of(2) == [*run(2, last=2), ("finish", "worker_lost")]
    assert book.of(3) == [*run(3, last=2), ("PAUSE",), *run(3, first=3), ("finish", None)]
    assert book.of(4) == [*run(4), ("finish", "out_of_memory")]
    assert {said[1] for said in book.said} == {0, 1, 2, 3, 4, 5, 102}
    for number, seed in ((0, 0), (5, 5), (102, 2), (3, 3)):
        measures = {"val_accuracy": seed + 0.4, "of_my_own": 1e-300}
        expected = TrialResult(measures=measures, curve=({"epoch": 1, "lr": 1 / 3},), seconds=1 / 7)
        assert book.results[number] == expected  # to the last digit
        told = [(each.epoch.val_accuracy, each.seconds) for each in book.epochs[number]]
        assert told == [(seed + epoch / 10, epoch / 7) for epoch in (1, 2, 3, 4)]
    assert book.results[4] == failed("out_of_memory", "ünlucky\n'trial'")
    assert not (tmp_path / "begun" / "1-5").exists()  # a stopped trial is trained no further


def test_nothing_to_do_is_done_at_once(backend: Backend, do: TrialFunction) -> None:
    book = Book(0, lambda *_: Decision.GO)
    backend(book, do)
    assert book.said == []


def test_one_worker_does_one_trial_after_the_other(backend: Backend, do: TrialFunction) -> None:
    book = Book(2, lambda *_: Decision.GO, workers=1)
    backend(book, do)  # the book breaks off if two are given out at a time
    assert book.num_workers == 1
    assert book.said == [
        said
        for number in (0, 1)
        for said in [("begin", number), *(("epoch", number, epoch) for epoch in (1, 2, 3, 4)), ("finish", number, None)]
    ]


@pytest.mark.parametrize("where", ["next_trial", "finish"])
def test_an_error_of_the_work_reaches_the_caller_and_ends_everything(
    where: str, backend: Backend, do: TrialFunction
) -> None:
    class Full(Book):
        def full(self, *arguments: Any) -> Any:
            if self.said.count(("epoch", 0, EPOCHS)):  # the disk runs full when trial 0 has trained its last epoch
                broken.append(where)
                raise StudyError("no room is left")
            return getattr(super(), where)(*arguments)

    broken: list[str] = []
    setattr(Full, where, Full.full)
    book = Full(50, lambda *_: Decision.GO)
    with pytest.raises(StudyError, match="no room is left"):
        backend(book, do)
    assert broken == [where]  # after an error nothing more is asked or told
    assert sum(said[0] == "begin" for said in book.said) <= 4
