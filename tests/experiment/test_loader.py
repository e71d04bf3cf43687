"""Sections of an experiment: budget, baselines, sampler and scheduler, and what does not fit together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ressearch.experiment import Budget, Experiment, Resources, Session, load_experiment
from ressearch.experiment.loader import check_feasible, check_fit, parse_experiment
from ressearch.samplers import SAMPLERS, Gp, Grid, Nsga2, Tpe
from ressearch.schedulers import SCHEDULERS, Asha, Calibrated, Hyperband, Median
from ressearch.space import SpaceError
from ressearch.space.limits import Bounds, Limits

Complaint = Callable[[str, str], str]

BASELINES = "baselines: [resnet-8]"
SAMPLER = "sampler: {name: tpe}"
SCHEDULER = "{name: asha, first_rung: 2}"


@pytest.fixture
def changed(good: str) -> Callable[..., Experiment]:
    """Read the good file after places of it are replaced."""

    def read(*places: tuple[str, str]) -> Experiment:
        text = good
        for old, new in places:
            assert text.count(old) == 1, "exactly one place must change"
            text = text.replace(old, new)
        return parse_experiment(text, "space.yaml")

    return read


# What is read


def test_every_section_of_the_good_file_is_read(changed: Callable[..., Experiment], good: str) -> None:
    found = changed()
    assert found.name == "space"
    assert (found.origin.path, found.origin.text, found.origin.question) == ("space.yaml", good, "Does it load?")
    assert (found.images.name, found.recipe.epochs, found.objectives) == ("digits", 6, ("val_accuracy",))
    assert (found.sampler, found.scheduler, found.seed) == (Tpe(), Asha(first_rung=2), 0)
    assert found.session == Session(baselines=("resnet-8",))
    assert found.space.limits.num_params.max == 300_000


def test_a_file_and_its_text_say_the_same(tmp_path: Path, good: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(good)
    assert load_experiment(path) == parse_experiment(good, str(path))


def test_what_is_left_out_has_its_default() -> None:
    found = parse_experiment("version: 1\narchitecture: {stages: 1, depth: 1, width: 16}\n", "least.yaml")
    assert found == Experiment(space=found.space, origin=found.origin)
    assert (found.sampler, found.scheduler, found.session) == (Gp(), Calibrated(), Session())
    assert found.origin.question == ""


def test_a_budget_is_read(changed: Callable[..., Experiment]) -> None:
    assert changed((BASELINES, "budget: {trials: 40}")).session.budget == Budget(trials=40)
    assert changed((BASELINES, "budget: {trials: null}")).session.budget == Budget()


def test_resources_are_read(changed: Callable[..., Experiment]) -> None:
    found = changed((BASELINES, "resources: {workers: 4, cpus_per_trial: 2, gpus_per_trial: 0.25}"))
    assert found.session.resources == Resources(workers=4, cpus_per_trial=2, gpus_per_trial=0.25)


def test_baselines_may_go_by_their_older_name(changed: Callable[..., Experiment]) -> None:
    assert changed((BASELINES, "ancestors: [resnet-8]")).session.baselines == ("resnet-8",)


@pytest.mark.parametrize(
    ("section", "settings", "seed"),
    [
        ("{name: nsga2, population_size: 8}", Nsga2(population_size=8), 0),
        ("{name: nsga2}", Nsga2(), 0),
        ("{seed: 7}", Gp(), 7),
        ("{name: nsga2, population_size: 4, seed: 3}", Nsga2(population_size=4), 3),
    ],
)
def test_a_sampler_reads_the_fields_of_its_row(
    changed: Callable[..., Experiment], section: str, settings: object, seed: int
) -> None:
    found = changed((SAMPLER, f"sampler: {section}"))
    assert (found.sampler, found.seed) == (settings, seed)


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("{name: median, first_epoch: 3}", Median(first_epoch=3)),
        ("{name: median, min_trials: 9}", Median(min_trials=9)),
        ("{name: hyperband, first_rung: 2, reduction_factor: 4}", Hyperband(first_rung=2, reduction_factor=4)),
        ("{name: asha, first_rung: null, reduction_factor: 3}", Asha(reduction_factor=3)),
        ("{num_full: 6}", Calibrated(num_full=6)),
    ],
)
def test_a_scheduler_reads_the_fields_of_its_row(
    changed: Callable[..., Experiment], section: str, settings: object
) -> None:
    assert changed((SCHEDULER, section)).scheduler == settings


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_goes_by_its_name(changed: Callable[..., Experiment], name: str) -> None:
    numeric = ("shortcut: {choice: [zero_pad, projection]}", "shortcut: projection")
    finite = ("lr: {float: {low: 0.01, high: 0.5, log: true}}", "lr: {float: {low: 0.1, high: 0.5, step: 0.1}}")
    found = changed((SAMPLER, f"sampler: {{name: {name}}}"), numeric, finite)
    assert found.sampler == SAMPLERS[name]()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_goes_by_its_name(changed: Callable[..., Experiment], name: str) -> None:
    assert changed((SCHEDULER, f"{{name: {name}}}")).scheduler == SCHEDULERS[name]()


# What is refused

# what is replaced, by what, and the message behind the file name
MISTAKES = {
    "baselines by both names": (
        BASELINES,
        f"{BASELINES}\nancestors: [resnet-14]",
        "18: ancestors: ancestors is the older name of baselines, which is given, too; leave one of them out",
    ),
    "older name": (BASELINES, "ancestors: [resnet-9]", "17: ancestors[0]: unknown architecture 'resnet-9'"),
    "budget of 0": (BASELINES, "budget: {trials: 0}", "17: budget.trials: trials >= 1 must hold, got 0"),
    "budget of text": (BASELINES, "budget: {trials: many}", "17: budget.trials: got 'many', expected a whole number"),
    "budget of days": (BASELINES, "budget: {days: 2}", "17: budget: unknown key 'days', expected one of trials, hours"),
    "field of another sampler": (
        SAMPLER,
        "sampler: {name: tpe, population_size: 8}",
        "15: sampler: unknown key 'population_size', expected one of name, seed",
    ),
    "mistyped field of a sampler": (
        SAMPLER,
        "sampler: {name: nsga2, populatio_size: 8}",
        "15: sampler: unknown key 'populatio_size', expected one of name, seed, population_size; "
        "did you mean 'population_size'?",
    ),
    "field of a sampler out of range": (
        SAMPLER,
        "sampler: {name: nsga2, population_size: 1}",
        "15: sampler.population_size: population_size >= 2 must hold, got 1",
    ),
    "field of another scheduler": (
        SCHEDULER,
        "{name: median, first_rung: 2}",
        "16: scheduler: unknown key 'first_rung', expected one of name, first_epoch, min_trials",
    ),
    "field of a scheduler that has none": (
        SCHEDULER,
        "{name: none, first_rung: 2}",
        "16: scheduler: unknown key 'first_rung', expected one of name",
    ),
    "mistyped field of a scheduler": (
        SCHEDULER,
        "{name: median, min_trial: 2}",
        "16: scheduler: unknown key 'min_trial', expected one of name, first_epoch, min_trials; "
        "did you mean 'min_trials'?",
    ),
    "field of a scheduler out of range": (
        SCHEDULER,
        "{name: median, first_epoch: 0}",
        "16: scheduler.first_epoch: first_epoch >= 1 must hold, got 0",
    ),
    "no such scheduler": (
        SCHEDULER,
        "{name: hyperbnd}",
        "16: scheduler.name: got 'hyperbnd', expected one of asha, calibrated, hyperband, median, none; "
        "did you mean 'hyperband'?",
    ),
    "sampler no mapping": (SAMPLER, "sampler: tpe", "15: sampler: got 'tpe', expected keys with values"),
    "scheduler no mapping": (SCHEDULER, "none", "16: scheduler: got 'none', expected keys with values"),
    "seed of another section": (
        SCHEDULER,
        "{name: none, seed: 2}",
        "16: scheduler: unknown key 'seed', expected one of name",
    ),
    # what does not fit together
    "grid on a continuous space": (
        SAMPLER,
        "sampler: {name: grid}",
        "15: sampler.name: grid needs a finite space, got continuous lr; give a step or a choice",
    ),
    "late rung of hyperband": (
        SCHEDULER,
        "{name: hyperband, first_rung: 9}",
        "16: scheduler.first_rung: first_rung <= epochs must hold, got first_rung 9 and epochs 6",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(complaint: Complaint, old: str, new: str, said: str) -> None:
    got = complaint(old, new)
    assert got.startswith(said)
    assert "\n" not in got


def test_the_default_rung_fits_any_length(changed: Callable[..., Experiment]) -> None:
    assert changed((SCHEDULER, "{name: asha}"), ("epochs: 6", "epochs: 1\n  warmup_epochs: 0")).misfits() == {}


def test_a_misfit_of_an_experiment_without_a_file_names_its_keys(changed: Callable[..., Experiment]) -> None:
    made = Experiment(space=changed().space, sampler=Grid(), scheduler=Asha(first_rung=7))
    assert set(made.misfits()) == {"sampler", "scheduler"}
    with pytest.raises(SpaceError, match=r"^sampler\.name: grid needs a finite space, got continuous lr"):
        check_fit(made)
    with pytest.raises(SpaceError, match=r"^scheduler\.first_rung: first_rung <= epochs must hold"):
        check_fit(Experiment(space=made.space, scheduler=Asha(first_rung=7)))


def test_a_line_is_named_only_where_the_file_says_what_is_wrong(changed: Callable[..., Experiment]) -> None:
    """Python may have changed the experiment since it was read."""
    read = changed()
    with pytest.raises(SpaceError, match=r"^sampler\.name: grid needs a finite space"):
        check_fit(replace(read, sampler=Grid()))
    with pytest.raises(SpaceError, match=r"^space\.yaml:16: scheduler\.first_rung: first_rung <= epochs must hold"):
        check_fit(replace(read, recipe=replace(read.recipe, epochs=1)))
    tight = replace(read.space, limits=Limits(num_params=Bounds(max=100)))
    with pytest.raises(SpaceError, match=r"^limits\.num_params\.max: got 100, which nothing meets"):
        check_feasible(replace(read, space=tight))


def test_an_unmet_limit_of_an_experiment_without_a_file_names_its_keys(changed: Callable[..., Experiment]) -> None:
    space = changed(("300_000", "100")).space
    with pytest.raises(SpaceError, match=r"^limits\.num_params\.max: got 100, which nothing meets"):
        check_feasible(Experiment(space=space))
