"""How sure an accuracy is, and a difference of two."""

import math
import statistics
from collections.abc import Sequence
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


SEED_NOISE = 0.01
"""Standard deviation of an accuracy over seeds that is assumed before any network was trained twice."""
SEED_NOISE_WEIGHT = 4.0
"""Degrees of freedom that this assumption counts as."""


def shrunken(scores: Sequence[Sequence[float]], num_images: int) -> list[Estimate]:
    """Return what trainings with different seeds say of each network, as an estimate that does not flatter the best.

    The highest of many noisy means is biased upward. Here each mean is drawn towards the median of all networks, the
    more, the more of the differences between networks is noise (empirical Bayes; Efron and Morris 1975,
    doi:10.1080/01621459.1975.10479864). The spread of true accuracies is that of the better half: bad networks may be
    bad without end.

    Args:
        scores: Accuracies (0..1) of every network, one or more each.
        num_images: That each accuracy was measured on.
    """
    means = [statistics.fmean(each) for each in scores]
    middle = statistics.median(means)
    within = sum((score - mean) ** 2 for each, mean in zip(scores, means, strict=True) for score in each)
    freedom = sum(len(each) - 1 for each in scores)
    assumed = std_error(middle, num_images) ** 2 + SEED_NOISE**2
    noise = (SEED_NOISE_WEIGHT * assumed + within) / (SEED_NOISE_WEIGHT + freedom)
    better = [mean for mean in means if mean >= middle]
    spread = max(statistics.fmean((mean - middle) ** 2 for mean in better) - noise, LEAST_SPREAD * noise)
    return [_posterior(mean, len(each), middle, spread, noise) for mean, each in zip(means, scores, strict=True)]


LEAST_SPREAD = 0.05
"""Least variance of true accuracies, as a share of the noise's."""


def _posterior(mean: float, num_runs: int, middle: float, spread: float, noise: float) -> Estimate:
    known, prior = num_runs / noise, 1 / spread
    return Estimate((known * mean + prior * middle) / (known + prior), math.sqrt(1 / (known + prior)))


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
