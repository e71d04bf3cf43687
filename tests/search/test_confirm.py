"""Confirmation: who is trained again, with which recipe and seeds, and what is kept."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import optuna
import pytest
import torch

from ressearch.search.confirm import Confirmation, Confirmed, confirm_study
from ressearch.search.contestants import Contestant, contestants_of
from ressearch.search.contract import Backend, Progress, TrialFunction, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.store.files import StudyError, database_url
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.store.trial_store import TrialStore
from ressearch.training.data import load, load_test
from ressearch.training.loop import EpochResult, TrainingError

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


@pytest.fixture
def study(write_space: WriteSpace, scripted: Scripted, search: Callable[..., StudyRecord]) -> StudyRecord:
    """Two baselines, one outside the limits, and four networks whose learning rates differ; the later, the better."""
    path = write_space(baselines="[resnet-14, resnet-8]")
    text = path.read_text().replace("lr: 0.1", "lr: {float: {low: 0.01, high: 0.5, log: true}}")
    path.write_text(text.replace("max: 60000", "max: 76000"))
    return search(path, scripted(lambda spec, epoch: 0.1 * spec.number + 0.01 * epoch), trials=6)


def recording(given: list[TrialSpec]) -> Backend:
    """Return a backend whose test accuracy is 0.5 plus a hundredth per training, in the order of the trainings."""

    def do(spec: TrialSpec):  # type: ignore[no-untyped-def]
        given.append(spec)
        epoch = EpochResult(epoch=1, train_loss=1.0, val_loss=1.0, val_accuracy=0.3, lr=0.1, seconds=0.0)
        yield Progress(epoch=epoch, seconds=1.0)
        yield TrialResult(measures={"test_accuracy": 0.5 + 0.01 * len(given)}, seconds=1.0)

    return partial(run_in_process, do=do)


def test_the_best_and_the_baselines_meet_with_both_recipes(study: StudyRecord) -> None:
    found = contestants_of(study, top=2, epochs=7, num_images=None)
    winner = study.trials[5]
    assert [(one.name, one.trial.number, one.recipe.lr) for one in found] == [
        ("trial 5 (7 epochs, all images)", 5, winner.recipe["lr"]),
        ("trial 4 (7 epochs, all images)", 4, study.trials[4].recipe["lr"]),
        ("resnet-14 (7 epochs, all images)", 0, 0.1),
        ("resnet-8 (7 epochs, all images)", 1, 0.1),
        ("resnet-14, recipe of trial 5 (7 epochs, all images)", 0, winner.recipe["lr"]),
        ("resnet-8, recipe of trial 5 (7 epochs, all images)", 1, winner.recipe["lr"]),
    ]
    assert {one.recipe.epochs for one in found} == {7}
    assert [one.recipe_of for one in found] == [None, None, None, None, 5, 5]
    assert not study.trials[0].within_limits  # and yet it meets the best network with equal recipes


def test_every_contestant_is_trained_with_every_seed_and_tested_once(study: StudyRecord) -> None:
    given: list[TrialSpec] = []
    rows = confirm_study(study.directory, recording(given), top=1, num_seeds=2, epochs=None, subset=None).rows
    assert len(given) == 5 * 2
    seeds = list(dict.fromkeys(spec.seed for spec in given))
    assert len(seeds) == 2
    assert not set(seeds) & {trial.seed for trial in study.trials}  # fresh ones
    for spec in given:
        assert (spec.images.split, spec.images.source.subset) == ("train", None)
        assert spec.test is not None
        assert spec.test.split == "test"
        assert spec.weights is None
    assert given[0].test is not None
    num_test_images = len(load_test(given[0].test, "cpu")[1])
    assert {trial.num_test_images for trial in open_study(study.directory).confirmations} == {num_test_images}
    assert rows[0].accuracies == pytest.approx((0.51, 0.56))  # first and sixth training
    assert rows[0].mean == pytest.approx(0.535)
    assert rows[0].std == pytest.approx(0.025 * 2**0.5)


def test_what_is_done_is_not_trained_again_and_seeds_add_up(study: StudyRecord) -> None:
    given: list[TrialSpec] = []
    first = confirm_study(study.directory, recording(given), top=1, num_seeds=1, epochs=3, subset=None)
    again = confirm_study(study.directory, recording(given), top=1, num_seeds=1, epochs=3, subset=None)
    assert len(given) == 5
    assert first == again
    assert first.rows[0].std is None
    more = confirm_study(study.directory, recording(given), top=1, num_seeds=3, epochs=3, subset=None)
    assert len(given) == 5 * 3
    assert [row.accuracies[0] for row in more.rows] == [row.accuracies[0] for row in first.rows]
    confirm_study(study.directory, recording(given), top=1, num_seeds=1, epochs=4, subset=None)
    assert len(given) == 5 * 3 + 5  # other epochs are other trainings


def test_what_validated_in_the_search_validates_again(
    write_space: WriteSpace, scripted: Scripted, search: Callable[..., StudyRecord]
) -> None:
    """A confirmation may train on more images, but on none that the networks were chosen by."""
    searched: list[TrialSpec] = []
    study = search(write_space(seed=5), scripted(lambda *_: 0.5, searched.append), trials=1)
    confirmed: list[TrialSpec] = []
    confirm_study(study.directory, recording(confirmed), top=1, num_seeds=1, epochs=None, subset=None)
    chosen_by, again = load(searched[0].images, "cpu"), load(confirmed[0].images, "cpu")
    assert torch.equal(again.val_images[:], chosen_by.val_images[:])
    assert len(again.train_images) > len(chosen_by.train_images) == 400


def test_a_study_in_use_is_not_confirmed_nor_searched_while_it_is_confirmed(study: StudyRecord) -> None:
    with TrialStore(study.directory).lease(), pytest.raises(StudyError, match="is working on this study"):
        confirm_study(study.directory, recording([]), top=1, num_seeds=1, epochs=None, subset=None)
    held: list[int] = []

    def do(spec: TrialSpec):  # type: ignore[no-untyped-def]
        with pytest.raises(StudyError, match="is working on this study"), TrialStore(study.directory).lease():
            pass
        held.append(spec.number)
        yield TrialResult(measures={"test_accuracy": 0.5}, seconds=1.0)

    confirm_study(study.directory, partial(run_in_process, do=do), top=1, num_seeds=1, epochs=None, subset=None)
    assert held == [0, 1, 2, 3, 4]


def test_confirmations_stay_apart_from_the_trials(study: StudyRecord) -> None:
    confirm_study(study.directory, recording([]), top=1, num_seeds=1, epochs=None, subset=100)
    now = open_study(study.directory)
    assert now.trials == study.trials
    assert now.best == study.best
    assert [trial.group for trial in now.confirmations] == [
        "trial 5 (4 epochs, 100 images)",
        "resnet-14 (4 epochs, 100 images)",
        "resnet-8 (4 epochs, 100 images)",
        "resnet-14, recipe of trial 5 (4 epochs, 100 images)",
        "resnet-8, recipe of trial 5 (4 epochs, 100 images)",
    ]
    assert [trial.trial_of for trial in now.confirmations] == [5, 0, 1, 0, 1]
    assert [trial.recipe_of for trial in now.confirmations] == [None, None, None, 5, 5]
    names = optuna.get_all_study_names(database_url(study.directory))
    assert sorted(names) == ["study", "study confirmation"]


def test_a_training_that_fails_is_left_out_and_one_that_is_cut_off_is_trained_again(study: StudyRecord) -> None:
    def do(spec: TrialSpec):  # type: ignore[no-untyped-def]
        if spec.number == 1:
            raise KeyboardInterrupt
        yield TrialResult(measures={}, reason="non_finite", message="nan")

    found = confirm_study(study.directory, partial(run_in_process, do=do), top=1, num_seeds=1, epochs=None, subset=None)
    assert [(row.mean, row.accuracies) for row in found.rows] == [(None, ())] * 5
    assert (found.num_missing, found.leader, found.comparisons) == (4, None, ())
    given: list[TrialSpec] = []
    rows = confirm_study(study.directory, recording(given), top=1, num_seeds=1, epochs=None, subset=None).rows
    assert len(given) == 4  # the one that failed for a reason of its own is not tried again
    assert [len(row.accuracies) for row in rows] == [0, 1, 1, 1, 1]
    assert [row.failures for row in rows] == [("nan",), (), (), (), ()]


def test_a_breakdown_ends_the_confirmation(study: StudyRecord) -> None:
    def do(_: TrialSpec):  # type: ignore[no-untyped-def]
        yield TrialResult(measures={}, reason="error", message="OSError: gone")

    with pytest.raises(StudyError, match=r"a training broke down \(OSError: gone\); mend that"):
        confirm_study(study.directory, partial(run_in_process, do=do), top=1, num_seeds=1, epochs=None, subset=None)


@pytest.mark.parametrize(("name", "values"), [("top", (0, 1, 1)), ("seeds", (1, 0, 1)), ("epochs", (1, 1, 0))])
def test_numbers_below_one_are_refused(study: StudyRecord, name: str, values: tuple[int, int, int]) -> None:
    top, seeds, epochs = values
    with pytest.raises(ValueError, match=f"{name} >= 1 must hold, got 0"):
        confirm_study(study.directory, recording([]), top=top, num_seeds=seeds, epochs=epochs, subset=None)


def test_without_a_complete_trial_there_is_nothing_to_confirm(
    write_space: WriteSpace, scripted: Scripted, search: Callable[..., StudyRecord]
) -> None:
    def fail(_: TrialSpec) -> None:
        raise TrainingError("non_finite", "nan")

    study = search(write_space(), scripted(lambda *_: 0.0, fail), trials=2)
    with pytest.raises(StudyError, match="no trial is complete, so there is nothing to confirm"):
        confirm_study(study.directory, recording([]), top=1, num_seeds=1, epochs=None, subset=None)


def test_epochs_that_a_recipe_cannot_have_are_named_with_the_trial(
    write_space: WriteSpace, scripted: Scripted, search: Callable[..., StudyRecord]
) -> None:
    path = write_space()
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.1, warmup_epochs: 2"))
    study = search(path, scripted(lambda *_: 0.5), trials=1)
    with pytest.raises(ValueError, match="epochs: the recipe of trial 0 cannot have 2: 0 <= warmup_epochs < epochs"):
        confirm_study(study.directory, recording([]), top=1, num_seeds=1, epochs=2, subset=None)


# Who leads, and by how much


def confirmed(study: StudyRecord, title: str, accuracies: dict[int, float], *, is_found: bool = True) -> Confirmed:
    trial = study.trials[5 if is_found else 0]
    contestant = Contestant(title=title, length="", trial=trial, recipe=trial.build_recipe())
    return Confirmed(contestant=contestant, by_seed=accuracies)


def test_the_leader_meets_the_runner_up_and_every_baseline_seed_by_seed(study: StudyRecord) -> None:
    found = Confirmation(
        rows=(
            confirmed(study, "second", {1: 0.60, 2: 0.70, 3: 0.61}),
            confirmed(study, "first", {1: 0.61, 2: 0.72, 3: 0.64}),
            confirmed(study, "third", {1: 0.1, 2: 0.2, 3: 0.3}),
            confirmed(study, "failed", {}),
            confirmed(study, "baseline", {3: 0.50, 1: 0.51}, is_found=False),
            confirmed(study, "better baseline", {1: 0.9, 2: 0.9, 3: 0.9}, is_found=False),
        ),
        num_seeds=3,
    )
    assert found.leader is found.rows[1]
    assert [one.rival.contestant.title for one in found.comparisons] == ["second", "baseline", "better baseline"]
    assert [one.is_runner_up for one in found.comparisons] == [True, False, False]
    second, baseline, better = (one.paired for one in found.comparisons)
    assert second.differences == pytest.approx((0.01, 0.02, 0.03))
    assert second.interval == pytest.approx((0.02 - 4.303 * 0.01 / 3**0.5, 0.02 + 4.303 * 0.01 / 3**0.5), abs=1e-5)
    assert baseline.differences == pytest.approx((0.10, 0.14))  # seeds 1 and 3; the baseline lost seed 2
    assert better.mean == pytest.approx(-0.2433, abs=1e-4)
    assert found.num_missing == 4
