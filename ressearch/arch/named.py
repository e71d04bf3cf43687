"""Networks of the literature by name."""

import re

from ressearch.arch.architecture import Architecture, Stage
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut

EXAMPLES = ("plain-20", "preresnet-20", "resnet-20", "resnet-32")

_FAMILIES: dict[str, tuple[Ordering, Shortcut]] = {
    "resnet": (Ordering.ORIGINAL, Shortcut.ZERO_PAD),  # He et al. 2015, arXiv:1512.03385, section 4.2
    "plain": (Ordering.ORIGINAL, Shortcut.NONE),  # the same networks without shortcuts
    "preresnet": (Ordering.FULL_PREACTIVATION, Shortcut.ZERO_PAD),  # He et al. 2016, arXiv:1603.05027
}


def named(name: str) -> Architecture:
    """Return a CIFAR network of the literature: resnet-N, plain-N or preresnet-N with N = 6n + 2.

    Three stages of n basic blocks with 16, 32 and 64 channels.

    Raises:
        ValueError: For a name or a depth that does not exist.
    """
    match = re.fullmatch(rf"({'|'.join(_FAMILIES)})-(\d+)", name)
    num_layers = int(match[2]) if match else 0
    if not match or num_layers < 8 or (num_layers - 2) % 6:
        families = ", ".join(f"{family}-N" for family in _FAMILIES)
        raise ValueError(
            f"unknown architecture {name!r}; known are {families} with N = 8, 14, 20, 26, 32, ... (6n + 2)"
        )
    ordering, shortcut = _FAMILIES[match[1]]
    stages = tuple(
        Stage(depth=(num_layers - 2) // 6, width=width, stride=stride, shortcut=shortcut)
        for width, stride in ((16, 1), (32, 2), (64, 2))
    )
    return Architecture(stages=stages, stem_width=16, ordering=ordering)
