"""Verbs that train outside of a search."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ressearch import ending
from ressearch.verbs.arguments import BackendName, find_network, loaded

if TYPE_CHECKING:
    from ressearch.arch import Architecture
    from ressearch.experiment import Experiment
    from ressearch.search.audit import Audit
    from ressearch.search.confirm import Confirmation
    from ressearch.search.retraining import Observe
    from ressearch.search.single import Trained
    from ressearch.training.loop import EpochResult


@ending.orderly()
def train(
    architecture: "str | Path | Architecture",
    experiment: "Experiment | str | Path",
    *,
    epochs: int | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    observe: "Callable[[EpochResult], None]" = lambda _: None,
) -> "tuple[Path, Trained]":
    """Train one architecture on the images and with the recipe of an experiment, test it once, and export it.

    Args:
        architecture: A name such as resnet-110, the architecture.yaml of an export, or an architecture.
        experiment: Its `data` and `recipe` are used; a searched field of the recipe takes its default.
        epochs: Instead of the recipe's.
        seed: Of weights, order of images and augmentation; also which images validate.
        directory: Where to write; `trained/<name>` if None.
        observe: Called with every epoch.

    Raises:
        ValueError: If there is no such architecture or experiment, or its images cannot be used.
        ExportError: If the files cannot be written; said before the training where the directory holds files.
        TrainingError: If the loss is no longer finite, or memory runs out.
    """
    from dataclasses import replace

    from ressearch.packaging import TrainingData, check_target, export_bundle
    from ressearch.search.single import train_single

    name, found, _ = find_network(architecture)
    experiment = loaded(experiment)
    recipe = experiment.recipe if epochs is None else replace(experiment.recipe, epochs=epochs)
    target = Path(directory) if directory is not None else Path("trained") / name
    check_target(target)
    with tempfile.TemporaryDirectory(prefix="ressearch-train-") as scratch:
        trained = train_single(
            found, experiment.images, recipe, seed=seed, weights=Path(scratch) / "weights.safetensors", observe=observe
        )
        export_bundle(
            target,
            architecture=found,
            shape=trained.shape,
            state=trained.load_state(),
            name=name,
            origin={"space": experiment.name, "seed": seed, **trained.origin},
            normalisation=trained.normalisation,
            recipe=recipe,
            seed=seed,
            data=TrainingData.of(
                experiment.images, seed=seed, num_images=trained.counts.train, num_val_images=trained.counts.val
            ),
        )
    return target, trained


@ending.orderly()
def confirm(
    study: str | Path,
    *,
    top: int = 3,
    seeds: int = 3,
    epochs: int | None = None,
    subset: int | None = None,
    backend: BackendName = "ray",
    observe: "Observe | None" = None,
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
    from ressearch.search.backends import backend_named
    from ressearch.search.confirm import confirm_study
    from ressearch.search.retraining import unobserved
    from ressearch.store.files import study_directory

    return confirm_study(
        study_directory(study),
        backend_named(backend),
        top=top,
        num_seeds=seeds,
        epochs=epochs,
        subset=subset,
        observe=observe or unobserved,
    )


@ending.orderly()
def audit(
    study: str | Path,
    *,
    sample: int = 16,
    epochs: int | None = None,
    subset: int | None = None,
    backend: BackendName = "ray",
    observe: "Observe | None" = None,
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
