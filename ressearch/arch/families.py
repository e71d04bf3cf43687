"""Families of networks of the literature: one function each, from the numbers of a name to an architecture.

`ressearch.arch.names` has the names. What a paper leaves open is said where it was chosen.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ressearch.arch.architecture import Architecture, Stage
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Stem
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening

_LAYERS = {"single": 1, "basic": 2, "bottleneck": 3}
"""Layers of a block that count for the depth in a name."""

_IMAGENET_BLOCKS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "18": ("basic", (2, 2, 2, 2)),
    "34": ("basic", (3, 4, 6, 3)),
    "50": ("bottleneck", (3, 4, 6, 3)),
    "101": ("bottleneck", (3, 4, 23, 3)),
    "152": ("bottleneck", (3, 8, 36, 3)),
    "200": ("bottleneck", (3, 24, 36, 3)),
}
"""Blocks of every stage: He et al. 2015, arXiv:1512.03385, table 1, and He et al. 2016, arXiv:1603.05027, for 200."""


class NumberError(ValueError):
    """A number in a name that its family does not have."""


def cifar_resnet(kind: str, depth: str, block: str | None = None) -> Architecture:
    """Three stages for CIFAR: basic blocks (N = 6n + 2), bottlenecks (9n + 2) or single convolutions (3n + 2).

    resnet-164, resnet-1001 and their pre-activated forms have bottlenecks, as published; every other depth has basic
    blocks unless the name says otherwise (resnet-164-basic). Basic blocks pad with zeros (option A), pre-activated
    ones too, for the paper describes projections of bottlenecks only. Bottlenecks project (option B), with a norm
    where the branch ends in one, and stride on their first convolution. plain-N has no shortcuts.

    Source: He et al. 2015, arXiv:1512.03385, section 4.2; He et al. 2016, arXiv:1603.05027, tables 2 to 4.
    """
    if block is None:
        block = "bottleneck" if kind != "plain" and depth in ("164", "1001") else "basic"
    stages = (
        _cifar_stages(depth, block, shortcut=Shortcut.PROJECTION, stride_on=StrideOn.FIRST_CONV)
        if block == "bottleneck"
        else _cifar_stages(depth, block)
    )
    network = Architecture(
        stages=stages, ordering=Ordering.FULL_PREACTIVATION if kind == "preresnet" else Ordering.ORIGINAL
    )
    return with_stages(network, shortcut=Shortcut.NONE) if kind == "plain" else network


def wide(depth: str, factor: str, dropout: str | None = None, rate: str | None = None) -> Architecture:
    """Wide ResNets of D = 6n + 4 layers, K times as wide; dropout has the rate 0.3 unless the name gives another.

    Source: Zagoruyko and Komodakis 2016, arXiv:1605.07146.
    """
    return Architecture(
        stages=_cifar_stages(
            depth, "basic", others=4, shortcut=Shortcut.PROJECTION, dropout=float(rate or 0.3) if dropout else 0.0
        ),
        ordering=Ordering.FULL_PREACTIVATION,
        widen_factor=float(factor),
    )


def aggregated(pre: str | None, depth: str, groups: str, group_width: str) -> Architecture:
    """ResNeXts of D = 9n + 2 layers: C groups of W channels in the first stage, which double with every stage.

    The authors' code activates behind the addition (resnext) and says that the errors of the paper come from
    pre-activated blocks (preresnext).

    Source: Xie et al. 2017, arXiv:1611.05431, section 5.3.
    """
    network = Architecture(
        stages=_cifar_stages(depth, "bottleneck", width=256, shortcut=Shortcut.PROJECTION),
        stem_width=64,
        ordering=Ordering.FULL_PREACTIVATION if pre else Ordering.ORIGINAL,
    )
    return _grouped(network, groups, group_width)


def pyramid(depth: str, rule: str, alpha: str, block: str | None = None) -> Architecture:
    """PyramidNets that widen by A channels in total (aA), or by the factor A (mA).

    164, 200 and 272 layers have bottlenecks (D = 9n + 2), as published; every other depth has basic blocks (6n + 2)
    unless the name says otherwise.

    Source: Han et al. 2017, arXiv:1610.02915, table 4.
    """
    block = block or ("bottleneck" if depth in ("164", "200", "272") else "basic")
    return _pyramidal(Architecture(stages=_cifar_stages(depth, block)), rule, alpha)


def levelled(levels: str, depth: str) -> Architecture:
    """RoR: M levels of shortcuts on resnet-N with basic blocks, the upper ones bare 1x1 convolutions, as drawn.

    The paper does not print the number of blocks: it is taken to be that of resnet-N. Two ports build one block less
    in every stage.

    Source: Zhang et al. 2017, arXiv:1608.02908, figure 2.
    """
    return replace(cifar_resnet("resnet", depth, "basic"), levels=int(levels))


def imagenet_resnet(squeezed: str | None, kind: str, depth: str) -> Architecture:
    """Four stages for ImageNet with projections, or without any shortcut (plain).

    Bottlenecks stride on the 3x3 convolution, as in torchvision; under squeeze-and-excitation on the first one, as in
    its paper and in the first ResNets: as many parameters, fewer MACs.

    Source: He et al. 2015, arXiv:1512.03385, table 1; Hu et al. 2018, arXiv:1709.01507, table 2.
    """
    if depth not in _IMAGENET_BLOCKS:
        raise NumberError(f"of {', '.join(_IMAGENET_BLOCKS)} layers, got {depth}")
    block, depths = _IMAGENET_BLOCKS[depth]
    network = Architecture(
        stages=_stages(depths, block, 256 if block == "bottleneck" else 64, shortcut=Shortcut.PROJECTION),
        stem=Stem.IMAGENET,
        stem_width=64,
    )
    if kind == "plain":
        network = with_stages(network, shortcut=Shortcut.NONE)
    if not squeezed:
        return network
    if block == "bottleneck":
        network = with_stages(network, stride_on=StrideOn.FIRST_CONV)
    return squeeze_excited(network)


def imagenet_aggregated(depth: str, groups: str, group_width: str) -> Architecture:
    """ResNeXts for ImageNet: C groups of W channels in the first stage, which double with every stage.

    Source: Xie et al. 2017, arXiv:1611.05431, table 1.
    """
    return _grouped(_imagenet_bottlenecks(depth), groups, group_width)


def imagenet_wide(depth: str, factor: str) -> Architecture:
    """ResNets for ImageNet whose bottlenecks are K times as wide inside.

    Source: Zagoruyko and Komodakis 2016, arXiv:1605.07146, table 8.
    """
    return with_stages(_imagenet_bottlenecks(depth), bottleneck_ratio=0.25 * float(factor))


def imagenet_pyramid(depth: str, rule: str, alpha: str) -> Architecture:
    """PyramidNets for ImageNet; the dropout of the widest one is left out, since its place is not known.

    Source: Han et al. 2017, arXiv:1610.02915, table 5.
    """
    return _pyramidal(imagenet_resnet(None, "resnet", depth), rule, alpha)


def squeeze_excited(network: Architecture) -> Architecture:
    """Add squeeze-and-excitation at the end of every branch, ratio 16, the paper's default; none is told for CIFAR.

    Source: Hu et al. 2018, arXiv:1709.01507, section 3.
    """
    return with_stages(network, se=SqueezeExcitation.STANDARD)


def with_stages(network: Architecture, **values: Any) -> Architecture:
    """Return a network with the same new values in every stage."""
    return replace(network, stages=tuple(replace(stage, **values) for stage in network.stages))


def _cifar_stages(depth: str, block: str, *, width: int = 0, others: int = 2, **values: Any) -> tuple[Stage, ...]:
    """Return three equally deep stages; `others` counts the layers outside of blocks."""
    step = 3 * _LAYERS[block]
    num_blocks, rest = divmod(int(depth) - others, step)
    if rest or num_blocks < 1:
        below = max(num_blocks, 1) * step + others
        raise NumberError(
            f"of {step}n + {others} layers ({block} blocks): the nearest to {depth} are {below} and {below + step}"
        )
    return _stages((num_blocks,) * 3, block, width or (64 if block == "bottleneck" else 16), **values)


def _stages(depths: tuple[int, ...], block: str, width: int, **values: Any) -> tuple[Stage, ...]:
    """Return stages of which every one but the first halves the resolution and doubles the width."""
    transform = Transform[block.upper()]
    return tuple(
        Stage(depth=depth, width=width * 2**index, stride=2 if index else 1, transform=transform, **values)
        for index, depth in enumerate(depths)
    )


def _imagenet_bottlenecks(depth: str) -> Architecture:
    if depth in ("18", "34"):
        raise NumberError(f"of bottlenecks, got {depth} layers, which are basic blocks")
    return imagenet_resnet(None, "resnet", depth)


def _grouped(network: Architecture, groups: str, group_width: str) -> Architecture:
    first = network.stages[0].width
    assert first is not None
    return with_stages(network, cardinality=int(groups), bottleneck_ratio=int(groups) * int(group_width) / first)


def _pyramidal(network: Architecture, rule: str, alpha: str) -> Architecture:
    return replace(
        network,
        stages=tuple(replace(stage, width=None, shortcut=Shortcut.AVG_POOL_ZERO_PAD) for stage in network.stages),
        widening=Widening.ADDITIVE if rule == "a" else Widening.MULTIPLICATIVE,
        alpha=float(alpha),
        ordering=Ordering.PYRAMID_PREACTIVATION,
    )
