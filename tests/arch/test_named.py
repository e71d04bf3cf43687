import pytest

from ressearch.arch import named
from ressearch.arch.named import EXAMPLES
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_have_the_depth_of_their_name(name: str) -> None:
    num_blocks = len(named(name).blocks)
    assert 2 * num_blocks + 2 == int(name.split("-")[1])


def test_families() -> None:
    assert named("resnet-20").ordering is Ordering.ORIGINAL
    assert named("preresnet-20").ordering is Ordering.FULL_PREACTIVATION
    assert {stage.shortcut for stage in named("resnet-20").stages} == {Shortcut.ZERO_PAD}
    assert {stage.shortcut for stage in named("plain-20").stages} == {Shortcut.NONE}


@pytest.mark.parametrize(
    "name", ["resnet-21", "resnet-2", "resnet", "resnet-020x", "ResNet-20", "vgg-16", "", "resnet--20", "resnet-20\n"]
)
def test_unknown_names(name: str) -> None:
    with pytest.raises(ValueError, match="known are resnet-N, plain-N, preresnet-N with N = 8, 14, 20") as caught:
        named(name)
    assert repr(name) in str(caught.value)
