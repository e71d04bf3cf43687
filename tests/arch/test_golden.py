"""Published networks, counted: parameters and MACs by equality, each number found by somebody else."""

from typing import Any

import pytest

from ressearch.arch import Architecture, Cost, Stage, cost, named, plan
from ressearch.arch.literature import DATASETS, dataset_of
from ressearch.arch.shortcuts import Shortcut


def projected(depth: int, **per_stage: Any) -> Architecture:
    """A basic network for CIFAR with projections, which the papers do not use there but others count."""
    stages = tuple(
        Stage(depth=depth, width=width, stride=stride, shortcut=Shortcut.PROJECTION, **per_stage)
        for width, stride in ((16, 1), (32, 2), (64, 2))
    )
    return Architecture(stages=stages)


def counted(architecture: Architecture, dataset: str = "cifar10") -> Cost:
    """Cost on an image of a data set."""
    images = DATASETS[dataset]
    return cost(plan(architecture, images.channels, images.num_classes), images.resolution)


# The networks of the literature as counted in the project's reference collection, most of them confirmed there with
# an independent implementation: torchvision, pytorchcv, akamaster/pytorch_resnet_cifar10, xternalz/WideResNet-pytorch,
# dyhan0920/PyramidNet-PyTorch, bearpaw/pytorch-classification.
REFERENCE = {
    # He et al. 2015, arXiv:1512.03385, table 6, and its plain networks
    "resnet-20": (269_722, 40_551_040),
    "resnet-32": (464_154, 68_862_592),
    "resnet-44": (658_586, 97_174_144),
    "resnet-56": (853_018, 125_485_696),
    "resnet-110": (1_727_962, 252_887_680),
    "resnet-1202": (19_421_274, 2_829_238_912),
    "plain-20": (269_722, 40_551_040),
    "plain-56": (853_018, 125_485_696),
    "plain-110": (1_727_962, 252_887_680),
    # He et al. 2016, arXiv:1603.05027, table 1
    "resnet-110-scaled-0.5-0.5": (1_727_962, 252_887_680),
    "resnet-110-exclusive-gate-b-6": (1_824_186, 266_781_312),
    "resnet-110-shortcut-only-gate-b-6": (1_824_186, 266_781_312),
    "resnet-110-conv1x1-shortcut": (1_822_170, 266_781_312),
    "resnet-110-dropout-shortcut-0.5": (1_727_962, 252_887_680),
    # tables 2 to 4
    "preresnet-110": (1_727_962, 252_887_680),
    "preresnet-110-single": (1_727_962, 252_887_680),
    "resnet-110-bn-after-addition": (1_727_962, 252_887_680),
    "resnet-110-relu-only-preactivation": (1_727_962, 252_887_680),
    "resnet-164": (1_704_154, 244_500_992),
    "resnet-164-bn-after-addition": (1_704_154, 244_500_992),
    "resnet-164-relu-before-addition": (1_704_154, 244_500_992),
    "resnet-164-relu-only-preactivation": (1_704_154, 244_500_992),
    "preresnet-164": (1_703_258, 244_500_992),
    "resnet-1001": (10_328_602, 1_487_849_984),
    "preresnet-1001": (10_327_706, 1_487_849_984),
    # Zagoruyko and Komodakis 2016, arXiv:1605.07146
    "wrn-40-1": (563_930, 83_280_512),
    "wrn-52-1": (758_362, 111_592_064),
    "wrn-40-2": (2_243_546, 327_599_360),
    "wrn-16-4": (2_748_890, 392_612_352),
    "wrn-40-4": (8_949_210, 1_298_582_016),
    "wrn-16-8": (10_961_370, 1_548_145_664),
    "wrn-28-10": (36_479_194, 5_243_328_768),
    "wrn-28-10-dropout": (36_479_194, 5_243_328_768),
    "wrn-50-2-imagenet": (68_883_240, 11_398_021_120),
    # Xie et al. 2017, arXiv:1611.05431, tables 3, 4 and 7
    "resnext-29-8x64d": (34_426_698, 5_387_266_048),
    "resnext-29-16x64d": (68_155_210, 10_688_866_304),
    "resnext-50-32x4d-imagenet": (25_028_904, 4_230_479_872),
    "resnext-101-32x4d-imagenet": (44_177_704, 7_969_996_800),
    "resnext-101-32x8d-imagenet": (88_791_336, 16_414_015_488),
    # Han et al. 2017, arXiv:1610.02915, tables 4 and 5
    "pyramidnet-110-a48": (1_772_706, 403_813_504),
    "pyramidnet-110-a84": (3_904_446, 772_168_168),
    "pyramidnet-110-a270": (28_485_477, 4_717_983_724),
    "pyramidnet-110-m4.75": (1_762_206, 333_659_128),
    "pyramidnet-110-m27": (28_361_693, 2_646_677_664),
    "pyramidnet-164-a48": (1_715_442, 388_433_920),
    "pyramidnet-164-a270": (27_216_021, 4_569_837_040),
    "pyramidnet-200-a240": (26_752_702, 4_519_606_016),
    "pyramidnet-272-a200": (26_210_842, 4_488_778_176),
    "pyramidnet-200-a300-imagenet": (62_368_168, 16_550_501_282),
    "pyramidnet-101-a360-imagenet": (42_455_070, 8_696_707_045),
    # Hu et al. 2018, arXiv:1709.01507, tables 2, 4 and 5, ratio 16
    "se-resnet-110": (1_742_200, 252_899_776),
    "se-preresnet-110": (1_742_200, 252_899_776),
    "se-preresnet-164": (1_905_362, 244_694_528),
    "se-wrn-16-8": (11_049_290, 1_548_231_680),
    "se-resnet-50-imagenet": (28_088_024, 3_860_488_192),
    "se-resnet-152-imagenet": (66_821_848, 11_288_993_792),
    # Huang et al. 2016, arXiv:1603.09382; Zhang et al. 2017, arXiv:1608.02908
    "stochastic-depth-resnet-110": (1_727_962, 252_887_680),
    "ror3-56": (856_858, 126_075_520),
    "ror3-110": (1_731_802, 253_477_504),
    "ror3-164": (2_606_746, 380_879_488),
    "ror3-wrn-40-2": (2_256_346, 329_303_296),
    # He et al. 2015, arXiv:1512.03385, table 1, as torchvision has it
    "resnet-18-imagenet": (11_689_512, 1_814_073_344),
    "resnet-34-imagenet": (21_797_672, 3_663_761_408),
    "resnet-50-imagenet": (25_557_032, 4_089_184_256),
    "resnet-101-imagenet": (44_549_160, 7_801_405_440),
    "resnet-152-imagenet": (60_192_808, 11_513_626_624),
    "plain-18-imagenet": (11_515_688, 1_794_805_760),
}


@pytest.mark.parametrize(("name", "numbers"), REFERENCE.items(), ids=REFERENCE)
def test_reference_networks(name: str, numbers: tuple[int, int]) -> None:
    found = counted(named(name), dataset_of(name))
    assert (found.num_params, found.num_macs) == numbers


@pytest.mark.parametrize(
    ("name", "num_params"), [("resnext-101-64x4d-imagenet", 83_455_272), ("wrn-101-2-imagenet", 126_886_696)]
)
def test_networks_that_torchvision_alone_has(name: str, num_params: int) -> None:
    """`num_params` in the metadata of torchvision's weights."""
    assert counted(named(name), "imagenet").num_params == num_params


# facebookresearch/pycls, dev/model_complexity.json (R-56_nds, V-56_nds, R-110_nds; zero padding costs what no shortcut
# does). Its `linear_cx` counts the classifier's bias as one more MAC per class: 10 more than ours.
PYCLS = {
    "resnet-56-projection": (projected(9), 855_770, 125_747_850, 544_778),
    "resnet-56-plain": (named("plain-56"), 853_018, 125_485_706, 532_490),
    "resnet-56-zero-pad": (named("resnet-56"), 853_018, 125_485_706, 532_490),
    "resnet-110-projection": (projected(18), 1_730_714, 253_149_834, 1_060_874),
}


@pytest.mark.parametrize(("architecture", "params", "macs_and_bias", "activations"), PYCLS.values(), ids=PYCLS)
def test_pycls_numbers(architecture: Architecture, params: int, macs_and_bias: int, activations: int) -> None:
    assert counted(architecture) == Cost(params, macs_and_bias - 10, activations)


@pytest.mark.parametrize(("name", "num_params"), [("resnet-20", 275_572), ("wrn-28-10", 36_536_884)])
def test_more_classes_only_grow_the_classifier(name: str, num_params: int) -> None:
    ten, hundred = counted(named(name)), counted(named(name), "cifar100")
    width = named(name).blocks[-1].c_out
    assert hundred.num_params == num_params == ten.num_params + 90 * (width + 1)
    assert hundred.num_macs == ten.num_macs + 90 * width
