"""Mutations: what changes, what stays, and where a step leads."""

import math
import random
from collections import Counter

import pytest

from ressearch.experiment.loader import parse_experiment
from ressearch.space import Choice, Domain, FloatRange, IntRange, Space, random_choose
from ressearch.space.mutation import another, crossed, jittered, mutated

SPACE = """\
version: 1
data: {name: digits}
architecture:
  stages: 2
  stem_width: 8
  depth: [{int: {low: 1, high: 4}}, 2]
  width: [{choice: [8, 16, 24]}, {choice: [32]}]
  transform: {choice: [basic, bottleneck]}
  bottleneck_ratio: {choice: [0.25, 0.5], when: {transform: bottleneck}}
recipe: {epochs: 2, lr: {float: {low: 0.01, high: 1.0, log: true}}}
"""
MOVABLE = {"depth_1", "width_1", "transform", "lr"}


@pytest.fixture(scope="module")
def space() -> Space:
    return parse_experiment(SPACE, "space.yaml").space


def test_a_child_takes_each_parameter_from_a_parent_that_has_it(space: Space) -> None:
    rng = random.Random(0)
    from_both = 0
    for _ in range(200):
        parents = [space.draw(random_choose(rng)) for _ in range(2)]
        child = crossed(space, parents, rng)
        space._checked(child)  # a point of the space
        for name, value in child.items():
            values = [parent[name] for parent in parents if name in parent]
            assert value in values or not values
        from_both += child not in parents
    assert from_both > 100
    assert crossed(space, [parents[0], parents[0]], rng) == parents[0]


def test_continuous_parameters_alone_take_a_small_step(space: Space) -> None:
    rng = random.Random(0)
    ratios = []
    for _ in range(200):
        point = space.draw(random_choose(rng))
        moved = jittered(space, point, rng)
        space._checked(moved)
        assert {**moved, "lr": point["lr"]} == point
        ratios.append(moved["lr"] / point["lr"])
    assert sum(ratio == 1 for ratio in ratios) < 20  # where a step would lead out of the range
    assert 1.1 < sorted(ratios)[160] < 1.4  # a twentieth of two decades is a factor of 1.26
    assert sorted(ratios)[100] == pytest.approx(1, abs=0.1)


def test_one_parameter_changes_and_what_depends_on_it(space: Space) -> None:
    rng = random.Random(0)
    changed: Counter[str] = Counter()
    for _ in range(400):
        parent = space.draw(random_choose(rng))
        child = mutated(space, parent, rng)
        space._checked(child)  # a point of the space
        (name,) = {
            name for name in MOVABLE | {"bottleneck_ratio"} if name in parent and parent[name] != child.get(name)
        } - ({"bottleneck_ratio"} if parent["transform"] != child["transform"] else set())
        changed[name] += 1
    assert changed.keys() == MOVABLE | {"bottleneck_ratio"}  # never the width that has one value
    assert all(changed[name] > 40 for name in MOVABLE)


@pytest.mark.parametrize("num_steps", [2, 3])
def test_several_steps_change_as_many_parameters(num_steps: int, space: Space) -> None:
    rng = random.Random(1)
    parent = {"depth_1": 2, "width_1": 8, "width_2": 32, "transform": "basic", "lr": 0.1}
    for _ in range(50):
        child = mutated(space, parent, rng, num_steps=num_steps)
        assert sum(child[name] != parent[name] for name in MOVABLE) == num_steps


def test_a_point_without_a_choice_stays_as_it_is() -> None:
    text = SPACE.partition("  depth:")[0] + "  depth: 1\n  width: [{choice: [8]}, 16]\nrecipe: {epochs: 1}\n"
    space = parse_experiment(text, "space.yaml").space
    assert mutated(space, {"width_1": 8}, random.Random(0), num_steps=3) == {"width_1": 8}


DOMAINS: dict[Domain, float] = {
    IntRange(1, 2): 1,
    IntRange(8, 64, 8): 8,
    IntRange(1, 1000, log=True): 1000,
    FloatRange(0.0, 1.0): 0.5,
    FloatRange(1e-5, 1e-1, log=True): 1e-5,
    FloatRange(0.0, 0.3, step=0.1): 0.3,
    IntRange(0, 10_000, 10_000): 0,
}


@pytest.mark.parametrize(("domain", "value"), DOMAINS.items(), ids=map(str, DOMAINS))
def test_another_value_of_a_range_is_a_member_and_near(domain: IntRange | FloatRange, value: float) -> None:
    rng = random.Random(2)
    found = [another(domain, value, rng) for _ in range(300)]
    assert all(domain.member(each) == each and each != value for each in found)
    assert all(type(each) is (int if isinstance(domain, IntRange) else float) for each in found)
    if domain.size is None or domain.size > 4:
        scale = math.log if domain.log else float
        near = [abs(scale(each) - scale(value)) < 0.4 * (scale(domain.high) - scale(domain.low)) for each in found]
        assert sum(near) > 0.9 * len(near)


def test_another_value_of_a_choice_is_any_other_one() -> None:
    rng = random.Random(3)
    found = Counter(another(Choice(("a", "b", "c")), "b", rng) for _ in range(300))
    assert found.keys() == {"a", "c"}
    assert min(found.values()) > 100
