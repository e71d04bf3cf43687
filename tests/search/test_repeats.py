"""The best networks are trained again within the budget: which, how often, and what is then made of it."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ressearch.experiment import Budget, load_experiment
from ressearch.report.leaderboard import leaderboard_rows
from ressearch.search.contract import TrialFunction, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.session import run_session
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.loop import TrainingError

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


def searched(
    path: Path, do: TrialFunction, trials: int, share: float | None = None, name: str = "study"
) -> StudyRecord:
    budget = Budget(trials=trials, repeat_share=share)
    backend = partial(run_in_process, do=do)
    outcome = run_session(load_experiment(path), path.parent / name, backend, budget=budget)
    return open_study(outcome.directory)


def noisy(spec: TrialSpec, epoch: int) -> float:
    """Wider is better; every seed adds up to 0.05."""
    return 0.3 + 0.05 * epoch + 0.002 * (spec.architecture.stages[1].width or 0) + 0.05 * (spec.seed % 1000) / 1000


def test_a_share_of_the_epochs_repeats_the_best(write_space: WriteSpace, scripted: Scripted) -> None:
    study = searched(write_space(scheduler="{name: asha, first_rung: 2}"), scripted(noisy), trials=80)
    repeats = [trial for trial in study.trials if trial.trial_of is not None]
    assert min(trial.number for trial in repeats) >= 20
    epochs = [sum(trial.epochs for trial in trials) for trials in (repeats, study.trials)]
    assert 0.07 <= epochs[0] / epochs[1] <= 0.13
    assert [trial.number for trial in repeats] == [*range(80 - len(repeats), 80)]
    by_number = {trial.number: trial for trial in study.trials}
    for repeat in repeats:
        original = by_number[repeat.trial_of or 0]
        assert original.state == "complete"
        assert (repeat.architecture_id, repeat.recipe) == (original.architecture_id, original.recipe)
        assert repeat.params == original.params
        assert (repeat.state, repeat.epochs) == ("complete", 4)
    assert len({trial.seed for trial in study.trials}) == 80
    assert max(Counter(repeat.trial_of for repeat in repeats).values()) <= 5
    good = sorted((trial.val_accuracy or 0.0 for trial in study.trials if trial.is_ranked), reverse=True)
    assert all((by_number[repeat.trial_of or 0].val_accuracy or 0.0) >= good[len(good) // 2] for repeat in repeats)


def test_the_networks_that_are_tried_are_the_same_without_repeats(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    tried = [
        [trial.candidate_id for trial in searched(path, scripted(noisy), 40, share, name).trials if not trial.trial_of]
        for name, share in (("with", None), ("without", 0.0))
    ]
    assert len(tried[0]) < len(tried[1]) == 40
    assert tried[1][: len(tried[0])] == tried[0]


def test_one_that_was_only_lucky_is_not_the_best(write_space: WriteSpace, scripted: Scripted) -> None:
    def accuracy(spec: TrialSpec, epoch: int) -> float:
        return 0.62 if spec.number == 5 else noisy(spec, epoch)

    study = searched(write_space(), scripted(accuracy), trials=60)
    assert study.trials[5].val_accuracy == 0.62
    assert study.best.number != 5
    assert study.best.num_runs > 1
    row = next(row for row in leaderboard_rows(study) if row.trial.number == 5)
    columns = row.columns()
    assert row.rank is not None
    assert row.rank > 1
    assert columns["val_accuracy"] == 0.62
    assert columns["num_runs"] > 1
    assert columns["estimate"] < 0.62


def test_a_repeat_has_no_rank_of_its_own(write_space: WriteSpace, scripted: Scripted) -> None:
    study = searched(write_space(), scripted(noisy), trials=40)
    rows = leaderboard_rows(study)
    repeats = [row for row in rows if row.trial.trial_of is not None]
    assert repeats
    assert {row.rank for row in repeats} == {None}
    assert all(row.note == f"trial {row.trial.trial_of} again" for row in repeats)
    assert sum(row.rank is not None for row in rows) == 40 - len(repeats)


def test_a_later_session_goes_on_with_the_same_share(write_space: WriteSpace, scripted: Scripted) -> None:
    """Where it is the longest, it makes up for what an earlier end has spent."""
    path = write_space()
    for trials in (25, 35, 60):
        study = searched(path, scripted(noisy), trials=trials, share=0.2)
        num_repeats = sum(trial.trial_of is not None for trial in study.trials)
        assert 0.2 * trials - 1 <= num_repeats <= 0.2 * trials + 1


def test_without_an_end_repeats_are_spread(write_space: WriteSpace, scripted: Scripted) -> None:
    path = write_space()
    budget = Budget(patience=60, repeat_share=0.2)
    outcome = run_session(
        load_experiment(path), path.parent / "study", partial(run_in_process, do=scripted(noisy)), budget=budget
    )
    trials = open_study(outcome.directory).trials
    numbers = [trial.number for trial in trials if trial.trial_of is not None]
    assert numbers[0] in range(20, 26)
    assert 0.15 <= len(numbers) / len(trials) <= 0.2
    assert not set(range(numbers[0], len(trials))) <= set(numbers)


def test_a_repeat_that_fails_changes_nothing_and_one_that_breaks_down_is_trained_again(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    seen: Counter[int] = Counter()

    def before(spec: TrialSpec) -> None:
        seen[spec.seed] += 1
        if spec.number == 25:
            raise TrainingError("non_finite", "loss is nan")
        if spec.number == 27 and seen[spec.seed] == 1:
            raise OSError("no such device")

    study = searched(write_space(), scripted(noisy, before), trials=30, share=0.2)
    failed, broken = study.trials[25], study.trials[27]
    assert (failed.state, failed.reason) == ("failed", "non_finite")
    assert failed.trial_of is not None
    assert study.trial(failed.trial_of).is_ranked
    assert broken.reason == "error"
    if broken.trial_of is not None:
        again = next(trial for trial in study.trials if trial.retry_of == 27)
        assert (again.trial_of, again.seed, again.state) == (broken.trial_of, broken.seed, "complete")


def test_small_searches_and_a_share_of_none_repeat_nothing(write_space: WriteSpace, scripted: Scripted) -> None:
    for trials, share in ((20, None), (40, 0.0)):
        study = searched(write_space(), scripted(noisy), trials, share, name=f"study-{trials}")
        assert {trial.trial_of for trial in study.trials} == {None}


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0])
def test_a_share_is_below_one(share: float) -> None:
    with pytest.raises(ValueError, match="0 <= repeat_share < 1 must hold"):
        Budget(repeat_share=share)
