"""A recording: which networks are trained, what is kept of them, and how it goes on."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ressearch.experiment import load_experiment
from ressearch.search import recording, retraining, session
from ressearch.search.contract import TrialFunction, TrialSpec
from ressearch.search.local_backend import run_in_process
from ressearch.search.recording import record_study
from ressearch.store.files import StudyError
from ressearch.store.study_record import StudyRecord
from ressearch.store.table import read_table, table_of, write_table

Scripted = Callable[..., TrialFunction]
WriteSpace = Callable[..., Path]


def recorded(space: Path, do: TrialFunction, **numbers: int) -> StudyRecord:
    sizes = {"num_random": 12, "num_mutated": 6, "num_repeated": 4, "num_seeds": 2, **numbers}
    return record_study(
        load_experiment(space),
        space.parent / "table",
        partial(run_in_process, do=do),
        observe=session.unobserved,
        observe_repeats=retraining.unobserved,
        **sizes,
    )


def by_depth(spec: TrialSpec, epoch: int) -> float:
    """Deeper is better, and every seed is a little different."""
    depth = sum(stage.depth for stage in spec.architecture.stages)
    return 0.1 * depth + 0.01 * epoch + 1e-9 * spec.seed % 1e-3


def test_random_networks_mutations_of_the_best_and_repeats(write_space: WriteSpace, scripted: Scripted) -> None:
    study = recorded(write_space(baselines="[resnet-8]"), scripted(by_depth))
    assert [trial.state for trial in study.trials] == ["complete"] * 18
    drawn, mutated = study.trials[:12], study.trials[12:]
    assert drawn[0].baseline == "resnet-8"
    best = sorted((trial for trial in drawn if trial.params), key=lambda trial: -(trial.val_accuracy or 0))[:3]
    for child in mutated:
        differences = [sum(child.params.get(name) != value for name, value in parent.params.items()) for parent in best]
        assert min(differences) == 1 or "transform" in {
            name for parent in best for name in parent.params if child.params.get(name) != parent.params[name]
        }
    assert len(study.repeats) == 8
    for repeat in study.repeats:
        assert repeat.trial_of is not None
        original = study.trials[repeat.trial_of]
        assert (repeat.architecture_id, repeat.recipe) == (original.architecture_id, original.recipe)
        assert (repeat.num_images, repeat.epochs) == (original.num_images, original.epochs)
    assert len({trial.seed for trial in (*study.trials, *study.repeats)}) == 18 + 8
    assert len({repeat.trial_of for repeat in study.repeats}) == 4


def test_the_same_call_goes_on_and_larger_numbers_add(write_space: WriteSpace, scripted: Scripted) -> None:
    space = write_space()
    whole = recorded(space, scripted(by_depth))
    given: list[TrialSpec] = []
    again = recorded(space, scripted(by_depth, given.append))
    assert given == []
    assert (again.trials, again.repeats) == (whole.trials, whole.repeats)
    more = recorded(space, scripted(by_depth, given.append), num_mutated=8, num_repeated=6, num_seeds=3)
    assert len(given) == 2 + 4 * 1 + 2 * 3
    assert more.trials[:18] == whole.trials
    assert {repeat.trial_of for repeat in whole.repeats} < {repeat.trial_of for repeat in more.repeats}
    with pytest.raises(StudyError, match=r"sampler.num_random is 20, and was 12"):
        recorded(space, scripted(by_depth), num_random=20)


def test_a_failure_is_recorded_and_repeats_are_of_complete_networks(
    write_space: WriteSpace, scripted: Scripted
) -> None:
    from ressearch.training.loop import TrainingError

    def fails(spec: TrialSpec, epoch: int) -> float:
        if spec.number == 3:
            raise TrainingError("non_finite", "loss is nan")
        return by_depth(spec, epoch)

    study = recorded(write_space(), scripted(fails))
    assert study.trials[3].state == "failed"
    assert 3 not in {repeat.trial_of for repeat in study.repeats}
    assert len(study.trials) == 18


def test_a_table_is_read_as_it_was_written(write_space: WriteSpace, scripted: Scripted, tmp_path: Path) -> None:
    study = recorded(write_space(baselines="[resnet-8]"), scripted(by_depth))
    made = table_of(study)
    write_table(made, tmp_path / "tables" / "one.parquet")
    found = read_table(tmp_path / "tables" / "one.parquet")
    left_out: dict[str, Any] = {"started": None, "ended": None, "group": None, "measures": None}
    for ours, theirs in zip((*made.trials, *made.repeats), (*found.trials, *found.repeats), strict=True):
        assert replace(ours, **left_out) == replace(theirs, **left_out)
        assert theirs.measures == {"val_accuracy": ours.val_accuracy}
    assert found.origin["shape"] == study.manifest["shape"]
    assert "command" not in found.origin
    assert found.origin["space"].startswith("# Does the search keep its book?")


def test_no_table_tells_where_the_images_were(tmp_path: Path) -> None:
    from ressearch.experiment.loader import without_root

    text = 'version: 1\ndata: {name: parquet, root: "/home/somebody/x", subset: 10}\narchitecture: {}\n'
    assert without_root(text) == 'version: 1\ndata: {name: parquet, root: ".", subset: 10}\narchitecture: {}\n'
    for same in ("version: 1\n", "version: 1\ndata: {name: digits}\n"):
        assert without_root(same) == same
    assert recording.SPACE == "space.yaml"
