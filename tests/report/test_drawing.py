"""What `show NAME` and `list architectures` print."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from ressearch.arch import Architecture, Cost, cost, named, plan
from ressearch.arch.literature import PUBLISHED
from ressearch.images import ImageShape
from ressearch.report.drawing import architecture_table, images_of, named_drawing, named_table, published_table
from ressearch.report.layer_table import parts


def printed(renderable: RenderableType, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def lines(renderable: RenderableType) -> list[str]:
    """Lines with single spaces."""
    return [" ".join(line.split()) for line in printed(renderable).splitlines()]


def test_a_network_of_the_literature() -> None:
    assert lines(named_drawing("resnet-20")) == [
        "resnet-20 (30de05d529)",
        "3x[16] 3x[32] 3x[64] basic original zero_pad",
        "ordering original conv-BN-ReLU-conv-BN, add, ReLU (He et al. 2016, fig. 4a)",
        "transform basic two 3x3 convolutions",
        "shortcut zero_pad Subsample and append zero channels where the shape changes, identity elsewhere (option A).",
        "",
        "part blocks layers output params MACs",
        "─" * 135,
        "stem 3x3 conv 16, norm, relu 16 x 32 x 32 464 442,368",
        "stage 1 3 3x3 conv 16, norm, relu, 3x3 conv 16, norm + identity; relu 16 x 32 x 32 14,016 14,155,776",
        "stage 2 1 3x3 conv 32 /2, norm, relu, 3x3 conv 32, norm + (subsampled /2, zeros to 32); relu "
        "32 x 16 x 16 13,952 3,538,944",
        "stage 2 2 3x3 conv 32, norm, relu, 3x3 conv 32, norm + identity; relu 32 x 16 x 16 37,120 9,437,184",
        "stage 3 1 3x3 conv 64 /2, norm, relu, 3x3 conv 64, norm + (subsampled /2, zeros to 64); relu "
        "64 x 8 x 8 55,552 3,538,944",
        "stage 3 2 3x3 conv 64, norm, relu, 3x3 conv 64, norm + identity; relu 64 x 8 x 8 147,968 9,437,184",
        "head global mean, linear 10 10 650 640",
        "",
        "total 9 269,722 40,551,040",
        "",
        "268,346 parameters without norms, 188,426 activations",
        "published",
        "",
        "data set error % top-5 % statistic source verified note",
        "─" * 89,
        "cifar10 8.75 single run (stat not stated) he2015 Table 6 primary",
        "",
        "he2015: He, Zhang, Ren, Sun. Deep Residual Learning for Image Recognition. CVPR 2016, arXiv 1512.03385",
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "wrn-28-10-dropout",
            "stage 1 1 norm, relu; 3x3 conv 160, norm, relu, dropout 0.3, 3x3 conv 160 + 1x1 conv 160 160 x 32 x 32",
        ),
        ("plain-20", "stage 1 3 3x3 conv 16, norm, relu, 3x3 conv 16, norm; relu 16 x 32 x 32 14,016 14,155,776"),
        ("resnext-29-8x64d", "stage 1 2 1x1 conv 512, norm, relu, 3x3 conv 512 in 8 groups, norm, relu, 1x1 conv 256"),
        (
            "pyramidnet-110-a48",
            "stage 1 4 norm, 3x3 conv 17..20, norm, relu, 3x3 conv 17..20, norm + zeros to 17..20 20 x 32 x 32 24,502",
        ),
        ("pyramidnet-110-a48", "norm, relu, 3x3 conv 33, norm + (mean /2, zeros to 33) 33 x 16 x 16"),
        ("se-resnet-110", "3x3 conv 16, norm, squeeze-excite 16 - 1 + identity; relu"),
        ("stochastic-depth-resnet-110", "3x3 conv 16, norm + identity; relu; kept with probability 0.991..0.833"),
        ("ror3-56", "stage 1 1 3x3 conv 16, norm, relu, 3x3 conv 16, norm + identity 16 x 32 x 32 4,672"),
        ("ror3-56", "stage 1 around 9 blocks: + 1x1 conv 16; relu 16 x 32 x 32 256 262,144"),
        ("ror3-56", "all stages around 27 blocks: + 1x1 conv 64 /4; relu 64 x 8 x 8 1,024 65,536"),
        (
            "resnet-110-exclusive-gate-b-6",
            "stage 1 18 g * (3x3 conv 16, norm, relu, 3x3 conv 16, norm) + (1 - g) * identity, "
            "g = sigmoid of a 1x1 conv 16 with bias from -6; relu",
        ),
        ("resnet-110-scaled-0.5-0.5", "3x3 conv 16, norm, times 0.5 + times 0.5; relu"),
        ("resnet-110-dropout-shortcut-0.5", "3x3 conv 16, norm + unscaled dropout 0.5; relu"),
        ("resnet-50-imagenet", "stem 7x7 conv 64 /2, norm, relu, 3x3 maximum /2 64 x 56 x 56 9,536 118,013,952"),
        ("resnet-50-imagenet", "head global mean, linear 1000 1000 2,049,000 2,048,000"),
    ],
)
def test_what_stands_in_a_network(name: str, line: str) -> None:
    assert any(line in found for found in lines(named_drawing(name)))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ror3-wrn-40-2", "levels 3 levels of shortcuts: 1 around blocks, 2 also around all blocks"),
        ("ror3-wrn-40-2", "level_projection_norm none the bare convolution"),
        ("stochastic-depth-resnet-110", "drop_path_rate 0.5 1 - survival probability of the last block"),
        ("se-resnet-110", "se standard at the end of the branch, before the addition"),
        ("resnet-110-exclusive-gate-b-6", "gate_bias -6 where the bias of a gate starts"),
        ("resnet-164", "stride_on first_conv the first 1x1: fewer MACs"),
    ],
)
def test_axes_are_explained(name: str, line: str) -> None:
    assert any(found.startswith(line) for found in lines(named_drawing(name)))


@given(data=st.data())
def test_costs_of_parts_sum_up(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    resolved = plan(data.draw(architectures), in_channels=3, num_classes=10)
    for every_layer in (False, True):
        found = list(parts(resolved, 16, every_layer=every_layer))
        assert sum((part.cost for part in found), Cost()) == cost(resolved, 16)
        assert found[-1].shape == (10,)
    assert sum(part.num_blocks or 0 for part in parts(resolved, 16)) == sum(1 for _ in resolved.blocks())


def test_every_layer_by_itself() -> None:
    resolved = plan(named("preresnet-164"), 3, 10)
    found = [(part.place, part.words, part.shape) for part in parts(resolved, 32, every_layer=True)]
    assert found[:2] == [("stem", "3x3 conv 16", (16, 32, 32)), ("stage 1, block 1", "norm", (16, 32, 32))]
    second = [part[1:] for part in found if part[0] == "stage 2, block 1"]
    assert second == [
        ("norm", (64, 32, 32)),
        ("relu", (64, 32, 32)),
        ("1x1 conv 32 /2", (32, 16, 16)),
        ("norm", (32, 16, 16)),
        ("relu", (32, 16, 16)),
        ("3x3 conv 32", (32, 16, 16)),
        ("norm", (32, 16, 16)),
        ("relu", (32, 16, 16)),
        ("1x1 conv 128", (128, 16, 16)),
        ("shortcut: 1x1 conv 128 /2", (128, 16, 16)),
    ]
    assert len(printed(named_drawing("resnet-20", every_layer=True)).splitlines()) > 60


def test_other_images_than_those_it_was_made_for() -> None:
    shape = ImageShape(channels=1, resolution=8, num_classes=3)
    text = printed(architecture_table(named("resnet-20"), shape, title="mine [0]"))
    assert text.startswith("mine [0] (30de05d529)\n")
    assert " ".join(text.split()).count("64 x 2 x 2") == 2
    assert images_of("resnet-20") == ImageShape(channels=3, resolution=32, num_classes=10)
    assert images_of("resnet-50-imagenet") == ImageShape(channels=3, resolution=224, num_classes=1000)


def test_errors_of_variants_stand_in_brackets() -> None:
    found = lines(published_table("ror3-wrn-40-2"))
    assert "cifar10 5.01 500 epochs zhang2017 Table VI, Fig. 3 (arXiv v1) primary" in found
    assert "cifar10 [4.59] 500 epochs, with stochastic depth zhang2017 Table VI, Fig. 3 (arXiv v1) primary" in found
    assert (
        "- A number in brackets is of a variant, which statistic or note name, and not of this very network." in found
    )
    assert not any("in brackets" in line for line in lines(published_table("resnet-20")))


def test_means_and_missing_numbers() -> None:
    found = lines(published_table("resnet-110"))
    assert "cifar10 6.43 (mean 6.61 +- 0.16) best of 5 he2015 Table 6 primary" in found
    assert (
        "- ResNet-110: 6.43 is the best of five runs; the mean is 6.61, and he2016 uses 6.61 as its baseline." in found
    )
    assert any(
        line.startswith("cifar10 none printed not stated he2015 Fig. 6") for line in lines(published_table("plain-20"))
    )


def test_a_network_that_nobody_published_has_no_errors() -> None:
    assert "published" not in printed(named_drawing("resnet-26"))


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'resnet20'; did you mean 'resnet-20'"):
        named_drawing("resnet20")


def test_the_list_of_names() -> None:
    found = lines(named_table())
    assert "resnet-110 1.73M 253M cifar10 6.43 (mean 6.61 +- 0.16) best of 5 he2015 Table 6" in found
    assert "wrn-28-10 36.5M 5.24G cifar10 4.0 median of 5 zagoruyko2016 Table 5" in found
    assert "resnet-18-imagenet 11.7M 1.81G imagenet 30.242 top-1, single crop 224 " \
        "torchvision weights metadata IMAGENET1K_V1" in found  # fmt: skip
    assert "ror3-56 857k 126M cifar10" in found
    names = {line.split()[0] for line in found if line}
    assert set(PUBLISHED) <= names
    assert any(line.startswith("wrn-D-K, wrn-D-K-dropout Wide ResNets of D = 6n + 4 layers") for line in found)


def test_narrow_terminals_lose_nothing() -> None:
    text = "".join(printed(named_drawing("pyramidnet-164-a270"), width=80).split())
    assert "4,569,837,040" in text
    assert "27,216,021" in text
