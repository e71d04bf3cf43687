"""From a YAML file to a `Space`; every mistake ends in one message with file, line and key path."""

from pathlib import Path
from typing import get_args

from ressearch.arch import named
from ressearch.space.architecture_section import architecture_section
from ressearch.space.sections import recipe_section, section
from ressearch.space.settings import Limits, Objective, Resources, Sampler, Scheduler
from ressearch.space.space import Space
from ressearch.space.yaml_nodes import Entry, compose, read_text
from ressearch.training.source import Source

VERSION = 1
SECTIONS = (
    "version",
    "data",
    "architecture",
    "recipe",
    "limits",
    "objectives",
    "sampler",
    "scheduler",
    "resources",
    "ancestors",
)


def load_space(path: Path | str) -> Space:
    """Read and check a search space.

    A relative `data.root` starts from the current directory.

    Raises:
        SpaceError: For whatever is wrong with the file, in one message.
    """
    text = read_text(Path(path))
    top = compose(text, str(path))
    items = top.known(SECTIONS)
    _check_version(top)
    if "architecture" not in items:
        raise top.error("'architecture' is missing, expected the axes of the space")
    num_stages, fixed, axes = architecture_section(items["architecture"])
    recipe, searched_recipe = recipe_section(items.get("recipe"))
    space = Space(
        path=str(path),
        text=text,
        question=_question(text),
        source=section(items.get("data"), Source),
        recipe=recipe,
        num_stages=num_stages,
        parameters=axes + searched_recipe,
        fixed=fixed,
        limits=section(items.get("limits"), Limits),
        objectives=_objectives(items.get("objectives")),
        sampler=section(items.get("sampler"), Sampler),
        scheduler=section(items.get("scheduler"), Scheduler),
        resources=section(items.get("resources"), Resources),
        ancestors=_ancestors(items.get("ancestors")),
    )
    _check_together(space, top)
    return space


def line_of(space: Space, *keys: str) -> int:
    """Return the 1-based line of a value of the file, of the nearest section if it is not given."""
    entry = compose(space.text, space.path)
    for key in keys:
        if not entry.is_mapping or key not in entry.items:
            break
        entry = entry.items[key]
    return entry.line


def _question(text: str) -> str:
    """Return the first comment line, which asks the question that the space answers."""
    comments = (line.lstrip("# ").rstrip() for line in text.splitlines() if line.startswith("#"))
    return next(comments, "")


def _check_version(top: Entry) -> None:
    if "version" not in top.items:
        raise top.error(f"'version' is missing, expected version: {VERSION}")
    entry = top.items["version"]
    if entry.scalar(int) != VERSION:
        raise entry.error(f"got {entry.text}, expected {VERSION}, the only version so far")


def _objectives(entry: Entry | None) -> tuple[Objective, ...]:
    if entry is None:
        return ("val_accuracy",)
    allowed: tuple[Objective, ...] = get_args(Objective)
    names = _distinct(entry, [element.name(allowed) for element in entry.elements])
    if names[:1] != ["val_accuracy"]:
        raise entry.error(f"the first objective must be val_accuracy, got {names[0] if names else 'none'}")
    return tuple(objective for name in names for objective in allowed if objective == name)


def _ancestors(entry: Entry | None) -> tuple[str, ...]:
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


def _check_together(space: Space, top: Entry) -> None:
    """Check what concerns two sections."""
    if space.scheduler.first_rung is not None and space.scheduler.first_rung > space.recipe.epochs:
        raise (
            top.items["scheduler"]
            .items["first_rung"]
            .error(
                f"first_rung <= epochs must hold, got first_rung {space.scheduler.first_rung} "
                f"and epochs {space.recipe.epochs}"
            )
        )
    if space.sampler.name == "grid" and space.continuous:
        raise (
            top.items["sampler"]
            .items["name"]
            .error(f"grid needs a finite space, got continuous {', '.join(space.continuous)}; give a step or a choice")
        )
