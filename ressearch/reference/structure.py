"""Structures: networks in the words of a reference collection, read into architectures.

A structure is one mapping of plain values; `read_structure` names its fields. What contradicts itself, what is unknown
and what the vocabulary cannot express is refused with a reason, so that no count is another network's. What a
structure may leave open is decided here:

- A projection of which nothing is said follows the ordering's paper. A shortcut of the type `conv1x1` of which nothing
  is said has no norm and reads the block's input.
- Several starts for a gate's bias are one network each; the first is taken.
- Dropout, described for the second of two convolutions, comes before the last convolution of every block.
- What follows an addition in an ordering follows the outermost of several additions that end together.
"""

import math
from typing import Any, NamedTuple, TypeVar

from ressearch.arch.architecture import Architecture, Stage
from ressearch.arch.merges import Merge
from ressearch.arch.options import Option, name_of
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Places, Stem
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening
from ressearch.reference.fields import Fields
from ressearch.space.yaml_nodes import Entry

Kind = TypeVar("Kind", bound=Option)

_STEPS = {"none": Places.NONE, "bn": Places.NORM, "relu": Places.ACT, "bn_relu": Places.NORM_ACT}
_PLACES = {
    (False, False): Places.NONE,
    (True, False): Places.NORM,
    (False, True): Places.ACT,
    (True, True): Places.NORM_ACT,
}
"""Steps of a stem by whether a norm and an activation follow its convolution."""

_DIM_CHANGES = {
    "zero_pad_subsample": Shortcut.ZERO_PAD,
    "avg_pool_zero_pad": Shortcut.AVG_POOL_ZERO_PAD,
    "projection": Shortcut.PROJECTION,
    "projection_every_unit": Shortcut.PROJECTION_EVERYWHERE,
    "none": Shortcut.NONE,
}
_LEVEL_SHORTCUTS = {"conv1x1": Shortcut.PROJECTION_EVERYWHERE, **_DIM_CHANGES}
_MERGES = {
    "identity": Merge.ADD,
    "conv1x1": Merge.ADD,
    "none": Merge.ADD,
    "constant_scale": Merge.CONSTANT_SCALE,
    "exclusive_gate": Merge.EXCLUSIVE_GATE,
    "shortcut_only_gate": Merge.SHORTCUT_ONLY_GATE,
    "dropout": Merge.DROPOUT,
}
_PROJECTION_INPUTS = {"shared_preactivated": ProjectionInput.PREACTIVATED, "raw": ProjectionInput.RAW}
_SE_PLACES = {
    "end of residual branch, before the addition": SqueezeExcitation.STANDARD,
    "start of residual branch": SqueezeExcitation.PRE,
    "before the residual branch": SqueezeExcitation.PRE,
    "after the addition": SqueezeExcitation.POST,
    "on the shortcut": SqueezeExcitation.IDENTITY,
    "on the identity branch": SqueezeExcitation.IDENTITY,
    **{name_of(place): place for place in SqueezeExcitation if place is not SqueezeExcitation.NONE},
    **{place.summary: place for place in SqueezeExcitation if place is not SqueezeExcitation.NONE},
}
_WIDENINGS = {
    "constant_factor": Widening.PER_STAGE,
    "additive": Widening.ADDITIVE,
    "multiplicative": Widening.MULTIPLICATIVE,
}
_DROP_PATHS = {"linear_decay": DropPath.LINEAR, "uniform": DropPath.UNIFORM, "constant": DropPath.UNIFORM}

_OF_HIGHER_LEVELS = (
    "root_shortcut",
    "middle_shortcut",
    "relu_after_stage_addition",
    "relu_at_end_of_last_block_of_stage",
)

_MOST_BLOCKS = 100_000


class Structure(NamedTuple):
    """A network and the side of the square images it is counted for, in pixels."""

    architecture: Architecture
    resolution: int


def read_structure(entry: Entry) -> Structure:
    """Read a structure: a mapping of the fields named below; null says the same as nothing.

    Raises:
        ValueError: For a field that is missing, unknown or of another type, for fields that contradict each other,
            and for a network outside the vocabulary.
    """
    fields = Fields(entry)
    architecture = _architecture(fields)
    if architecture.widening.is_pyramid:
        _check_pyramid(fields.section("widening"), architecture)
    fields.must_be("pool", "global_average")
    fields.must_be("fc_bias", True)
    fields.must_be("conv_bias", False)
    resolution = fields.integer("input_size")
    fields.finish()
    return Structure(architecture, resolution)


def _architecture(fields: Fields) -> Architecture:
    depths = fields.integers("blocks_per_stage")
    if not 1 <= sum(depths) <= _MOST_BLOCKS:
        raise fields.error(f"got {sum(depths):,} blocks, expected 1 to {_MOST_BLOCKS:,}", "blocks_per_stage")
    strides = fields.integers("stage_strides", length=len(depths))
    transform = fields.choice("block", _by_name(Transform))
    ordering = fields.choice("ordering", _by_name(Ordering))
    stem = _stem(fields.section("stem"))
    sizes, widening = _sizes(fields, transform, len(depths), stem["stem_width"])
    shortcut, projections = _shortcut(fields)
    per_stage = {
        "transform": transform,
        "stride_on": fields.choice("stride_on", _by_name(StrideOn), StrideOn.CONV3X3),
        "dropout": fields.number("dropout", 0.0),
        **shortcut,
        **_squeeze_excitation(fields.optional("se")),
    }
    return Architecture(
        stages=[
            Stage(depth=depth, stride=stride, **size, **per_stage)
            for depth, stride, size in zip(depths, strides, sizes, strict=True)
        ],
        ordering=ordering,
        tail_steps=fields.choice("tail", _STEPS),
        **stem,
        **widening,
        **projections,
        **_levels(fields.optional("ror"), ordering, strides),
        **_drop_path(fields.optional("drop_path"), sum(depths)),
    )


def _by_name(kind: type[Kind]) -> dict[str, Kind]:
    return {name_of(member): member for member in kind}


def _projection_norm(fields: Fields, name: str, default: ProjectionNorm) -> ProjectionNorm:
    """Return whether a norm follows a projection, from true or false."""
    if not fields.has(name):
        return default
    return ProjectionNorm.NORM if fields.flag(name) else ProjectionNorm.NONE


def _stem(fields: Fields) -> dict[str, Any]:
    kernel, stride = fields.integer("kernel"), fields.integer("stride")
    steps = _PLACES[fields.flag("bn"), fields.flag("relu")]
    pool, size = fields.optional("max_pool"), None
    if pool:
        size = (pool.integer("kernel"), pool.integer("stride"))
        pool.must_be("padding", size[0] // 2)
    for stem in Stem:
        if (stem.kernel, stem.stride, stem.pool) == (kernel, stride, size):
            return {"stem": stem, "stem_width": fields.integer("channels"), "stem_steps": steps}
    got = f"{kernel}x{kernel} with stride {stride}" + (
        f" and a max-pool {size[0]}x{size[0]}, {size[1]}" if size else ""
    )
    known = "; ".join(f"{name_of(stem)}: {stem.summary}" for stem in Stem)
    raise fields.error(f"got {got}; there are only {known}")


def _sizes(
    fields: Fields, transform: Transform, num_stages: int, stem_width: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return width, ratio and cardinality of every stage, and the widening."""
    expansion, cardinality = fields.number("expansion"), fields.integer("cardinality", 1)
    if expansion <= 0:
        raise fields.error(f"expansion > 0 must hold, got {expansion:g}", "expansion")
    if not transform.has_inner_width and (expansion, cardinality) != (1, 1):
        raise fields.error(
            f"{name_of(transform)} blocks have one width and no groups; "
            f"got expansion {expansion:g} and cardinality {cardinality}"
        )
    widening = fields.optional("widening")
    rule = widening.choice("rule", _WIDENINGS) if widening else Widening.PER_STAGE
    if widening and rule.is_pyramid:
        widening.must_be("start", stem_width)
        widening.must_be("rounding", "floor(d+0.5) of the running unrounded d")
        size = {"bottleneck_ratio": 1 / expansion, "cardinality": cardinality}
        return [size] * num_stages, {"widening": rule, "alpha": widening.number("alpha")}
    widths = _widths(fields, transform, num_stages, expansion, cardinality)
    factor = widening.number("k") if widening else 1
    if widening and (factor <= 0 or any(inner % factor for inner, _ in widths)):
        raise widening.error(f"{factor:g} does not divide the inner widths {[inner for inner, _ in widths]}", "k")
    return [
        {"width": wide, "bottleneck_ratio": narrow / wide, "cardinality": cardinality} for narrow, wide in widths
    ], {}


def _widths(
    fields: Fields, transform: Transform, num_stages: int, expansion: float, cardinality: int
) -> list[tuple[int, int]]:
    """Return inner and output width of every stage."""
    inner = fields.integers("stage_inner_channels", length=num_stages)
    out = fields.integers("stage_out_channels", length=num_stages)
    per_group = fields.integer("bottleneck_width", 0)
    if per_group and cardinality * per_group != inner[0]:
        raise fields.error(
            f"{cardinality} groups of {per_group} channels are not the {inner[0]} of the first stage's inner width",
            "bottleneck_width",
        )
    widths = list(zip(inner, out, strict=True))
    is_widened = cardinality > 1 or per_group > 0  # the expansion then refers to a width that is not written down
    if any(wide % expansion if is_widened else wide != expansion * narrow for narrow, wide in widths):
        raise fields.error(f"{expansion:g} does not lead from inner widths {inner} to {out}", "expansion")
    if not transform.has_inner_width and inner != out:
        raise fields.error(f"{name_of(transform)} blocks have one width; got inner {inner} and output {out}")
    return widths


def _check_pyramid(fields: Fields, architecture: Architecture) -> None:
    """Compare the widths of a pyramid with what the structure says of them."""
    inner = [block.inner for block in architecture.blocks]
    fields.must_be("units", len(inner))
    fields.must_be("final_inner_channels", inner[-1])
    fields.must_be("final_out_channels", architecture.blocks[-1].c_out)
    fields.must_be("first_inner_channels", inner[: len(fields.integers("first_inner_channels", default=[]))])


def _shortcut(fields: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return shortcut and merge of every stage, and how projections are made."""
    shortcut = fields.section("shortcut")
    merge, kind = shortcut.choice("type", _MERGES), shortcut.text("type")
    path = shortcut.choice("dim_change", _DIM_CHANGES, Shortcut.NONE)
    norm = _projection_norm(shortcut, "projection_bn", ProjectionNorm.BY_ORDERING)
    source = shortcut.choice("projection_input", _PROJECTION_INPUTS, ProjectionInput.PREACTIVATED)
    if kind == "conv1x1":
        path = Shortcut.PROJECTION_EVERYWHERE
        norm = _projection_norm(shortcut, "conv1x1_bn", ProjectionNorm.NONE)
        source = shortcut.choice("projection_input", _PROJECTION_INPUTS, ProjectionInput.RAW)
    is_residual = fields.flag("residual")
    if is_residual == (kind == "none") or is_residual == (path is Shortcut.NONE):
        raise fields.error(
            f"residual {str(is_residual).lower()} contradicts the shortcut of type {kind} "
            f"with dim_change {shortcut.text('dim_change', 'none')}"
        )
    whole = {"projection_norm": norm, "projection_input": source}
    return {"shortcut": path, "merge": merge, **_merge(shortcut, merge, path)}, whole


def _merge(fields: Fields, merge: Merge, path: Shortcut) -> dict[str, Any]:
    match merge:
        case Merge.CONSTANT_SCALE:
            factors = {
                "shortcut_scale": fields.number("shortcut_scale"),
                "branch_scale": fields.number("residual_scale"),
            }
            if not factors["shortcut_scale"] and path in (Shortcut.PROJECTION, Shortcut.PROJECTION_EVERYWHERE):
                raise fields.error("0 leaves projections that would never learn", "shortcut_scale")
            return factors
        case Merge.EXCLUSIVE_GATE | Merge.SHORTCUT_ONLY_GATE:
            fields.must_be("gate", "conv1x1 with bias, sigmoid")
            return {"gate_bias": fields.number("gate_bias_init", -6.0, first=True)}
        case Merge.DROPOUT:
            return {"shortcut_dropout": fields.number("dropout_rate")}
        case Merge.ADD:
            return {}


def _squeeze_excitation(fields: Fields | None) -> dict[str, Any]:
    if fields is None:
        return {}
    fields.must_be("squeeze", "global_average")
    fields.must_be("gate", "sigmoid")
    return {
        "se": fields.choice("placement", _SE_PLACES),
        "se_ratio": fields.integer("ratio"),
        "se_bias": fields.flag("fc_bias", True),
    }


def _levels(fields: Fields | None, ordering: Ordering, strides: list[int]) -> dict[str, Any]:
    if fields is None:
        return {}
    levels = fields.integer("levels")
    if not 1 <= levels <= 3:
        raise fields.error(f"got {levels}, expected 1, 2 or 3, whose places a structure can say", "levels")
    places = ("root_shortcut", "middle_shortcut")[: levels - 1]
    kinds = {fields.first_word(place, _LEVEL_SHORTCUTS) for place in places}
    if len(kinds) > 1:
        raise fields.error("root_shortcut and middle_shortcut must be of one kind")
    fields.must_be("root_stride", math.prod(strides))
    fields.must_be("middle_strides", strides)
    if levels == 3:
        fields.must_be("relu_after_stage_addition", "A" in ordering.merged)
        fields.must_be("relu_at_end_of_last_block_of_stage", False)
    fields.ignore(_OF_HIGHER_LEVELS)  # where these levels are not there
    norm = _projection_norm(fields, "level_projection_bn", ProjectionNorm.NONE)
    return {"levels": levels, "level_projection_norm": norm, **({"level_shortcut": kinds.pop()} if kinds else {})}


def _drop_path(fields: Fields | None, num_blocks: int) -> dict[str, Any]:
    if fields is None:
        return {}
    rule, last = fields.choice("rule", _DROP_PATHS), fields.number("p_L")
    rate = round(1 - last, 12)  # not 0.19999999999999996 for 0.8
    survival = rule.survival(rate, num_blocks) or (1.0,) * num_blocks
    fields.must_be("p_0", 1 if rule is DropPath.LINEAR else last)
    fields.must_be("units", num_blocks)
    fields.must_be("granularity", "per mini-batch, whole unit")
    fields.must_be("test_time", "multiply branch l by p_l")
    fields.text("formula", "")  # the expectation says the same in a number
    expected = fields.number("expected_active_units", sum(survival))
    if not math.isclose(expected, sum(survival), abs_tol=0.01):
        raise fields.error(f"got {expected:g}, counted {sum(survival):g}", "expected_active_units")
    return {"drop_path": rule, "drop_path_rate": rate}
