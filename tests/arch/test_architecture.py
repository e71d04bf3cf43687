"""The architecture as a value: what it refuses, what it writes and reads, what it calls equal."""

import dataclasses
import json
import pickle
import re
from enum import Enum
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import ressearch.arch
from ressearch.arch import AXES, Architecture, InfeasibleError, Stage, architecture_id, named, plan, plan_id
from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.literature import PUBLISHED
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Places, Stem
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening


def one_stage(depth: int = 2, width: int | None = 16, stem_width: int = 16, **values: Any) -> Architecture:
    """A network of one stage, the fields of both classes mixed."""
    per_stage = {name: value for name, value in values.items() if AXES[name].per_stage}
    whole = {name: value for name, value in values.items() if not AXES[name].per_stage}
    return Architecture(stages=(Stage(depth=depth, width=width, **per_stage),), stem_width=stem_width, **whole)


BOTTLENECK = {"transform": Transform.BOTTLENECK}
SE = {"se": SqueezeExcitation.STANDARD}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depth": 0}, "depth >= 1 must hold, got 0"),
        ({"depth": 2.0}, "depth must be of type int, got 2.0"),
        ({"depth": True}, "depth must be of type int, got True"),
        ({"depth": "3"}, "depth must be of type int, got '3'"),
        ({"width": 0}, "width >= 1 must hold, got 0"),
        ({"stride": 0}, "stride >= 1 must hold, got 0"),
        ({"stem_width": -4}, "stem_width >= 1 must hold, got -4"),
        ({"bottleneck_ratio": -0.5}, "bottleneck_ratio >= 0 must hold, got -0.5"),
        ({"bottleneck_ratio": float("nan")}, "bottleneck_ratio >= 0 must hold, got nan"),
        ({"cardinality": 0}, "cardinality >= 1 must hold, got 0"),
        ({"se_ratio": 0}, "se_ratio >= 1 must hold, got 0"),
        ({"alpha": float("inf")}, "alpha >= 0 must hold, got inf"),
        ({"dropout": 1.0}, "0 <= dropout < 1 must hold, got 1.0"),
        ({"shortcut_dropout": -0.1}, "0 <= shortcut_dropout < 1 must hold, got -0.1"),
        ({"drop_path_rate": 1}, "0 <= drop_path_rate < 1 must hold, got 1"),
        ({"gate_bias": float("-inf")}, "finite gate_bias must hold, got -inf"),
        ({"zero_init": 1}, "zero_init must be of type bool, got 1"),
        ({"se_bias": "no"}, "se_bias must be of type bool, got 'no'"),
        (
            {"merge": "ad"},
            "merge: got 'ad', expected one of add, constant_scale, exclusive_gate, shortcut_only_gate, dropout; "
            "did you mean 'add'?",
        ),
        ({"merge": "dense"}, "merge: got 'dense', expected one of add, "),
        ({"merge": Shortcut.NONE}, "merge: got Shortcut.NONE, expected one of add, "),
        ({"merge": None}, "merge: got None, expected one of add, "),
        ({"levels": 0}, "levels >= 1 must hold, got 0"),
        ({"width": None}, "stage 1: width is missing; only a pyramid decides widths itself"),
        ({"widening": Widening.MULTIPLICATIVE, "alpha": 0.5}, "alpha >= 1 must hold for multiplicative, got 0.5"),
    ],
)
def test_values_outside_their_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        one_stage(**values)
    assert not isinstance(caught.value, InfeasibleError)


def test_a_yaml_name_says_the_same_as_a_member(combination: Architecture) -> None:
    def by_name(value: Architecture | Stage) -> dict[str, Any]:
        return {
            spec.name: got.name.lower() if isinstance(got := getattr(value, spec.name), Enum) else got
            for spec in dataclasses.fields(value)
        }

    named = Architecture(
        **{**by_name(combination), "stages": [Stage(**by_name(stage)) for stage in combination.stages]}
    )
    assert named == combination
    assert hash(named) == hash(combination)
    assert all(getattr(named, name) is getattr(combination, name) for name, axis in AXES.items() if not axis.per_stage)


def test_names_and_lists_as_users_write_them() -> None:
    stage = Stage(depth=2, width=16, shortcut="projection")
    network = Architecture(stages=[stage], ordering="full_preactivation", init="lecun")
    assert (stage.shortcut, network.ordering, network.init) == (
        Shortcut.PROJECTION,
        Ordering.FULL_PREACTIVATION,
        InitRule.LECUN,
    )
    assert network.stages == (stage,)
    assert Architecture(stages=(each for each in [stage, stage])).stages == (stage, stage)
    assert dataclasses.replace(network, stem="imagenet").stem is Stem.IMAGENET


def test_stages_are_stages() -> None:
    with pytest.raises(ValueError, match=r"stages must be a list of Stage\(\.\.\.\), got {'depth': 2}"):
        Architecture(stages=[{"depth": 2}])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"got Stage\(depth=2, width=8\)"):
        Architecture(stages=Stage(depth=2, width=8))  # type: ignore[arg-type]


def test_a_repr_makes_the_same_architecture(combination: Architecture) -> None:
    scope = {"Architecture": Architecture, "Stage": Stage}
    assert eval(repr(combination), scope) == combination
    assert [eval(repr(stage), scope) for stage in combination.stages] == [*combination.stages]


def test_a_repr_says_what_differs_from_the_defaults() -> None:
    assert repr(named("resnet-20")) == (
        "Architecture(stages=(Stage(depth=3, width=16), Stage(depth=3, width=32, stride=2), "
        "Stage(depth=3, width=64, stride=2)))"
    )
    stage = Stage(depth=1, width=8, shortcut=Shortcut.PROJECTION, se_bias=False, dropout=0.1)
    assert repr(stage) == "Stage(depth=1, width=8, dropout=0.1, shortcut='projection', se_bias=False)"


@pytest.mark.parametrize("name", PUBLISHED)
def test_reprs_hold_no_addresses(name: str) -> None:
    assert eval(repr(named(name)), {"Architecture": Architecture, "Stage": Stage}) == named(name)
    assert " at 0x" not in repr(plan(named(name), 3, 10))
    assert len(repr(plan(named(name), 3, 10))) < 600


def test_members_of_axes_print_as_they_are_written() -> None:
    members = [member for axis in AXES.values() if axis.names for member in axis.kind]
    assert all(repr(member) == f"{type(member).__name__}.{member.name}" for member in members)


def test_no_stages() -> None:
    with pytest.raises(ValueError, match="an architecture must have at least one stage, got none"):
        Architecture(stages=())


@pytest.mark.parametrize(
    ("values", "rule", "message"),
    [
        (
            {"width": 20, "cardinality": 3, **BOTTLENECK},
            "cardinality",
            "stage 1: cardinality 3 does not divide the inner width 5",
        ),
        (
            {"width": 10, **BOTTLENECK},
            "bottleneck_ratio",
            "stage 1: bottleneck_ratio 0.25 gives 2.5 inner and 10 output channels; "
            "both must be whole numbers of at least 1",
        ),
        (
            {"bottleneck_ratio": 0.0, **BOTTLENECK},
            "bottleneck_ratio",
            "stage 1: bottleneck_ratio 0 gives 0 inner and 16 output channels",
        ),
        (
            {"bottleneck_ratio": 3.0, "widening": Widening.ADDITIVE, "alpha": 4, **BOTTLENECK},
            "bottleneck_ratio",
            "stage 1: bottleneck_ratio 3 gives 20 inner and 6.66667 output channels",
        ),
        (
            {"stem_width": 8, "width": 8, "se_ratio": 16, **SE},
            "se_ratio",
            "stage 1: se_ratio 16 leaves no hidden unit for 8 channels",
        ),
        ({"width": 8}, "shortcut", "stage 1: zero padding cannot narrow 16 channels to 8"),
        (
            {"width": 17, "widen_factor": 0.5},
            "widen_factor",
            "stage 1: widen_factor 0.5 makes 8.5 channels of width 17; it must be a whole number of at least 1",
        ),
        (
            {"norm": Normalisation.GROUP, "norm_groups": 3},
            "norm_groups",
            "norm_groups 3 does not divide 16 channels into",
        ),
        (
            {"norm": Normalisation.GROUP, "norm_groups": 16},
            "norm_groups",
            "norm_groups 16 does not divide 16 channels into groups of two or more",
        ),
        (
            {"merge": Merge.CONSTANT_SCALE, "branch_scale": 0.0},
            "merge",
            "stage 1: branch_scale 0 leaves nothing to learn",
        ),
        (
            {"merge": Merge.EXCLUSIVE_GATE, "shortcut": Shortcut.NONE},
            "merge",
            "stage 1: merge exclusive_gate needs a shortcut",
        ),
        (
            {"se": SqueezeExcitation.IDENTITY, "shortcut": Shortcut.NONE},
            "se",
            "stage 1: se identity needs a shortcut",
        ),
        (
            {"drop_path": DropPath.LINEAR, "shortcut": Shortcut.NONE},
            "drop_path",
            "drop_path needs a shortcut around every branch it leaves out",
        ),
        (
            {"zero_init": True, "merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.0},
            "zero_init",
            "zero_init needs a shortcut around every branch that starts at zero",
        ),
        (
            {"zero_init": True, "ordering": Ordering.RELU_BEFORE_ADDITION},
            "zero_init",
            "zero_init in front of a ReLU at the end of a branch would never learn",
        ),
        (
            {"init": InitRule.DEPTH_SCALED, "shortcut": Shortcut.NONE},
            "init",
            "init depth_scaled needs a shortcut around every branch",
        ),
        (
            {"init": InitRule.DEPTH_SCALED, "init_c": 0.0},
            "init_c",
            "init_c 0 starts every branch at zero, where it learns nothing",
        ),
        ({"levels": 4}, "levels", "levels 4: the last level would lead around single blocks"),
        (
            {"levels": 2, "level_shortcut": Shortcut.NONE},
            "level_shortcut",
            "none leads around nothing; levels: 1 says the same",
        ),
        (
            {"levels": 2, "width": 8, "shortcut": Shortcut.PROJECTION, "level_shortcut": Shortcut.ZERO_PAD},
            "level_shortcut",
            "around 2 blocks: zero padding cannot narrow 16 channels to 8",
        ),
    ],
)
def test_valid_values_that_make_no_network(values: dict[str, Any], rule: str, message: str) -> None:
    with pytest.raises(InfeasibleError, match=re.escape(message)) as caught:
        plan(one_stage(**values), in_channels=3, num_classes=10)
    assert caught.value.rule == rule
    kept = pickle.loads(pickle.dumps(caught.value))
    assert (type(kept), kept.rule, str(kept)) == (InfeasibleError, rule, str(caught.value))


def test_a_basic_branch_has_neither_ratio_nor_groups() -> None:
    """Values that would make no bottleneck are no reason to refuse a basic block."""
    assert one_stage(width=17, cardinality=4, bottleneck_ratio=0.3).blocks[0].inner == 17


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "architecture: version 1 must be given, got 2"),
        ({"version": None}, "architecture: version 1 must be given, got None"),
        ({"colour": "red"}, "architecture: unknown field 'colour', expected one of stem, stem_width, "),
        ({"ordering": "orginal"}, "architecture.ordering: got 'orginal', expected one of original, bn_after_addition"),
        ({"ordering": False}, "architecture.ordering: got False, expected one of original"),
        ({"stages": None}, "architecture: stages must be a list of mappings"),
        ({"stages": "abc"}, "architecture: stages must be a list of mappings"),
        ({"stages": [{"width": 16}]}, "stages[0]: field 'depth' is missing"),
        ({"stages": [{"depth": 1, "with": 16}]}, "stages[0]: unknown field 'with', expected one of depth, width"),
        ({"stages": [{"depth": 1, "width": 16, "se": "no"}]}, "stages[0].se: got 'no', expected one of none, standard"),
        ({"stages": [{"depth": 1, "width": "16"}]}, "stages[0]: width must be of type int, got '16'"),
    ],
)
def test_dictionaries_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Architecture.from_dict({**named("resnet-20").to_dict(), **changes})


@given(data=st.data())
def test_dict_json_and_yaml_round_trips(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    written = data.draw(architectures).to_dict()
    read = Architecture.from_dict(written)
    assert read.to_dict() == written  # the canonical form is a fixed point
    assert Architecture.from_dict(json.loads(json.dumps(written))) == read
    assert Architecture.from_dict(yaml.safe_load(yaml.safe_dump(written))) == read
    assert pickle.loads(pickle.dumps(read)) == read


@given(data=st.data())
def test_the_canonical_form_is_the_same_network(
    architectures: st.SearchStrategy[Architecture], data: st.DataObject
) -> None:
    architecture = data.draw(architectures)
    read = Architecture.from_dict(architecture.to_dict())
    assert plan(read, 3, 10) == plan(architecture, 3, 10)
    assert architecture_id(read) == architecture_id(architecture)


def test_every_member_of_every_axis_is_tested(every_combination: dict[str, Architecture]) -> None:
    for name, axis in AXES.items():
        holders = [
            holder
            for network in every_combination.values()
            for holder in (network.stages if axis.per_stage else (network,))
        ]
        assert {getattr(holder, name) for holder in holders} >= set(axis.kind if axis.names else ()), name


def test_every_combination_round_trips(combination: Architecture) -> None:
    written = combination.to_dict()
    assert plan(Architecture.from_dict(yaml.safe_load(yaml.safe_dump(written))), 3, 10) == plan(combination, 3, 10)


@given(data=st.data())
def test_ids_are_equal_exactly_for_equal_networks(
    architectures: st.SearchStrategy[Architecture], data: st.DataObject
) -> None:
    """One field is changed; the id follows exactly when a layer does."""
    first = data.draw(architectures)
    axis = AXES[data.draw(st.sampled_from([*AXES]))]
    other = data.draw(architectures)
    try:
        if axis.per_stage:
            stage = dataclasses.replace(first.stages[0], **{axis.name: getattr(other.stages[0], axis.name)})
            second = dataclasses.replace(first, stages=(stage, *first.stages[1:]))
        else:
            second = dataclasses.replace(first, **{axis.name: getattr(other, axis.name)})
        plans_equal = plan(first, 3, 10) == plan(second, 3, 10)
    except ValueError:
        return  # the change makes no network: nothing to compare
    assert (architecture_id(first) == architecture_id(second)) == plans_equal


PYRAMID = {"stem_width": 8, "widening": Widening.ADDITIVE}
EQUAL = {
    "a projection that never projects": ({"shortcut": Shortcut.PROJECTION}, {"shortcut": Shortcut.ZERO_PAD}),
    "squeeze ratio without squeeze": ({"se_ratio": 4}, {"se_ratio": 8}),
    "two ratios, one hidden unit each": ({"se_ratio": 9, **SE}, {"se_ratio": 16, **SE}),
    "groups of a basic block": ({"cardinality": 4}, {"cardinality": 1}),
    "inner width of a basic block": ({"bottleneck_ratio": 0.5}, {"bottleneck_ratio": 2.0}),
    "alpha without a pyramid": ({"alpha": 3.0}, {"alpha": 0.0}),
    "a flat additive pyramid": ({**PYRAMID, "alpha": 0}, {"stem_width": 8, "width": 8}),
    "a flat multiplicative pyramid": (
        {"stem_width": 8, "widening": Widening.MULTIPLICATIVE, "alpha": 1},
        {"stem_width": 8, "width": 8},
    ),
    "widths under a pyramid": ({**PYRAMID, "alpha": 4, "width": 99}, {**PYRAMID, "alpha": 4, "width": None}),
    "alphas that round to the same widths": ({**PYRAMID, "alpha": 4}, {**PYRAMID, "alpha": 4.1}),
    "two rules of stochastic depth for one block": (
        {"depth": 1, "drop_path": DropPath.LINEAR},
        {"depth": 1, "drop_path": DropPath.UNIFORM},
    ),
    "stochastic depth that drops nothing": ({"drop_path": DropPath.LINEAR, "drop_path_rate": 0.0}, {}),
    "scales of one": ({"merge": Merge.CONSTANT_SCALE}, {"merge": Merge.ADD}),
    "a shortcut scaled by zero": (
        {"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.0},
        {"shortcut": Shortcut.NONE},
    ),
    "shortcut dropout that drops nothing": ({"merge": Merge.DROPOUT, "shortcut_dropout": 0.0}, {}),
    "a factor and the widths it makes": ({"width": 8, "stem_width": 8, "widen_factor": 2.0}, {"stem_width": 8}),
    "what no one reads": (
        {
            "gate_bias": 0.0,
            "branch_scale": 2.0,
            "se_bias": False,
            "init_c": 3.0,
            "norm_groups": 5,
            "drop_path_rate": 0.1,
        },
        {},
    ),
    "the input of projections where no step comes before": ({"projection_input": ProjectionInput.RAW}, {}),
    "places as the ordering has them": ({"stem_steps": Places.NORM_ACT, "tail_steps": Places.NONE}, {}),
    "the stride of a block that has none": (
        {"stride_on": StrideOn.FIRST_CONV, **BOTTLENECK},
        {"stride_on": StrideOn.CONV3X3, **BOTTLENECK},
    ),
    "an integer and a whole float": ({"bottleneck_ratio": 1, **BOTTLENECK}, {"bottleneck_ratio": 1.0, **BOTTLENECK}),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_equal_networks_described_differently(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert architecture_id(one_stage(**first)) == architecture_id(one_stage(**second))


DIFFERENT: dict[str, dict[str, Any]] = {
    "depth": {"depth": 3},
    "width": {"width": 17},
    "stride": {"stride": 2},
    "stem_width": {"stem_width": 15},
    "activation": {"activation": Activation.GELU},
    "se": SE,
    "se_ratio": {"se_ratio": 4, **SE},
    "bottleneck": BOTTLENECK,
    "bottleneck_ratio": {"bottleneck_ratio": 0.5, **BOTTLENECK},
    "cardinality": {"cardinality": 2, **BOTTLENECK},
    "no shortcut": {"shortcut": Shortcut.NONE},
    "projection everywhere": {"shortcut": Shortcut.PROJECTION_EVERYWHERE},
    **{ordering.name: {"ordering": ordering} for ordering in Ordering},
    "pyramid": {"widening": Widening.ADDITIVE, "alpha": 4},
    "single": {"transform": Transform.SINGLE},
    "stride on the first": {"stride": 2, "stride_on": StrideOn.FIRST_CONV, **BOTTLENECK},
    "stride on the 3x3": {"stride": 2, **BOTTLENECK},
    "dropout": {"dropout": 0.3},
    "average pooling": {"stride": 2, "shortcut": Shortcut.AVG_POOL_ZERO_PAD},
    "bare projection": {"shortcut": Shortcut.PROJECTION_EVERYWHERE, "projection_norm": ProjectionNorm.NONE},
    "raw projection": {
        "shortcut": Shortcut.PROJECTION_EVERYWHERE,
        "ordering": Ordering.FULL_PREACTIVATION,
        "stem_steps": Places.NORM_ACT,
        "projection_input": ProjectionInput.RAW,
    },
    "shortcut scale": {"merge": Merge.CONSTANT_SCALE, "shortcut_scale": 0.5},
    "branch scale": {"merge": Merge.CONSTANT_SCALE, "branch_scale": 0.5},
    "exclusive gate": {"merge": Merge.EXCLUSIVE_GATE},
    "another gate bias": {"merge": Merge.EXCLUSIVE_GATE, "gate_bias": -5.0},
    "shortcut-only gate": {"merge": Merge.SHORTCUT_ONLY_GATE},
    "shortcut dropout": {"merge": Merge.DROPOUT},
    "se without bias": {"se_bias": False, **SE},
    "se pre": {"se": SqueezeExcitation.PRE},
    "se post": {"se": SqueezeExcitation.POST},
    "se identity": {"se": SqueezeExcitation.IDENTITY},
    "imagenet stem": {"stem": Stem.IMAGENET},
    "bare stem": {"stem_steps": Places.NONE},
    "tail": {"tail_steps": Places.NORM_ACT},
    "two levels": {"levels": 2},
    "three levels": {"levels": 3},
    "four levels": {"levels": 4, "depth": 4},
    "depth of four": {"depth": 4},
    "identity level": {"levels": 2, "level_shortcut": Shortcut.ZERO_PAD},
    "normed level": {"levels": 2, "level_projection_norm": ProjectionNorm.NORM},
    "linear drop path": {"drop_path": DropPath.LINEAR},
    "uniform drop path": {"drop_path": DropPath.UNIFORM},
    "group norm": {"norm": Normalisation.GROUP},
    "other groups": {"norm": Normalisation.GROUP, "norm_groups": 4},
    "no norm": {"norm": Normalisation.NONE},
    **{rule.name: {"init": rule} for rule in InitRule if rule is not InitRule.HE},
    "another c": {"init": InitRule.DEPTH_SCALED, "init_c": 2.0},
    "zero init": {"zero_init": True},
}


def test_different_networks_have_different_ids() -> None:
    ids = {architecture_id(one_stage(**values)) for values in DIFFERENT.values()}
    assert len(ids) == len(DIFFERENT)


def test_ids_of_this_version() -> None:
    """Studies on disk hold these: a change here makes every recorded id another network's."""
    assert architecture_id(named("resnet-20")) == "30de05d529"
    assert architecture_id(named("preresnet-20")) == "114f8c2826"
    gated = one_stage(
        width=64, stride=2, shortcut=Shortcut.PROJECTION, activation=Activation.SILU, cardinality=4, **BOTTLENECK, **SE
    )
    assert architecture_id(gated) == "91108e8843"


def test_classes_and_channels_of_the_images_do_not_enter_the_id() -> None:
    architecture = named("resnet-20")
    assert plan(architecture, 1, 10) != plan(architecture, 3, 100)
    assert architecture_id(architecture) == architecture_id(named("resnet-20"))


def test_the_id_of_a_plan_is_that_of_its_architecture(combination: Architecture) -> None:
    ids = {plan_id(plan(combination, in_channels, num_classes)) for in_channels, num_classes in ((3, 10), (1, 7))}
    assert ids == {architecture_id(combination)}


def test_the_enums_of_all_axes_are_exported() -> None:
    kinds = {axis.kind for axis in AXES.values() if axis.names}
    assert all(getattr(ressearch.arch, kind.__name__) is kind for kind in kinds)
    assert {kind.__name__ for kind in kinds} <= set(ressearch.arch.__all__)


def test_axes_name_every_field_once() -> None:
    declared = {spec.name for kind in (Architecture, Stage) for spec in dataclasses.fields(kind)} - {"stages"}
    assert set(AXES) == declared
    assert [name for name, axis in AXES.items() if axis.required] == ["depth"]
    assert all(axis.summary for axis in AXES.values())
    members = [member for axis in AXES.values() if axis.names for member in axis.kind]
    assert all(member.summary and "\n" not in member.summary for member in members)
