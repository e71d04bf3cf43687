"""Networks of the literature by name: a family is one function and one row, its numbers free.

Networks for CIFAR (3x32x32) have no suffix, those for ImageNet (3x224x224) end in `-imagenet`: `resnet-50` is a CIFAR
network of 6 * 8 + 2 layers, `resnet-50-imagenet` the one of torchvision. What a paper leaves open is said in the
docstring of the function; published errors are in `ressearch.arch.literature`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ressearch.arch import families
from ressearch.arch.architecture import Architecture
from ressearch.arch.families import NumberError, with_stages
from ressearch.arch.literature import PUBLISHED
from ressearch.arch.merges import Merge
from ressearch.arch.options import name_of
from ressearch.arch.orderings import Ordering
from ressearch.arch.planning import plan
from ressearch.arch.shortcuts import ProjectionInput, ProjectionNorm, Shortcut
from ressearch.arch.survival import DropPath
from ressearch.messages import did_you_mean, quoted


def named(name: str) -> Architecture:
    """Return a network of the literature, such as `resnet-20`, `wrn-28-10` or `se-resnet-50-imagenet`.

    Raises:
        ValueError: For a name that does not exist, with the nearest ones or the numbers that its family has.
    """
    try:
        network = _build(name)
        plan(network, in_channels=3, num_classes=10)  # refuses what cannot be connected
    except NumberError as error:
        raise ValueError(f"unknown architecture {quoted(name)}; known are {error}") from None
    except ValueError as error:
        raise ValueError(f"unknown architecture {quoted(name)}; it would be infeasible: {error}") from None
    except LookupError:
        known = f"known are {', '.join(row.text for row in (*FAMILIES, *MODIFIERS))}"
        hint = " ".join(part for part in (did_you_mean(name, PUBLISHED, at_most=3), known) if part)
        raise ValueError(f"unknown architecture {quoted(name)}; {hint}") from None
    return network


def _build(name: str) -> Architecture:
    for family in FAMILIES:
        if match := re.fullmatch(family.pattern, name):
            try:
                return family.build(*match.groups())
            except NumberError as error:
                raise NumberError(f"{family.text} {error}") from None
    for modifier in MODIFIERS:
        if match := re.fullmatch(modifier.pattern, name):
            numbers = match.groupdict()
            base = _build(numbers.pop("base"))
            network = modifier.build(base, *numbers.values())
            if network == base:
                break  # a name that says nothing twice
            return network
    raise LookupError(name)


def with_stochastic_depth(base: Architecture) -> Architecture:
    """Stochastic depth with survival falling to 0.5; padded shortcuts take means, as in the paper, not single pixels.

    Source: Huang et al. 2016, arXiv:1603.09382, section 4.
    """
    stages = tuple(
        replace(stage, shortcut=Shortcut.AVG_POOL_ZERO_PAD) if stage.shortcut is Shortcut.ZERO_PAD else stage
        for stage in base.stages
    )
    return replace(base, stages=stages, drop_path=DropPath.LINEAR, drop_path_rate=0.5)


def with_levels(base: Architecture, levels: str) -> Architecture:
    """M levels of shortcuts (RoR), the upper ones bare 1x1 convolutions, as drawn.

    Source: Zhang et al. 2017, arXiv:1608.02908, figure 3.
    """
    return replace(base, levels=int(levels))


def with_ordering(base: Architecture, ordering: str) -> Architecture:
    """Another ordering; projections have a norm where the branch ends in one, of which the paper says nothing.

    Source: He et al. 2016, arXiv:1603.05027, table 2.
    """
    return replace(base, ordering=Ordering[ordering.upper().replace("-", "_")])


def with_scales(base: Architecture, shortcut: str, branch: str) -> Architecture:
    """Constants on the shortcut and on the branch, in this order.

    Source: He et al. 2016, arXiv:1603.05027, table 1.
    """
    scales = {"shortcut_scale": float(shortcut), "branch_scale": float(branch)}
    return with_stages(base, merge=Merge.CONSTANT_SCALE, **scales)


def with_gate(base: Architecture, kind: str, bias: str) -> Architecture:
    """A gate on both paths (exclusive) or on the shortcut only, its bias starting at B.

    Where a block changes the shape, the gate is a strided convolution and weighs the padded shortcut: the paper does
    not say how it is shaped there.

    Source: He et al. 2016, arXiv:1603.05027, table 1.
    """
    merge = Merge.EXCLUSIVE_GATE if kind == "exclusive" else Merge.SHORTCUT_ONLY_GATE
    return with_stages(base, merge=merge, gate_bias=float(bias))


def with_convolutions(base: Architecture) -> Architecture:
    """A 1x1 convolution of the block's input for every shortcut, without a norm: the paper does not mention one.

    Source: He et al. 2016, arXiv:1603.05027, table 1.
    """
    bare = replace(base, projection_norm=ProjectionNorm.NONE, projection_input=ProjectionInput.RAW)
    return with_stages(bare, shortcut=Shortcut.PROJECTION_EVERYWHERE)


def with_dropout(base: Architecture, rate: str) -> Architecture:
    """Dropout of the rate R on every shortcut, without the usual rescaling.

    Source: He et al. 2016, arXiv:1603.05027, table 1.
    """
    return with_stages(base, merge=Merge.DROPOUT, shortcut_dropout=float(rate))


class Spelling(NamedTuple):
    """A family, or a modifier of a network called `base`: how it is written, and what makes it."""

    text: str
    pattern: str
    build: Callable[..., Architecture]

    @property
    def summary(self) -> str:
        """One line of help, from the function's docstring."""
        return (self.build.__doc__ or "").splitlines()[0]


_N = r"([1-9]\d{0,4})"
_R = r"(\d+(?:\.\d+)?)"
_BLOCK = r"(?:-(basic|bottleneck|single))?"
_ORDERING = "|".join(name_of(ordering).replace("_", "-") for ordering in Ordering)

FAMILIES = (
    Spelling(
        "resnet-N, plain-N, preresnet-N (-basic, -bottleneck, -single)",
        rf"(resnet|plain|preresnet)-{_N}{_BLOCK}",
        families.cifar_resnet,
    ),
    Spelling("wrn-D-K, wrn-D-K-dropout", rf"wrn-{_N}-{_R}(?:-(dropout)(?:-(0\.\d+))?)?", families.wide),
    Spelling("resnext-D-CxWd", rf"(pre)?resnext-{_N}-{_N}x{_N}d", families.aggregated),
    Spelling("pyramidnet-D-aA, pyramidnet-D-mA", rf"pyramidnet-{_N}-([am]){_R}{_BLOCK}", families.pyramid),
    Spelling("rorM-N", rf"ror([2-9])-{_N}", families.levelled),
    Spelling("resnet-N-imagenet, plain-N-imagenet", rf"(se-)?(resnet|plain)-{_N}-imagenet", families.imagenet_resnet),
    Spelling("resnext-D-CxWd-imagenet", rf"resnext-{_N}-{_N}x{_N}d-imagenet", families.imagenet_aggregated),
    Spelling("wrn-D-K-imagenet", rf"wrn-{_N}-{_R}-imagenet", families.imagenet_wide),
    Spelling("pyramidnet-D-aA-imagenet", rf"pyramidnet-{_N}-([am]){_R}-imagenet", families.imagenet_pyramid),
)
MODIFIERS = (
    Spelling("se-NAME", r"se-(?P<base>.+)", families.squeeze_excited),
    Spelling("stochastic-depth-NAME", r"stochastic-depth-(?P<base>.+)", with_stochastic_depth),
    Spelling("rorM-NAME", r"ror(?P<levels>[2-9])-(?P<base>.+)", with_levels),
    Spelling("NAME-ORDERING", rf"(?P<base>.+)-(?P<ordering>{_ORDERING})", with_ordering),
    Spelling("NAME-scaled-S-B", rf"(?P<base>.+)-scaled-(?P<shortcut>{_R[1:-1]})-(?P<branch>{_R[1:-1]})", with_scales),
    Spelling(
        "NAME-exclusive-gate-bB, NAME-shortcut-only-gate-bB",
        rf"(?P<base>.+)-(?P<kind>exclusive|shortcut-only)-gate-b(?P<bias>-?{_R[1:-1]})",
        with_gate,
    ),
    Spelling("NAME-conv1x1-shortcut", r"(?P<base>.+)-conv1x1-shortcut", with_convolutions),
    Spelling("NAME-dropout-shortcut-R", r"(?P<base>.+)-dropout-shortcut-(?P<rate>0\.\d+)", with_dropout),
)
