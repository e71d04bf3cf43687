"""What is written of a trial is what is read, by another store and by Optuna itself."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from ressearch.store.files import StudyError, database_url
from ressearch.store.record import DERIVED, TrialRecord
from ressearch.store.trial_store import TrialStore

Opened = Callable[..., TrialStore]
Running = Callable[..., TrialRecord]
Read = Callable[..., list[TrialRecord]]
BOTH = {"val_accuracy": "maximize", "num_params": "minimize"}
SPECIAL: dict[str, dict[str, Any]] = {
    "number": {},
    "state": {},
    "params": {"params": {"depth": 5, "lr": 0.001, "ordering": "full_preactivation", "zero_init": False}},
    "within_limits": {"within_limits": False},
    "baseline": {"baseline": "resnet-8", "params": {}},
    "retry_of": {"retry_of": 0},
    "group": {"group": "ab12cd34ef"},
    "trial_of": {"trial_of": 0},
    "recipe_of": {"recipe_of": 17},
    "curve": {},
    "seconds": {},
    "measures": {},
    "reason": {},
    "message": {},
    "started": {},
    "ended": {},
    "architecture": {},
    "architecture_id": {"architecture_id": "0123456789"},
    "candidate_id": {"candidate_id": "ab lr=0.1"},
    "recipe": {},
    "num_params": {"num_params": 1},
    "num_macs": {"num_macs": 10**13},
    "num_activations": {"num_activations": 3},
    "seed": {"seed": 2**32 - 1},
    "num_images": {"num_images": 45_000},
    "num_val_images": {"num_val_images": 5_000},
    "num_test_images": {"num_test_images": 10_000},
}
"""A value other than the usual one for every field that has it from the beginning; the others are tested by name."""


def epoch(number: int, accuracy: float) -> dict[str, float]:
    named = {"train_loss": 2.5, "val_loss": 1.25, "lr": 0.1, "seconds": 0.75}
    return {"epoch": number, "val_accuracy": accuracy, **named}


def trained(store: TrialStore, record: TrialRecord, *accuracies: float) -> TrialRecord:
    """Write a trial and its epochs."""
    store.begin(record)
    for number, accuracy in enumerate(accuracies, start=1):
        record = replace(record, curve=(*record.curve, epoch(number, accuracy)), seconds=1.5 * number)
        store.report(record)
    return record


def end(record: TrialRecord, state: str = "complete", **more: Any) -> TrialRecord:
    measures = {"val_accuracy": record.curve[-1]["val_accuracy"], "num_params": float(record.num_params)}
    return replace(record, state=state, **{"measures": measures, **more})


def without_times(record: TrialRecord) -> TrialRecord:
    return replace(record, started=None, ended=None)


def test_every_field_is_tested() -> None:
    assert SPECIAL.keys() == {spec.name for spec in fields(TrialRecord)} - DERIVED


@pytest.mark.parametrize("name", ["number", *(name for name, values in SPECIAL.items() if values)])
def test_a_field_survives_the_whole_life_of_a_trial(
    name: str, opened: Opened, running: Running, read: Read, tmp_path: Path
) -> None:
    store = opened()
    trained(store, running(0), 0.1)
    began = running(1, **SPECIAL[name])
    store.begin(began)
    found = read(store.directory)[1]
    assert found.started is not None
    assert replace(found, started=None) == began
    record = replace(began, curve=(epoch(1, 0.5),), seconds=1.5)
    store.report(record)
    store.pause(replace(record, state="paused"))
    assert without_times(read(store.directory)[1]) == replace(record, state="paused")
    store.pause(replace(record, state="running"))
    assert without_times(read(store.directory)[1]) == record
    record = replace(record, curve=(*record.curve, epoch(2, 0.625)), seconds=3.0)
    store.report(record)
    final = end(record)
    closed = store.close(final)
    assert read(store.directory)[1] == closed
    assert without_times(closed) == final
    assert closed.started is not None
    assert closed.ended is not None
    assert closed.ended >= closed.started


@pytest.mark.parametrize(
    "ending",
    [
        {"state": "pruned"},
        {"state": "failed", "reason": "non_finite", "message": "loss is nan", "measures": {}},
        {"state": "failed", "reason": "error", "message": "OSError: 'a' \"b\" \n ü", "measures": {}},
        {"state": "complete", "measures": {"val_accuracy": 0.5, "test_accuracy": 0.25, "of_my_own": 1e-12}},
    ],
    ids=["pruned", "non_finite", "error", "more measures"],
)
def test_every_end_is_read_as_it_was_written(
    ending: dict[str, Any], opened: Opened, running: Running, read: Read
) -> None:
    store = opened()
    final = end(trained(store, running(0), 0.5, 0.5), **ending)
    store.close(final)
    (found,) = read(store.directory)
    assert without_times(found) == final


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_killed_driver_leaves_the_curve(epochs: int, opened: Opened, running: Running, read: Read) -> None:
    store = opened()
    trained(store, running(0), *(0.1, 0.2, 0.3)[:epochs])
    (found,) = read(store.directory)
    assert found.state == "running"
    assert [(each["epoch"], each["val_accuracy"]) for each in found.curve] == [(1, 0.1), (2, 0.2), (3, 0.3)][:epochs]


def test_parameters_keep_their_types(opened: Opened, running: Running, read: Read) -> None:
    store = opened()
    store.begin(running(0))
    (found,) = read(store.directory)
    assert {name: type(value) for name, value in found.params.items()} == {
        "depth": int,
        "lr": float,
        "ordering": str,
        "zero_init": bool,
    }


def by_optuna(store: TrialStore) -> optuna.Study:
    return optuna.load_study(study_name=None, storage=database_url(store.directory))


def test_what_optuna_reads(opened: Opened, running: Running) -> None:
    store = opened()
    store.close(end(trained(store, running(0), 0.1, 0.2, 0.3, 0.4)))
    store.close(end(trained(store, running(1, baseline="resnet-8", params={}), 0.5, 0.6), state="pruned"))
    failed = trained(store, running(2), 0.7)
    store.close(end(failed, state="failed", reason="non_finite", message="nan", measures=None))
    store.pause(replace(trained(store, running(3), 0.8), state="paused"))
    trained(store, running(4))
    study = by_optuna(store)
    assert study.study_name == "study"
    assert [direction.name for direction in study.directions] == ["MAXIMIZE"]
    assert study.metric_names == ["val_accuracy"]
    assert study.user_attrs == {"schema": 2, "terms": {"seed": 0, "objectives": ["val_accuracy"]}}
    trials = study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING", "RUNNING"]
    assert [trial.value for trial in trials] == [0.4, 0.6, None, None, None]
    assert [trial.intermediate_values for trial in trials] == [
        {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4},
        {1: 0.5, 2: 0.6},
        {1: 0.7},
        {1: 0.8},
        {},
    ]
    assert trials[0].params == {"depth": 3, "lr": 0.05, "ordering": "original", "zero_init": True}
    assert trials[1].params == {}
    assert trials[1].user_attrs["baseline"] == "resnet-8"
    assert trials[2].user_attrs["reason"] == "non_finite"
    assert trials[0].user_attrs["measures"] == {"val_accuracy": 0.4, "num_params": 75290.0}
    assert trials[0].user_attrs["seconds"] == 6.0
    assert study.best_trial.number == 0


def test_optuna_s_dashboard_is_told_the_standard_error_of_a_trial_that_has_ended(
    opened: Opened, running: Running, read: Read
) -> None:
    store = opened()
    store.close(end(trained(store, running(0, num_val_images=100), 0.1, 0.4)))
    store.close(end(trained(store, running(1, num_val_images=100), 0.5), "pruned"))
    store.close(end(trained(store, running(2), 0.5)))  # as an earlier version would have written it
    store.pause(replace(trained(store, running(3, num_val_images=100), 0.5), state="paused"))
    errors = [trial.user_attrs.get("std_error") for trial in by_optuna(store).trials]
    assert errors == [pytest.approx((0.4 * 0.6 / 100) ** 0.5), 0.05, None, None]
    assert [record.std_error for record in read(store.directory)] == [*errors[:3], 0.05]


def test_optuna_s_dashboard_is_told_the_standard_error_on_test_images(
    opened: Opened, running: Running, read: Read
) -> None:
    store = opened()
    counts = {"num_val_images": 100, "num_test_images": 400}
    measured = replace(trained(store, running(0, **counts), 0.5), measures={"test_accuracy": 0.5})
    store.close(replace(measured, state="complete"))
    store.close(end(trained(store, running(1, **counts), 0.5)))  # its test images stay unread
    attributes = [trial.user_attrs for trial in by_optuna(store).trials]
    assert [each["std_error"] for each in attributes] == [0.05, 0.05]
    assert [each.get("test_std_error") for each in attributes] == [0.025, None]
    assert [record.test_std_error for record in read(store.directory)] == [0.025, None]


def test_several_objectives_are_all_kept(opened: Opened, running: Running) -> None:
    store = opened(objectives=BOTH)
    store.close(end(trained(store, running(0), 0.1, 0.2)))
    study = by_optuna(store)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["val_accuracy", "num_params"]
    assert study.trials[0].values == [0.2, 75290.0]


def test_a_stopped_trial_that_lacks_an_objective_has_no_values(opened: Opened, running: Running, read: Read) -> None:
    store = opened(objectives=BOTH)
    store.close(end(trained(store, running(0), 0.1), state="pruned", measures={"val_accuracy": 0.1}))
    assert by_optuna(store).trials[0].values is None
    assert read(store.directory)[0].measures == {"val_accuracy": 0.1}


def test_a_trial_that_has_ended_is_never_rewritten(opened: Opened, running: Running, read: Read) -> None:
    store = opened()
    record = trained(store, running(0), 0.5)
    store.close(end(record))
    before = read(store.directory)
    more = replace(record, curve=(*record.curve, epoch(2, 0.9)), seconds=9.0)
    for write in (store.report, store.pause, store.close):
        with pytest.raises(StudyError, match="trial 0 cannot be written: somebody else has deleted or ended it"):
            write(replace(more, state="failed", reason="error"))  # type: ignore[operator]
    assert read(store.directory) == before


def test_a_trial_goes_on_in_a_later_session(opened: Opened, running: Running, read: Read) -> None:
    store = opened()
    record = trained(store, running(0), 0.5, 0.6)
    store.pause(replace(record, state="paused"))
    later = opened()
    (found,) = later.trials()
    assert [each["val_accuracy"] for each in found.curve] == [0.5, 0.6]
    later.pause(replace(found, state="running"))
    record = replace(found, state="running", curve=(*found.curve, epoch(3, 0.7)), seconds=5.0)
    later.report(record)
    later.close(end(record))
    (final,) = read(store.directory)
    assert (final.state, final.epochs, final.val_accuracy, final.seconds) == ("complete", 3, 0.7, 5.0)


def test_a_paused_trial_that_is_stopped_is_paused_no_longer(opened: Opened, running: Running, read: Read) -> None:
    store = opened()
    record = trained(store, running(0), 0.5)
    store.pause(replace(record, state="paused"))
    store.close(end(record, state="pruned"))
    assert read(store.directory)[0].state == "pruned"
    assert by_optuna(store).trials[0].user_attrs["paused"] is False


@pytest.mark.parametrize("where", ["elsewhere.db", "sub/elsewhere.db"])
def test_a_database_elsewhere(where: str, opened: Opened, running: Running, read: Read, tmp_path: Path) -> None:
    (tmp_path / where).parent.mkdir(exist_ok=True)
    url = f"sqlite:///{tmp_path / where}"
    store = opened(tmp_path / "study", url=url)
    final = end(trained(store, running(0), 0.5))
    store.close(final)
    assert [without_times(record) for record in read(tmp_path / "study", url=url)] == [final]
    assert not (tmp_path / "study" / "study.db").exists()
    assert store.weights_file(0) == tmp_path / "study" / "trials" / "000000" / "weights.safetensors"


def test_parts_share_a_database_and_never_mix(opened: Opened, running: Running, read: Read) -> None:
    main = opened()
    assert not TrialStore(main.directory, part="confirmation").open_for_reading()
    part = opened(part="confirmation", objectives=BOTH)
    main.begin(running(0, candidate_id="of the search"))
    part.begin(running(0, candidate_id="of the confirmation"))
    part.close(end(trained(part, running(1, group="abc", candidate_id="second"), 0.5)))
    main.begin(running(1, candidate_id="of the search, too"))
    assert [record.candidate_id for record in read(main.directory)] == ["of the search", "of the search, too"]
    confirmed = read(main.directory, part="confirmation")
    assert [(record.candidate_id, record.group) for record in confirmed] == [
        ("of the confirmation", None),
        ("second", "abc"),
    ]
    names = sorted(optuna.get_all_study_names(database_url(main.directory)))
    assert names == ["study", "study confirmation"]
    assert sorted(path.name for path in main.directory.glob("*.db")) == ["study.db"]


def test_parts_keep_their_checkpoints_apart_and_go_on_with_what_was_running(opened: Opened, running: Running) -> None:
    main = opened()
    part = opened(part="confirmation")
    assert main.checkpoint_file(0) != part.checkpoint_file(0)
    for store in (main, part):
        store.begin(running(0))
        assert not store.can_continue(running(0))
        store.checkpoint_file(0).parent.mkdir(parents=True)
        store.checkpoint_file(0).write_bytes(b"all")
    assert part.can_continue(running(0))  # every epoch has left one
    assert not main.can_continue(running(0))  # only a scheduler's pause leaves one
    part.close(replace(running(0), state="failed", reason="error", message="gone"))
    assert main.checkpoint_file(0).is_file()
    assert not (main.directory / "confirmation").exists()
