"""What a search tells its sampler, its scheduler, its workers and its displays, seen by whoever is told."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ressearch.experiment import Experiment, load_experiment
from ressearch.samplers import Params, Sampler, SamplerSettings, Task
from ressearch.schedulers import Decision, Rule, SchedulerSettings
from ressearch.search.contract import TrialFunction, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import Outcome, Start, run_session
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.loop import TrainingError

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]

NEW: Params = {"depth": 1, "width_1": 8, "width_2": 16, "transform": "basic", "ordering": "original"}
TOO_LARGE: Params = {**NEW, "depth": 3, "width_1": 16, "width_2": 32}
OTHERS: list[Params] = [{**NEW, "width_1": 12}, {**NEW, "width_2": 24}, {**NEW, "width_1": 12, "width_2": 24}]


@dataclass(frozen=True, kw_only=True)
class Watched(SamplerSettings):
    """Proposes the points that it is given, and writes down what it is told of them."""

    points: ClassVar[list[Params]] = []
    said: ClassVar[list[tuple[Any, ...]]] = []

    def start(self, task: Task) -> Sampler:  # noqa: ARG002
        return _Watched()


class _Watched(Sampler):
    def ask(self) -> Params | None:
        return Watched.points.pop(0) if Watched.points else None

    def refuse(self, *, is_duplicate: bool) -> None:
        Watched.said.append(("duplicate" if is_duplicate else "infeasible",))

    def begin(self, number: int, params: Params) -> None:
        Watched.said.append(("begin", number, dict(params)))

    def tell(self, record: TrialRecord) -> None:
        Watched.said.append(
            (record.state, record.number, record.reason, [each["val_accuracy"] for each in record.curve])
        )

    def restore(self, records: Iterable[TrialRecord]) -> None:
        found = [(record.number, record.state, record.epochs) for record in records]
        if found:
            Watched.said.append(("restore", found))


@dataclass(frozen=True, kw_only=True)
class Judge(SchedulerSettings):
    """Stops trial 1 after its second epoch, and writes down what it sees."""

    said: ClassVar[list[tuple[Any, ...]]] = []

    def start(self, num_epochs: int) -> Rule:  # noqa: ARG002
        return _Judge()


class _Judge(Rule):
    def decide(self, number: int, epoch: int, value: Any) -> Decision:  # noqa: ARG002
        Judge.said.append(("decide", number, epoch))
        return Decision.STOP if (number, epoch) == (1, 2) else Decision.GO

    def record(self, number: int, epoch: int, value: Any) -> None:  # noqa: ARG002
        Judge.said.append(("record", number, epoch))

    def ended(self, number: int) -> None:
        Judge.said.append(("ended", number))


@pytest.fixture(autouse=True)
def _nothing_said() -> Iterator[None]:
    yield
    for said in (Watched.points, Watched.said, Judge.said):
        said.clear()


def session(experiment: Experiment, do: TrialFunction, trials: int, **options: Any) -> Outcome:
    directory = Path(experiment.origin.path).parent / "study"
    return run_session(experiment, directory, partial(run_in_process, do=do), trials=trials, **options)


def study_of(experiment: Experiment) -> StudyRecord:
    return open_study(Path(experiment.origin.path).parent / "study")


def by_number(spec: TrialSpec, epoch: int) -> float:
    return 0.1 * spec.number + 0.01 * epoch


def test_a_sampler_is_told_of_every_refusal_and_every_end_as_it_was(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    def fail(spec: TrialSpec) -> None:
        if spec.number == 2:
            raise TrainingError("non_finite", "nan")

    experiment = replace(load_experiment(write_space()), sampler=Watched(), scheduler=Judge())
    Watched.points += [TOO_LARGE, NEW, NEW, TOO_LARGE, OTHERS[0], OTHERS[1]]
    session(experiment, scripted(by_number, fail), trials=3)
    assert Watched.said == [
        ("infeasible",),
        ("begin", 0, NEW),
        ("complete", 0, None, pytest.approx([0.01, 0.02, 0.03, 0.04])),
        ("duplicate",),
        ("infeasible",),
        ("begin", 1, OTHERS[0]),
        ("pruned", 1, None, pytest.approx([0.11, 0.12])),
        ("begin", 2, OTHERS[1]),
        ("failed", 2, "non_finite", []),
    ]


def test_a_later_session_tells_its_sampler_of_all_that_was_and_knows_its_candidates(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    experiment = replace(load_experiment(write_space()), sampler=Watched(), scheduler=Judge())
    Watched.points += [NEW, OTHERS[0]]
    session(experiment, scripted(by_number), trials=2)
    Watched.said.clear()
    Watched.points += [OTHERS[0], NEW, OTHERS[1]]  # trial 1 was stopped, trial 0 was not: both are known
    session(experiment, scripted(by_number), trials=3)
    restored, *rest = Watched.said
    assert restored == ("restore", [(0, "complete", 4), (1, "pruned", 2)])
    assert [each[0] for each in rest] == ["duplicate", "duplicate", "begin", "complete"]


def test_every_session_starts_its_sampler_with_a_seed_of_its_own(write_space: WriteSpace, scripted: Scripted) -> None:
    """Were it the same one, the draws of the first session would come again, and all be duplicates."""
    path = write_space(seed=11)
    path.write_text(path.read_text().replace("lr: 0.1", "lr: {float: {low: 0.001, high: 1.0}}"))
    experiment = load_experiment(path)
    refused = [session(experiment, scripted(by_number), trials=trials).refused for trials in (3, 6, 9)]
    assert all("duplicate" not in each for each in refused)


def test_a_scheduler_sees_every_epoch_and_judges_neither_the_last_nor_a_baseline(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    experiment = replace(load_experiment(write_space(baselines="[resnet-8]", max_params=90_000)), scheduler=Judge())
    session(experiment, scripted(by_number), trials=3)
    baseline = [("record", 0, epoch) for epoch in (1, 2, 3, 4)]
    stopped = [("decide", 1, epoch) for epoch in (1, 2)]
    complete = [*(("decide", 2, epoch) for epoch in (1, 2, 3)), ("record", 2, 4)]
    assert Judge.said == [*baseline, ("ended", 0), *stopped, ("ended", 1), *complete, ("ended", 2)]


def test_a_later_session_shows_its_scheduler_all_curves_and_all_ends(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    def interrupt(spec: TrialSpec, epoch: int) -> float:
        if (spec.number, epoch) == (2, 3):
            raise KeyboardInterrupt
        return by_number(spec, epoch)

    experiment = replace(load_experiment(write_space(baselines="[resnet-8]", max_params=90_000)), scheduler=Judge())
    session(experiment, scripted(interrupt), trials=4)
    assert [trial.state for trial in study_of(experiment).trials] == ["complete", "pruned", "failed"]
    Judge.said.clear()
    session(experiment, scripted(by_number), trials=3)
    replayed = Judge.said[: Judge.said.index(("decide", 3, 1))]
    seen = [said for said in replayed if said[0] == "record" and said[2] < 4]
    assert seen == [("record", number, epoch) for number, epochs in ((0, 3), (1, 2)) for epoch in range(1, epochs + 1)]
    assert [said[1] for said in replayed if said[0] == "ended"] == [0, 1, 2]


def test_workers_are_told_what_to_measure_and_how_many_threads_they_have(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    given: list[TrialSpec] = []
    path = write_space(objectives="[val_accuracy, num_macs]")
    path.write_text(path.read_text() + "resources: {cpus_per_trial: 2}\n")
    session(load_experiment(path), scripted(by_number, given.append), trials=2)
    assert {frozenset(spec.measures) for spec in given} == {frozenset({"val_accuracy", "num_macs", "seconds"})}
    assert {spec.num_threads for spec in given} == {2}


def test_what_a_display_is_told_is_in_the_book_already(write_space: WriteSpace, scripted: Scripted) -> None:
    experiment = replace(load_experiment(write_space()), scheduler=Judge())
    told: list[tuple[str, int]] = []

    @contextmanager
    def observe(start: Start) -> Iterator[Callable[[TrialRecord], None]]:
        def tell(record: TrialRecord) -> None:
            told.append((record.state, record.epochs))
            written = study_of(experiment).trials[record.number]
            assert (written.state, written.epochs, written.val_accuracy) == (
                record.state,
                record.epochs,
                record.val_accuracy,
            )

        yield tell

    session(experiment, scripted(by_number), trials=2, observe=observe)
    assert told[-4:] == [("running", 0), ("running", 1), ("running", 2), ("pruned", 2)]
