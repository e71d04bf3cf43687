"""Errors that the literature prints for its networks, in per cent, with statistic and table, and notes on them.

Copied from the papers, and from their authors' repositories where `verified` says so; nothing here was measured by us.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from ressearch.images import ImageShape

DATASETS: Mapping[str, ImageShape] = {
    "cifar10": ImageShape(channels=3, resolution=32, num_classes=10),
    "cifar100": ImageShape(channels=3, resolution=32, num_classes=100),
    "imagenet": ImageShape(channels=3, resolution=224, num_classes=1000),
}


class Result(NamedTuple):
    """A printed error.

    error: top-1, in per cent; a text such as "fail" or ">60" where the paper prints no number, None where it is silent.
    statistic: of how many runs, or of which crops; "" where the paper does not say.
    verified: primary (read in the paper), official_repo, secondary (a third party), unverified (not found).
    is_other: whether the number is of a variant that statistic or note names, and not of this very network.
    """

    dataset: str
    statistic: str
    verified: str
    source: str
    note: str
    is_other: bool
    error: float | str | None
    top5: float | None
    mean: float | None
    std: float | None


class Printed(NamedTuple):
    """An error, and what is printed beside it."""

    error: float | str | None
    top5: float | None = None
    mean: float | None = None
    std: float | None = None


def dataset_of(name: str) -> str:
    """Return the data set that a named network was made for."""
    return "imagenet" if name.endswith("-imagenet") else "cifar10"


def notes_on(name: str) -> tuple[str, ...]:
    """Return what is known of a network and of its numbers."""
    return tuple(text for names, text in NOTES if name in names.split())


def lowest_error(name: str) -> Result | None:
    """Return the lowest error printed of this very network on the data set it was made for."""
    printed = {
        result.error: result
        for result in PUBLISHED.get(name, ())
        if isinstance(result.error, float) and not result.is_other and result.dataset == dataset_of(name)
    }
    return printed[min(printed)] if printed else None


Errors = Mapping[str, float | str | Printed | None]


def _table(
    source: str,
    statistic: str,
    *,
    verified: str = "primary",
    note: str = "",
    is_other: bool = False,
    **errors: Errors,
) -> Iterator[tuple[str, Result]]:
    """Yield a result for every number of a table, all of one statistic; `errors` by data set and network."""
    for dataset, rows in errors.items():
        for name, got in rows.items():
            printed = got if isinstance(got, Printed) else Printed(got)
            yield name, Result(dataset, statistic, verified, source, note, is_other, *printed)


def _by_name(rows: Iterator[tuple[str, Result]]) -> dict[str, tuple[Result, ...]]:
    found: dict[str, tuple[Result, ...]] = {}
    for name, result in rows:
        found[name] = (*found.get(name, ()), result)
    return found


MEAN_STD = "mean/std preprocessing"
ZCA = "ZCA whitening preprocessing"
FAIL = '"fail" = test error above 20%'

SOURCES = {
    "he2015": "He, Zhang, Ren, Sun. Deep Residual Learning for Image Recognition. CVPR 2016, arXiv 1512.03385",
    "he2016": "He, Zhang, Ren, Sun. Identity Mappings in Deep Residual Networks. ECCV 2016, arXiv 1603.05027",
    "huang2016": (
        "Huang, Sun, Liu, Sedra, Weinberger. Deep Networks with Stochastic Depth. ECCV 2016, arXiv 1603.09382 "
        "(version printing 5.25 / 24.98)"
    ),
    "zagoruyko2016": "Zagoruyko, Komodakis. Wide Residual Networks. BMVC 2016, arXiv 1605.07146 v4",
    "zhang2017": "Zhang, Sun, Han, Yuan, Guo, Liu. Residual Networks of Residual Networks. TCSVT, arXiv 1608.02908",
    "han2017": (
        "Han, Kim, Kim. Deep Pyramidal Residual Networks. CVPR 2017, arXiv 1610.02915 (table as in the authors' "
        "repository README)"
    ),
    "xie2017": "Xie, Girshick, Dollar, Tu, He. Aggregated Residual Transformations. CVPR 2017, arXiv 1611.05431",
    "hu2018": "Hu, Shen, Albanie, Sun, Wu. Squeeze-and-Excitation Networks. CVPR 2018 / TPAMI, arXiv 1709.01507 v4",
}
"""Papers behind the short names of sources."""

# fmt: off
_TABLES = (
    _table("he2015 Table 6", "single run (stat not stated)", cifar10={"resnet-20": 8.75, "resnet-32": 7.51,
        "resnet-44": 7.17, "resnet-56": 6.97}),
    _table("he2015 Table 6", "best of 5", cifar10={"resnet-110": Printed(6.43, mean=6.61, std=0.16)}),
    _table("he2015 Table 6", "single run (stat not stated)", note="training error below 0.1%",
        cifar10={"resnet-1202": 7.93}),
    _table("he2015 Fig. 6", "",
        note="no number printed; only curves in Fig. 6 left and Fig. 1; deeper plain nets have higher training AND"
             " test error", cifar10={"plain-20": None, "plain-56": None}),
    _table("he2015 Fig. 6", "",
        note="no number printed; only curves in Fig. 6 left; deeper plain nets have higher training AND test error",
        cifar10={"plain-32": None, "plain-44": None}),
    _table("he2015 Fig. 6", "single run", note="only statement in the paper: too high to be drawn in Figure 6",
        cifar10={"plain-110": ">60"}),
    _table("he2016 Table 1", "median of 5", cifar10={"resnet-110": 6.61, "resnet-110-scaled-0.5-0.5": 12.35,
        "resnet-110-exclusive-gate-b-6": 8.7, "resnet-110-exclusive-gate-b-7": 9.81,
        "resnet-110-shortcut-only-gate-b-6": 6.91, "resnet-110-conv1x1-shortcut": 12.22}),
    _table("he2016 Table 1", "median of 5", note=FAIL, cifar10={"plain-110": "fail",
        "resnet-110-scaled-0.5-1": "fail", "resnet-110-exclusive-gate-b0": "fail",
        "resnet-110-dropout-shortcut-0.5": "fail"}),
    _table("he2016 Table 2", "median of 5", cifar10={"resnet-110": 6.61, "resnet-164": 5.93,
        "resnet-110-bn-after-addition": 8.17, "resnet-164-bn-after-addition": 6.5,
        "resnet-110-relu-before-addition": 7.84, "resnet-164-relu-before-addition": 6.14,
        "resnet-110-relu-only-preactivation": 6.71, "resnet-164-relu-only-preactivation": 5.91,
        "preresnet-110": 6.37, "preresnet-164": 5.46}),
    _table("he2016 Tables 2-3", "median of 5", cifar10={"preresnet-110": 6.37}),
    _table("hu2018 Table 5", "", note="baseline column of the SE paper, not in he2016",
        cifar100={"preresnet-110": 26.88}),
    _table("he2016 Table 3", "median of 5", cifar10={"resnet-164": 5.93, "preresnet-110-single": 8.91},
        cifar100={"resnet-164": 25.16}),
    _table("he2016 Tables 3-4", "median of 5", cifar10={"preresnet-164": 5.46, "resnet-1001": 7.61},
        cifar100={"preresnet-164": 24.33, "resnet-1001": 27.82}),
    _table("he2016 Tables 3-4; official resnet-1k-layers README", "median of 5", note="batch 128",
        cifar10={"preresnet-1001": Printed(4.92, mean=4.89, std=0.14)}),
    _table("he2016 Tables 3-4; official resnet-1k-layers README", "median of 5", note="batch 64",
        cifar10={"preresnet-1001": Printed(4.62, mean=4.69, std=0.2)}),
    _table("he2016 Tables 3-4; official resnet-1k-layers README", "median of 5",
        cifar100={"preresnet-1001": Printed(22.71, mean=22.68, std=0.22)}),
    _table("zagoruyko2016 Table 5", "median of 5", note=MEAN_STD, cifar10={"wrn-16-8": 4.27, "wrn-40-4": 4.53,
        "wrn-28-10": 4.0}, cifar100={"wrn-16-8": 20.43, "wrn-40-4": 21.18, "wrn-28-10": 19.25}),
    _table("zagoruyko2016 Table 4", "", note=ZCA, cifar10={"wrn-16-8": 4.81, "wrn-40-4": 4.97, "wrn-28-10": 4.17,
        "wrn-40-1": 6.85, "wrn-40-2": 5.33, "wrn-40-8": 4.66, "wrn-28-12": 4.33, "wrn-22-10": 4.44,
        "wrn-16-10": 4.56}, cifar100={"wrn-16-8": 22.07, "wrn-40-4": 22.89, "wrn-28-10": 20.5, "wrn-40-1": 30.89,
        "wrn-40-2": 26.04, "wrn-28-12": 20.43, "wrn-22-10": 20.75, "wrn-16-10": 21.59}),
    _table("zagoruyko2016 Table 6", "median of 5", note=MEAN_STD, cifar10={"wrn-28-10-dropout": 3.89,
        "wrn-16-4": 5.02, "wrn-16-4-dropout": 5.24, "wrn-52-1": 6.43, "wrn-52-1-dropout": 6.28},
        cifar100={"wrn-28-10-dropout": 18.85, "wrn-16-4": 24.03, "wrn-16-4-dropout": 23.91, "wrn-52-1": 29.89,
        "wrn-52-1-dropout": 29.78}),
    _table("zagoruyko2016 Table 9 and Sec. 3 text", "single run", note=MEAN_STD, cifar10={"wrn-40-10-dropout": 3.8},
        cifar100={"wrn-40-10-dropout": 18.3}),
    _table("xie2017 Table 7", "mean of 10", cifar10={"resnext-29-8x64d": 3.65, "resnext-29-16x64d": 3.58},
        cifar100={"resnext-29-8x64d": 17.77, "resnext-29-16x64d": 17.31}),
    _table("han2017 results table (authors' README)", "", verified="official_repo",
        cifar10={"pyramidnet-110-a48": 4.62, "pyramidnet-110-a84": 4.27, "pyramidnet-110-a270": 3.73,
        "pyramidnet-110-m4.75": 4.62, "pyramidnet-110-m27": 4.06, "pyramidnet-164-a48": 4.21,
        "pyramidnet-164-a84": 3.96, "pyramidnet-164-a270": 3.48, "pyramidnet-200-a240": 3.44,
        "pyramidnet-272-a200": 3.31}, cifar100={"pyramidnet-110-a48": 23.31, "pyramidnet-110-a84": 20.21,
        "pyramidnet-110-a270": 18.25, "pyramidnet-110-m4.75": 23.16, "pyramidnet-110-m27": 18.79,
        "pyramidnet-164-a48": 19.52, "pyramidnet-164-a84": 18.32, "pyramidnet-164-a270": 17.01,
        "pyramidnet-200-a240": 16.51, "pyramidnet-272-a200": 16.35}),
    _table("hu2018 Tables 4-5", "not stated", cifar10={"se-preresnet-110": 5.21, "se-preresnet-164": 4.39,
        "se-wrn-16-8": 3.88}, cifar100={"se-preresnet-110": 23.85, "se-preresnet-164": 21.31,
        "se-wrn-16-8": 19.14}),
    _table("hu2018 (not tabulated)", "",
        note="no published figure for the post-activation form; the SE paper cites the pre-activation paper for "
             "its 110/164 baselines", cifar10={"se-resnet-110": None}),
    _table("huang2016 Table 1 and Sec. 4", "test error at best validation epoch",
        note="45k/5k split, 500 epochs; later papers quote 5.23", cifar10={"stochastic-depth-resnet-110": 5.25}),
    _table("huang2016 Table 1 and Sec. 4", "test error at best validation epoch", note="later papers quote 24.58",
        cifar100={"stochastic-depth-resnet-110": 24.98}),
    _table("huang2016 Table 1 and Sec. 4", "constant depth baseline, same protocol", is_other=True,
        cifar10={"stochastic-depth-resnet-110": 6.41}),
    _table("huang2016 Table 1 and Sec. 4", "constant depth baseline, same protocol", is_other=True,
        note="text says 27.22, Table 1 of the same version prints 27.76",
        cifar100={"stochastic-depth-resnet-110": 27.22}),
    _table("huang2016 Sec. 4, Fig. 5", "test error at best validation epoch", note="300 epochs",
        cifar10={"stochastic-depth-resnet-1202": 4.91}),
    _table("huang2016 Sec. 4, Fig. 5", "constant depth baseline, same protocol", is_other=True,
        cifar10={"stochastic-depth-resnet-1202": 6.67}),
    _table("zhang2017 Fig. 2", "", verified="unverified",
        note="no figure found in the material that could be read; pytorchcv reports 5.43 for its own net, trained "
             "by its author", cifar10={"ror3-56": None}),
    _table("zhang2017 Fig. 2", "", verified="unverified", note="the paper's Tables III-IV could not be read",
        cifar10={"ror3-110": None}),
    _table("zhang2017 Fig. 2", "with stochastic depth", verified="secondary", is_other=True,
        cifar10={"ror3-164": 4.86}, cifar100={"ror3-164": 22.47}),
    _table("zhang2017 Table VI, Fig. 3 (arXiv v1)", "500 epochs", cifar10={"ror3-wrn-40-2": 5.01},
        cifar100={"ror3-wrn-40-2": 25.19}),
    _table("zhang2017 Table VI, Fig. 3 (arXiv v1)", "500 epochs, with stochastic depth", is_other=True,
        cifar10={"ror3-wrn-40-2": 4.59}, cifar100={"ror3-wrn-40-2": 22.48}),
    _table("zhang2017 Table VI, Fig. 3 (arXiv v1)", "WRN-40-2 baseline, 500 epochs", is_other=True,
        cifar10={"ror3-wrn-40-2": 4.81}, cifar100={"ror3-wrn-40-2": 24.7}),
    _table("zhang2017 Table VI, Fig. 3 (arXiv v1)", "WRN-40-2 + stochastic depth", is_other=True,
        cifar10={"ror3-wrn-40-2": 4.8}, cifar100={"ror3-wrn-40-2": 22.87}),
    _table("he2015 Table 2", "top-1, 10-crop", is_other=True, note="option A",
        imagenet={"resnet-18-imagenet": 27.88}),
    _table("facebook/fb.resnet.torch README", "top-1, single crop", verified="official_repo",
        imagenet={"resnet-18-imagenet": Printed(30.43, top5=10.76),
        "resnet-34-imagenet": Printed(26.73, top5=8.74)}),
    _table("torchvision weights metadata IMAGENET1K_V1", "top-1, single crop 224", verified="official_repo",
        imagenet={"resnet-18-imagenet": Printed(30.242, top5=10.922),
        "resnet-34-imagenet": Printed(26.686, top5=8.58), "resnet-50-imagenet": Printed(23.87, top5=7.138),
        "resnet-101-imagenet": Printed(22.626, top5=6.454), "resnet-152-imagenet": Printed(21.688, top5=5.954),
        "resnext-50-32x4d-imagenet": Printed(22.382, top5=6.302),
        "resnext-101-32x8d-imagenet": Printed(20.688, top5=5.474),
        "wrn-50-2-imagenet": Printed(21.532, top5=5.914)}),
    _table("he2015 Table 3", "top-1, 10-crop", is_other=True, note="option A",
        imagenet={"resnet-34-imagenet": Printed(25.03, top5=7.76)}),
    _table("he2015 Table 3", "top-1, 10-crop", note="option B",
        imagenet={"resnet-34-imagenet": Printed(24.52, top5=7.46)}),
    _table("he2015 Table 3", "top-1, 10-crop", is_other=True, note="option C",
        imagenet={"resnet-34-imagenet": Printed(24.19, top5=7.4)}),
    _table("he2015 Table 4", "top-1, multi-scale fully-convolutional", note="option B",
        imagenet={"resnet-34-imagenet": Printed(21.84, top5=5.71)}),
    _table("he2015 Table 3", "top-1, 10-crop", imagenet={"resnet-50-imagenet": Printed(22.85, top5=6.71),
        "resnet-101-imagenet": Printed(21.75, top5=6.05), "resnet-152-imagenet": Printed(21.43, top5=5.71)}),
    _table("he2015 Table 4", "top-1, multi-scale fully-convolutional",
        imagenet={"resnet-50-imagenet": Printed(20.74, top5=5.25),
        "resnet-101-imagenet": Printed(19.87, top5=4.6), "resnet-152-imagenet": Printed(19.38, top5=4.49)}),
    _table("hu2018 Table 2 (column original)", "top-1, single crop 224",
        imagenet={"resnet-50-imagenet": Printed(24.7, top5=7.8)}),
    _table("facebook/fb.resnet.torch README", "top-1, single crop 224", verified="official_repo",
        imagenet={"resnet-50-imagenet": Printed(24.01, top5=7.02),
        "resnet-101-imagenet": Printed(22.44, top5=6.21), "resnet-152-imagenet": Printed(22.16, top5=6.16)}),
    _table("he2016 Sec. 5", "top-1, single crop 224", imagenet={"resnet-101-imagenet": Printed(23.6, top5=7.1)}),
    _table("he2016 Table 5", "top-1, single crop 224", imagenet={"resnet-152-imagenet": Printed(23.0, top5=6.7)}),
    _table("he2016 Table 5", "top-1, single crop 320", imagenet={"resnet-152-imagenet": Printed(21.3, top5=5.5)}),
    _table("he2015 Tables 2-3", "top-1, 10-crop", imagenet={"plain-18-imagenet": 27.94}),
    _table("xie2017 Table 3", "top-1, single crop 224", imagenet={"resnext-50-32x4d-imagenet": 22.2}),
    _table("xie2017 Table 4", "top-1, single crop 224",
        imagenet={"resnext-101-32x4d-imagenet": Printed(21.2, top5=5.6)}),
    _table("zagoruyko2016 Table 8", "top-1, single crop 224", note="Table 9 of the same paper prints 5.79 for top-5",
        imagenet={"wrn-50-2-imagenet": Printed(21.9, top5=6.03)}),
    _table("hu2018 Table 2", "top-1, single crop 224", imagenet={"se-resnet-50-imagenet": Printed(23.29, top5=6.62),
        "se-resnet-101-imagenet": Printed(22.38, top5=6.07), "se-resnet-152-imagenet": Printed(21.57, top5=5.73)}),
    _table("hujie-frank/SENet README", "top-1, single crop 224, retrained", verified="official_repo",
        imagenet={"se-resnet-50-imagenet": Printed(22.37, top5=6.36),
        "se-resnet-101-imagenet": Printed(21.75, top5=5.72), "se-resnet-152-imagenet": Printed(21.34, top5=5.54)}),
    _table("hu2018 Table 10", "top-1, single crop, long schedule (ablation)",
        imagenet={"se-resnet-50-imagenet": Printed(22.28, top5=6.03)}),
    _table("han2017 ImageNet table (authors' README)", "top-1, single crop 224", verified="official_repo",
        imagenet={"pyramidnet-200-a300-imagenet": Printed(20.47, top5=5.29)}),
    _table("han2017 ImageNet table (authors' README)", "top-1, single crop 224, dropout 0.5",
        verified="official_repo", is_other=True,
        imagenet={"pyramidnet-200-a450-imagenet": Printed(20.11, top5=5.43)}),
    _table("dyhan0920/PyramidNet-PyTorch README", "top-1, single crop 224", verified="official_repo",
        imagenet={"pyramidnet-101-a360-imagenet": Printed(21.98, top5=6.2)}),
)
NOTES = (
    ("plain-20 plain-32 plain-44 plain-56 plain-110",
     "Same parameter count as the option-A ResNet of equal depth."),
    ("plain-110",
     "shortcut factor 0, branch factor 1: a plain net. Counts as the plain-110 net."),
    ("resnet-110-scaled-0.5-0.5",
     "called frozen gating in the paper"),
    ("resnet-110-exclusive-gate-b0 resnet-110-exclusive-gate-b-6 resnet-110-exclusive-gate-b-7",
     "Gate g(x)=sigmoid(W_g x + b_g), a 1x1 conv with bias on the unit input giving one gate value per output channel"
     " and position. Paper does not say how gates are shaped in the two width-changing units; here W_g maps in->out "
     "channels with the unit stride, and the gated shortcut there is the option-A shortcut (our convention). Shortcut"
     " x (1-g), branch x g."),
    ("resnet-110-shortcut-only-gate-b-6",
     "Gate g(x)=sigmoid(W_g x + b_g), a 1x1 conv with bias on the unit input giving one gate value per output channel"
     " and position. Paper does not say how gates are shaped in the two width-changing units; here W_g maps in->out "
     "channels with the unit stride, and the gated shortcut there is the option-A shortcut (our convention). Shortcut"
     " x (1-g), branch unscaled."),
    ("resnet-110-conv1x1-shortcut",
     "1x1 conv replaces every one of the 54 shortcuts (stride 2 in the two reducing units). The paper does not state "
     "whether BN follows it; exact count here is without BN."),
    ("resnet-110-dropout-shortcut-0.5",
     "dropout 0.5 on the shortcut output only"),
    ("preresnet-110",
     "Paper: projections are described only for bottleneck nets, so option A is assumed for the basic 110-layer net."),
    ("preresnet-1001",
     "333 units, 111 per stage. Printed 10.2M equals the count WITHOUT BN parameters."),
    ("wrn-28-10-dropout",
     "Dropout 0.3 between the two convs of each unit (after the second BN-ReLU)."),
    ("resnext-29-8x64d resnext-29-16x64d",
     "Inner width of stage s is cardinality*64*2^s with grouped 3x3; output widths 256/512/1024 as in the official "
     "code."),
    ("pyramidnet-110-a84",
     "Secondary sources quote the CVPR version as 4.26 +- 0.23 on CIFAR-10."),
    ("pyramidnet-110-a270",
     "Secondary source: 3.73 +- 0.04. Printed 28.3M fits the multiplicative alpha=27 net (28.32M without BN); the "
     "additive net has 28.44M without BN."),
    ("pyramidnet-164-a270",
     "Secondary source: 3.48 +- 0.20."),
    ("pyramidnet-272-a200",
     "Secondary source: 3.31 +- 0.08."),
    ("se-preresnet-110",
     "Ratio 16 on 16 channels leaves a single hidden unit; the paper does not print the ratio used on CIFAR (16 is "
     "its stated default)."),
    ("se-preresnet-164",
     "pytorchcv gives 1,904,882 because its CIFAR SE-PreResNet keeps a BN-ReLU after the stem and has no final "
     "BN-ReLU."),
    ("stochastic-depth-resnet-110",
     "Official Torch code keeps conv biases; with them the CIFAR-10 count is 1,732,010. Width-changing shortcuts: 2x2"
     " average pooling then zero padding."),
    ("stochastic-depth-resnet-1202",
     "Several later tables (WRN Table 5, DenseNet Table 2) list this net with 10.2M parameters; that is the size of "
     "ResNet-1001. The true size is 19.4M."),
    ("ror3-56",
     "Trunk taken as the 6n+2 net (n=9 blocks per stage). Level projections drawn as bare 1x1 convs in the paper "
     "figure. pytorchcv and a Keras port build one block fewer per stage and max-pool between stages, unlike the "
     "figure (stride-2 projections). Which block count the authors used is unverified."),
    ("ror3-110",
     "Trunk taken as the 6n+2 net (n=18 blocks per stage). Level projections drawn as bare 1x1 convs in the paper "
     "figure. pytorchcv and a Keras port build one block fewer per stage and max-pool between stages, unlike the "
     "figure (stride-2 projections). Which block count the authors used is unverified."),
    ("ror3-164",
     "Trunk taken as the 6n+2 net (n=27 blocks per stage). Level projections drawn as bare 1x1 convs in the paper "
     "figure. pytorchcv and a Keras port build one block fewer per stage and max-pool between stages, unlike the "
     "figure (stride-2 projections). Which block count the authors used is unverified."),
    ("ror3-wrn-40-2",
     "Without stochastic depth RoR is worse than its WRN baseline here."),
    ("resnet-50-imagenet resnet-101-imagenet resnet-152-imagenet",
     "Original model strides the first 1x1 conv of a reducing unit (fewer multiply-adds, same parameters); "
     "torchvision and the ResNeXt paper stride the 3x3."),
    ("wrn-50-2-imagenet",
     "Post-activation bottleneck whose inner 3x3 width is doubled. pytorchcv wrn50_2 has 68,849,128 because it "
     "replaces every BN by a convolution bias (BN folded)."),
    ("pyramidnet-200-a450-imagenet",
     "Dropout 0.5 (position not checked)."),
    ("resnet-1202 resnet-1001 preresnet-1001",
     "Printed sizes mix two conventions: ResNet-1202 19.4M includes batch norm, ResNet-1001 10.2M excludes it (10.33M"
     " with)."),
    ("resnet-164 resnet-1001 resnet-1202 stochastic-depth-resnet-1202",
     "WRN Table 5 (and the DenseNet paper) give the 1202-layer nets 10.2M parameters; the true count is 19.42M. WRN "
     "Table 5 also files 25.16 and 27.82 on CIFAR-100 under original ResNet 110 and 1202; in he2016 these belong to "
     "ResNet-164 and ResNet-1001."),
    ("wrn-50-2-imagenet",
     "WRN-50-2 top-5 is 6.03 in Table 8 and 5.79 in Table 9 and the README of the same work; 5.79 is the "
     "pre-ResNet-200 figure of Table 8."),
    ("wrn-16-8 wrn-40-4 wrn-28-10",
     "WRN CIFAR errors exist in two sets: ZCA whitening (4.17/20.50 for 28-10) and mean/std (4.00/19.25). ResNeXt "
     "compares itself with the ZCA set."),
    ("stochastic-depth-resnet-110",
     "Stochastic depth prints 27.76 (Table 1) and 27.22 (text) for the constant-depth CIFAR-100 baseline; later "
     "papers cite 27.22. They cite 5.23 and 24.58 where the version read prints 5.25 and 24.98."),
    ("pyramidnet-110-a84 pyramidnet-110-a270 pyramidnet-164-a84",
     "PyramidNet-110 additive alpha=270 is printed as 28.3M, which is the size of the multiplicative alpha=27 net; "
     "the additive net has 28.44M without and 28.49M with batch norm. The printed sizes follow no single rule (3.8M "
     "is printed for nets with 3.89M and with 3.69M parameters without batch norm)."),
    ("pyramidnet-110-a84",
     "PyramidNet-110 alpha=84 on CIFAR-10 is 4.27 in the README and 4.26 +- 0.23 in quotations of the conference "
     "version."),
    ("resnet-110",
     "ResNet-110: 6.43 is the best of five runs; the mean is 6.61, and he2016 uses 6.61 as its baseline."),
    ("preresnet-1001",
     "ResNet-1001 pre-activation: 4.92 with batch 128, 4.62 with batch 64; WRN quotes the latter as 4.64."),
    ("resnext-29-8x64d resnext-29-16x64d",
     "ResNeXt CIFAR numbers of the paper come from pre-activation blocks with batch 256; the released code uses "
     "post-activation blocks with batch 128 (README)."),
    ("se-preresnet-110 se-preresnet-164",
     "pytorchcv CIFAR SE-PreResNet nets have a stem BN and lack the final BN-ReLU, so they are 96 (110) and 480 (164)"
     " parameters short of the pre-activation recipe."),
    ("ror3-56 ror3-110 ror3-164",
     "pytorchcv and a Keras port of RoR-3 build one block per stage fewer than 6n+2 and max-pool between stages; the "
     "paper's figure draws stride-2 projections."),
    ("resnet-110-exclusive-gate-b0 resnet-110-exclusive-gate-b-6 resnet-110-exclusive-gate-b-7 "
     "resnet-110-shortcut-only-gate-b-6 resnet-110-scaled-0.5-1 resnet-110-dropout-shortcut-0.5",
     "The gating results of he2016 Table 1 are disputed by R. Srivastava (2025, Weighted Skip Connections are Not "
     "Harmful for Deep Nets), who argues from experiments of his own that the comparison has design mistakes (his "
     'figures were not read); treat "fail" rows as reported outcomes of one protocol.'),
    ("resnet-110-exclusive-gate-b0",
     "The row of the table stands for biases that start between 0 and -5."),
)
"""Names of networks, and what is known of them."""
# fmt: on

PUBLISHED: Mapping[str, tuple[Result, ...]] = _by_name(chain.from_iterable(_TABLES))
"""Every printed error by the name of its network."""
