"""Laws of every space: what is drawn, what it becomes, and the way back."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ressearch.arch import AXES, InfeasibleError, name_of
from ressearch.experiment import load_experiment
from ressearch.images import ImageShape
from ressearch.space import Space, Value, random_choose

SHAPE = ImageShape(channels=3, resolution=32, num_classes=10)
SPACES = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))
Load = Callable[..., Space]


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Read a space from the axes of its architecture section, and other sections."""
    path = tmp_path_factory.mktemp("spaces") / "space.yaml"

    def loaded(axes: dict[str, Any], **sections: Any) -> Space:
        architecture = {"stages": 2, "depth": 1, "width": 16, **axes}
        path.write_text(yaml.safe_dump({"version": 1, "architecture": architecture, **sections}, sort_keys=False))
        return load_experiment(path).space

    return loaded


# Any mixture of fixed, searched and conditional axes; conditions run upwards in this list only, so never in a circle.
CONTROLLED: dict[str, tuple[list[Value], list[tuple[str, Value]]]] = {
    "activation": (["relu", "silu", "gelu"], []),
    "zero_init": ([False, True], [("activation", "silu")]),
    "levels": ([1, 2, 3], [("zero_init", True), ("activation", "gelu")]),
    "merge": (["add", "dropout"], [("zero_init", False), ("levels", 2)]),
    "shortcut_dropout": ([0.25, 0.5], [("merge", "dropout"), ("levels", 3)]),
    "transform": (["basic", "bottleneck"], [("activation", "relu")]),
    "bottleneck_ratio": ([0.5, 1.0], [("transform", "bottleneck"), ("activation", "silu")]),
    "cardinality": ([1, 2, 4], [("transform", "bottleneck"), ("bottleneck_ratio", 0.5)]),
    "se": (["none", "standard"], [("transform", "basic")]),
    "se_ratio": ([4, 8], [("se", "standard"), ("cardinality", 2)]),
    "se_bias": ([True, False], [("se", "standard"), ("shortcut_dropout", 0.25)]),
}


@st.composite
def architectures(draw: st.DrawFn) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for name, (values, controllers) in CONTROLLED.items():
        possible = [(axis, value) for axis, value in controllers if "choice" in str(axes.get(axis))]
        domain: dict[str, Any] = {"choice": values}
        conditional = {**domain, "when": dict([draw(st.sampled_from(possible))])} if possible else domain
        options: list[Any] = [None, domain, conditional]
        if AXES[name].per_stage:
            options += [[domain, conditional], [conditional, conditional]]
        if (chosen := draw(st.sampled_from(options))) is not None:
            axes[name] = chosen
    return axes


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@relaxed
@given(axes=architectures())
def test_a_space_has_as_many_points_as_it_enumerates(load: Load, axes: dict[str, Any]) -> None:
    space = load(axes)
    points = [tuple(sorted(params.items())) for params in space.enumerate()]
    assert len(points) == len(set(points)) == space.size


@relaxed
@given(axes=architectures(), seed=st.integers(0, 999))
def test_a_drawn_point_is_enumerated(load: Load, axes: dict[str, Any], seed: int) -> None:
    space = load(axes)
    assert space.draw(random_choose(Random(seed))) in list(space.enumerate())


@relaxed
@given(axes=architectures(), seed=st.integers(0, 999))
def test_controllers_come_first_and_only_active_parameters_are_drawn(
    load: Load, axes: dict[str, Any], seed: int
) -> None:
    space = load(axes)
    params = space.draw(random_choose(Random(seed)))
    seen: set[str] = set()
    for parameter in space.parameters:
        assert {name for condition in parameter.when for name in condition.parameters} <= seen
        seen.add(parameter.name)
        assert (parameter.name in params) == parameter.is_active(params)


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
@relaxed
@given(seed=st.integers(0, 2**32))
def test_a_point_is_a_candidate_or_refused_by_a_known_rule(path: Path, seed: int) -> None:
    space = load_experiment(path).space
    params = space.draw(random_choose(Random(seed)))
    try:
        candidate = space.candidate(params, SHAPE)
    except InfeasibleError as error:
        refusing = error.rule
    else:
        refusing = None
    if refusing is not None:
        assert refusing in {*AXES, "num_params", "num_macs"}
        return
    assert candidate.params == params
    again = space.params_of(candidate)
    assert again is not None
    assert space.candidate(again, SHAPE).id == candidate.id
    for bounds, got in (
        (space.limits.num_params, candidate.cost.num_params),
        (space.limits.num_macs, candidate.cost.num_macs),
    ):
        assert (bounds.min or 0) <= got <= (bounds.max or got)


def test_one_value_for_all_stages_or_one_for_each(load: Load) -> None:
    space = load({"depth": {"int": {"low": 1, "high": 3}}, "width": [16, {"choice": [32, 64]}]})
    assert [parameter.name for parameter in space.parameters] == ["depth", "width_2"]
    stages = space.candidate({"depth": 3, "width_2": 64}, SHAPE).architecture.stages
    assert [(stage.depth, stage.width, stage.stride) for stage in stages] == [(3, 16, 1), (3, 64, 2)]


def test_a_condition_in_a_stage_reads_that_stage(load: Load) -> None:
    either = {"choice": ["none", "standard"]}
    ratio = {"choice": [4, 8], "when": {"se": "standard"}}
    space = load({"se": [either, either], "se_ratio": [ratio, ratio]})
    assert set(space.draw(first_or(se_2="standard"))) == {"se_1", "se_2", "se_ratio_2"}


def test_a_condition_for_all_stages_holds_if_it_holds_in_any(load: Load) -> None:
    either = {"choice": ["none", "standard"]}
    space = load({"se": [either, either], "se_ratio": {"choice": [4, 8], "when": {"se": "standard"}}})
    assert set(space.draw(first_or(se_2="standard"))) == {"se_1", "se_2", "se_ratio"}
    assert set(space.draw(first_or())) == {"se_1", "se_2"}


def test_of_several_conditions_all_must_hold(load: Load) -> None:
    both = {"se": "standard", "transform": "basic"}
    space = load(
        {
            "transform": {"choice": ["basic", "bottleneck"]},
            "se": {"choice": ["none", "standard"]},
            "se_ratio": {"choice": [4, 8], "when": both},
        }
    )
    points = list(space.enumerate())
    assert len(points) == space.size == 3 + 2
    assert all(("se_ratio" in params) == (both.items() <= params.items()) for params in points)


def test_a_fixed_stage_can_decide_a_condition(load: Load) -> None:
    ratio = {"choice": [4, 8], "when": {"se": "standard"}}
    assert not load({"se": ["standard", {"choice": ["none"]}], "se_ratio": ratio}).is_conditional
    assert load({"se": ["none", {"choice": ["none", "standard"]}], "se_ratio": ratio}).is_conditional


def test_an_inactive_axis_has_its_default_and_makes_conditions_on_it_false(load: Load) -> None:
    space = load(
        {
            "activation": {"choice": ["relu", "silu"]},
            "transform": {"choice": ["bottleneck", "basic"], "when": {"activation": "silu"}},
            "shortcut": {"choice": ["projection", "none"], "when": {"transform": "basic"}},
        }
    )
    params = space.draw(first_or())
    assert params == {"activation": "relu"}
    (stage, _) = space.candidate(params, SHAPE).architecture.stages
    assert name_of(stage.transform) == "basic"
    assert name_of(stage.shortcut) == "zero_pad"


def test_widths_can_leave_with_the_rule_that_reads_them(load: Load) -> None:
    widening = {"choice": ["per_stage", "additive"]}
    width = {"choice": [16, 32], "when": {"widening": "per_stage"}}
    alpha = {"choice": [8, 16], "when": {"widening": "additive"}}
    space = load({"widening": widening, "width": width, "alpha": alpha})
    assert space.size == 4
    for params in space.enumerate():
        blocks = space.candidate(params, SHAPE).architecture.blocks
        assert blocks[-1].c_out == params.get("width", 16 + int(params.get("alpha", 0)))


def test_an_unfit_set_of_parameters_is_refused(load: Load) -> None:
    space = load({"se": {"choice": ["none", "standard"]}, "se_ratio": {"choice": [4], "when": {"se": "standard"}}})
    with pytest.raises(ValueError, match="parameter 'se' is missing"):
        space.candidate({}, SHAPE)
    with pytest.raises(ValueError, match="se: got 'off', expected none, standard"):
        space.candidate({"se": "off"}, SHAPE)
    with pytest.raises(ValueError, match="'se_ratio' is no parameter, or not one under these conditions"):
        space.candidate({"se": "none", "se_ratio": 4}, SHAPE)


def test_limits_refuse_by_name_and_number(load: Load) -> None:
    with pytest.raises(InfeasibleError, match=r"num_params [\d,]+ exceeds the limit of 1,000") as caught:
        load({}, limits={"num_params": {"max": 1000}}).candidate({}, SHAPE)
    assert caught.value.rule == "num_params"
    with pytest.raises(InfeasibleError, match=r"num_macs [\d,]+ falls short of the limit of 1,000,000,000") as caught:
        load({}, limits={"num_macs": {"min": 10**9}}).candidate({}, SHAPE)
    assert caught.value.rule == "num_macs"


def test_duplicates_are_equal_networks_with_equal_searched_recipes(load: Load) -> None:
    space = load({"shortcut": {"choice": ["zero_pad", "none"]}}, recipe={"lr": {"choice": [0.1, 0.2]}})
    ids = {
        (shortcut, lr): space.candidate({"shortcut": shortcut, "lr": lr}, SHAPE).id
        for shortcut in ("zero_pad", "none")
        for lr in (0.1, 0.2)
    }
    assert len(set(ids.values())) == 4
    one = load({"shortcut": {"choice": ["projection", "zero_pad"]}, "stride": 1, "stem_width": 16})
    assert len({one.candidate(params, SHAPE).id for params in one.enumerate()}) == 1  # neither has anything to do


def test_a_baseline_has_the_recipe_that_it_is_given_and_no_limits(load: Load) -> None:
    axes = {"stages": 3, "depth": {"int": {"low": 1, "high": 5}}, "width": [16, 32, 64]}
    recipe = {"lr": {"float": {"low": 0.3, "high": 0.5}}, "weight_decay": {"choice": [1e-4, 5e-4]}}
    space = load(axes, recipe=recipe, limits={"num_params": {"max": 300_000}})
    values = {"lr": 0.35, "weight_decay": 1e-4}
    baseline = space.baseline("resnet-32", values, SHAPE)
    assert baseline.cost.num_params == 464_154  # He et al. 2015 print 0.46M
    assert baseline.params == {"depth": 5, **values}
    assert baseline.recipe_values == values
    assert space.baseline("resnet-44", values, SHAPE).params == {}
    assert space.baseline("resnet-32", {**values, "lr": 0.1}, SHAPE).params == {}  # 0.1 is outside the range
    assert space.baseline("preresnet-20", values, SHAPE).params == {}
    with pytest.raises(ValueError, match="unknown architecture 'resnet-9'"):
        space.baseline("resnet-9", values, SHAPE)


def test_searched_recipe_fields_stand_beside_the_network(load: Load) -> None:
    space = load({"width": {"choice": [16, 24]}}, recipe={"lr": {"choice": [0.1, 0.2]}})
    assert space.searched_recipe == ("lr",)
    found = space.candidate({"width": 24, "lr": 0.2}, SHAPE)
    assert found.recipe_values == {"lr": 0.2}
    assert found.id == f"{found.architecture_id} lr=0.2"


def test_a_space_says_all_that_it_holds(load: Load) -> None:
    ratio = {"choice": [4, 8], "when": {"se": "standard"}}
    space = load(
        {"depth": {"int": {"low": 1, "high": 3}}, "width": [16, 32], "se": {"choice": ["none", "standard"]}}
        | {"se_ratio": ratio},
        recipe={"lr": {"float": {"low": 0.01, "high": 0.1, "log": True}}},
        limits={"num_macs": {"max": 10**9}},
    )
    said = space.to_dict()
    assert json.loads(json.dumps(said)) == said
    assert {name.rstrip("_12") for name in said["architecture"]} == {"stages", *AXES}
    assert (said["architecture"]["stages"], said["architecture"]["depth"]) == (
        2,
        {"int": {"low": 1, "high": 3, "step": 1, "log": False}},
    )
    assert [said["architecture"][f"width_{stage}"] for stage in (1, 2)] == [16, 32]
    assert said["architecture"]["se_ratio"] == {"choice": [4, 8], "when": "se is standard"}
    assert set(said["recipe"]) == {"lr"}
    assert said["limits"] == {
        "num_params": {"min": None, "max": None},
        "num_macs": {"min": None, "max": 1_000_000_000},
        "seconds": {"max": None},
    }


def test_a_continuous_space_cannot_be_enumerated(load: Load) -> None:
    space = load({"se": {"choice": ["none", "standard"]}}, recipe={"lr": {"float": {"low": 0.1, "high": 0.2}}})
    assert space.size == 2
    assert space.continuous == ("lr",)
    with pytest.raises(ValueError, match="only a finite space can be enumerated; lr has no step"):
        space.enumerate()


def test_a_huge_space_is_counted(load: Load) -> None:
    domain = {"int": {"low": 1, "high": 1000}}
    space = load({"depth": [domain, domain], "width": [domain, domain], "stem_width": domain})
    assert space.size == 10**15


def first_or(**wanted: Value) -> Callable[[str, Any], Value]:
    """Choose what is wanted by name, else the first value."""
    return lambda name, domain: wanted.get(name, domain.values[0])
