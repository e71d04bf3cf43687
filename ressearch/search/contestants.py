"""Who meets in a confirmation: the best networks of a study and its baselines, and with which recipes."""

from dataclasses import dataclass, replace

from ressearch.store.files import StudyError
from ressearch.store.record import TrialRecord, best_baselines, ranked
from ressearch.store.study_record import StudyRecord
from ressearch.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A network with the recipe that it is trained with.

    title: what it is called among the others. length: how long it is trained, in words.
    recipe_of: number of the trial whose recipe it has, None if its own.
    """

    title: str
    length: str
    trial: TrialRecord
    recipe: Recipe
    recipe_of: int | None = None

    @property
    def name(self) -> str:
        """What tells it from all of the study; equal names are the same training but for the seed."""
        return f"{self.title} {self.length}"

    @property
    def is_found(self) -> bool:
        """Whether the search has found it."""
        return self.trial.baseline is None


def contestants_of(study: StudyRecord, *, top: int, epochs: int | None, num_images: int | None) -> list[Contestant]:
    """Return the best networks found, each baseline, and each baseline with the recipe of the best network.

    With several objectives the best are members of the front, the most accurate first; there may be fewer than `top`.
    A search that tunes the recipe owes the baselines the same, whatever their size; one that was trained with several
    recipes has the best of them.

    Raises:
        StudyError: If no trial is complete.
        ValueError: If a recipe cannot have so few epochs.
    """
    complete = [trial for trial in study.trials if trial.state == "complete"]
    placed = ranked((trial for trial in complete if not trial.baseline), study.directions)
    last = 1 if len(study.objectives) > 1 else len(placed)
    found = [trial for front, trial in placed if front <= last][:top]
    baselines = best_baselines(complete)
    if not found and not baselines:
        raise StudyError(f"{study.directory}: no trial is complete, so there is nothing to confirm")

    def contestant(trial: TrialRecord, donor: TrialRecord | None = None) -> Contestant:
        recipe = lengthened(donor or trial, epochs)
        title = trial.baseline or f"trial {trial.number}"
        if donor:
            title += f", recipe of trial {donor.number}"
        length = length_text(recipe.epochs, num_images)
        recipe_of = donor.number if donor else None
        return Contestant(title=title, length=length, trial=trial, recipe=recipe, recipe_of=recipe_of)

    best = found[:1]
    as_found = [
        contestant(trial, one) for one in best for trial in baselines if one.build_recipe() != trial.build_recipe()
    ]
    return [*map(contestant, [*found, *baselines]), *as_found]


def lengthened(trial: TrialRecord, epochs: int | None) -> Recipe:
    """Return the recipe of a trial with other epochs, its own if None.

    Raises:
        ValueError: If the recipe cannot have so few.
    """
    recipe = trial.build_recipe()
    try:
        return recipe if epochs is None else replace(recipe, epochs=epochs)
    except ValueError as error:
        raise ValueError(f"epochs: the recipe of trial {trial.number} cannot have {epochs}: {error}") from error


def length_text(epochs: int, num_images: int | None) -> str:
    """Say how long a training is; networks trained for different lengths are never compared."""
    return f"({epochs} epochs, {'all' if num_images is None else f'{num_images:,}'} images)"
