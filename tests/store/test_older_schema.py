"""A study of the first version: attributes `ancestor` and `curve`, no measures, no schema, no terms."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from ressearch.experiment import Experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.store.distributions import distribution_of
from ressearch.store.files import StudyError, database_url
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore

EXPERIMENT = """
architecture: {stages: 2, stem_width: 8, depth: {int: {low: 1, high: 3}}, width: [8, {choice: [16, 24, 32]}]}
recipe: {epochs: 4, batch_size: 50, lr: 0.1}
sampler: {name: random}
scheduler: {name: asha, first_rung: 2, reduction_factor: 2}
ancestors: [resnet-8]
"""
TEXT = f"version: 1\ndata: {{name: digits, subset: 400, val_images: 200}}\n{EXPERIMENT}"


def older_trial(
    experiment: Experiment, params: dict[str, Any], state: TrialState, accuracies: list[float], **more: Any
) -> optuna.trial.FrozenTrial:
    """Return a trial with exactly the attributes that the first version wrote."""
    candidate = experiment.candidate(params) if params else experiment.baseline("resnet-8")
    domains = {parameter.name: parameter.domain for parameter in experiment.space.parameters}
    curve = [
        {"epoch": number, "train_loss": 1.0, "val_loss": 1.0, "val_accuracy": value, "lr": 0.1, "seconds": 0.5}
        for number, value in enumerate(accuracies, start=1)
    ]
    ended = {} if state == TrialState.RUNNING else {"curve": curve, "seconds": 2.0}
    has_value = state in (TrialState.COMPLETE, TrialState.PRUNED)
    return create_trial(
        state=state,
        params=params,
        distributions={name: distribution_of(domains[name]) for name in params},
        value=accuracies[-1] if has_value else None,
        intermediate_values=dict(enumerate(accuracies, start=1)),
        user_attrs={
            "architecture": candidate.architecture.to_dict(),
            "architecture_id": candidate.architecture_id,
            "candidate_id": candidate.id,
            "recipe": asdict(experiment.recipe_of(candidate)),
            **asdict(candidate.cost),
            "within_limits": True,
            "ancestor": None,
            "retry_of": None,
            "seed": 7,
            **ended,
            **more,
        },
    )


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Return the directory of a study of the first version, whose driver was killed."""
    directory = tmp_path / "study"
    directory.mkdir()
    (directory / "space.yaml").write_text(TEXT)
    manifest = {
        "version": 1,
        "created": "2026-01-01T00:00:00+0000",
        "space": "study",
        "question": "",
        "seed": 0,
        "shape": {"channels": 1, "resolution": 8, "num_classes": 10},
        "objectives": ["val_accuracy"],
        "epochs": 4,
        "sessions": [{"command": "ressearch run", "num_trials": 3}],
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    experiment = parse_experiment(TEXT, "space.yaml")
    study = optuna.create_study(storage=database_url(directory), study_name="study", direction="maximize")
    study.add_trials(
        [
            older_trial(experiment, {}, TrialState.COMPLETE, [0.1, 0.2, 0.3, 0.4], ancestor="resnet-8"),
            older_trial(experiment, {"depth": 1, "width_2": 16}, TrialState.COMPLETE, [0.2, 0.4, 0.6, 0.8]),
            older_trial(experiment, {"depth": 2, "width_2": 16}, TrialState.PRUNED, [0.1, 0.15]),
            older_trial(
                experiment, {"depth": 3, "width_2": 16}, TrialState.FAIL, [0.1], reason="non_finite", message="nan"
            ),
            older_trial(experiment, {"depth": 1, "width_2": 24}, TrialState.RUNNING, [0.3]),
        ]
    )
    return directory


def test_it_is_read_and_ranked(older: Path) -> None:
    study = open_study(older)
    assert [trial.state for trial in study.trials] == ["complete", "complete", "pruned", "failed", "running"]
    assert [trial.baseline for trial in study.trials] == ["resnet-8", None, None, None, None]
    assert [trial.epochs for trial in study.trials] == [4, 4, 2, 1, 1]
    assert study.best.number == 1
    assert study.best.measures is not None
    assert study.best.measures["val_accuracy"] == 0.8
    assert study.best.measures["num_params"] == study.best.num_params
    assert study.trials[3].reason == "non_finite"
    assert study.trials[0].seconds == 2.0
    assert study.confirmations == ()
    assert study.to_frame()["baseline"][0] == "resnet-8"


def test_it_is_carried_on(older: Path, search_scripted: Callable[..., Any]) -> None:
    before = open_study(older).trials
    trials = search_scripted(EXPERIMENT, lambda spec, epoch: 0.1 * epoch + 0.01 * spec.number, trials=8)
    assert trials[:4] == before[:4]
    assert (trials[4].reason, trials[4].epochs) == ("lost_driver", 1)
    assert (trials[5].retry_of, trials[5].candidate_id) == (4, before[4].candidate_id)
    assert sum(trial.is_finished for trial in trials) == 8
    assert [trial.baseline for trial in trials[1:]] == [None] * 8  # it is there: nobody trains it again
    searched = [trial.candidate_id for trial in trials if trial.is_finished]
    assert len(set(searched)) == 8


def test_another_experiment_does_not_carry_it_on(older: Path, search_scripted: Callable[..., Any]) -> None:
    with pytest.raises(StudyError, match=r"begun with another experiment: recipe.epochs is 5, and was 4"):
        search_scripted(EXPERIMENT.replace("epochs: 4", "epochs: 5"), lambda *_: 0.5, trials=8)


def test_it_kept_no_terms(older: Path) -> None:
    store = TrialStore(older)
    assert store.open_for_reading()
    assert store.terms is None
