"""What `train` is told, in whatever form: the network, its recipe and its images, as values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ressearch.arch import Architecture, architecture_id, named
from ressearch.arch.literature import dataset_of
from ressearch.experiment import Experiment
from ressearch.messages import expected
from ressearch.packaging import TrainingData, read_description
from ressearch.packaging.bundle import DESCRIPTION
from ressearch.search.continuation import kept_images, kept_seed, kept_source
from ressearch.store.files import is_study, study_directory
from ressearch.store.study_record import open_study
from ressearch.training.recipe import FAST, RECIPES, Recipe
from ressearch.training.recipe_settings import with_settings
from ressearch.training.source import Source
from ressearch.training.sources import SOURCES

FOUND = "found"
"""The recipe that comes with a trial or an exported file."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network that can be trained, and what is known of an earlier training."""

    name: str
    what: str
    """How the user named it."""
    architecture: Architecture
    recipe: Recipe | None = None
    data: TrainingData | None = None
    root: Path | None = None
    """Where the images of `data` are, if that is known."""
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Fingerprints of those images, by split."""
    default_source: str | None = None
    """Source of images where nobody says another."""
    origin: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Imagery:
    """Images, and the seed that fixes which of them validate; `images` are fingerprints of those of the study."""

    source: Source
    seed: int = 0
    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def find_subject(what: str | Path | Architecture) -> Subject:
    """Return what is to be trained: a name, an exported file or its directory, STUDY:TRIAL, or an architecture.

    Raises:
        ValueError: If there is nothing of that name.
    """
    if isinstance(what, Architecture):
        name = architecture_id(what)
        return Subject(name=name, what=name, architecture=what, default_source="cifar10")
    text = str(what)
    if text.endswith((".yaml", ".yml")):
        return _exported(Path(what), text)
    if (architecture := _named(text)) is not None:
        default = "cifar10" if dataset_of(text) == "cifar10" else None
        return Subject(name=text, what=text, architecture=architecture, default_source=default)
    if is_study(study_directory(text)):
        raise ValueError(f"{text} is a study: say which trial, as in `ressearch train {text}:best`")
    if Path(what).is_dir():
        return _exported(Path(what) / DESCRIPTION, text)
    study, colon, trial = text.rpartition(":")
    if colon:
        return _trial(study, trial, text)
    return Subject(name=text, what=text, architecture=named(text))  # says which names there are


def choose_recipe(
    subject: Subject,
    experiment: Experiment | None,
    recipe: str | Recipe | None,
    epochs: int | None,
    settings: Mapping[str, Any],
) -> Recipe:
    """Return the recipe: the named one, else the found one, the experiment's, or `fast`; single fields override it.

    Raises:
        ValueError: If there is no such recipe or field, or a value is wrong.
    """
    if epochs is not None and "epochs" in settings:
        raise ValueError("recipe: epochs is given twice, by --epochs and by --set; leave one of them out")
    changed = dict(settings) if epochs is None else {**settings, "epochs": epochs}
    return with_settings(_base(subject, experiment, recipe), changed)


def choose_images(
    subject: Subject,
    experiment: Experiment | None,
    data: str | Source | None,
    resolution: int | None,
    subset: int | None,
) -> Imagery:
    """Return the images: those of the experiment, of the study or of the file, else CIFAR-10; `data` overrides them.

    All that do not validate train, but for a `subset`.

    Raises:
        ValueError: If nobody says which images, or where they are.
    """
    if isinstance(data, Source):
        chosen = Imagery(source=data)
    else:
        chosen = _images(subject, experiment, data)
        chosen = replace(chosen, source=replace(chosen.source, subset=None))
    if resolution is not None:
        chosen = replace(chosen, source=replace(chosen.source, resolution=resolution), images={})
    return chosen if subset is None else replace(chosen, source=replace(chosen.source, subset=subset))


def _named(text: str) -> Architecture | None:
    try:
        return named(text)
    except ValueError:
        return None


def _exported(file: Path, what: str) -> Subject:
    found = read_description(file)
    return Subject(
        name=_as_file_name(found.name),
        what=what,
        architecture=found.architecture,
        recipe=found.recipe,
        data=found.data,
    )


def _trial(which: str, number: str, what: str) -> Subject:
    study = open_study(which)
    trial = study.trial(number)
    source = kept_source(study.directory)
    return Subject(
        name=f"{study.name}-{trial.number}",
        what=what,
        architecture=trial.build_architecture(),
        recipe=trial.build_recipe(),
        data=TrainingData.of(source, seed=kept_seed(study.directory)),
        root=source.root,
        images=kept_images(study.directory),
        origin={"study": study.name, "trial": trial.number},
    )


def _as_file_name(name: str) -> str:
    """Return a name from a file, which may hold anything, as that of a directory."""
    return re.sub(r"[^\w.+-]+", "_", name)[:100].lstrip(".") or "network"


def _base(subject: Subject, experiment: Experiment | None, recipe: str | Recipe | None) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if recipe is None:
        return subject.recipe or (experiment.recipe if experiment else FAST)
    if recipe == FOUND and subject.recipe is None:
        raise ValueError(
            f"recipe: found is what a study's trial or an exported file was trained with, and {subject.what} has none; "
            f"expected one of {', '.join(RECIPES)}"
        )
    if recipe not in (FOUND, *RECIPES):
        raise ValueError(f"recipe: {expected(recipe, (*RECIPES, FOUND))}")
    return subject.recipe if recipe == FOUND and subject.recipe else RECIPES[recipe]


def _images(subject: Subject, experiment: Experiment | None, data: str | None) -> Imagery:
    """Return what is known of the images, with another root if `data` says one, or other images."""
    known, root, images = subject.data, subject.root, subject.images
    if experiment is not None:
        known, root, images = TrainingData.of(experiment.images, seed=experiment.seed), experiment.images.root, {}
    name, given_root = _parsed(data) if data is not None else (None, None)
    if known is not None and name in (None, known.source["name"]):
        source = _rooted(known, given_root or root, subject.what)
        return Imagery(source=source, seed=known.seed, images=images)
    if name is None and subject.default_source is None:
        raise ValueError(f"{subject.what}: which images? Say --data NAME[:ROOT], such as folder:DIR, or SPACE")
    other = TrainingData(source={"name": name or subject.default_source}, seed=0)
    return Imagery(source=_rooted(other, given_root, subject.what))


def _rooted(data: TrainingData, root: Path | None, what: str) -> Source:
    name = data.source["name"]
    if root is None and SOURCES[name].needs_root:
        raise ValueError(f"{what}: where its {name} images are must be given: --data {name}:DIR")
    return data.at(root)


def _parsed(data: str) -> tuple[str, Path | None]:
    """Split NAME[:ROOT]."""
    name, colon, root = data.partition(":")
    if name not in SOURCES:
        raise ValueError(f"--data: {expected(name, SOURCES)}")
    if colon and not root:
        raise ValueError(f"--data: got {data!r}, expected a directory behind the colon")
    return name, Path(root) if root else None
