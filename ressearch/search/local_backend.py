"""Trials one after the other in this process: for small runs, debugging and tests."""

from collections.abc import Iterator
from contextlib import nullcontext

import torch

from ressearch import ending
from ressearch.schedulers import Decision
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, Work, failed


def run_in_process(work: Work, do: TrialFunction) -> None:
    """Do all trials of a work.

    A signal interrupts the training, but not what comes after its last epoch. The trial that was cut short is closed,
    to be trained again.

    Raises:
        ValueError: If a GPU is asked for where there is none.
    """
    if work.resources.gpus_per_trial is not None and not torch.cuda.is_available():
        raise work.resources.lacks_gpu()
    work.num_workers = 1
    try:
        with ending.held():
            while not ending.received() and (spec := work.next_trial()):
                _run(work, do, spec)
    except KeyboardInterrupt:
        work.interrupt()


def _run(work: Work, do: TrialFunction, spec: TrialSpec) -> None:
    for event in _events(do, spec):
        match event:
            case Progress():
                if work.report(spec.number, event) is not Decision.GO:
                    return
            case TrialResult():
                work.finish(spec.number, event)
                return
    work.finish(spec.number, failed("worker_lost", "the worker ended without a result"))


def _events(do: TrialFunction, spec: TrialSpec) -> Iterator[Progress | TrialResult]:
    events = do(spec)
    has_trained = False
    while event := _next(events, is_interruptible=not has_trained):
        yield event
        has_trained = isinstance(event, Progress) and event.epoch.epoch == spec.recipe.epochs


def _next(events: Iterator[Progress | TrialResult], *, is_interruptible: bool) -> Progress | TrialResult | None:
    with ending.released() if is_interruptible else nullcontext():
        return next(events, None)
