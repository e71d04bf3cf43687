"""How sure an accuracy is, and a difference of two."""

import math
import statistics
from dataclasses import dataclass
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


CONFIDENCE = 0.95
"""Of every interval."""
MOST_PAIRS = 1000
"""Beyond so many pairs nobody trains: a difference that takes more counts as none."""


@dataclass(frozen=True)
class Paired:
    """Differences of two contestants that met several times under equal conditions."""

    differences: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """Mean difference, None without a pair."""
        return statistics.mean(self.differences) if self.differences else None

    @property
    def std(self) -> float | None:
        """Standard deviation of the differences, None with fewer than two pairs; 0 where only rounding differs."""
        if len(self.differences) < 2:
            return None
        spread = statistics.stdev(self.differences)
        return spread if spread > 1e-12 else 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's t interval of the mean, None with fewer than two pairs."""
        if self.mean is None or self.std is None:
            return None
        margin = _t_margin(self.std, len(self.differences))
        return self.mean - margin, self.mean + margin

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies above or below 0, which separates the two; 0 where it does not."""
        if self.interval is None:
            return 0
        low, high = self.interval
        return 1 if low > 0 else -1 if high < 0 else 0

    @property
    def more_pairs(self) -> int | None:
        """Pairs to add until the interval leaves 0 out, if mean and standard deviation stay; 0 if it does already.

        None where that takes more than `MOST_PAIRS` in total, or nobody knows the standard deviation.
        """
        if self.mean is None or self.std is None:
            return None
        totals = range(len(self.differences), MOST_PAIRS + 1)
        needed = next((total for total in totals if _t_margin(self.std, total) < abs(self.mean)), None)
        return None if needed is None else needed - len(self.differences)


def _t_margin(std: float, number: int) -> float:
    """Half the width of the interval of a mean of so many values."""
    from scipy.special import stdtrit  # on first use: it is slow to load

    return float(stdtrit(number - 1, (1 + CONFIDENCE) / 2)) * std / math.sqrt(number)
