"""What is shown while a search runs, of real searches over a trial function that takes no time."""

import io
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from ressearch.experiment import Budget, load_experiment
from ressearch.report.live import Display, progress
from ressearch.report.session_summary import session_summary
from ressearch.search.allowance import Allowance
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, failed
from ressearch.search.ledger import Tell
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import Observe, Outcome, Start, run_session, unobserved
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study
from ressearch.training.loop import EpochResult
from ressearch.training.source import Counts

RECIPE = "lr=0.1 weight_decay=0.0005"
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
baselines: [resnet-8]
"""


def pretend(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
    """Be more accurate the higher the trial's number; trial 2 fails."""
    if spec.number == 2:
        yield failed("non_finite", "non_finite: the loss is nan")
        return
    curve = []
    for epoch in (1, 2):
        accuracy = 0.5 + 0.1 * spec.number + 0.01 * epoch
        result = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=0.0)
        curve.append(asdict(result))
        yield Progress(epoch=result, seconds=0.0)
    yield TrialResult(measures={"val_accuracy": curve[-1]["val_accuracy"]}, curve=tuple(curve), seconds=0.0)


def search(
    path: Path, directory: Path, *, trials: int, do: TrialFunction = pretend, observe: Observe = unobserved
) -> Outcome:
    """Run one session in this process."""
    backend = partial(run_in_process, do=do)
    return run_session(load_experiment(path), directory, backend, trials=trials, observe=observe)


def on(width: int = 60, *, is_terminal: bool | None = None) -> tuple[Observe, io.StringIO]:
    """Return a display, and what it writes."""
    written = io.StringIO()
    console = Console(file=written, width=width, force_terminal=is_terminal)
    return lambda start: progress(start, console), written


def accuracy(value: float) -> str:
    """Return an accuracy over the 144 images of digits that validate, with its standard error."""
    return f"{value:.4f} ±{(value * (1 - value) / 144) ** 0.5:.4f}"


def of_trials(written: io.StringIO) -> list[str]:
    """Return what was written but for the lines on images, which come first."""
    return [line for line in written.getvalue().splitlines() if line.startswith("trial")]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "width.yaml"
    path.write_text(SPACE)
    return path


def test_elsewhere_than_on_a_terminal_every_trial_has_one_line(space: Path, tmp_path: Path) -> None:
    observe, written = on()
    search(space, tmp_path / "study", trials=4, observe=observe)
    lines = of_trials(written)
    assert [line.split("  ")[:3] for line in lines] == [
        ["trial 0 (resnet-8)", "complete", accuracy(0.52)],
        ["trial 1", "complete", accuracy(0.62)],
        ["trial 2", "failed: non_finite: the loss is nan", "-"],
        ["trial 3", "complete", accuracy(0.82)],
    ]
    assert [line[line.index("[") :] for line in lines] == [
        "[1/4]",  # the baseline is outside the limits, so it is not the best
        f"[2/4, best {accuracy(0.62)} (trial 1)]",
        f"[3/4, best {accuracy(0.62)} (trial 1)]",
        f"[4/4, best {accuracy(0.82)} (trial 3)]",
    ]


def test_how_many_images_there_are_is_told_first(space: Path, tmp_path: Path) -> None:
    observe, written = on(200)
    search(space, tmp_path / "study", trials=1, observe=observe)
    lines = written.getvalue().splitlines()
    assert lines[0] == "1,298 images train, 144 validate"
    assert lines[1].startswith("note: only 144 images validate: the standard error of an accuracy is 0.0417 ")
    assert [line.split("  ")[0] for line in lines[2:]] == ["trial 0 (resnet-8)"]


def test_a_budget_of_time_is_shown_and_told_in_the_end(space: Path, tmp_path: Path) -> None:
    observe, written = on(200)
    backend = partial(run_in_process, do=pretend)
    experiment, study = load_experiment(space), tmp_path / "study"
    budget = Budget(hours=1.5, target=0.62)
    outcome = run_session(experiment, study, backend, budget=budget, observe=observe)
    assert of_trials(written)[-1].endswith(f"[2, best {accuracy(0.62)} (trial 1)]")
    text = session_summary(outcome, open_study(study))
    assert text.startswith("2 trials finished: 2 complete, 0 pruned, 0 failed\nended by --target 0.62, after ")
    assert "interrupted" not in text
    again = run_session(experiment, study, backend, budget=budget)
    assert "nothing was left to train; a higher --target goes on" in session_summary(again, open_study(study))


def test_the_display_shows_what_is_left_of_the_time(tmp_path: Path) -> None:
    start = Start(
        directory=tmp_path,
        question="",
        budget=Budget(hours=1.5, patience=4),
        num_epochs=2,
        directions={"val_accuracy": "maximize"},
        records=(),
        refused={},
        seconds_before=3600.0,
        images=Counts(100, 20, 30),
    )
    console = Console(file=io.StringIO(), width=120)
    console.print(Display(start).render())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0 finished, 0.0 s, at most 30 min 00 s left of --hours 1.5, --patience 4" in text
    assert "100 images train, 20 validate, 30 are set aside to test" in text


def test_a_trial_that_the_budget_cuts_short_is_no_failure(space: Path, tmp_path: Path) -> None:
    """An hour passes between two looks at the clock: the first epoch of trial 0 is its last."""
    observe, written = on(200)
    hours = itertools.count(step=1800.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ressearch.search.session.Allowance", partial(Allowance, clock=lambda: next(hours)))
        backend = partial(run_in_process, do=pretend)
        budget = Budget(hours=2.0)
        outcome = run_session(load_experiment(space), tmp_path / "study", backend, budget=budget, observe=observe)
    assert [line.split("  ")[1] for line in of_trials(written)] == [
        "interrupted: the budget is used up (hours 2); if the study goes on, it is trained again"
    ]
    text = session_summary(outcome, open_study(tmp_path / "study"))
    assert "running trials cut short: 1, no failures" in text


def test_a_second_session_shows_its_own_trials_only(space: Path, tmp_path: Path) -> None:
    search(space, tmp_path / "study", trials=2)
    observe, written = on()
    search(space, tmp_path / "study", trials=3, observe=observe)
    lines = of_trials(written)
    assert len(lines) == 1
    assert lines[0].startswith("trial 2")
    assert lines[0].endswith(f"[3/3, best {accuracy(0.62)} (trial 1)]")


def test_the_display_shows_running_trials_and_the_best_against_the_baselines(space: Path, tmp_path: Path) -> None:
    frames: list[str] = []

    @contextmanager
    def photograph(start: Start) -> Iterator[Tell]:
        display = Display(start)

        def tell(record: TrialRecord) -> None:
            display.tell(record)
            console = Console(file=io.StringIO(), width=160)
            console.print(display.render())
            if record.is_open and record.epochs:
                frames.append(console.file.getvalue())  # type: ignore[attr-defined]

        yield tell

    search(space, tmp_path / "study", trials=4, observe=photograph)
    assert "0/4 finished" in frames[0]
    assert "Is the wider one better?" in frames[0]
    assert "no trial has finished at full length yet" in frames[0]
    assert "resnet-8: 1x[16] 1x[32] 1x[64]" in frames[0]
    words = frames[-1].split()
    assert "3/4" in words  # trials finished
    assert "2/2" in words  # epochs of the running one
    assert "2 complete, 0 pruned, 1 failed, 1 refused untrained (num_params 1)" in frames[-1]
    assert f"best found  {accuracy(0.62)}" in frames[-1]
    assert f"trial 1  {RECIPE}" in frames[-1]
    error = math.sqrt((0.52 * 0.48 + 0.62 * 0.38) / 144)
    assert f"best found +0.1000 ±{error:.4f}  {RECIPE}" in frames[-1]
    assert "Ctrl-C saves and ends" in frames[-1]


def test_the_display_marks_a_trial_that_waits(space: Path, tmp_path: Path) -> None:
    told: list[TrialRecord] = []

    @contextmanager
    def keep(_: Start) -> Iterator[Tell]:
        yield told.append

    search(space, tmp_path / "study", trials=2, observe=keep)
    running = next(record for record in told if record.number == 1 and record.epochs == 1)
    start = Start(
        directory=tmp_path,
        question="",
        budget=Budget(trials=2),
        num_epochs=2,
        directions={"val_accuracy": "maximize"},
        records=(),
        refused={},
    )
    display = Display(start)
    display.tell(replace(running, state="paused"))
    console = Console(file=io.StringIO(), width=100)
    console.print(display.render())
    assert "1/2 paused" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_display_is_told_of_every_change(space: Path, tmp_path: Path) -> None:
    told: list[tuple[int, str, int]] = []

    @contextmanager
    def keep(start: Start) -> Iterator[Tell]:
        assert (start.budget.trials, start.num_epochs, start.records) == (2, 2, ())
        assert start.question == "Is the wider one better?"
        yield lambda record: told.append((record.number, record.state, record.epochs))

    search(space, tmp_path / "study", trials=2, observe=keep)
    expected = [("running", 0), ("running", 1), ("running", 2), ("complete", 2)]
    assert told == [(number, *change) for number in (0, 1) for change in expected]


def test_a_terminal_is_left_as_it_was(space: Path, tmp_path: Path) -> None:
    observe, written = on(100, is_terminal=True)
    search(space, tmp_path / "study", trials=1, observe=observe)
    text = written.getvalue()
    assert "/1 finished" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is shown again


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        (1, ["no trial within the limits finished", "1 of 1 trials finished: 1 complete"]),
        (
            4,
            [
                f"best: trial 3, val_accuracy {accuracy(0.82)}",
                "baseline resnet-8 (trial 0)",
                "only 144 images validate",
            ],
        ),
        (
            4,
            [
                "trial 3 leads; no other is tied with it within noise\n",
                "; the best found has +0.3000 ±0.0525, with the same",
            ],
        ),
        (9, ["4 of 9 trials finished", "the space holds no further feasible network"]),
    ],
)
def test_the_summary_says_how_it_ended(space: Path, tmp_path: Path, trials: int, expected: list[str]) -> None:
    directory = tmp_path / "study"
    outcome = search(space, directory, trials=trials)
    text = session_summary(outcome, open_study(directory))
    for part in [*expected, "busy", "overhead", str(directory), "next: ressearch leaderboard"]:
        assert part in text
    assert "interrupted" not in text


def test_the_summary_of_an_interrupted_run_says_how_to_go_on(space: Path, tmp_path: Path) -> None:
    def interrupted(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        if spec.number == 2:
            raise KeyboardInterrupt
        yield from pretend(spec)

    outcome = search(space, tmp_path / "study", trials=4, do=interrupted)
    text = session_summary(outcome, open_study(tmp_path / "study"))
    assert "2 of 4 trials finished" in text
    assert "interrupted; the same command carries on" in text


def test_the_summary_says_that_nothing_was_left_to_do(space: Path, tmp_path: Path) -> None:
    search(space, tmp_path / "study", trials=2)
    outcome = search(space, tmp_path / "study", trials=2)
    assert "nothing was left to train" in session_summary(outcome, open_study(tmp_path / "study"))


def several(space: Path) -> None:
    """Search for small networks, too: the later ones are the more accurate, the widths are 8, 16, 24."""
    text = space.read_text().replace("baselines: [resnet-8]", "objectives: [val_accuracy, num_params]")
    space.write_text(text.replace("choice: [8, 500, 16, 24]", "choice: [8, 24, 16]"))


def pretend_with_size(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
    for event in pretend(replace(spec, number=spec.number + 3)):
        if isinstance(event, TrialResult):
            sizes = {"num_params": 1000.0 * (spec.architecture.stages[0].width or 0)}
            event = replace(event, measures={**event.measures, **sizes})
        yield event


def test_with_several_objectives_lines_and_summary_tell_of_the_front(space: Path, tmp_path: Path) -> None:
    """The third one, of width 16, dominates the second one, of width 24."""
    several(space)
    observe, written = on()
    outcome = search(space, tmp_path / "study", trials=3, do=pretend_with_size, observe=observe)
    lines = of_trials(written)
    assert [line[line.index("[") :] for line in lines] == [
        f"[1/3, best {accuracy(0.82)} (trial 0), front of 1]",
        f"[2/3, best {accuracy(0.92)} (trial 1), front of 2]",
        "[3/3, best 1.0200 ±0.0049 (trial 2), front of 2]",
    ]
    text = session_summary(outcome, open_study(tmp_path / "study"))
    for part in (
        "best: trial 2, val_accuracy 1.0200 ±0.0049,",
        "front: 2 networks that no other dominates in val_accuracy, num_params",
        f"best num_params: 8,000, trial 0, val_accuracy {accuracy(0.82)}",
        f"ressearch export {tmp_path / 'study'} front -o DIR",
    ):
        assert part in text


def test_with_several_objectives_the_display_shows_the_best_in_each(space: Path, tmp_path: Path) -> None:
    several(space)
    frames: list[str] = []

    @contextmanager
    def photograph(start: Start) -> Iterator[Tell]:
        display = Display(start)
        yield display.tell
        console = Console(file=io.StringIO(), width=160)
        console.print(display.render())
        frames.append(console.file.getvalue())  # type: ignore[attr-defined]

    search(space, tmp_path / "study", trials=3, do=pretend_with_size, observe=photograph)
    (line,) = (line for line in frames[0].splitlines() if "front of 2: best num_params" in line)
    assert "0.8200" in line
    assert line.split()[-2:] == ["trial", "0"]


def test_with_one_objective_nobody_speaks_of_fronts(space: Path, tmp_path: Path) -> None:
    observe, written = on()
    outcome = search(space, tmp_path / "study", trials=4, observe=observe)
    assert "front" not in written.getvalue() + session_summary(outcome, open_study(tmp_path / "study"))
