"""Verbs that train outside of a search."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ressearch import ending
from ressearch.verbs.arguments import BackendName, loaded

if TYPE_CHECKING:
    from torch import Tensor

    from ressearch.arch import Architecture
    from ressearch.experiment import Experiment
    from ressearch.search.audit import Audit
    from ressearch.search.confirm import Confirmation
    from ressearch.search.retraining import Observe as ObserveRetraining
    from ressearch.search.training_task import Observe, Trained
    from ressearch.training.recipe import Recipe
    from ressearch.training.source import Source


@ending.orderly()
def train(
    what: "str | Path | Architecture",
    experiment: "Experiment | str | Path | None" = None,
    *,
    recipe: "str | Recipe | None" = None,
    epochs: int | None = None,
    settings: "Mapping[str, Any] | None" = None,
    data: "str | Source | None" = None,
    resolution: int | None = None,
    subset: int | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    device: str = "auto",
    observe: "Observe | None" = None,
) -> "tuple[Path, Trained]":
    """Train one network to the end, test it once, and export it; return the directory, and what came of it.

    Every epoch leaves a checkpoint: the same call goes on where an earlier one was ended, on the CPU to the same bits,
    and returns the result where there is one. The images are all of the source but those that validate.

    Args:
        what: A name such as resnet-110; `STUDY:TRIAL` or `STUDY:best`, with the study's directory or its name under
            `trials/`; the architecture.yaml of an export, or its directory; or an architecture.
        experiment: An experiment, or the path of one, whose images are used, and its recipe where `what` brings none; a
            searched field of that has its default.
        recipe: he2016, wrn, fast, a recipe, or `found`: that of the trial or the file. If None: the one found, else the
            experiment's, else fast.
        epochs: Instead of the recipe's; its schedule is stretched to them.
        settings: Other fields of the recipe by name, as values or as texts.
        data: A source's name, or name and place as in `folder:pictures`, or a source as it is. If None: the images of
            the experiment, of the study, or of the file; for a name CIFAR-10.
        resolution: Side length in pixels, instead of the source's.
        subset: Training images; all but the validation images if None.
        seed: Of weights, order of images and augmentation. Which images validate is the study's or the experiment's.
        directory: Where to work and to write; `trained/<name>`, or `trained/<study>-<number>`, if None.
        device: auto (a GPU where there is one), cpu, cuda or cuda:N.
        observe: Opens a display, see `ressearch.search.training_task.TrainingStart`.

    Raises:
        ValueError: If there is no such network, recipe or device, a setting is wrong, or the images cannot be used; if
            the directory is in use, damaged, not to be written, or of another training.
        TrainingError: If the loss is no longer finite, or memory runs out.
    """
    from ressearch.experiment.loader import check_images
    from ressearch.search.training_run import run_training
    from ressearch.search.training_task import TrainingTask, unobserved
    from ressearch.verbs.subject import choose_images, choose_recipe, find_subject

    subject = find_subject(what)
    found = None if experiment is None else loaded(experiment)
    if found is not None and data is None:
        check_images(found)
    images = choose_images(subject, found, data, resolution, subset)
    task = TrainingTask(
        name=subject.name,
        what=subject.what,
        architecture=subject.architecture,
        recipe=choose_recipe(subject, found, recipe, epochs, settings or {}),
        source=images.source,
        split_seed=images.seed,
        seed=seed,
        device=device,
        origin=subject.origin if found is None else {**subject.origin, "space": found.name},
        images=images.images,
        other_images=data is not None,
    )
    target = Path(directory) if directory is not None else Path("trained") / subject.name
    return target, run_training(task, target, export=_export, observe=observe or unobserved)


def _export(trained: "Trained", state: "Mapping[str, Tensor]", directory: Path) -> None:
    """Write a trained network with all that is known of its training."""
    from ressearch.packaging import TrainingData, export_bundle

    task, counts = trained.task, trained.counts
    export_bundle(
        directory,
        architecture=task.architecture,
        shape=trained.shape,
        state=state,
        name=task.name,
        origin=trained.origin,
        normalisation=trained.normalisation,
        recipe=task.recipe,
        seed=task.seed,
        data=TrainingData.of(task.source, seed=task.split_seed, num_images=counts.train, num_val_images=counts.val),
    )


@ending.orderly()
def confirm(
    study: str | Path,
    *,
    top: int = 3,
    seeds: int = 3,
    epochs: int | None = None,
    subset: int | None = None,
    backend: BackendName = "ray",
    observe: "ObserveRetraining | None" = None,
) -> "Confirmation":
    """Train the best networks of a study and its baselines again with fresh seeds, and test each once.

    The trainings are kept with the study, apart from its trials; the same call again trains what is missing, and goes
    on from the last epoch of what was cut off. More seeds add to those that are there.

    Args:
        study: A directory, or a name under `trials/`.
        top: Networks found by the search, the best first; with several objectives members of the front.
        seeds: Trainings of each.
        epochs: Of each training; those of the search if None.
        subset: Training images; all but the validation images if None.
        backend: As for `run`.
        observe: Opens a display of the progress.

    Raises:
        StudyError: If the study is missing or in use, or no trial of it is complete.
        ValueError: If its images have no test images.
    """
    from ressearch.report.leaderboard_forms import write_leaderboard
    from ressearch.search.backends import backend_named
    from ressearch.search.confirm import confirm_study
    from ressearch.search.retraining import unobserved
    from ressearch.store.files import study_directory
    from ressearch.store.study_record import open_study

    directory = study_directory(study)
    confirmation = confirm_study(
        directory,
        backend_named(backend),
        top=top,
        num_seeds=seeds,
        epochs=epochs,
        subset=subset,
        observe=observe or unobserved,
    )
    with ending.held():
        write_leaderboard(open_study(directory))
    return confirmation


@ending.orderly()
def audit(
    study: str | Path,
    *,
    sample: int = 16,
    epochs: int | None = None,
    subset: int | None = None,
    backend: BackendName = "ray",
    observe: "ObserveRetraining | None" = None,
) -> "Audit":
    """Train a sample of a study's networks at full length, and compare that ranking with the search's and with counts.

    Test images stay unread: the networks are judged by the validation images. The trainings are kept with the study,
    apart from its trials; the same call again trains what is missing, and a larger sample adds to it.

    Args:
        study: A directory, or a name under `trials/`.
        sample: Networks, spread over the ranking of the search; all complete trials if there are fewer.
        epochs: Of each training; five times those of the search if None.
        subset: Training images; all but the validation images if None.
        backend: As for `run`.
        observe: Opens a display of the progress.

    Raises:
        StudyError: If the study is missing or in use, or has fewer than four complete trials.
        ValueError: If a number is too small.
    """
    from ressearch.search.audit import audit_study
    from ressearch.search.backends import backend_named
    from ressearch.search.retraining import unobserved
    from ressearch.store.files import study_directory

    return audit_study(
        study_directory(study),
        backend_named(backend),
        sample=sample,
        epochs=epochs,
        subset=subset,
        observe=observe or unobserved,
    )
