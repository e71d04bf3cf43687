"""An experiment: a space with all that a study of it needs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ressearch.experiment.objectives import OBJECTIVES
from ressearch.experiment.terms import Change, changes
from ressearch.images import ImageShape
from ressearch.samplers import DEFAULT_SAMPLER, SAMPLERS, SamplerSettings
from ressearch.schedulers import DEFAULT_SCHEDULER, SCHEDULERS, SchedulerSettings
from ressearch.space import Candidate, Space, Value
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Share of the machine; workers None is as many as it holds, gpus_per_trial None a GPU where there are any."""

    workers: int | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "cpus_per_trial"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} >= 1 must hold, got {value}")
        if not 0 < self.device_share <= 1:
            raise ValueError(f"0 < gpus_per_trial <= 1 must hold, got {self.gpus_per_trial:g}")

    @property
    def device_share(self) -> float:
        """Share of a GPU that a trial has where there are GPUs."""
        return 1.0 if self.gpus_per_trial is None else self.gpus_per_trial

    def lacks_gpu(self) -> ValueError:
        """Return the error of a share of a GPU where there is none."""
        return ValueError(
            f"resources.gpus_per_trial: got {self.gpus_per_trial:g}, and there is no GPU here; leave it out to train "
            "on the CPU"
        )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When a search ends, over all sessions of its study, whichever comes first; None is no bound."""

    trials: int | None = None
    """Finished trials in the end, those of earlier sessions and the baselines included."""

    hours: float | None = None
    """Time of all sessions."""

    target: float | None = None
    """Validation accuracy, 0..1, that a complete trial within the limits has reached."""

    patience: int | None = None
    """Finished trials in a row, baselines not counted, none of which is a new best, or new on the front."""

    seconds_per_trial: float | None = None
    """Worker time of each trial: what is predicted to take longer is refused, and what takes longer fails."""

    repeat_share: float | None = None
    """Share of the epochs, 0..1, that goes to further trainings of the best networks with other seeds; 0.2 if left
    out."""

    def __post_init__(self) -> None:
        if self.repeat_share is not None and not 0 <= self.repeat_share < 1:
            raise ValueError(f"0 <= repeat_share < 1 must hold, got {self.repeat_share:g}")
        for name in ("trials", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} >= 1 must hold, got {value}")
        for name in ("hours", "seconds_per_trial"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} > 0 must hold, got {value:g}")
        if self.target is not None and not 0 < self.target <= 1:
            raise ValueError(f"0 < target <= 1 must hold, got {self.target:g}")

    @property
    def ends(self) -> bool:
        """Whether anything bounds the search as a whole."""
        return any(value is not None for value in (self.trials, self.hours, self.target, self.patience))

    def overridden(self, other: "Budget") -> "Budget":
        """Return this budget with whatever the other one gives."""
        return replace(self, **{name: value for name, value in vars(other).items() if value is not None})


@dataclass(frozen=True, kw_only=True)
class RecipeTuning:
    """The stage before the search that tunes lr, weight decay and batch size, as far as these are searched.

    It does so on the first two baselines; candidates then keep near what was found, and the other baselines have it.
    """

    trials: int = 0
    """That the stage may take; 0 is no stage."""

    def __post_init__(self) -> None:
        if self.trials < 0:
            raise ValueError(f"trials >= 0 must hold, got {self.trials}")


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How closely trials are looked at; only trials of one fidelity are compared.

    num_images: training images; None is all of them. resolution: pixels of a side.
    """

    epochs: int
    num_images: int | None
    resolution: int


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an experiment comes from. `text` is the YAML as it was read, `question` its first comment line."""

    path: str = ""
    text: str = ""
    question: str = ""


@dataclass(frozen=True, kw_only=True)
class Session:
    """The parts that no score depends on: they may differ from one session of a study to the next."""

    resources: Resources = field(default_factory=Resources)
    budget: Budget = field(default_factory=Budget)
    baselines: tuple[str, ...] = ()
    """Names of networks of the literature that are trained first, for comparison."""
    parents: tuple[Mapping[str, Value], ...] = ()
    """Points of the space that are known to be good, besides the baselines."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a YAML file says. All but `origin` and `session` stays the same for the whole life of a study.

    recipe: fixed fields and, for the searched ones, their defaults.
    seed: of the study: which images validate, what samplers draw, and every trial's own seed follow from it.
    """

    space: Space
    images: Source = field(default_factory=Source)
    recipe: Recipe = field(default_factory=Recipe)
    objectives: tuple[str, ...] = ("val_accuracy",)
    sampler: SamplerSettings = field(default_factory=SAMPLERS[DEFAULT_SAMPLER])
    scheduler: SchedulerSettings = field(default_factory=SCHEDULERS[DEFAULT_SCHEDULER])
    recipe_tuning: RecipeTuning = field(default_factory=RecipeTuning)
    seed: int = 0
    session: Session = field(default_factory=Session)
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise ValueError(f"objectives: got {name!r}, expected some of {', '.join(OBJECTIVES)}")
        if self.objectives[:1] != ("val_accuracy",):
            raise ValueError(f"the first objective must be val_accuracy, got {', '.join(self.objectives) or 'none'}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"0 <= seed < 2**32 must hold, got {self.seed}")

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.origin.path).stem or "experiment"

    @property
    def fidelity(self) -> Fidelity:
        """What trials are trained at, as recipe and images say."""
        return Fidelity(epochs=self.recipe.epochs, num_images=self.images.subset, resolution=self.shape.resolution)

    @cached_property
    def shape(self) -> ImageShape:
        """What networks must fit.

        Raises:
            ValueError: If the files of the images are missing or wrongly laid out.
        """
        return self.images.describe()

    def candidate(self, params: Mapping[str, Value]) -> Candidate:
        """Resolve parameters to a candidate for these images; raises as `Space.candidate`."""
        return self.space.candidate(params, self.shape)

    def baseline(self, name: str) -> Candidate:
        """Return a network of the literature with this experiment's recipe; limits are not applied."""
        values = {field: getattr(self.recipe, field) for field in self.space.searched_recipe}
        return self.space.baseline(name, values, self.shape)

    def recipe_of(self, candidate: Candidate) -> Recipe:
        """Return the recipe that a candidate is trained with."""
        values: dict[str, Any] = dict(candidate.recipe_values)
        return replace(self.recipe, **values) if values else self.recipe

    def misfits(self) -> dict[str, str]:
        """Return why sampler or scheduler cannot serve this experiment, by section; empty if all fits."""
        found = {
            "sampler": self.sampler.misfit(self.space, self.objectives),
            "scheduler": self.scheduler.misfit(self.recipe.epochs),
        }
        return {section: reason for section, reason in found.items() if reason}

    def notes(self) -> list[str]:
        """Return what works, but not as well as one may think."""
        found = self.images.notes("train")
        sampler, scheduler = name_in(SAMPLERS, self.sampler), name_in(SCHEDULERS, self.scheduler)
        if self.scheduler.stops and not self.sampler.learns_from_stopped and self.sampler.learns:
            found.append(f"sampler {sampler} learns nothing from the trials that {scheduler} stops early")
        return found

    def terms(self) -> dict[str, Any]:
        """Return all that must stay the same while a study goes on, as plain JSON values by dotted key."""
        space = self.space.to_dict()
        sections = {
            "architecture": space["architecture"],
            **{f"limits.{name}": bounds for name, bounds in space["limits"].items()},
            "data": self._data_terms(),
            "recipe": asdict(self.recipe) | space["recipe"],
            "recipe_tuning": asdict(self.recipe_tuning),
            "sampler": {"name": name_in(SAMPLERS, self.sampler), **vars(self.sampler)},
            "scheduler": {"name": name_in(SCHEDULERS, self.scheduler), **vars(self.scheduler)},
        }
        terms = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
        terms |= {"objectives": self.objectives, "seed": self.seed}
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in terms.items()
        }  # as JSON has it

    def _data_terms(self) -> dict[str, Any]:
        """Return the terms of the images; where there are test images apart from them, none are set aside."""
        images = self.images
        held_out = {"test_images": 0} if images.test_images is None and images.has_test_images() else {}
        return asdict(images) | {"root": None if images.root is None else str(images.root)} | held_out

    def changes_since(self, terms: Mapping[str, Any]) -> list[Change]:
        """Return what differs from the terms of a study, as `changes` does."""
        return changes(self.terms(), terms)


def name_in(rows: Mapping[str, type], settings: object) -> str:
    """Return the YAML name of settings."""
    return next((name for name, row in rows.items() if type(settings) is row), type(settings).__name__)
