"""Published networks, counted: parameters and MACs by equality."""

from typing import Any

import pytest

from ressearch.arch import Architecture, Cost, Stage, cost, named, plan
from ressearch.arch.architecture import SqueezeExcitation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.arch.widening import Widening

PROJECTION = {"shortcut": Shortcut.PROJECTION}
BOTTLENECK = {"transform": Transform.BOTTLENECK, "shortcut": Shortcut.PROJECTION}
SE = {"se": SqueezeExcitation.STANDARD, "se_ratio": 16}
PYRAMID_WIDTHS = (None, None, None)


def network(
    depth: int,
    widths: tuple[int | None, ...] = (16, 32, 64),
    stem_width: int = 16,
    ordering: Ordering = Ordering.ORIGINAL,
    **per_stage: Any,
) -> Architecture:
    stages = tuple(
        Stage(depth=depth, width=width, stride=stride, **per_stage)
        for width, stride in zip(widths, (1, 2, 2), strict=True)
    )
    return Architecture(stages=stages, stem_width=stem_width, ordering=ordering)


def preactivated(depth: int, widths: tuple[int | None, ...] = (16, 32, 64), **per_stage: Any) -> Architecture:
    return network(depth, widths, ordering=Ordering.FULL_PREACTIVATION, **per_stage)


def wide(depth: int, factor: int, **per_stage: Any) -> Architecture:
    return preactivated(depth, (16 * factor, 32 * factor, 64 * factor), **PROJECTION, **per_stage)


def pyramid(widening: Widening, alpha: float, depth: int = 18, **per_stage: Any) -> Architecture:
    stages = tuple(Stage(depth=depth, stride=stride, **per_stage) for stride in (1, 2, 2))
    ordering = Ordering.PYRAMID_PREACTIVATION
    return Architecture(stages=stages, stem_width=16, ordering=ordering, widening=widening, alpha=alpha)


def counted(architecture: Architecture) -> Cost:
    """Cost on a CIFAR-10 image."""
    return cost(plan(architecture, in_channels=3, num_classes=10), resolution=32)


# The networks of the literature as counted in the project's reference collection, most of them confirmed there with
# an independent implementation (pytorchcv, akamaster/pytorch_resnet_cifar10, xternalz/WideResNet-pytorch,
# dyhan0920/PyramidNet-PyTorch, bearpaw/pytorch-classification). PyramidNet's average-pooled shortcut has neither
# parameters nor MACs, so that zero_pad stands for it here.
REFERENCE = {
    # He et al. 2015, arXiv:1512.03385, table 6, and its plain networks
    "resnet-20": (named("resnet-20"), 269_722, 40_551_040),
    "resnet-32": (named("resnet-32"), 464_154, 68_862_592),
    "resnet-44": (named("resnet-44"), 658_586, 97_174_144),
    "resnet-56": (named("resnet-56"), 853_018, 125_485_696),
    "resnet-110": (named("resnet-110"), 1_727_962, 252_887_680),
    "resnet-1202": (named("resnet-1202"), 19_421_274, 2_829_238_912),
    "plain-20": (named("plain-20"), 269_722, 40_551_040),
    "plain-56": (named("plain-56"), 853_018, 125_485_696),
    "plain-110": (named("plain-110"), 1_727_962, 252_887_680),
    # He et al. 2016, arXiv:1603.05027, table 2, depth 110
    "preresnet-110": (named("preresnet-110"), 1_727_962, 252_887_680),
    "order-bn-after-110": (network(18, ordering=Ordering.BN_AFTER_ADDITION), 1_727_962, 252_887_680),
    "order-relu-before-110": (network(18, ordering=Ordering.RELU_BEFORE_ADDITION), 1_727_962, 252_887_680),
    "order-relu-only-110": (network(18, ordering=Ordering.RELU_ONLY_PREACTIVATION), 1_727_962, 252_887_680),
    # Zagoruyko and Komodakis 2016, arXiv:1605.07146: WRN-(6n + 4)-k is a width of 16k, 32k, 64k
    "wrn-40-1": (wide(6, 1), 563_930, 83_280_512),
    "wrn-52-1": (wide(8, 1), 758_362, 111_592_064),
    "wrn-40-2": (wide(6, 2), 2_243_546, 327_599_360),
    "wrn-16-4": (wide(2, 4), 2_748_890, 392_612_352),
    "wrn-40-4": (wide(6, 4), 8_949_210, 1_298_582_016),
    "wrn-16-8": (wide(2, 8), 10_961_370, 1_548_145_664),
    "wrn-28-10": (wide(4, 10), 36_479_194, 5_243_328_768),
    # Xie et al. 2017, arXiv:1611.05431, table 7: 8x64d is an inner width of 512 = 2 x 256 in 8 groups
    "resnext-29-8x64d": (
        network(3, (256, 512, 1024), 64, bottleneck_ratio=2.0, cardinality=8, **BOTTLENECK),
        34_426_698,
        5_387_266_048,
    ),
    "resnext-29-16x64d": (
        network(3, (256, 512, 1024), 64, bottleneck_ratio=4.0, cardinality=16, **BOTTLENECK),
        68_155_210,
        10_688_866_304,
    ),
    # Han et al. 2017, arXiv:1610.02915, table 4
    "pyramidnet-110-a48": (pyramid(Widening.ADDITIVE, 48), 1_772_706, 403_813_504),
    "pyramidnet-110-a84": (pyramid(Widening.ADDITIVE, 84), 3_904_446, 772_168_168),
    "pyramidnet-110-a270": (pyramid(Widening.ADDITIVE, 270), 28_485_477, 4_717_983_724),
    "pyramidnet-110-mul-a4.75": (pyramid(Widening.MULTIPLICATIVE, 4.75), 1_762_206, 333_659_128),
    "pyramidnet-110-mul-a27": (pyramid(Widening.MULTIPLICATIVE, 27), 28_361_693, 2_646_677_664),
    "pyramidnet-164-a48": (
        pyramid(Widening.ADDITIVE, 48, transform=Transform.BOTTLENECK, bottleneck_ratio=0.25),
        1_715_442,
        388_433_920,
    ),
    "pyramidnet-164-a270": (
        pyramid(Widening.ADDITIVE, 270, transform=Transform.BOTTLENECK, bottleneck_ratio=0.25),
        27_216_021,
        4_569_837_040,
    ),
    "pyramidnet-272-a200": (
        pyramid(Widening.ADDITIVE, 200, depth=30, transform=Transform.BOTTLENECK, bottleneck_ratio=0.25),
        26_210_842,
        4_488_778_176,
    ),
    # Hu et al. 2018, arXiv:1709.01507, tables 4 and 5, ratio 16
    "se-resnet-110": (network(18, **SE), 1_742_200, 252_899_776),
    "se-preresnet-110": (preactivated(18, **SE), 1_742_200, 252_899_776),
    "se-wrn-16-8": (wide(2, 8, **SE), 11_049_290, 1_548_231_680),
}


@pytest.mark.parametrize(("architecture", "num_params", "num_macs"), REFERENCE.values(), ids=REFERENCE)
def test_reference_networks(architecture: Architecture, num_params: int, num_macs: int) -> None:
    found = counted(architecture)
    assert (found.num_params, found.num_macs) == (num_params, num_macs)


# Bottlenecks of He et al. 2016 (arXiv:1603.05027, table 2) stride on the first convolution, ours on the 3x3 one (as
# in torchvision): equal parameters, and the 1x1 convolutions in front of the two strided 3x3 ones read maps of four
# times the area: 3 x (64 * 32 * 16 * 16 + 128 * 64 * 8 * 8) = 3,145,728 more MACs.
STRIDED_ON_FIRST = {
    "original": (Ordering.ORIGINAL, {}, 1_704_154, 244_500_992),
    "bn_after_addition": (Ordering.BN_AFTER_ADDITION, {}, 1_704_154, 244_500_992),
    "relu_before_addition": (Ordering.RELU_BEFORE_ADDITION, {}, 1_704_154, 244_500_992),
    "relu_only_preactivation": (Ordering.RELU_ONLY_PREACTIVATION, {}, 1_704_154, 244_500_992),
    "full_preactivation": (Ordering.FULL_PREACTIVATION, {}, 1_703_258, 244_500_992),
    "se-full_preactivation": (Ordering.FULL_PREACTIVATION, SE, 1_905_362, 244_694_528),
}


@pytest.mark.parametrize(("ordering", "se", "num_params", "num_macs"), STRIDED_ON_FIRST.values(), ids=STRIDED_ON_FIRST)
def test_resnet_164(ordering: Ordering, se: dict[str, Any], num_params: int, num_macs: int) -> None:
    found = counted(network(18, (64, 128, 256), ordering=ordering, **BOTTLENECK, **se))
    assert (found.num_params, found.num_macs) == (num_params, num_macs + 3_145_728)


# facebookresearch/pycls, dev/model_complexity.json (R-56_nds, V-56_nds, R-110_nds; zero padding costs what no shortcut
# does). Its `linear_cx` counts the classifier's bias as one more MAC per class: 10 more than ours.
PYCLS = {
    "resnet-56-projection": (network(9, **PROJECTION), 855_770, 125_747_850, 544_778),
    "resnet-56-plain": (named("plain-56"), 853_018, 125_485_706, 532_490),
    "resnet-56-zero-pad": (named("resnet-56"), 853_018, 125_485_706, 532_490),
    "resnet-110-projection": (network(18, **PROJECTION), 1_730_714, 253_149_834, 1_060_874),
}


@pytest.mark.parametrize(("architecture", "params", "macs_and_bias", "activations"), PYCLS.values(), ids=PYCLS)
def test_pycls_numbers(architecture: Architecture, params: int, macs_and_bias: int, activations: int) -> None:
    assert counted(architecture) == Cost(params, macs_and_bias - 10, activations)


def test_more_classes_only_grow_the_classifier() -> None:
    hundred = cost(plan(named("resnet-20"), in_channels=3, num_classes=100), resolution=32)
    assert hundred.num_params == 275_572  # CIFAR-100, reference collection: 90 * (64 + 1) more
    assert hundred.num_macs == 40_551_040 + 90 * 64
