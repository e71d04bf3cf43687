"""How sure an accuracy is, and a difference of two."""

import math
from typing import NamedTuple


def std_error(accuracy: float, num_images: int) -> float:
    """Return the standard error of an accuracy (0..1) over so many images, a binomial share.

    None or all of the images right count as half an image away from that: no finite sample makes sure.
    """
    margin = 0.5 / num_images
    share = min(max(accuracy, margin), 1 - margin)
    return math.sqrt(share * (1 - share) / num_images)


Z = 1.96
"""Standard errors on either side that hold 95 % of a normal distribution."""
FEW_IMAGES = 500
"""Fewer validation images than these hardly tell networks apart: a standard error is above 0.022 at half right."""


class Estimate(NamedTuple):
    """A number and its standard error, which is None where nobody knows it."""

    value: float
    std_error: float | None

    def minus(self, other: "Estimate") -> "Estimate":
        """Return the difference, as if the two had been measured on images of their own.

        Two networks on the same images tend to miss the same ones, so that their difference is surer than this says.
        """
        errors = (self.std_error, other.std_error)
        known = [error for error in errors if error is not None]
        return Estimate(self.value - other.value, math.hypot(*known) if len(known) == len(errors) else None)

    @property
    def is_noise(self) -> bool | None:
        """Whether this difference may be none: it is below 1.96 standard errors; None where they are unknown."""
        return None if self.std_error is None else abs(self.value) < Z * self.std_error


def few_images_text(num_images: int) -> str:
    """Say what so few validation images are good for, "" where they are enough."""
    if num_images >= FEW_IMAGES:
        return ""
    return (
        f"only {num_images:,} images validate: the standard error of an accuracy is {std_error(0.5, num_images):.4f} "
        f"where half are right, so small differences are noise; {FEW_IMAGES} or more tell networks apart better "
        "(data.val_images)"
    )
