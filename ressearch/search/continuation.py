"""What a study was begun with, and whether an experiment and its images still keep to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ressearch.experiment import Experiment, Session
from ressearch.experiment.loader import load_experiment
from ressearch.store.files import DATABASE, SPACE, StudyError, is_study, read_manifest
from ressearch.store.optuna_study import readable
from ressearch.store.trial_store import EARLIER_TERMS, TrialStore
from ressearch.training.data import Prepared, fingerprint, prepare
from ressearch.training.fingerprint import Fingerprint, change_of_images
from ressearch.training.source import Source


def kept_terms(directory: Path) -> Mapping[str, Any]:
    """Return what a study was begun with; versions that kept no terms left a YAML file, and may have left nothing.

    Raises:
        StudyError: If there is no study, or it cannot be read.
    """
    store = TrialStore(directory)
    store.open_for_reading()
    if store.terms is not None:
        return store.terms
    return load_experiment(directory / SPACE).terms() | EARLIER_TERMS if (directory / SPACE).is_file() else {}


def kept_source(directory: Path) -> Source:
    """Return where the images of a study come from; where nothing was set aside to test, that stays so.

    Raises:
        StudyError: If there is no study, or it cannot be read, or does not tell.
    """
    terms = kept_terms(directory)
    if "data.name" not in terms:
        raise StudyError(f"{directory}: an earlier version began this study and did not keep where its images are")
    with readable(str(directory / DATABASE)):
        return Source(**{key.removeprefix("data."): value for key, value in terms.items() if key.startswith("data.")})


def kept_seed(directory: Path) -> int:
    """Return the seed of a study.

    Raises:
        StudyError: If there is no study, or it cannot be read.
    """
    terms = kept_terms(directory)
    return int(terms["seed"] if "seed" in terms else read_manifest(directory)["seed"])


def kept_images(directory: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the fingerprints of a study's images, by split; an earlier version may have kept none."""
    store = TrialStore(directory)
    return store.images if store.open_for_reading() else {}


def kept_session(directory: Path) -> Session:
    """Return what the last session of a study was given, as far as its YAML file tells."""
    return load_experiment(directory / SPACE).session if (directory / SPACE).is_file() else Session()


def check_terms(directory: Path, experiment: Experiment) -> list[str]:
    """Check that the study, if there is one, may go on with an experiment; return what it adds to it, in words.

    Raises:
        StudyError: If trials of two experiments would mix, naming what differs.
    """
    changes = experiment.changes_since(kept_terms(directory)) if is_study(directory) else []
    if refused := [str(change) for change in changes if not change.only_adds]:
        more = f"; and {len(refused) - 3} more values" if len(refused) > 3 else ""
        raise StudyError(
            f"{directory}: this study was begun with another experiment: {'; '.join(refused[:3])}{more}; "
            "name another study with --study, or bring the old value back"
        )
    return [str(change) for change in changes]


def prints_of(images: Prepared) -> dict[str, Fingerprint]:
    """Return the fingerprints that a study keeps, by split: of test images only those set aside from `images`."""
    prints = {"train": fingerprint(images)}
    if images.held_out:
        test = prepare(images.source, seed=images.seed, cache_dir=images.directory.parent, split="test")
        prints["test"] = fingerprint(test)
    return prints


def check_images(directory: Path, now: Mapping[str, Fingerprint], *, part: str | None = None) -> None:
    """Check that the images are still those that the study, or a part of it, was begun with.

    Raises:
        StudyError: If trials on two sets of images would mix, naming what differs.
    """
    store = TrialStore(directory, part=part)
    if is_study(directory) and store.open_for_reading() and (change := change_of_images(now, store.images)):
        raise StudyError(
            f"{directory}: this study was begun with other images. Of {change}; "
            "name another study with --study, or bring the old images back"
        )
