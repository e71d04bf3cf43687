"""Architecture -> Plan: every layer of a network for given images."""

from ressearch.arch.architecture import Architecture, InfeasibleError
from ressearch.arch.blocks import Style
from ressearch.arch.initialisation import Initialisation
from ressearch.arch.layers import Act, Activation, Conv, GlobalAvgPool, Linear, MaxPool, Norm, Normalisation
from ressearch.arch.levels import body
from ressearch.arch.options import name_of
from ressearch.arch.plan_tree import Plan
from ressearch.arch.shortcuts import ProjectionInput
from ressearch.arch.survival import DropPath, StochasticDepth


def plan(architecture: Architecture, in_channels: int, num_classes: int) -> Plan:
    """Resolve every layer of an architecture.

    Raises:
        InfeasibleError: If layers cannot be connected, or a part would never learn.
    """
    style, stem, width = _style(architecture), architecture.stem, architecture.stem_width
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
    ordering = architecture.ordering
    is_normed = architecture.norm is not Normalisation.NONE

    def steps(*wanted: str | None) -> str:
        """Return the first steps that are not left open, without norms where the network has none."""
        found = next(each for each in wanted if each is not None)
        return found if is_normed else found.replace("N", "")

    return Style(
        stem=steps(architecture.stem_steps.steps, architecture.stem.steps, ordering.stem),
        first=steps(ordering.first),
        between=steps(ordering.between),
        last=steps(ordering.last),
        merged=steps(ordering.merged),
        projection=steps(architecture.projection_norm.steps, ordering.projection),
        level_projection=steps(architecture.level_projection_norm.steps, ordering.projection),
        tail=steps(architecture.tail_steps.steps, ordering.tail),
        reads_raw=architecture.projection_input is ProjectionInput.RAW,
        activation=architecture.activation,
        norm_groups=architecture.norm_groups if architecture.norm is Normalisation.GROUP else None,
    )


def _stochastic_depth(architecture: Architecture) -> StochasticDepth:
    """Return the rule and its rate; rules that come to the same, as for a single block, are one."""
    rate, num_blocks = architecture.drop_path_rate, len(architecture.blocks)
    survival = architecture.drop_path.survival(rate, num_blocks)
    if not survival:
        return StochasticDepth()
    rule = next(rule for rule in DropPath if rule.survival(rate, num_blocks) == survival)
    return StochasticDepth(rule, rate)


def _initialisation(architecture: Architecture) -> Initialisation:
    c = float(architecture.init_c) if architecture.init.shrinks_branches else 1.0
    if c == 0:
        raise InfeasibleError("init_c", "init_c 0 starts every branch at zero, where it learns nothing")
    return Initialisation(architecture.init, c, architecture.zero_init)


def _check_learning(resolved: Plan) -> None:
    """Refuse networks of which a part would never learn, or never be used.

    Raises:
        InfeasibleError: Naming the axis.
    """
    initialisation = resolved.initialisation
    if not (resolved.survival or initialisation.zero_init or initialisation.rule.shrinks_branches):
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
