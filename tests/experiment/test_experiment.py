"""An experiment as a value: what it checks, what must stay the same while a study goes on, and what may change."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ressearch.arch import AXES, InfeasibleError
from ressearch.experiment import OBJECTIVES, Budget, Experiment, Origin, Resources, Session, load_experiment
from ressearch.experiment.loader import parse_experiment
from ressearch.images import ImageShape
from ressearch.samplers import SAMPLERS, Grid, Nsga2, RandomDraws
from ressearch.schedulers import SCHEDULERS, Asha, Median, NoStopping
from ressearch.space import Choice
from ressearch.space.parameters import Fixed
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

SPACES = Path(__file__).parents[2] / "search_spaces"
every_space = pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)


@pytest.fixture
def experiment(good: str) -> Experiment:
    return parse_experiment(good, "space.yaml")


# Values


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda space: Experiment(space=space, objectives=("val_acc",)), "objectives: got 'val_acc', expected some of"),
        (
            lambda space: Experiment(space=space, objectives=("num_macs",)),
            "the first objective must be val_accuracy, got num_macs",
        ),
        (lambda space: Experiment(space=space, objectives=()), "the first objective must be val_accuracy, got none"),
        (lambda space: Experiment(space=space, seed=-1), r"0 <= seed < 2\*\*32 must hold, got -1"),
        (lambda space: Experiment(space=space, seed=2**32), r"0 <= seed < 2\*\*32 must hold, got 4294967296"),
        (lambda _: Budget(trials=0), "trials >= 1 must hold, got 0"),
        (lambda _: Resources(workers=0), "workers >= 1 must hold, got 0"),
        (lambda _: Resources(cpus_per_trial=0), "cpus_per_trial >= 1 must hold, got 0"),
        (lambda _: Resources(gpus_per_trial=0), "0 < gpus_per_trial <= 1 must hold, got 0"),
        (lambda _: Resources(gpus_per_trial=1.5), "0 < gpus_per_trial <= 1 must hold, got 1.5"),
    ],
)
def test_values_are_checked_when_they_are_made(
    experiment: Experiment, make: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make(experiment.space)


def test_a_changed_experiment_is_checked_too(experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="the first objective must be val_accuracy"):
        replace(experiment, objectives=("num_params", "val_accuracy"))


def test_a_space_alone_makes_an_experiment(experiment: Experiment) -> None:
    made = Experiment(space=experiment.space)
    assert made.name == "experiment"
    assert made.shape == ImageShape(channels=1, resolution=8, num_classes=10)
    assert made.misfits() == {}


def test_the_shape_follows_the_images(experiment: Experiment) -> None:
    assert experiment.shape.resolution == 8
    larger = replace(experiment, images=Source(name="digits", resolution=16))
    assert larger.shape == ImageShape(channels=1, resolution=16, num_classes=10)
    params = {"depth": 1, "width_3": 32, "shortcut": "projection", "lr": 0.1}
    few, many = experiment.candidate(params), larger.candidate(params)
    assert few.architecture == many.architecture
    assert few.cost.num_macs < many.cost.num_macs


def test_a_candidate_is_trained_with_its_part_of_the_recipe(experiment: Experiment) -> None:
    params = {"depth": 1, "width_3": 32, "shortcut": "projection", "lr": 0.25}
    assert experiment.recipe_of(experiment.candidate(params)) == Recipe(epochs=6, lr=0.25)


def test_a_baseline_is_trained_with_the_recipe_and_knows_no_limits(experiment: Experiment) -> None:
    baseline = experiment.baseline("resnet-110")
    assert baseline.cost.num_params > 1_700_000
    assert baseline.recipe_values == {"lr": experiment.recipe.lr}
    assert experiment.recipe_of(baseline) == experiment.recipe
    with pytest.raises(InfeasibleError):
        experiment.space.limits.check(baseline.cost)
    with pytest.raises(ValueError, match="unknown architecture 'resnet-9'"):
        experiment.baseline("resnet-9")


def test_what_works_less_well_is_noted(experiment: Experiment) -> None:
    assert experiment.notes() == []
    several = replace(experiment, sampler=Nsga2())
    assert several.notes() == ["sampler nsga2 learns nothing from the trials that asha stops early"]
    assert replace(several, scheduler=NoStopping()).notes() == []
    assert replace(several, sampler=RandomDraws()).notes() == []


# Terms


def first_change(experiment: Experiment, terms: Mapping[str, Any]) -> str | None:
    """What is said of the first value that differs from a study's."""
    return next(map(str, experiment.changes_since(terms)), None)


def text(value: object) -> str:
    return "not given" if value is None else str(value)


@every_space
def test_terms_survive_json(path: Path) -> None:
    experiment = load_experiment(path)
    terms = experiment.terms()
    kept = json.loads(json.dumps(terms))
    assert kept == terms
    assert first_change(experiment, kept) is None
    assert first_change(load_experiment(path), kept) is None


def varied(value: Any, name: str) -> Any:
    """Another value that the field `name` allows; None where the names of its values decide."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * 0.75 if value else 0.25
        case None:
            return Path("elsewhere") if name == "root" else 7
        case _:
            return {"name": "cifar10", "schedule": "one_cycle", "crop_fill": "reflect"}[name]


def fields_of(section: str, values: object) -> list[Any]:
    return [pytest.param(section, spec.name, id=f"{section}.{spec.name}") for spec in dataclasses.fields(values)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("section", "name"), [*fields_of("images", Source()), *fields_of("recipe", Recipe())])
def test_a_change_of_images_or_recipe_is_named(experiment: Experiment, section: str, name: str) -> None:
    fixed = replace(experiment, space=replace(experiment.space, parameters=experiment.space.parameters[:-1]))
    assert fixed.space.searched_recipe == ()
    values = getattr(fixed, section)
    changed = replace(fixed, **{section: replace(values, **{name: varied(getattr(values, name), name)})})
    said = first_change(changed, fixed.terms())
    assert said is not None
    key = f"{'data' if section == 'images' else section}.{name}"
    assert said == f"{key} is {changed.terms()[key]}, and was {text(fixed.terms()[key])}"
    assert said.startswith(f"{key} is ")


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_change_of_the_sampler_is_named(experiment: Experiment, name: str) -> None:
    before = replace(experiment, sampler=SAMPLERS[name]())
    for other, row in SAMPLERS.items():
        said = first_change(replace(experiment, sampler=row()), before.terms())
        assert said == (None if other == name else f"sampler.name is {other}, and was {name}")
    for spec in dataclasses.fields(before.sampler):  # type: ignore[arg-type]
        value = getattr(before.sampler, spec.name)
        new = varied(value, spec.name)
        changed = replace(before, sampler=replace(before.sampler, **{spec.name: new}))  # type: ignore[type-var]
        assert first_change(changed, before.terms()) == f"sampler.{spec.name} is {text(new)}, and was {text(value)}"


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_change_of_the_scheduler_is_named(experiment: Experiment, name: str) -> None:
    before = replace(experiment, scheduler=SCHEDULERS[name]())
    for other, row in SCHEDULERS.items():
        said = first_change(replace(experiment, scheduler=row()), before.terms())
        assert said == (None if other == name else f"scheduler.name is {other}, and was {name}")
    for spec in dataclasses.fields(before.scheduler):  # type: ignore[arg-type]
        value = getattr(before.scheduler, spec.name)
        new = 2 if value is None else varied(value, spec.name)
        changed = replace(before, scheduler=replace(before.scheduler, **{spec.name: new}))  # type: ignore[type-var]
        assert first_change(changed, before.terms()) == f"scheduler.{spec.name} is {text(new)}, and was {text(value)}"


def test_a_change_of_seed_or_objectives_is_named(experiment: Experiment) -> None:
    terms = experiment.terms()
    assert first_change(replace(experiment, seed=3), terms) == "seed is 3, and was 0"
    several = replace(experiment, objectives=("val_accuracy", "num_macs"))
    assert first_change(several, terms) == ("objectives is ['val_accuracy', 'num_macs'], and was ['val_accuracy']")


@every_space
def test_a_change_of_any_parameter_or_fixed_axis_is_named(path: Path) -> None:
    experiment = load_experiment(path)
    space, terms = experiment.space, experiment.terms()

    def said(**changes: Any) -> str | None:
        return first_change(replace(experiment, space=replace(space, **changes)), terms)

    for index, parameter in enumerate(space.parameters):
        before, after = space.parameters[:index], space.parameters[index + 1 :]
        section = "architecture" if parameter.axis in AXES else "recipe"
        other = replace(parameter, domain=Choice((parameter.domain.centre, -1)))
        assert (said(parameters=(*before, other, *after)) or "").startswith(f"{section}.{parameter.name} is ")
        if parameter.when:
            always = replace(parameter, when=())
            assert f"{parameter.name} is {parameter.domain}, and was " in (
                said(parameters=(*before, always, *after)) or ""
            )
    for name in AXES.keys() - {parameter.axis for parameter in space.parameters}:
        got = said(fixed=(*space.fixed, Fixed(name, None, "another")))
        assert got is not None, name
        assert got.startswith((f"architecture.{name} is another, and was ", f"architecture.{name}_1 is another, and "))


# what is replaced, by what, and what is said; the same file otherwise
CHANGES = {
    "stages": (
        "stages: 3\n  depth: {int: {low: 1, high: 2}}\n  width: [8, 16, {choice: [32, 64]}]",
        "stages: 1\n  depth: {int: {low: 1, high: 2}}\n  width: [{choice: [32, 64]}]",
        "architecture.stages is 1, and was 3",
    ),
    "range": ("high: 2}}", "high: 3}}", "architecture.depth is 1 to 3, and was 1 to 2"),
    "fixed instead of searched": ("{int: {low: 1, high: 2}}", "2", "architecture.depth"),
    "step": ("high: 2}}", "high: 3, step: 2}}", "architecture.depth is "),
    "choice of a stage": ("[32, 64]", "[32, 48]", "architecture.width_3 is 32, 48, and was 32, 64"),
    "fixed stage": ("[8, 16,", "[8, 24,", "architecture.width_2 is 24, and was 16"),
    "order of a choice": ("[zero_pad, projection]", "[projection, zero_pad]", "architecture.shortcut is "),
    "an axis at its default": (
        "widening: per_stage",
        "zero_init: true",
        "architecture.zero_init is True, and was False",
    ),
    "condition": (
        "widening: per_stage",
        "norm: {choice: [batch, group], when: {shortcut: zero_pad}}",
        "architecture.norm is batch, group when shortcut is zero_pad, and was ",
    ),
    "searched recipe": ("high: 0.5,", "high: 0.6,", "recipe.lr is 0.01 to 0.6, log, and was 0.01 to 0.5, log"),
    "log": (", log: true", "", "recipe.lr is 0.01 to 0.5, and was 0.01 to 0.5, log"),
    "fixed recipe": ("epochs: 6", "epochs: 7", "recipe.epochs is 7, and was 6"),
    "limit": ("300_000", "300_001", "limits.num_params.max is 300001, and was 300000"),
    "another limit": ("{max: 300_000}", "{max: 300_000, min: 2}", "limits.num_params.min is 2, and was not given"),
    "limit of MACs": (
        "num_params: {max: 300_000}",
        "num_params: {max: 300_000}\n  num_macs: {max: 9}",
        "limits.num_macs.max is 9, and was not given",
    ),
    "rung": ("first_rung: 2", "first_rung: 3", "scheduler.first_rung is 3, and was 2"),
    "seed": ("{name: tpe}", "{name: tpe, seed: 5}", "seed is 5, and was 0"),
}


@pytest.mark.parametrize(("old", "new", "said"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_file_is_named(experiment: Experiment, good: str, old: str, new: str, said: str) -> None:
    assert good.count(old) == 1
    terms = json.loads(json.dumps(experiment.terms()))
    found = first_change(parse_experiment(good.replace(old, new), "space.yaml"), terms)
    assert found is not None
    assert found.startswith(said)


SAME = {
    "workers": ("baselines: [resnet-8]", "resources: {workers: 2, cpus_per_trial: 3, gpus_per_trial: 0.5}"),
    "budget": ("baselines: [resnet-8]", "budget: {trials: 5}"),
    "baselines": ("[resnet-8]", "[resnet-14]"),
    "older name": ("baselines:", "ancestors:"),
    "question": ("# Does it load?", "# Does it still load?"),
    "said or by default": ("  widening: per_stage\n", "  widening: per_stage\n  zero_init: false\n"),
    "order of axes": ("  stages: 3\n", "  activation: relu\n  stages: 3\n"),
}


@pytest.mark.parametrize(("old", "new"), SAME.values(), ids=SAME)
def test_what_no_score_depends_on_may_change(experiment: Experiment, good: str, old: str, new: str) -> None:
    assert good.count(old) == 1
    changed = parse_experiment(good.replace(old, new), "elsewhere.yaml")
    assert changed.terms() == experiment.terms()
    assert first_change(changed, experiment.terms()) is None


def test_the_session_and_the_origin_are_no_terms(experiment: Experiment) -> None:
    session = Session(resources=Resources(workers=3), budget=Budget(trials=9), baselines=("resnet-20",))
    changed = replace(experiment, session=session, origin=Origin(path="b.yaml", text="b", question="b?"))
    assert first_change(changed, experiment.terms()) is None


def test_what_an_older_version_did_not_know_is_not_compared(experiment: Experiment) -> None:
    older = {key: value for key, value in experiment.terms().items() if not key.startswith("scheduler")}
    assert first_change(replace(experiment, scheduler=Median()), older) is None


def test_what_this_version_does_not_know_is_a_change(experiment: Experiment) -> None:
    newer = {**experiment.terms(), "recipe.mixup": 0.2}
    assert first_change(experiment, newer) == "recipe.mixup is not given, and was 0.2"


def test_a_row_of_ones_own_goes_by_its_class(experiment: Experiment) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Mine(Grid):
        offset: int = 0

    changed = replace(experiment, sampler=Mine(offset=2))
    assert (changed.terms()["sampler.name"], changed.terms()["sampler.offset"]) == ("Mine", 2)
    assert first_change(changed, experiment.terms()) == "sampler.name is Mine, and was tpe"


def test_several_values_of_an_option_survive_json(experiment: Experiment) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Mine(Grid):
        offsets: tuple[int, ...] = (1, 2)

    made = replace(experiment, sampler=Mine())
    kept = json.loads(json.dumps(made.terms()))
    assert first_change(made, kept) is None
    assert first_change(replace(made, sampler=Mine(offsets=(1,))), kept) == "sampler.offsets is [1], and was [1, 2]"


def test_defaults_are_told_apart_from_what_they_stand_for(experiment: Experiment) -> None:
    """None is half of the epochs today; a later version may mean another epoch by it."""
    assert replace(experiment, scheduler=Asha()).terms()["scheduler.first_rung"] is None
    assert first_change(replace(experiment, scheduler=Asha()), experiment.terms()) == (
        "scheduler.first_rung is not given, and was 2"
    )


def test_every_objective_has_a_direction_and_a_summary() -> None:
    for objective in OBJECTIVES.values():
        assert objective.direction in ("maximize", "minimize")
        assert objective.summary


def test_a_relative_root_of_the_images_is_kept_as_it_is_written(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study and its images may move together."""
    experiment = parse_experiment(good, "space.yaml")
    here = replace(experiment, images=Source(name="folder", root=Path("photos")))
    kept = here.terms()
    assert kept["data.root"] == "photos"
    monkeypatch.chdir("/")
    assert first_change(here, kept) is None
    there = replace(experiment, images=Source(name="folder", root=Path("other")))
    assert first_change(there, kept) == "data.root is other, and was photos"
