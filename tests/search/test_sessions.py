"""What holds for a study however often it is interrupted, carried on, or asked for from two sides."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ressearch.experiment import load_experiment
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, Work
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import Outcome, run_session
from ressearch.store.files import StudyError
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore
from ressearch.training.loop import EpochResult, TrainingError

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


def session(path: Path, do: TrialFunction, trials: int | None) -> Outcome:
    return run_session(load_experiment(path), path.parent / "study", partial(run_in_process, do=do), trials=trials)


def trials_of(path: Path) -> tuple[TrialRecord, ...]:
    return open_study(path.parent / "study").trials


def constant(*_: object) -> float:
    return 0.5


@pytest.mark.parametrize("seed", range(4))
def test_no_sequence_of_sessions_loses_or_repeats_anything(
    seed: int, write_space: WriteSpace, scripted: Scripted
) -> None:
    """Sessions of random length, whose trials fail, break down or are interrupted at random."""
    rng = random.Random(seed)
    endings = {"fine": 12, "own failure": 2, "breakdown": 2, "interruption": 2}
    drawn: dict[int, str] = {}

    def accuracy(spec: TrialSpec, epoch: int) -> float:
        how = drawn.setdefault(spec.number, rng.choices([*endings], [*endings.values()])[0])
        if epoch == 2 and how == "interruption":
            raise KeyboardInterrupt
        if epoch == 2 and how == "breakdown":
            raise OSError("gone")
        if epoch == 2 and how == "own failure":
            raise TrainingError("non_finite", "nan")
        return rng.random()

    path = write_space(epochs=3, scheduler="{name: asha, first_rung: 1}", baselines="[resnet-8]")
    before: tuple[TrialRecord, ...] = ()
    for target in (4, 7, 7, 10, 10, 10):
        outcome = session(path, scripted(accuracy), target)
        after = trials_of(path)
        finished = [trial for trial in after if trial.is_finished]
        assert after[: len(before)] == before
        assert outcome.num_finished == len(finished) <= target
        assert outcome.was_interrupted is (len(finished) < target)
        assert len({trial.candidate_id for trial in finished}) == len(finished)
        assert sum(trial.baseline is not None for trial in finished) <= 1
        retried = Counter(trial.retry_of for trial in after if trial.retry_of is not None)
        assert set(retried.values()) <= {1}
        for trial in after:
            if trial.retry_of is not None:
                assert trial.candidate_id == after[trial.retry_of].candidate_id
                assert after[trial.retry_of].reason in ("error", "interrupted")
        before = after


def test_a_failure_of_its_own_is_an_end_in_every_session(write_space: WriteSpace, scripted: Scripted) -> None:
    def fail(spec: TrialSpec) -> None:
        if spec.number == 1:
            raise TrainingError("out_of_memory", "too large")

    path = write_space(epochs=1)
    session(path, scripted(constant, fail), 3)
    session(path, scripted(constant), 5)
    trials = trials_of(path)
    assert len(trials) == 5
    assert [trial.retry_of for trial in trials] == [None] * 5


def test_breakdowns_that_are_not_in_a_row_end_nothing(write_space: WriteSpace, scripted: Scripted) -> None:
    def every_other(spec: TrialSpec) -> None:
        if spec.number % 2:
            raise OSError("now and then")

    path = write_space(epochs=1)
    assert session(path, scripted(constant, every_other), 9).num_finished >= 9
    assert Counter(trial.reason for trial in trials_of(path))["error"] >= 6  # five in a row would have ended it


def test_the_baselines_of_earlier_sessions_count_for_early_stopping(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    scheduler = "{name: asha, reduction_factor: 2, first_rung: 2}"
    path = write_space(scheduler=scheduler, baselines="[resnet-8]", max_params=90_000)
    session(path, scripted(lambda *_: 0.9), 1)
    session(path, scripted(lambda *_: 0.1), 3)
    assert [(trial.state, trial.epochs) for trial in trials_of(path)] == [("complete", 4), ("pruned", 2), ("pruned", 2)]


def test_the_study_is_held_from_the_first_trial_to_the_last(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(epochs=1)
    tries: list[str] = []

    def somebody_else(_: TrialSpec) -> None:
        with pytest.raises(StudyError, match="another `ressearch` is working on this study") as refused:
            session(path, scripted(constant), 1)
        tries.append(str(refused.value))

    session(path, scripted(constant, somebody_else), 3)
    assert len(tries) == 3
    assert len(trials_of(path)) == 3
    with TrialStore(path.parent / "study").lease():
        pass  # it is let go afterwards


def test_the_number_that_is_asked_for_wins_over_the_files(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space(epochs=1)
    path.write_text(path.read_text() + "budget: {trials: 2}\n")
    assert session(path, scripted(constant), 3).num_finished == 3
    assert session(path, scripted(constant), None).num_finished == 3  # the file's two are there already


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("val_images: 200", "val_images: 100", "val_images"),
        ("subset: 400", "subset: 300", "subset"),
        ("batch_size: 50", "batch_size: 25", "batch_size"),
        ("epochs: 4", "epochs: 5", "epochs"),
        ("seed: 0", "seed: 1", "seed"),
        ("{name: none}", "{name: median}", "scheduler"),
        ("name: random", "name: tpe", "sampler"),
        ("[val_accuracy]", "[val_accuracy, num_macs]", "objectives"),
        ("stem_width: 8", "stem_width: 16", "stem_width"),
    ],
)
def test_trials_of_two_experiments_never_mix(
    old: str, new: str, said: str, write_space: WriteSpace, scripted: Scripted
) -> None:
    path = write_space()
    session(path, scripted(constant), 1)
    before = trials_of(path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(StudyError, match=said):
        session(path, scripted(constant), 2)
    assert trials_of(path) == before


def test_a_trial_goes_on_with_the_time_and_the_epochs_that_it_had(write_space: WriteSpace, scripted: Scripted) -> None:
    given: list[TrialSpec] = []
    path = write_space(epochs=9, scheduler="{name: hyperband, reduction_factor: 3, first_rung: 3}")
    session(path, scripted(lambda spec, _: 0.9 - 0.1 * spec.number, given.append), 3)
    first, *_, again = given
    assert (first.number, first.seconds, first.resumes) == (0, 0.0, False)
    assert (again.number, again.seconds, again.resumes) == (0, 1.5, True)  # half a second per epoch
    assert again.checkpoint == first.checkpoint
    assert 3 in again.checkpoint_epochs


def test_the_account_of_a_session_knows_how_many_worked(write_space: WriteSpace) -> None:
    """Two workers, one of which does everything, are busy for half of the time at most."""

    def one_of_two(work: Work) -> None:
        work.num_workers = 2
        while spec := work.next_trial():
            for epoch in (1, 2):
                done = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=0.5, lr=0.1, seconds=0.0)
                work.report(spec.number, Progress(epoch=done, seconds=0.0))
            work.finish(spec.number, TrialResult(measures={"val_accuracy": 0.5}, seconds=1e6))

    path = write_space(epochs=2)
    outcome = run_session(load_experiment(path), path.parent / "study", one_of_two, trials=1)
    assert outcome.summary["num_workers"] == 2
    assert outcome.summary["busy_share"] == pytest.approx(0.5)
    assert outcome.summary["overhead_per_trial"] == pytest.approx(1e6)


def test_a_backend_that_raises_leaves_nothing_running(write_space: WriteSpace) -> None:
    def breaks(work: Work) -> None:
        assert work.next_trial()
        raise RuntimeError("of the backend's own")

    path = write_space()
    with pytest.raises(RuntimeError, match="of the backend's own"):
        run_session(load_experiment(path), path.parent / "study", breaks, trials=2)
    assert [(trial.state, trial.reason) for trial in trials_of(path)] == [("failed", "interrupted")]


def test_an_interruption_before_the_first_trial_leaves_a_study_to_carry_on(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    def interrupted(work: Work) -> None:
        work.interrupt()

    path = write_space(epochs=1)
    outcome = run_session(load_experiment(path), path.parent / "study", interrupted, trials=2)
    assert outcome.was_interrupted
    assert trials_of(path) == ()
    assert session(path, scripted(constant), 2).num_finished == 2
