"""How a network is trained: optimizer, schedule, augmentation. No torch."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

ScheduleName = Literal["cosine", "one_cycle"]
SCHEDULE_NAMES: tuple[ScheduleName, ...] = get_args(ScheduleName)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one training: SGD with Nesterov momentum on cross-entropy.

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
    """Nesterov momentum."""

    weight_decay: float = 5e-4
    """L2 penalty on weights; norms and biases have none."""

    schedule: ScheduleName = "cosine"
    """cosine (linear warm-up, then half a cosine to 0) or one_cycle (Smith & Topin 2018)."""

    warmup_epochs: float = 0.5
    """Epochs of linear warm-up before the cosine; one_cycle has its own and ignores it."""

    label_smoothing: float = 0.0
    """Share of the target that is spread over all classes."""

    crop_padding: int = 4
    """Random crops out of an image with this much black around it; counted in pixels of a 32-pixel image
    and scaled with the resolution, so that a proxy at 16 pixels shifts by 2. 0 is off."""

    flip: bool = True
    """Mirror half of the images left to right; to be switched off where that changes the class, as for digits."""

    cutout: int = 0
    """Side length of a black square at a random place, in pixels of a 32-pixel image. 0 is off."""

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULE_NAMES:
            raise ValueError(f"schedule: got {self.schedule!r}, expected one of {', '.join(SCHEDULE_NAMES)}")
        for name, lowest in {"epochs": 1, "batch_size": 1, "crop_padding": 0, "cutout": 0}.items():
            if not getattr(self, name) >= lowest:
                raise ValueError(f"{name} >= {lowest} must hold, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr > 0 must hold, got {self.lr}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay >= 0 must hold, got {self.weight_decay}")
        for name in ("momentum", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"0 <= {name} < 1 must hold, got {getattr(self, name)}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"0 <= warmup_epochs < epochs must hold, got {self.warmup_epochs} with epochs={self.epochs}"
            )
