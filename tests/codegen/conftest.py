"""Networks that the tests of exports share."""

import pytest

from ressearch.arch import Architecture, Stage, named
from ressearch.arch.initialisation import InitRule
from ressearch.arch.layers import Activation, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Stem
from ressearch.arch.survival import DropPath
from ressearch.arch.transforms import StrideOn, Transform
from ressearch.arch.widening import Widening

BOTTLENECK = {"transform": Transform.BOTTLENECK, "shortcut": Shortcut.PROJECTION}
SE = {"se": SqueezeExcitation.STANDARD}
MIXED = Architecture(
    stages=(
        Stage(depth=2, width=16),
        Stage(depth=4, width=32, stride=2, shortcut=Shortcut.PROJECTION, **SE),
        Stage(depth=2, width=64, stride=2, transform=Transform.BOTTLENECK, cardinality=4),
        Stage(depth=2, width=64, stride=2, shortcut=Shortcut.ZERO_PAD),
        Stage(depth=2, width=80, transform=Transform.BOTTLENECK, bottleneck_ratio=0.1, cardinality=2, se_ratio=4, **SE),
        Stage(depth=2, width=96, shortcut=Shortcut.NONE),
        Stage(depth=2, width=12, shortcut=Shortcut.PROJECTION_EVERYWHERE),
    ),
    stem_width=16,
)
ROR = Architecture(
    stages=tuple(Stage(depth=5, width=width, stride=stride, **SE) for width, stride in ((16, 1), (32, 2), (64, 2))),
    levels=4,
    drop_path=DropPath.LINEAR,
    drop_path_rate=0.3,
)
NETWORKS = {
    "resnet-110": named("resnet-110"),
    "preresnet-20": named("preresnet-20"),
    "plain-20": named("plain-20"),
    "plain-strides": Architecture(
        stages=tuple(
            Stage(depth=2, width=16, stride=2, stride_on=stride_on, **BOTTLENECK | {"shortcut": Shortcut.NONE})
            for stride_on in StrideOn
        ),
    ),
    "se-preresnet": Architecture(
        stages=tuple(Stage(depth=2, width=width, **BOTTLENECK, **SE) for width in (64, 128, 256)),
        ordering=Ordering.FULL_PREACTIVATION,
    ),
    "resnext": Architecture(
        stages=tuple(Stage(depth=3, width=width, bottleneck_ratio=2.0, **BOTTLENECK) for width in (64, 128)),
        stem_width=64,
    ),
    "pyramidnet": Architecture(
        stages=tuple(Stage(depth=6, stride=stride, shortcut=Shortcut.AVG_POOL_ZERO_PAD) for stride in (1, 2, 2)),
        ordering=Ordering.PYRAMID_PREACTIVATION,
        widening=Widening.ADDITIVE,
        alpha=48,
    ),
    "mixed": MIXED,
    "mixed-preactivation": Architecture(stages=MIXED.stages, stem_width=16, ordering=Ordering.FULL_PREACTIVATION),
    "ror": ROR,
    "ror-bn-after-addition": Architecture(
        stages=tuple(Stage(depth=4, width=width, se=SqueezeExcitation.POST, se_ratio=4) for width in (8, 16)),
        ordering=Ordering.BN_AFTER_ADDITION,
        norm=Normalisation.GROUP,
        norm_groups=4,
        levels=4,
        stem_width=8,
    ),
    "gates": Architecture(
        stages=(
            Stage(depth=2, width=8, merge=Merge.EXCLUSIVE_GATE, gate_bias=-6.0),
            Stage(depth=2, width=16, stride=2, merge=Merge.EXCLUSIVE_GATE, gate_bias=-7.0, dropout=0.1),
            Stage(depth=2, width=16, merge=Merge.SHORTCUT_ONLY_GATE, shortcut=Shortcut.PROJECTION_EVERYWHERE),
        ),
        stem_width=8,
        init=InitRule.DEPTH_SCALED,
        init_c=0.5,
        zero_init=True,
        drop_path=DropPath.UNIFORM,
    ),
    "scales": Architecture(
        stages=(
            Stage(depth=2, width=8, merge=Merge.CONSTANT_SCALE, shortcut_scale=0.5, branch_scale=0.7),
            Stage(depth=2, width=8, merge=Merge.CONSTANT_SCALE, shortcut_scale=0.3, branch_scale=0.2, dropout=0.1),
            Stage(depth=2, width=8, merge=Merge.CONSTANT_SCALE, shortcut_scale=0.25, branch_scale=0.7),
            Stage(depth=1, width=16, merge=Merge.DROPOUT, se=SqueezeExcitation.IDENTITY, se_bias=False, se_ratio=4),
        ),
        stem=Stem.IMAGENET,
        stem_width=8,
        activation=Activation.GELU,
        init=InitRule.XAVIER,
    ),
}
"""Networks that use every kind of layer and every shape of class."""


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def network(request: pytest.FixtureRequest) -> Architecture:
    """Each of the networks."""
    found: Architecture = request.param
    return found


@pytest.fixture(scope="session")
def networks() -> dict[str, Architecture]:
    """All of them by name."""
    return NETWORKS
