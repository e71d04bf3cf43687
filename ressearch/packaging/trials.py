"""Trained networks of a study as bundles."""

import tempfile
from pathlib import Path

from ressearch.packaging.bundle import Format, check_target, export_bundle
from ressearch.packaging.description import TrainingData
from ressearch.store.files import BEST
from ressearch.store.record import TrialRecord, best_of
from ressearch.store.study_record import StudyRecord

_SCORES = ("val_accuracy", "std_error")


def export_trial(study: StudyRecord, trial: TrialRecord, directory: Path, format: Format = "module") -> None:
    """Write the trained network of a trial.

    Raises:
        StudyError: If the trial has no trained weights.
        ExportError: If the files cannot be written, or do not give the outputs of the trained network.
    """
    from safetensors.torch import load_file

    origin: dict[str, str | int | float] = {
        "study": study.name,
        "trial": trial.number,
        **({"baseline": trial.baseline} if trial.baseline else {}),
        "architecture_id": trial.architecture_id,
        **{name: value for name in _SCORES if (value := getattr(trial, name)) is not None},
        "epochs": trial.epochs,
    }
    export_bundle(
        directory,
        architecture=trial.build_architecture(),
        shape=study.shape,
        state=load_file(study.weights_of(trial)),
        name=trial.baseline or f"{study.name}-{trial.number}",
        origin=origin,
        normalisation=study.normalisation,
        recipe=trial.build_recipe(),
        seed=trial.seed,
        data=_data(study, trial),
        format=format,
    )


def _data(study: StudyRecord, trial: TrialRecord) -> TrainingData | None:
    """Return the images of a trial, None if an earlier version began the study and did not keep them."""
    terms = {key.removeprefix("data."): value for key, value in study.terms.items() if key.startswith("data.")}
    if not terms:
        return None
    return TrainingData(
        source={name: value for name, value in terms.items() if name != "root"},
        seed=study.terms["seed"],
        num_images=trial.num_images,
        num_val_images=trial.num_val_images,
    )


def export_front(study: StudyRecord, directory: Path, format: Format = "module") -> None:
    """Write the trained networks that no other of a study dominates, each into a directory named after its trial.

    Raises:
        StudyError: If there is none, or its weights are gone; said before anything is written, as is the next one.
        ExportError: If one of the directories holds files; otherwise as `export_trial`.
    """
    targets = {directory / directory_name(trial, format): trial for trial in study.front}
    for target, trial in targets.items():
        check_target(target)
        study.weights_of(trial)
    for target, trial in targets.items():
        export_trial(study, trial, target, format)


def directory_name(trial: TrialRecord, format: Format) -> str:
    """Return what the directory of an exported trial is called where nobody says."""
    return f"{trial.number:06d}" + ("" if format == "module" else f"-{format}")


def export_best(study: StudyRecord) -> None:
    """Bring `best/` of a study up to date, if it has a best trial; what else somebody keeps there stays."""
    best = best_of(study.trials, study.directions)
    if best is None:
        return
    target = study.directory / BEST
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=study.directory, prefix=".best-") as scratch:
        fresh = Path(scratch) / BEST
        export_trial(study, best, fresh)
        for file in fresh.iterdir():
            file.replace(target / file.name)
