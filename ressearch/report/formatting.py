"""How networks, counts and times are put into words."""

from collections.abc import Callable, Iterator
from enum import Enum

from ressearch.arch import AXES, Architecture, Stage, name_of
from ressearch.arch.layers import Activation
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.widening import Widening
from ressearch.noise import Estimate
from ressearch.space.domains import Value, value_text

_TOLD = {"depth", "width", "stride", "transform", "bottleneck_ratio", "cardinality", "ordering", "shortcut"}
_TOLD |= {"se", "se_ratio", "se_bias", "widening", "alpha", "activation", "stem_width"}
"""Axes that have words of their own in a network's line, or none."""


def network(architecture: Architecture) -> str:
    """Describe a network in one line, such as `3x[16] 3x[32] 3x[64] basic original zero_pad`.

    Every stage is depth x [width], or the first and last width of a pyramid. What differs between the stages is
    joined by slashes. All other axes are named where they are read and differ from their defaults, as in a YAML file:
    `dropout=0.3 levels=3`. The stem's width and strides go without saying.
    """
    terms = [
        *_stage_sizes(architecture),
        _over_stages(architecture, _transform),
        name_of(architecture.ordering),
        _over_stages(architecture, lambda stage: name_of(stage.shortcut)),
    ]
    if any(stage.se is not SqueezeExcitation.NONE for stage in architecture.stages):
        terms.append(_over_stages(architecture, _gate))
    if architecture.widening is not Widening.PER_STAGE:
        terms.append(f"{name_of(architecture.widening)}({architecture.alpha:g})")
    if architecture.activation is not Activation.RELU:
        terms.append(name_of(architecture.activation))
    return " ".join([*terms, *_others(architecture)])


def axis_text(value: Enum | Value) -> str:
    """Return the value of an axis as a YAML file has it."""
    return name_of(value) if isinstance(value, Enum) else value_text(value)


def short_count(number: float) -> str:
    """Return a count in three digits, such as `81.0k`."""
    for suffix in ("", "k", "M", "G"):
        if number < 999.5 or suffix == "G":
            break
        number /= 1000
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits if suffix else 0}f}{suffix}"


def measure_text(name: str, value: float) -> str:
    """Return the value of an objective."""
    match name:
        case "val_accuracy":
            return f"{value:.4f}"
        case "seconds":
            return duration(value)
        case _:
            return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def estimate_text(estimate: Estimate | None, sign: str = "") -> str:
    """Return an accuracy or a difference with its standard error where that is known; `sign` "+" shows it always."""
    if estimate is None:
        return "-"
    error = "" if estimate.std_error is None else f" ±{estimate.std_error:.4f}"
    return f"{estimate.value:{sign}.4f}{error}"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, such as `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _stage_sizes(architecture: Architecture) -> list[str]:
    sizes, start = [], 0
    for stage in architecture.stages:
        widths = [block.c_out for block in architecture.blocks[start : start + stage.depth]]
        start += stage.depth
        span = f"{widths[0]}-{widths[-1]}" if widths[0] != widths[-1] else f"{widths[0]}"
        sizes.append(f"{stage.depth}x[{span}]")
    return sizes


def _over_stages(architecture: Architecture, describe: Callable[[Stage], str]) -> str:
    """Say what all stages share once, else every stage's own."""
    terms = [describe(stage) for stage in architecture.stages]
    return terms[0] if len(set(terms)) == 1 else "/".join(terms)


def _transform(stage: Stage) -> str:
    if not stage.transform.has_inner_width:
        return name_of(stage.transform)
    groups = f", {stage.cardinality} groups" if stage.cardinality > 1 else ""
    return f"{name_of(stage.transform)}({stage.bottleneck_ratio:g}{groups})"


def _gate(stage: Stage) -> str:
    if stage.se is SqueezeExcitation.NONE:
        return "no_se"
    place = "" if stage.se is SqueezeExcitation.STANDARD else f", {name_of(stage.se)}"
    return f"se{stage.se_ratio}{place}{'' if stage.se_bias else ', no bias'}"


def _others(architecture: Architecture) -> Iterator[str]:
    """Name the axes that no other word tells of."""
    for axis in AXES.values():
        if axis.name in _TOLD:
            continue
        holders = architecture.stages if axis.per_stage else (architecture,)
        values = [getattr(holder, axis.name) for holder in holders]
        is_read = [axis.name not in holder.inactive for holder in holders]
        if any(value != axis.default for value, read in zip(values, is_read, strict=True) if read):
            words = [axis_text(value) if read else "-" for value, read in zip(values, is_read, strict=True)]
            yield f"{axis.name}={words[0] if len(set(words)) == 1 else '/'.join(words)}"
