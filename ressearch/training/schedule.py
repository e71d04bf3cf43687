"""Learning rate as a pure function of the step."""

import math

from ressearch.training.recipe import ScheduleName


def lr_at(step: int, *, num_steps: int, peak: float, schedule: ScheduleName, warmup_steps: int = 0) -> float:
    """Learning rate of step 0 <= step < num_steps.

    `one_cycle` has a rise of its own and takes no notice of `warmup_steps`.
    """
    match schedule:
        case "cosine":
            return peak * warmup_cosine(step, num_steps, warmup_steps)
        case "one_cycle":
            return peak * one_cycle(step / num_steps)
        case "step_he2016":
            return peak * steps(step, num_steps, warmup_steps, factor=0.1, milestones=(0.5, 0.75))
        case "step_wrn":
            return peak * steps(step, num_steps, warmup_steps, factor=0.2, milestones=(0.3, 0.6, 0.8))


def warmup_cosine(step: int, num_steps: int, warmup_steps: int) -> float:
    """Linear rise over `warmup_steps`, then half a cosine that meets 0 just after the last step.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    progress = (step - warmup_steps) / (num_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


def steps(step: int, num_steps: int, warmup_steps: int, *, factor: float, milestones: tuple[float, ...]) -> float:
    """Linear rise over `warmup_steps`, then a level that is multiplied by a factor at some shares of the steps."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return factor ** sum(step >= share * num_steps for share in milestones)


def one_cycle(progress: float) -> float:
    """Linear from 1/10 to 1 over 45 % of the steps, back in the next 45 %, then down to 1/1000 in the last 10 %.

    The three straight lines of Smith & Topin 2018, arXiv:1708.07120, sections 2 and 4 (one cycle a little
    shorter than the training, then orders of magnitude below it); momentum stays constant here.
    """
    if progress < 0.45:
        return _between(0.1, 1.0, progress / 0.45)
    if progress < 0.9:
        return _between(1.0, 0.1, (progress - 0.45) / 0.45)
    return _between(0.1, 0.001, (progress - 0.9) / 0.1)


def _between(start: float, end: float, share: float) -> float:
    return start + (end - start) * share
