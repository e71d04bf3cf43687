"""What is shown while a search runs, of real searches over a trial function that takes no time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from ressearch.report.live import Display, progress
from ressearch.report.summary import summary
from ressearch.search.records import read_study
from ressearch.search.run import Outcome, run
from ressearch.search.study import Search
from ressearch.search.worker import Assignment
from ressearch.training.loop import EpochResult, TrainingError

SPACE = """\
# Is the wider one better?
version: 1
data: {name: digits}
architecture:
  stages: 2
  depth: 1
  stem_width: 8
  width: {choice: [8, 500, 16, 24]}
recipe: {epochs: 2, warmup_epochs: 0}
limits: {num_params: {max: 50_000}}
sampler: {name: grid}
scheduler: {name: none}
ancestors: [resnet-8]
"""


def pretend(assignment: Assignment) -> Iterator[EpochResult]:
    """Be more accurate the higher the trial's number; trial 2 fails."""
    for epoch in (1, 2):
        if assignment.number == 2:
            raise TrainingError("non_finite", "the loss is nan")
        accuracy = 0.5 + 0.1 * assignment.number + 0.01 * epoch
        yield EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "width.yaml"
    path.write_text(SPACE)
    return path


def test_elsewhere_than_on_a_terminal_every_trial_has_one_line(space: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=60)
    directory = tmp_path / "study"
    run(
        space,
        trials=4,
        directory=directory,
        backend="local",
        function=pretend,
        observe=lambda search: progress(search, directory, console),
    )
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split("  ")[:3] for line in lines] == [
        ["trial 0 (resnet-8)", "complete", "0.5200"],
        ["trial 1", "complete", "0.6200"],
        ["trial 2", "failed: non_finite: the loss is nan", "-"],
        ["trial 3", "complete", "0.8200"],
    ]
    assert [line[line.index("[") :] for line in lines] == [
        "[1/4]",  # the ancestor is outside the limits, so it is not the best
        "[2/4, best 0.6200 (trial 1)]",
        "[3/4, best 0.6200 (trial 1)]",
        "[4/4, best 0.8200 (trial 3)]",
    ]


def test_a_second_session_shows_its_own_trials_only(space: Path, tmp_path: Path) -> None:
    directory = tmp_path / "study"
    run(space, trials=2, directory=directory, backend="local", function=pretend)
    console = Console(file=io.StringIO(), width=60)
    run(
        space,
        trials=3,
        directory=directory,
        backend="local",
        function=pretend,
        observe=lambda search: progress(search, directory, console),
    )
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1
    assert lines[0].startswith("trial 2")
    assert lines[0].endswith("[3/3, best 0.6200 (trial 1)]")


def test_the_display_shows_running_trials_and_the_best_against_the_ancestors(space: Path, tmp_path: Path) -> None:
    frames: list[str] = []
    display: Display

    @contextmanager
    def photograph(search: Search) -> Iterator[None]:
        nonlocal display
        display = Display(search, tmp_path / "study")
        yield

    def observed(assignment: Assignment) -> Iterator[EpochResult]:
        for result in pretend(assignment):
            yield result
            console = Console(file=io.StringIO(), width=100)
            console.print(display.render())
            frames.append(console.file.getvalue())  # type: ignore[attr-defined]

    run(space, trials=4, directory=tmp_path / "study", backend="local", function=observed, observe=photograph)
    assert "0/4 finished" in frames[0]
    assert "Is the wider one better?" in frames[0]
    assert "no trial has finished at full length yet" in frames[0]
    assert "resnet-8: 1x[16] 1x[32] 1x[64]" in frames[0]
    words = frames[-1].split()
    assert "3/4" in words  # trials finished
    assert "2/2" in words  # epochs of the running one
    assert "2 complete, 0 pruned, 1 failed, 1 refused untrained (num_params 1)" in frames[-1]
    assert "best found  0.6200" in frames[-1]
    assert "best found +0.1000" in frames[-1]
    assert "Ctrl-C saves and ends" in frames[-1]


def test_a_terminal_is_left_as_it_was(space: Path, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    directory = tmp_path / "study"
    run(
        space,
        trials=1,
        directory=directory,
        backend="local",
        function=pretend,
        observe=lambda search: progress(search, directory, console),
    )
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "/1 finished" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is shown again


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        (1, ["no trial within the limits finished", "1 of 1 trials finished: 1 complete"]),
        (4, ["best: trial 3, val_accuracy 0.8200", "ancestor resnet-8 (trial 0)", "the best found has +0.3000"]),
        (9, ["4 of 9 trials finished", "the space holds no further feasible network"]),
    ],
)
def test_the_summary_says_how_it_ended(space: Path, tmp_path: Path, trials: int, expected: list[str]) -> None:
    directory = tmp_path / "study"
    outcome = run(space, trials=trials, directory=directory, backend="local", function=pretend)
    text = summary(outcome, read_study(directory))
    for part in [*expected, "busy", "overhead", str(directory), "next: ressearch leaderboard"]:
        assert part in text
    assert "interrupted" not in text


def test_the_summary_of_an_interrupted_run_says_how_to_go_on(space: Path, tmp_path: Path) -> None:
    def interrupted(assignment: Assignment) -> Iterator[EpochResult]:
        if assignment.number == 2:
            raise KeyboardInterrupt
        yield from pretend(assignment)

    outcome: Outcome = run(space, trials=4, directory=tmp_path / "study", backend="local", function=interrupted)
    text = summary(outcome, read_study(tmp_path / "study"))
    assert "2 of 4 trials finished" in text
    assert "interrupted; the same command carries on" in text


def test_the_summary_says_that_nothing_was_left_to_do(space: Path, tmp_path: Path) -> None:
    run(space, trials=2, directory=tmp_path / "study", backend="local", function=pretend)
    outcome = run(space, trials=2, directory=tmp_path / "study", backend="local", function=pretend)
    assert "nothing was left to train" in summary(outcome, read_study(tmp_path / "study"))
