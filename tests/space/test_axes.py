"""Every axis from YAML: fixed, a choice, a range, for each stage, under a condition, and as a condition."""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml

from ressearch.arch import AXES, Architecture, Axis, name_of
from ressearch.experiment import load_experiment
from ressearch.images import ImageShape
from ressearch.space import Space, Value

SHAPE = ImageShape(channels=3, resolution=32, num_classes=10)
PAIRED = {"widening": {"alpha": 16}, "alpha": {"widening": "additive"}}
"""What must be said beside an axis."""
Load = Callable[..., Space]


def axes(which: Callable[[Axis], bool]) -> pytest.MarkDecorator:
    """Run a test for some axes."""
    return pytest.mark.parametrize("axis", [pytest.param(axis, id=name) for name, axis in AXES.items() if which(axis)])


every_axis = axes(lambda _: True)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Read a space from the axes of its architecture section."""

    def loaded(axis: Axis, setting: Any, **others: Any) -> Space:
        section = {"stages": 2, "depth": 1, "width": 16, "shortcut": "projection", **PAIRED.get(axis.name, {})}
        text = yaml.safe_dump(
            {"version": 1, "architecture": {**section, axis.name: setting, **others}}, sort_keys=False
        )
        (tmp_path / "space.yaml").write_text(text)
        return load_experiment(tmp_path / "space.yaml").space

    return loaded


def two_values(axis: Axis) -> tuple[Any, Any]:
    """Two values that make a network, as YAML has them."""
    if axis.kind is bool:
        return False, True
    if axis.names:
        return axis.names[0], axis.names[-1]
    if axis.below < float("inf"):
        return axis.below / 4, axis.below / 2
    lowest = axis.kind(max(axis.minimum, -3))
    return lowest + 1, lowest + 2


def given(architecture: Architecture, axis: Axis, stage: int = 0) -> Value:
    """Return what an architecture has got, as YAML has it."""
    got = getattr(architecture.stages[stage] if axis.per_stage else architecture, axis.name)
    return name_of(got) if isinstance(got, Enum) else got


@every_axis
def test_fixed(load: Load, axis: Axis) -> None:
    for value in two_values(axis):
        space = load(axis, value)
        assert space.parameters == ()
        assert given(space.candidate({}, SHAPE).architecture, axis) == value


@every_axis
def test_choice(load: Load, axis: Axis) -> None:
    values = axis.names or two_values(axis)
    space = load(axis, {"choice": list(values)})
    assert space.size == len(values)
    for value in two_values(axis):
        got = given(space.candidate({axis.name: value}, SHAPE).architecture, axis)
        assert (got, type(got)) == (value, type(value))


@axes(lambda axis: axis.is_number)
def test_range(load: Load, axis: Axis) -> None:
    low, high = two_values(axis)
    space = load(axis, {axis.kind.__name__: {"low": low, "high": high}})
    for value in (low, high):
        assert given(space.candidate({axis.name: value}, SHAPE).architecture, axis) == value


@axes(lambda axis: axis.kind is float and axis.below > 1)
def test_range_of_whole_numbers(load: Load, axis: Axis) -> None:
    low, high = map(int, two_values(axis))
    space = load(axis, {"int": {"low": low, "high": high}})
    assert space.size == 2
    assert given(space.candidate({axis.name: high}, SHAPE).architecture, axis) == high


@axes(lambda axis: axis.per_stage)
def test_one_entry_for_each_stage(load: Load, axis: Axis) -> None:
    fixed, other = two_values(axis)
    space = load(axis, [fixed, {"choice": [fixed, other]}])
    assert [parameter.name for parameter in space.parameters] == [f"{axis.name}_2"]
    architecture = space.candidate({f"{axis.name}_2": other}, SHAPE).architecture
    assert [given(architecture, axis, stage) for stage in (0, 1)] == [fixed, other]


@axes(lambda axis: axis.name not in ("depth", "width", "alpha"))  # which must be there: test_messages_axes
def test_under_a_condition(load: Load, axis: Axis) -> None:
    controller = "init" if axis.name == "activation" else "activation"
    first, second = AXES[controller].names[:2]
    value = next(value for value in two_values(axis) if value != plain(axis.default))
    searched = {"choice": [first, second]}
    space = load(axis, {"choice": [value], "when": {controller: second}}, **{controller: searched})
    assert space.size == 2
    active = space.candidate({controller: second, axis.name: value}, SHAPE)
    inactive = space.candidate({controller: first}, SHAPE)
    assert given(active.architecture, axis) == value
    assert given(inactive.architecture, axis) == plain(axis.default)


@every_axis
def test_as_a_condition(load: Load, axis: Axis) -> None:
    wanted, other = two_values(axis)
    controlled = "stem_steps" if axis.name == "tail_steps" else "tail_steps"
    settings = {controlled: {"choice": ["none", "norm_act"], "when": {axis.name: [wanted]}}}
    space = load(axis, {"choice": [wanted, other]}, **settings)
    assert space.size == 3
    assert {controlled in point for point in space.enumerate() if point[axis.name] == wanted} == {True}
    assert {controlled in point for point in space.enumerate() if point[axis.name] == other} == {False}


@axes(lambda axis: bool(axis.names))
def test_every_name(load: Load, axis: Axis) -> None:
    for name in axis.names:
        assert given(load(axis, name).candidate({}, SHAPE).architecture, axis) == name


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("Yes", True), ("on", True), ("no", False), ("OFF", False)]
)
def test_yaml_has_many_words_for_truth_and_all_are_read(tmp_path: Path, word: str, value: bool) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(f"version: 1\narchitecture: {{stages: 1, depth: 1, width: 16, zero_init: {word}}}\n")
    assert load_experiment(path).space.candidate({}, SHAPE).architecture.zero_init is value


def test_an_anchor_saves_saying_a_condition_twice(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "version: 1\n"
        "architecture:\n"
        "  stages: 1\n"
        "  depth: 1\n"
        "  width: 16\n"
        "  shortcut: {choice: [zero_pad, none]}\n"
        "  zero_init: {choice: [false, true], when: &added {shortcut: zero_pad}}\n"
        "  drop_path: {choice: [none, linear], when: *added}\n"
    )
    assert load_experiment(path).space.size == 5


def test_a_condition_is_told_in_the_words_of_yaml(load: Load) -> None:
    space = load(AXES["zero_init"], {"choice": [False, True]}, init={"choice": ["he"], "when": {"zero_init": False}})
    zero_init, init = space.parameters
    assert str(zero_init.domain) == "false, true"
    assert [str(condition) for condition in init.when] == ["zero_init is false"]


def plain(value: Any) -> Any:
    return name_of(value) if isinstance(value, Enum) else value
