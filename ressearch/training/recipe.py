"""How a network is trained: optimizer, schedule, augmentation. No torch."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

ScheduleName = Literal["cosine", "one_cycle", "step_he2016", "step_wrn"]
SCHEDULE_NAMES: tuple[ScheduleName, ...] = get_args(ScheduleName)
CropFill = Literal["black", "reflect"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one training: SGD with momentum on cross-entropy.

    Raises:
        ValueError: If a field is out of its range.
    """

    epochs: int = 6
    """Passes over the training images."""

    batch_size: int = 128
    """Images per step; the last, smaller batch of an epoch is dropped."""

    lr: float = 0.1
    """Peak learning rate, reached after the warm-up."""

    momentum: float = 0.9
    """Of SGD; 0 is off."""

    nesterov: bool = True
    """Whether the momentum is Nesterov's."""

    weight_decay: float = 5e-4
    """L2 penalty on weights."""

    decay_norms: bool = False
    """Whether the scales and shifts of norms, and biases, have the penalty, too."""

    schedule: ScheduleName = "cosine"
    """cosine (half a cosine to 0), one_cycle (Smith & Topin 2018), step_he2016 (a tenth after half of the epochs, and
    again after three quarters), or step_wrn (a fifth after 30, 60 and 80 % of the epochs)."""

    warmup_epochs: float = 0.5
    """Epochs of linear warm-up before the schedule; one_cycle has its own and ignores it."""

    label_smoothing: float = 0.0
    """Share of the target that is spread over all classes."""

    crop_padding: int = 4
    """Random crops out of an image with so much around it; counted in pixels of a 32-pixel image
    and scaled with the resolution, so that a proxy at 16 pixels shifts by 2. 0 is off."""

    crop_fill: CropFill = "black"
    """What is around it: black, or reflect, the image mirrored at its edge."""

    flip: bool = True
    """Mirror half of the images left to right; to be switched off where that changes the class, as for digits."""

    cutout: int = 0
    """Side length of a black square at a random place, in pixels of a 32-pixel image. 0 is off."""

    ema_decay: float = 0.0
    """Decay per step of an exponential moving average of the weights, which is what is validated, tested and kept;
    it is smaller in the first steps. 0 is off."""

    def __post_init__(self) -> None:
        for name, known in {"schedule": SCHEDULE_NAMES, "crop_fill": get_args(CropFill)}.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: got {getattr(self, name)!r}, expected one of {', '.join(known)}")
        for name, lowest in {"epochs": 1, "batch_size": 1, "crop_padding": 0, "cutout": 0}.items():
            if not getattr(self, name) >= lowest:
                raise ValueError(f"{name} >= {lowest} must hold, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr > 0 must hold, got {self.lr}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay >= 0 must hold, got {self.weight_decay}")
        for name in ("momentum", "label_smoothing", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"0 <= {name} < 1 must hold, got {getattr(self, name)}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"0 <= warmup_epochs < epochs must hold, got {self.warmup_epochs} with epochs={self.epochs}"
            )

    @property
    def intrinsic_lr(self) -> float:
        """Learning rate times weight decay, which takes about 1 over that of steps to show.

        Source: Li et al. 2020, arXiv:2010.02916.
        """
        return self.lr * self.weight_decay


DEFAULTS: Mapping[str, Any] = asdict(Recipe())
"""Every field with its default, which is also what it had where an earlier version did not keep it."""

HE2016 = Recipe(
    epochs=182,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    nesterov=False,
    weight_decay=1e-4,
    decay_norms=True,
    schedule="step_he2016",
    warmup_epochs=0,
)
"""He et al. 2016, arXiv:1512.03385, section 4.2: 64,000 steps of 128 of 45,000 images are 182 epochs."""

WRN = Recipe(
    epochs=200,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    decay_norms=True,
    schedule="step_wrn",
    warmup_epochs=0,
    crop_fill="reflect",
)
"""Zagoruyko & Komodakis 2016, arXiv:1605.07146, section 3."""

FAST = Recipe(epochs=20, lr=0.2, schedule="one_cycle", label_smoothing=0.1, ema_decay=0.995)
"""A few epochs: one cycle (Smith & Topin 2018, arXiv:1708.07120), label smoothing (Szegedy et al. 2016,
arXiv:1512.00567), average of the weights (Polyak & Juditsky 1992; its decay as in Tarvainen & Valpola 2017,
arXiv:1703.01780).

Its values are for some 7,000 steps, which is 20 epochs of CIFAR-10: the average reaches back 200 of them, a third of
the cycle's last fall."""

RECIPES: Mapping[str, Recipe] = {"he2016": HE2016, "wrn": WRN, "fast": FAST}
"""Recipes by name."""

RECIPE_ORIGINS: Mapping[str, str] = {
    "he2016": "He et al. 2016, arXiv:1512.03385, section 4.2",
    "wrn": "Zagoruyko & Komodakis 2016, arXiv:1605.07146, section 3",
    "fast": "one cycle: Smith & Topin 2018, arXiv:1708.07120; average of the weights: Polyak & Juditsky 1992; "
    "label smoothing: Szegedy et al. 2016, arXiv:1512.00567",
}
"""Where the recipes come from, by name."""
