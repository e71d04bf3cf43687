"""From a YAML file to an `Experiment`; every mistake ends in one message with file, line and key path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ressearch.arch import named
from ressearch.experiment.experiment import Budget, Experiment, Origin, RecipeTuning, Resources, Session, name_in
from ressearch.experiment.objectives import OBJECTIVES
from ressearch.images import ImageShape
from ressearch.samplers import DEFAULT_SAMPLER, SAMPLERS, SamplerSettings
from ressearch.schedulers import DEFAULT_SCHEDULER, SCHEDULERS, SchedulerSettings
from ressearch.space.architecture_section import architecture_section
from ressearch.space.limits import Limits
from ressearch.space.sections import recipe_section, section
from ressearch.space.space import Space
from ressearch.space.survey import UnmetLimitError, check_limits
from ressearch.space.yaml_nodes import Entry, SpaceError, compose, read_text
from ressearch.training.source import DivisionError, Source

VERSION = 1
MAX_BYTES = 100_000
"""Of a file; those that come with the package have at most 6,000."""
SECTIONS = (
    "version",
    "data",
    "architecture",
    "recipe",
    "recipe_tuning",
    "limits",
    "objectives",
    "sampler",
    "scheduler",
    "budget",
    "resources",
    "baselines",
)
OLDER_NAMES = {"ancestors": "baselines"}
"""Sections that files may still call by an older name."""

T = TypeVar("T")


def load_experiment(path: Path | str) -> Experiment:
    """Read and check an experiment.

    A relative `data.root` starts from the current directory.

    Raises:
        SpaceError: For whatever is wrong with the file, in one message.
    """
    return parse_experiment(read_text(Path(path), MAX_BYTES), str(path))


def parse_experiment(text: str, path: str) -> Experiment:
    """Read an experiment from YAML text; `path` is what messages call it.

    Raises:
        SpaceError: For whatever is wrong with the text, in one message.
    """
    experiment = _parsed(text, path)
    check_fit(experiment)
    return experiment


def _parsed(text: str, path: str) -> Experiment:
    """Read an experiment without a look at what fits together."""
    top = compose(text, path)
    items = _sections(top)
    if "architecture" not in items:
        raise top.error("'architecture' is missing, expected the axes of the space")
    num_stages, fixed, axes = architecture_section(items["architecture"])
    recipe, searched_recipe = recipe_section(items.get("recipe"))
    seed, sampler = _seeded(items.get("sampler"))
    return Experiment(
        space=Space(
            num_stages=num_stages,
            parameters=axes + searched_recipe,
            fixed=fixed,
            limits=section(items.get("limits"), Limits),
        ),
        images=section(items.get("data"), Source),
        recipe=recipe,
        recipe_tuning=section(items.get("recipe_tuning"), RecipeTuning),
        objectives=_objectives(items.get("objectives")),
        sampler=sampler,
        scheduler=_row(items.get("scheduler"), SCHEDULERS, DEFAULT_SCHEDULER),
        seed=seed,
        session=Session(
            resources=section(items.get("resources"), Resources),
            budget=section(items.get("budget"), Budget),
            baselines=_baselines(items.get("baselines")),
        ),
        origin=Origin(path=path, text=text, question=_question(text)),
    )


def without_root(text: str) -> str:
    """Return the YAML text of an experiment with a dot for the place of its images, which is nobody else's business."""
    items = _sections(compose(text, "")).get("data")
    root = None if items is None else items.items.get("root")
    if root is None:
        return text
    return text[: root.node.start_mark.index] + '"."' + text[root.node.end_mark.index :]


def check_fit(experiment: Experiment) -> None:
    """Check that sampler and scheduler can serve the experiment.

    Raises:
        SpaceError: With the reason, at the line of the sampler or the scheduler.
    """
    for name, reason in experiment.misfits().items():
        first_word = reason.partition(" ")[0]
        rows, settings = (SAMPLERS, experiment.sampler) if name == "sampler" else (SCHEDULERS, experiment.scheduler)
        if first_word in vars(settings):
            raise _placed(experiment, (name, first_word), reason)
        raise _placed(experiment, (name, "name"), f"{name_in(rows, settings)} {reason}")


def check_images(experiment: Experiment) -> ImageShape:
    """Check that the images are there, and can be divided as asked; return what networks must fit.

    Raises:
        SpaceError: At the line of the images' root, or of what is asked of them.
    """
    from ressearch.training.division import counts_of  # loads numpy, which an experiment as such does without

    try:
        counts_of(experiment.images, experiment.seed)
        return experiment.shape
    except DivisionError as error:
        raise _placed(experiment, ("data", error.field), str(error)) from None
    except ValueError as error:
        raise _placed(experiment, ("data", "root"), str(error)) from None


def check_feasible(experiment: Experiment, *, seed: int = 0) -> None:
    """See to it that the images can be used, and that some network of the space is within its limits.

    Raises:
        SpaceError: As `check_images`, or at the line of the limit that nothing was found to meet.
    """
    shape = check_images(experiment)
    try:
        check_limits(experiment.space, shape, seed=seed)
    except UnmetLimitError as error:
        raise _placed(experiment, error.keys, str(error)) from None


def _placed(experiment: Experiment, keys: tuple[str, ...], message: str) -> SpaceError:
    """Return an error at a value of the file, or at the nearest section if the value is not given.

    No line is named where Python has changed that part of the experiment since: the file does not say it.
    """
    where, origin = ".".join(keys), experiment.origin
    part = {"sampler": "sampler", "scheduler": "scheduler", "data": "images"}.get(keys[0], "space")
    if not origin.text or getattr(_parsed(origin.text, origin.path), part) != getattr(experiment, part):
        return SpaceError(f"{where}: {message}")
    entry = compose(origin.text, origin.path)
    for key in keys:
        if not entry.is_mapping or key not in entry.items:
            break
        entry = entry.items[key]
    return SpaceError(f"{origin.path}:{entry.line}: {where}: {message}")


def _sections(top: Entry) -> dict[str, Entry]:
    """Return the sections by their names of today."""
    given = top.known((*SECTIONS, *OLDER_NAMES))
    if "version" not in given:
        raise top.error(f"'version' is missing, expected version: {VERSION}")
    if given["version"].scalar(int) != VERSION:
        raise given["version"].error(f"got {given['version'].text}, expected {VERSION}, the only version so far")
    for older, name in OLDER_NAMES.items():
        if older in given and name in given:
            raise given[older].error(f"{older} is the older name of {name}, which is given, too; leave one of them out")
    return {OLDER_NAMES.get(name, name): entry for name, entry in given.items()}


def _question(text: str) -> str:
    """Return the first comment line, which asks the question that the space answers."""
    comments = (line.lstrip("# ").rstrip() for line in text.splitlines() if line.startswith("#"))
    return next(comments, "")


def _seeded(entry: Entry | None) -> tuple[int, Any]:
    """Read the sampler, and the seed of the study, which is written beside it."""
    seed = 0
    if entry is not None and entry.is_mapping and "seed" in entry.items:
        seed = entry.items["seed"].scalar(int)
        if not 0 <= seed < 2**32:
            raise entry.items["seed"].error(f"0 <= seed < 2**32 must hold, got {seed}")
    return seed, _row(entry, SAMPLERS, DEFAULT_SAMPLER, also=("seed",))


def _row(entry: Entry | None, rows: Mapping[str, type[T]], default: str, *, also: tuple[str, ...] = ()) -> T:
    """Read a section whose `name` picks the row that declares its other fields."""
    if entry is None:
        return rows[default]()
    name = entry.items["name"].name(rows) if "name" in entry.items else default
    return section(entry, rows[name], also=("name", *also))


def parse_sampler(text: str) -> SamplerSettings:
    """Read a sampler from YAML text: its name, or a mapping with its options.

    Raises:
        SpaceError: If there is none of this name, or an option is wrong.
    """
    return _row(_named(text, "sampler"), SAMPLERS, DEFAULT_SAMPLER)


def parse_scheduler(text: str) -> SchedulerSettings:
    """Read a scheduler, as `parse_sampler` does."""
    return _row(_named(text, "scheduler"), SCHEDULERS, DEFAULT_SCHEDULER)


def _named(text: str, what: str) -> Entry:
    """Return a mapping that may be written as its name alone."""
    return compose(text if text.lstrip().startswith("{") else f"{{name: {text}}}", what)


def _objectives(entry: Entry | None) -> tuple[str, ...]:
    if entry is None:
        return ("val_accuracy",)
    names = _distinct(entry, [element.name(OBJECTIVES) for element in entry.elements])
    if names[:1] != ["val_accuracy"]:
        raise entry.error(f"the first objective must be val_accuracy, got {names[0] if names else 'none'}")
    return tuple(names)


def _baselines(entry: Entry | None) -> tuple[str, ...]:
    if entry is None:
        return ()
    names = []
    for element in entry.elements:
        names.append(element.scalar(str))
        try:
            named(names[-1])
        except ValueError as error:
            raise element.error(str(error)) from None
    return tuple(_distinct(entry, names))


def _distinct(entry: Entry, names: list[str]) -> list[str]:
    for index, element in enumerate(entry.elements):
        if names[index] in names[:index]:
            raise element.error(f"{names[index]!r} is given twice")
    return names
