"""Architecture -> Plan: every layer of a network for given images."""

from ressearch.arch.architecture import Architecture, InfeasibleError
from ressearch.arch.axes import name_of
from ressearch.arch.blocks import Style
from ressearch.arch.initialisation import Initialisation
from ressearch.arch.layers import Act, Activation, Conv, GlobalAvgPool, Linear, MaxPool, Norm, Normalisation
from ressearch.arch.levels import body
from ressearch.arch.plan_tree import Plan
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm
from ressearch.arch.survival import DropPath, StochasticDepth


def plan(architecture: Architecture, in_channels: int, num_classes: int) -> Plan:
    """Resolve every layer of an architecture.

    Raises:
        InfeasibleError: If layers cannot be connected, or a part would never learn.
    """
    style, stem, width = _style(architecture), architecture.stem.value, architecture.stem_width
    head_width = architecture.blocks[-1].c_out
    resolved = Plan(
        stem=(
            Conv(in_channels, width, stem.kernel, stem.stride),
            *style.steps(style.stem, width),
            *((MaxPool(*stem.pool),) if stem.pool else ()),
        ),
        body=body(architecture, style),
        head=(*style.steps(style.tail, head_width), GlobalAvgPool(), Linear(head_width, num_classes)),
        stochastic_depth=_stochastic_depth(architecture),
        initialisation=_initialisation(architecture),
    )
    _check_learning(resolved)
    return resolved


def _style(architecture: Architecture) -> Style:
    row, stem = architecture.ordering.value, architecture.stem.value
    stem_steps, tail_steps = architecture.stem_steps.value, architecture.tail_steps.value
    if stem_steps is None:
        stem_steps = row.stem if stem.steps is None else stem.steps
    steps = (
        stem_steps,
        row.first,
        row.between,
        row.last,
        row.merged,
        _projection_steps(architecture.projection_norm, row.projection),
        _projection_steps(architecture.level_projection_norm, row.projection),
        row.tail if tail_steps is None else tail_steps,
    )
    if architecture.norm is Normalisation.NONE:
        steps = tuple(step.replace("N", "") for step in steps)  # type: ignore[assignment]
    return Style(
        *steps,
        reads_raw=architecture.projection_input is ProjectionInput.RAW,
        activation=architecture.activation,
        norm_groups=architecture.norm_groups if architecture.norm is Normalisation.GROUP else None,
    )


def _projection_steps(wanted: ProjectionNorm, by_ordering: str) -> str:
    match wanted:
        case ProjectionNorm.BY_ORDERING:
            return by_ordering
        case ProjectionNorm.NORM:
            return "N"
        case ProjectionNorm.NONE:
            return ""


def _stochastic_depth(architecture: Architecture) -> StochasticDepth:
    is_off = architecture.drop_path is DropPath.NONE or not architecture.drop_path_rate
    return StochasticDepth() if is_off else StochasticDepth(architecture.drop_path, architecture.drop_path_rate)


def _initialisation(architecture: Architecture) -> Initialisation:
    c = float(architecture.init_c) if architecture.init.value.shrinks_branches else 1.0
    if c == 0:
        raise InfeasibleError("init_c", "init_c 0 starts every branch at zero, where it learns nothing")
    return Initialisation(architecture.init, c, architecture.zero_init)


def _check_learning(resolved: Plan) -> None:
    """Refuse networks of which a part would never learn, or never be used.

    Raises:
        InfeasibleError: Naming the axis.
    """
    initialisation = resolved.initialisation
    if not (resolved.survival or initialisation.zero_init or initialisation.rule.value.shrinks_branches):
        return
    for block in {id(block): block for block in resolved.blocks()}.values():
        if block.shortcut is None:
            if resolved.survival:
                raise InfeasibleError("drop_path", "drop_path needs a shortcut around every branch it leaves out")
            if initialisation.zero_init:
                raise InfeasibleError("zero_init", "zero_init needs a shortcut around every branch that starts at zero")
            raise InfeasibleError("init", f"init {name_of(initialisation.rule)} needs a shortcut around every branch")
        if initialisation.zero_init:
            weighted = max(index for index, layer in enumerate(block.branch) if isinstance(layer, Conv | Norm))
            if Act(Activation.RELU) in block.branch[weighted:]:
                raise InfeasibleError(
                    "zero_init", "zero_init in front of a ReLU at the end of a branch would never learn"
                )
