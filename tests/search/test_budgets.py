"""How a search ends by its budget: on both backends, told truthfully, and carried on by more of it."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.experiment import Budget, Resources, load_experiment
from ressearch.samplers import Sampler, Task
from ressearch.samplers.gp import Gp
from ressearch.search import session
from ressearch.search.allowance import Allowance
from ressearch.search.contract import Backend, Progress, TrialFunction, TrialResult, TrialSpec, Work
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import Outcome, run_session
from ressearch.store.files import database_url
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study
from ressearch.training.loop import EpochResult

# Ray and what it starts leave sockets and log files to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


class Clock:
    """A clock that goes on by a minute whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60.0
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the sessions of this test look at."""
    clock = Clock()
    monkeypatch.setattr(session, "Allowance", partial(Allowance, clock=clock))
    return clock


def run(path: Path, do: TrialFunction, **budget: Any) -> Outcome:
    return run_session(
        load_experiment(path), path.parent / "study", partial(run_in_process, do=do), budget=Budget(**budget)
    )


def trials_of(path: Path) -> tuple[TrialRecord, ...]:
    return open_study(path.parent / "study").trials


def by_number(spec: TrialSpec, epoch: int) -> float:
    return 0.01 * spec.number + 0.001 * epoch


def test_time_that_is_up_ends_a_running_trial_after_its_epoch(
    clock: Clock, write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space(baselines="[resnet-8]")
    outcome = run(path, scripted(by_number), hours=0.5)
    assert 1800 <= clock.now < 1800 + 10 * 60  # a few looks at the clock, not another trial
    *finished, last = trials_of(path)
    assert [trial.state for trial in finished] == ["complete"] * len(finished)
    assert (last.state, last.reason) == ("failed", "interrupted")
    assert last.message == "the budget is used up (hours 0.5); if the study goes on, it is trained again"
    assert 1 <= last.epochs < 4
    assert not last.is_finished
    assert (outcome.ended_by, outcome.num_finished, outcome.num_cut_short) == ("hours", len(finished), 1)
    assert not outcome.was_interrupted


def test_the_same_call_does_nothing_and_more_time_goes_on_with_the_same_seed(
    clock: Clock, write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space()
    run(path, scripted(by_number), hours=0.5)
    before = trials_of(path)
    assert before[-1].reason == "interrupted"
    again = run(path, scripted(by_number), hours=0.5)
    assert trials_of(path) == before
    assert (again.ended_by, again.summary["num_trials"], again.was_interrupted) == ("hours", 0, False)
    used = again.seconds
    more = run(path, scripted(by_number), hours=0.5 + used / 3600)
    assert more.seconds > used >= 1800
    repeated = next(trial for trial in trials_of(path) if trial.retry_of == before[-1].number)
    assert (repeated.seed, repeated.state) == (before[-1].seed, "complete")
    assert clock.now > 3600


@pytest.mark.parametrize(
    ("budget", "is_told"),
    [({"trials": 12}, False), ({"trials": 12, "hours": 9.0}, True), ({"patience": 12}, True)],
    ids=["trials", "hours", "patience"],
)
def test_the_sampler_is_told_of_seconds_where_trials_alone_do_not_end_the_search(
    budget: dict[str, Any], is_told: bool, write_space: WriteSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[Task] = []

    def start(settings: Gp, task: Task) -> Sampler:
        tasks.append(task)
        return begin(settings, task)

    begin = Gp.start
    monkeypatch.setattr(Gp, "start", start)
    path = write_space(sampler="gp")
    run(path, pace(lambda _: 2.0), **budget)
    (task,), costs = tasks, [trial.cost for trial in trials_of(path)]
    predicted = [task.seconds(cost) for cost in costs]
    assert predicted == ([pytest.approx(8.0)] * len(costs) if is_told else [None] * len(costs))


def test_time_that_a_killed_driver_used_is_used(
    clock: Clock, write_space: WriteSpace, scripted: Scripted, tmp_path: Path
) -> None:
    """What is there in the middle of the fourth trial is all that a killed driver leaves."""
    path = write_space()
    at: list[float] = []

    def copied(spec: TrialSpec, epoch: int) -> float:
        if (spec.number, epoch) == (3, 2):
            shutil.copytree(tmp_path / "study", tmp_path / "killed")
            at.append(clock.now)
        return by_number(spec, epoch)

    run(path, scripted(copied), trials=5)
    spent = sum(float(one["seconds"]) for one in open_study(tmp_path / "killed").sessions)
    assert 0.8 * at[0] <= spent <= at[0]
    backend = partial(run_in_process, do=scripted(by_number))
    outcome = run_session(load_experiment(path), tmp_path / "killed", backend, budget=Budget(hours=spent / 3600))
    assert (outcome.ended_by, outcome.summary["num_trials"]) == ("hours", 0)


def test_time_in_which_nothing_runs_counts(clock: Clock, write_space: WriteSpace, scripted: Scripted) -> None:
    """The backend needs an hour before it asks for the first trial."""
    path = write_space()

    def late(work: Work) -> None:
        clock.now += 3600
        run_in_process(work, scripted(by_number))

    outcome = run_session(load_experiment(path), path.parent / "study", late, budget=Budget(hours=1.0))
    assert (outcome.ended_by, outcome.num_finished, trials_of(path)) == ("hours", 0, ())


def test_a_trial_that_has_reported_its_last_epoch_is_complete(
    clock: Clock, write_space: WriteSpace, scripted: Scripted
) -> None:
    def slow_at_last(spec: TrialSpec, epoch: int) -> float:
        clock.now += 3600 if epoch == 4 else 0
        return by_number(spec, epoch)

    path = write_space()
    outcome = run(path, scripted(slow_at_last), hours=1.0)
    assert [(trial.state, trial.epochs) for trial in trials_of(path)] == [("complete", 4)]
    assert outcome.num_cut_short == 0


def test_what_hyperband_has_paused_waits_for_more_time(
    clock: Clock, write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space(epochs=9, scheduler="{name: hyperband, reduction_factor: 3}")
    outcome = run(path, scripted(by_number), hours=0.5)
    paused = [trial.number for trial in trials_of(path) if trial.state == "paused"]
    assert outcome.ended_by == "hours"
    assert paused
    assert not [trial for trial in trials_of(path) if trial.state in ("running", "pruned")]
    run(path, scripted(by_number), hours=100.0, trials=12)
    ends = {trial.number: trial.state for trial in trials_of(path)}
    assert all(ends[number] in ("complete", "pruned") for number in paused)


def test_a_target_ends_the_search(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    outcome = run(path, scripted(by_number), target=0.034, trials=20)
    assert [trial.state for trial in trials_of(path)] == ["complete"] * 4
    assert (outcome.ended_by, outcome.num_finished) == ("target", 4)
    assert run(path, scripted(by_number), target=0.05, trials=20).num_finished == 6
    assert run(path, scripted(by_number), target=0.9, trials=7).ended_by == "trials"


def test_patience_ends_the_search(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(baselines="[resnet-8]")
    values = [0.9, 0.2, 0.3, 0.1, 0.3, 0.2, 0.8]
    outcome = run(path, scripted(lambda spec, _: values[spec.number]), patience=3)
    assert (outcome.ended_by, outcome.num_finished) == ("patience", 6)
    assert run(path, scripted(lambda spec, _: values[spec.number]), patience=3).summary["num_trials"] == 0
    more = run(path, scripted(lambda spec, _: values[spec.number]), patience=4, trials=7)
    assert (more.ended_by, more.num_finished) == ("trials", 7)


def pace(seconds_of: Callable[[TrialSpec], float]) -> TrialFunction:
    """Return a training of so many seconds per epoch."""

    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        seconds = seconds_of(spec)
        for epoch in range(1, spec.recipe.epochs + 1):
            result = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=seconds)
            yield Progress(epoch=result, seconds=epoch * seconds)
        yield TrialResult(measures={"val_accuracy": 0.5, "seconds": epoch * seconds})

    return do


def test_a_trial_that_takes_too_long_fails_by_its_own_fault(write_space: WriteSpace) -> None:
    path = write_space(baselines="[resnet-8]", scheduler="{name: asha, first_rung: 1}")
    outcome = run(path, pace(lambda spec: 9.0 if spec.number in (0, 2) else 0.5), trials=5, seconds_per_trial=20.0)
    trials = trials_of(path)
    assert outcome.num_finished == len(trials) == 5  # they count
    for slow in (trials[0], trials[2]):
        assert (slow.state, slow.reason, slow.epochs) == ("failed", "over_time", 3)
        assert slow.message == "over_time: 27 s up to epoch 3 of 4, and seconds_per_trial is 20"
    assert trials[0].baseline == "resnet-8"
    assert not [trial for trial in trials if trial.retry_of is not None]
    assert run(path, pace(lambda _: 0.5), trials=6, seconds_per_trial=20.0).num_finished == 6
    assert not [trial for trial in trials_of(path) if trial.retry_of is not None]


def test_the_last_epoch_may_be_the_one_too_long(write_space: WriteSpace) -> None:
    path = write_space(epochs=1)
    run(path, pace(lambda _: 30.0), trials=1, seconds_per_trial=20.0)
    assert [(trial.state, trial.reason) for trial in trials_of(path)] == [("failed", "over_time")]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_would_take_too_long_is_refused_untrained(sampler: str, write_space: WriteSpace) -> None:
    """The time is proportional to the MACs: from eight trials on the slow ones are told beforehand."""
    path = write_space(sampler=sampler, baselines="[resnet-14]")
    path.write_text(path.read_text().replace("max: 60000", "max: 90000"))

    def seconds(spec: TrialSpec) -> float:
        from ressearch.arch import cost, plan

        return cost(plan(spec.architecture, 1, 10), 8).num_macs / 1e5

    run(path, pace(seconds), trials=8, seconds_per_trial=1e6)
    cap = sorted(4 * trial.num_macs / 1e5 for trial in trials_of(path) if not trial.baseline)[3] + 0.01
    outcome = run(path, pace(seconds), trials=24, seconds_per_trial=cap)
    assert outcome.refused["seconds_per_trial"] > 0
    later = trials_of(path)[8:]
    assert len(later) == 16
    assert {trial.state for trial in later} == {"complete"}
    assert all(4 * trial.num_macs / 1e5 <= cap for trial in later)


def test_time_can_be_limited_as_size_can(write_space: WriteSpace) -> None:
    """What takes longer is trained to the end and never best; once times can be predicted, it is refused."""
    path = write_space(baselines="[resnet-14]")
    text = path.read_text()

    def seconds(spec: TrialSpec) -> float:
        from ressearch.arch import cost, plan

        return cost(plan(spec.architecture, 1, 10), 8).num_params / 1e4

    def limited(cap: float) -> None:
        path.write_text(text.replace("{max: 60000}}", f"{{max: 60000}}, seconds: {{max: {cap:g}}}}}"))

    limited(3.0)
    first = run(path, pace(seconds), trials=10)
    second = run(path, pace(seconds), trials=20)
    trials = trials_of(path)
    assert {trial.state for trial in trials} == {"complete"}
    assert [trial.within_limits for trial in trials] == [trial.seconds <= 3 for trial in trials]
    assert first.num_finished == 10
    assert any(not trial.within_limits for trial in trials[1:10])
    assert all(trial.within_limits for trial in trials[10:])
    assert second.refused["seconds"] > 0
    stored = optuna.load_study(study_name=None, storage=database_url(path.parent / "study"))
    assert {trial.number for trial in stored.best_trials} <= {trial.number for trial in trials if trial.within_limits}
    limited(12.0)
    run(path, pace(seconds), trials=21)
    assert [trial.within_limits for trial in trials_of(path)] == [trial.seconds <= 12 for trial in trials_of(path)]


def test_baselines_are_trained_whatever_is_predicted(write_space: WriteSpace) -> None:
    path = write_space()
    run(path, pace(lambda _: 1.0), trials=9)
    path.write_text(path.read_text().replace("baselines: []", "baselines: [resnet-20]"))
    run(path, pace(lambda _: 1.0), trials=10, seconds_per_trial=2.0)
    last = trials_of(path)[-1]
    assert (last.baseline, last.reason) == ("resnet-20", "over_time")


def test_a_space_that_is_all_too_slow_is_exhausted(write_space: WriteSpace) -> None:
    path = write_space()
    run(path, pace(lambda _: 1.0), trials=9)
    outcome = run(path, pace(lambda _: 1.0), trials=20, seconds_per_trial=2.0)
    assert (outcome.exhausted, outcome.num_finished) == (True, 9)
    assert outcome.refused["seconds_per_trial"] > 100


@pytest.fixture(params=["local", "ray"])
def backend(request: pytest.FixtureRequest) -> Callable[[TrialFunction], Backend]:
    """Return both backends."""
    if request.param == "ray":
        from ressearch.search.ray_backend import run_on_ray

        return lambda do: partial(run_on_ray, do=do)
    return lambda do: partial(run_in_process, do=do)


def test_both_backends_end_running_trials_by_the_budget(
    backend: Callable[[TrialFunction], Backend], write_space: WriteSpace, scripted: Scripted, tmp_path: Path
) -> None:
    """Trial 1 is at its first epoch until trial 0, or what came before, has reached the target."""
    path = write_space(epochs=3)
    work: dict[str, Any] = {}

    def watched(given: Work) -> None:
        work["search"] = given
        backend(scripted(lambda *_: 0.5))(given)

    budget = Budget(target=0.5, trials=50)
    outcome = run_session(load_experiment(path), path.parent / "study", watched, budget=budget)
    trials = trials_of(path)
    assert outcome.ended_by == "target"
    assert 1 <= sum(trial.state == "complete" for trial in trials) <= 2
    assert {trial.reason for trial in trials if trial.state != "complete"} <= {"interrupted"}
    assert len(trials) <= 4
    assert work["search"].ended_by == "target"


def test_a_gpu_that_is_not_there_is_refused_before_any_training(
    backend: Callable[[TrialFunction], Backend], write_space: WriteSpace
) -> None:
    path = write_space()
    path.write_text(path.read_text() + "resources: {gpus_per_trial: 0.5}\n")

    def never(_: TrialSpec) -> Iterator[Progress | TrialResult]:
        raise AssertionError("nothing is to be trained")
        yield

    with pytest.raises(ValueError, match=r"resources\.gpus_per_trial: got 0\.5, and there is no GPU here") as caught:
        run_session(load_experiment(path), path.parent / "study", backend(never), budget=Budget(trials=2))
    assert "\n" not in str(caught.value)
    assert trials_of(path) == ()


def test_without_a_word_on_gpus_the_cpu_will_do() -> None:
    from ressearch.search.ray_backend import placement

    assert placement(Resources(), {"CPU": 2.0}) == (2, {"cpu": 1.0})
    assert placement(Resources(), {"CPU": 2.0, "GPU": 1.0}) == (1, {"cpu": 1.0, "gpu": 1.0})
    with pytest.raises(ValueError, match="there is no GPU here"):
        placement(Resources(gpus_per_trial=1.0), {"CPU": 2.0})
