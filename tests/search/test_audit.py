"""Audit: which networks are trained at full length, how, and what the two rankings have in common."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import scipy.stats

from ressearch.search.audit import Audit, audit_study, sampled
from ressearch.search.contract import Backend, Progress, TrialFunction, TrialResult, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.store.files import StudyError
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.loop import EpochResult

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]
SEARCHED = [0.30, 0.10, 0.50, 0.20, 0.40, 0.60, 0.45, 0.35]
"""Accuracy of each trial at its last epoch, the 4th."""


@pytest.fixture
def study(write_space: WriteSpace, scripted: Scripted, search: Callable[..., StudyRecord]) -> StudyRecord:
    """One baseline and seven networks whose learning rates differ."""
    path = write_space(baselines="[resnet-8]")
    path.write_text(path.read_text().replace("lr: 0.1", "lr: {float: {low: 0.01, high: 0.5, log: true}}"))
    return search(path, scripted(lambda spec, epoch: SEARCHED[spec.number] + 0.01 * (epoch - 4)), trials=8)


def recording(given: list[TrialSpec], accuracy: Callable[[TrialSpec, int], float] = lambda *_: 0.5) -> Backend:
    """Return a backend that keeps what it is given, and its accuracy in every epoch is a function of both."""

    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        given.append(spec)
        curve = []
        for epoch in range(1, spec.recipe.epochs + 1):
            value = accuracy(spec, epoch)
            result = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=value, lr=0.1, seconds=0.5)
            curve.append(asdict(result))
            yield Progress(epoch=result, seconds=0.5)
        yield TrialResult(measures={"val_accuracy": curve[-1]["val_accuracy"]}, curve=tuple(curve), seconds=1.0)

    return partial(run_in_process, do=do)


def audit(study: StudyRecord, backend: Backend, sample: int = 8, epochs: int | None = 2) -> Audit:
    return audit_study(study.directory, backend, sample=sample, epochs=epochs, subset=None)


def by_lr(study: StudyRecord, order: list[int]) -> Callable[[TrialSpec, int], float]:
    """Accuracy by the place of the trial, which the recipe tells, in an order, the best first."""
    place = {(study.trials[number].recipe["lr"]): len(order) - index for index, number in enumerate(order)}
    return lambda spec, epoch: 0.1 * place[spec.recipe.lr] if epoch == spec.recipe.epochs else 0.05 * (spec.number % 3)


# Which networks


def trials(accuracies: list[float], record: TrialRecord) -> list[TrialRecord]:
    curve = [({"epoch": 1, "val_accuracy": value},) for value in accuracies]
    return [replace(record, number=number, curve=each) for number, each in enumerate(curve)]


def test_every_part_of_the_ranking_sends_one_network(study: StudyRecord) -> None:
    several = trials([((37 * number) % 100) / 100 for number in range(100)], study.trials[0])
    chosen = sampled(several, 10, seed=0, kept=())
    tenths = sorted(int((trial.val_accuracy or 0.0) * 10 + 1e-9) for trial in chosen)
    assert tenths == list(range(10))


def test_the_sample_depends_on_the_seed_alone_and_grows(study: StudyRecord) -> None:
    several = trials([0.01 * number for number in range(100)], study.trials[0])
    numbers = {
        (size, seed): {trial.number for trial in sampled(several, size, seed=seed, kept=())}
        for size in (8, 16, 32)
        for seed in (0, 1)
    }
    assert {trial.number for trial in sampled(several[::-1], 16, seed=0, kept=())} == numbers[16, 0]
    assert numbers[8, 0] < numbers[16, 0] < numbers[32, 0]
    assert numbers[16, 0] != numbers[16, 1]


def test_what_was_audited_stays_in_the_sample_and_takes_the_place_of_another(study: StudyRecord) -> None:
    several = trials([0.01 * number for number in range(100)], study.trials[0])
    kept = {0, 55, 56}
    chosen = {trial.number for trial in sampled(several, 10, seed=0, kept=kept)}
    assert kept < chosen
    assert len(chosen) == 10
    assert not (chosen & set(range(50, 60))) - kept  # their tenth of the ranking has sent its share
    assert {trial.number for trial in sampled(several, 4, seed=0, kept=range(9))} == set(range(9))


def test_all_are_taken_where_there_are_fewer(study: StudyRecord) -> None:
    assert len(sampled(study.trials, 16, seed=0, kept=())) == 8


# How they are trained


def test_networks_keep_their_recipe_at_full_length_and_test_images_stay_unread(study: StudyRecord) -> None:
    given: list[TrialSpec] = []
    found = audit(study, recording(given), epochs=None)
    assert len(given) == 8
    by_lr = {trial.recipe["lr"]: trial for trial in study.trials}
    for spec in given:
        assert spec.recipe == replace(by_lr[spec.recipe.lr].build_recipe(), epochs=5 * 4)
        assert spec.architecture == by_lr[spec.recipe.lr].build_architecture()
        assert (spec.test, spec.images.source.subset) == (None, None)
    seeds = {spec.seed for spec in given}
    assert len(seeds) == 8
    assert not seeds & {trial.seed for trial in study.trials}
    assert found.epochs == 20


def test_audits_are_kept_apart_and_only_what_is_missing_is_trained(study: StudyRecord) -> None:
    given: list[TrialSpec] = []
    first = audit(study, recording(given), sample=4)
    assert len(given) == len(first.rows) == 4
    assert audit(study, recording(given), sample=4).rows == first.rows
    assert len(given) == 4
    more = audit(study, recording(given), sample=6)
    assert len(given) == len(more.rows) == 6
    assert {row.trial.number for row in first.rows} < {row.trial.number for row in more.rows}
    audit(study, recording(given), sample=4, epochs=3)
    assert len(given) == 10  # of another length
    now = open_study(study.directory)
    assert (now.trials, now.confirmations, len(now.audits)) == (study.trials, (), 10)
    assert {record.trial_of for record in now.audits} <= set(range(8))


def test_a_failed_training_is_left_out_and_one_that_is_cut_off_is_done_again(study: StudyRecord) -> None:
    def do(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        if spec.number == 1:
            raise KeyboardInterrupt
        yield TrialResult(measures={}, reason="non_finite", message="nan")

    found = audit(study, partial(run_in_process, do=do))
    assert (found.rows, len(found.failures), found.num_missing) == ((), 1, 7)
    assert (found.agreements, found.proxy_curve) == ({}, [])
    found = audit(study, recording([]))
    assert (len(found.rows), [record.message for record in found.failures], found.num_missing) == (7, ["nan"], 0)


@pytest.mark.parametrize("sample", [-1, 0, 3])
def test_a_sample_without_a_ranking_is_refused(study: StudyRecord, sample: int) -> None:
    with pytest.raises(ValueError, match=f"sample >= 4 must hold, got {sample}"):
        audit(study, recording([]), sample=sample)


def test_too_few_complete_trials_are_refused(
    write_space: WriteSpace, scripted: Scripted, search: Callable[..., StudyRecord]
) -> None:
    study = search(write_space(), scripted(lambda *_: 0.5), trials=3)
    with pytest.raises(StudyError, match="an audit needs 4 complete trials or more, got 3"):
        audit(study, recording([]))


# What it comes to


def test_rankings_are_compared_as_scipy_does(study: StudyRecord) -> None:
    order = [5, 6, 2, 4, 7, 0, 1, 3]
    found = audit(study, recording([], by_lr(study, order)))
    assert [row.trial.number for row in found.rows] == [5, 2, 6, 4, 7, 0, 3, 1]
    full = [0.1 * (8 - order.index(row.trial.number)) for row in found.rows]
    assert [row.full.val_accuracy for row in found.rows] == pytest.approx(full)
    for name, of in {
        "val_accuracy": lambda trial: SEARCHED[trial.number],
        "num_params": lambda trial: trial.num_params,
        "num_macs": lambda trial: trial.num_macs,
    }.items():
        values = [of(row.trial) for row in found.rows]
        agreement = found.agreements[name]
        assert agreement.kendall.value == pytest.approx(scipy.stats.kendalltau(values, full).statistic)
        assert agreement.spearman.value == pytest.approx(scipy.stats.spearmanr(values, full).statistic)
    taus = {name: agreement.kendall.value or 0.0 for name, agreement in found.agreements.items()}
    for name in ("num_params", "num_macs"):
        assert found.advantages[name].value == pytest.approx(taus["val_accuracy"] - taus[name])
    assert len(found.proxy_curve) == 4
    assert [estimate.value for estimate in found.full_curve[-1:]] == pytest.approx([1.0])
    assert found.full_curve[0].value != pytest.approx(1.0)


def test_equal_accuracies_rank_nothing(study: StudyRecord) -> None:
    found = audit(study, recording([]))
    assert found.agreements["val_accuracy"].kendall.value is None
    assert found.advantages["num_params"].value is None
