"""A search for accurate and small networks: who is stopped, what the study says of it, and what later sessions do."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ressearch.experiment import load_experiment
from ressearch.search.contestants import contestants_of
from ressearch.search.contract import TrialFunction, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.restore import point_at
from ressearch.search.session import run_session
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]
Run = Callable[..., StudyRecord]

BOTH = "[val_accuracy, num_params]"
SCHEDULERS = {
    "asha": "{name: asha, reduction_factor: 2, first_rung: 1}",
    "hyperband": "{name: hyperband, reduction_factor: 2, first_rung: 1}",
    "median": "{name: median, first_epoch: 1, min_trials: 3}",
}


def by_size(spec: TrialSpec, epoch: int) -> float:
    """Larger networks are more accurate, and an ordering makes some worse than smaller ones."""
    size = sum(stage.width * stage.depth for stage in spec.architecture.stages)  # type: ignore[operator]
    lost = 0.3 if "original" in str(spec.architecture.ordering).lower() else 0.0
    return 0.1 + 0.05 * epoch + 0.002 * size - lost * epoch / 4


def dominates(one: TrialRecord, other: TrialRecord) -> bool:
    assert one.val_accuracy is not None
    assert other.val_accuracy is not None
    pairs = ((one.val_accuracy, other.val_accuracy), (-one.num_params, -other.num_params))
    return all(ours >= theirs for ours, theirs in pairs) and any(ours > theirs for ours, theirs in pairs)


def is_unbeaten(trials: Sequence[TrialRecord], trial: TrialRecord) -> bool:
    """Tell whether no trial was more accurate after any of its epochs, or as accurate and smaller."""
    return all(
        (epoch["val_accuracy"], -trial.num_params) >= (other.curve[index]["val_accuracy"], -other.num_params)
        for index, epoch in enumerate(trial.curve)
        for other in trials
        if other.epochs > index
    )


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("sampler", ["tpe", "nsga2, population_size: 4"])
def test_no_network_is_stopped_for_being_small(
    sampler: str, scheduler: str, write_space: WriteSpace, scripted: Scripted, search: Run
) -> None:
    path = write_space(objectives=BOTH, sampler=sampler, scheduler=SCHEDULERS[scheduler])
    path.write_text(f"{path.read_text()}\nbudget: {{repeat_share: 0}}\n")
    search(path, scripted(by_size), trials=12)
    study = search(path, scripted(by_size), trials=24)  # goes on in a second session
    trials = study.trials
    assert {trial.state for trial in trials} == {"complete", "pruned"}
    smallest = min(trials, key=lambda trial: (trial.num_params, -trial.curve[0]["val_accuracy"]))
    assert {trial.state for trial in (smallest, *filter(partial(is_unbeaten, trials), trials))} == {"complete"}
    complete = [trial for trial in trials if trial.state == "complete"]
    front = {trial.number for trial in complete if not any(dominates(other, trial) for other in complete)}
    assert {trial.number for trial in study.front} == front
    assert smallest.number in front
    assert study.best == study.front[0]
    assert study.best.val_accuracy == max(trial.val_accuracy or 0.0 for trial in complete)


def test_a_stopped_trial_is_no_complete_one_for_having_a_size(
    write_space: WriteSpace, scripted: Scripted, search: Run
) -> None:
    study = search(write_space(objectives=BOTH, scheduler=SCHEDULERS["asha"]), scripted(by_size), trials=20)
    stopped = [trial for trial in study.trials if trial.state == "pruned"]
    assert stopped
    assert all(
        trial.measures == {"val_accuracy": trial.val_accuracy, "num_params": trial.num_params} for trial in stopped
    )
    assert {trial.number for trial in study.front}.isdisjoint(trial.number for trial in stopped)


def test_a_later_session_decides_as_one_session_would(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    settings = {"sampler": "grid", "objectives": BOTH, "baselines": "[resnet-8]"}
    path = write_space(**settings, scheduler=SCHEDULERS["asha"])
    once = search(path, scripted(by_size), trials=24, name="once")
    for trials in (1, 6, 24):
        parts = search(path, scripted(by_size), trials=trials, name="parts")
    assert [(trial.state, trial.epochs) for trial in parts.trials] == [
        (trial.state, trial.epochs) for trial in once.trials
    ]


def test_a_baseline_counts_with_its_size(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    """It is far more accurate, and larger: it dominates nobody, so the first network is not stopped for it."""
    settings = {"scheduler": SCHEDULERS["asha"], "baselines": "[resnet-8]", "max_params": 90_000}
    path = write_space(objectives=BOTH, **settings)
    study = search(path, scripted(lambda spec, _: 0.9 if spec.number == 0 else 0.1), trials=2)
    assert [trial.state for trial in study.trials] == ["complete", "complete"]
    alone = search(
        write_space(**settings),
        scripted(lambda spec, _: 0.9 if spec.number == 0 else 0.1),
        trials=2,
        name="accuracy alone",
    )
    assert [trial.state for trial in alone.trials] == ["complete", "pruned"]


def test_times_are_compared_at_the_pace_so_far(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    """A curve with 1 s and 3 s: 4 epochs take 4 s at the pace of the first one, 8 s at that of both."""
    path = write_space(objectives="[val_accuracy, num_macs, seconds]")
    record = search(path, scripted(by_size), trials=1).trials[0]
    curve = [{"epoch": 1, "val_accuracy": 0.1, "seconds": 1.0}, {"epoch": 2, "val_accuracy": 0.3, "seconds": 3.0}]
    record, experiment = replace(record, curve=tuple(curve)), load_experiment(path)
    assert point_at(experiment, record, 1) == (0.1, -record.num_macs, -4.0)
    assert point_at(experiment, record, 2) == (0.3, -record.num_macs, -8.0)
    older = replace(record, curve=({"epoch": 1, "val_accuracy": 0.1},))  # whose times nobody kept
    assert point_at(experiment, older, 1) == (0.1, -record.num_macs, 0.0)


def test_the_time_of_a_slow_network_counts(write_space: WriteSpace, scripted: Scripted) -> None:
    """All are equally accurate; every second one takes longer than the first, and is stopped for it."""
    from ressearch.search.contract import Progress

    def do(spec: TrialSpec):  # type: ignore[no-untyped-def]
        for event in scripted(lambda *_: 0.5)(spec):
            if isinstance(event, Progress):
                event = replace(event, epoch=replace(event.epoch, seconds=2.0 if spec.number % 2 else 1.0))
            yield event

    path = write_space(objectives="[val_accuracy, seconds]", scheduler=SCHEDULERS["asha"])
    from ressearch.store.study_record import open_study

    outcome = run_session(load_experiment(path), path.parent / "study", partial(run_in_process, do=do), trials=6)
    assert [trial.state for trial in open_study(outcome.directory).trials] == ["complete", "pruned"] * 3


def test_members_of_the_front_are_confirmed(write_space: WriteSpace, scripted: Scripted, search: Run) -> None:
    path = write_space(objectives=BOTH, baselines="[resnet-8]")
    study = search(path, scripted(by_size), trials=14)
    found = [
        one.trial for one in contestants_of(study, top=100, epochs=None, num_images=None) if not one.trial.baseline
    ]
    searched = [trial for trial in study.trials if not trial.baseline]
    front = [trial for trial in searched if not any(dominates(other, trial) for other in searched)]
    assert found == sorted(front, key=lambda trial: -(trial.val_accuracy or 0.0))
    assert 1 < len(found) < len(searched)
    two = contestants_of(study, top=2, epochs=None, num_images=None)
    assert [one.trial for one in two if not one.trial.baseline] == found[:2]
