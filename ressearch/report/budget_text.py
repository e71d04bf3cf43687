"""How a budget, and the number of images, are put into words."""

from ressearch.experiment import Budget
from ressearch.report.formatting import duration
from ressearch.training.source import Counts


def option_text(budget: Budget, part: str) -> str:
    """Return the option of the command line that gives a part of a budget, such as `--hours 0.5`."""
    return f"--{part} {getattr(budget, part):g}"


def time_left(budget: Budget, seconds: float) -> float | None:
    """Return the seconds that `--hours` leaves after so many of them, None without that bound."""
    return None if budget.hours is None else max(0.0, 3600 * budget.hours - seconds)


def share_used(budget: Budget, num_finished: int, seconds: float) -> float:
    """Return how much is used up of trials and hours, whichever is more, 0..1."""
    shares = [num_finished / budget.trials] if budget.trials else []
    shares += [seconds / (3600 * budget.hours)] if budget.hours else []
    return min(1.0, max(shares, default=0.0))


def finished_text(budget: Budget, num_finished: int) -> str:
    """Return how many trials have finished, and of how many."""
    return f"{num_finished}" if budget.trials is None else f"{num_finished}/{budget.trials}"


def left_text(budget: Budget, seconds: float) -> str:
    """Return what ends the search beside a number of trials, "" if nothing does."""
    left = time_left(budget, seconds)
    parts = [] if left is None else [f"at most {duration(left)} left of {option_text(budget, 'hours')}"]
    parts += [option_text(budget, part) for part in ("target", "patience") if getattr(budget, part) is not None]
    return ", ".join(parts)


def images_text(images: Counts) -> str:
    """Return how many images train and validate, and how many were set aside to test."""
    test = f", {images.test:,} are set aside to test" if images.test else ""
    return f"{images.train:,} images train, {images.val:,} validate{test}"
