"""Trials one after the other in this process: for small runs, debugging and tests."""

from ressearch.schedulers import Decision
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, Work, failed


def run_in_process(work: Work, do: TrialFunction) -> None:
    """Do all trials of a work.

    A KeyboardInterrupt closes the running trial, to be trained again, and returns.
    """
    work.num_workers = 1
    try:
        while spec := work.next_trial():
            _run(work, do, spec)
    except KeyboardInterrupt:
        work.interrupt()


def _run(work: Work, do: TrialFunction, spec: TrialSpec) -> None:
    for event in do(spec):
        match event:
            case Progress():
                if work.report(spec.number, event) is not Decision.GO:
                    return
            case TrialResult():
                work.finish(spec.number, event)
                return
    work.finish(spec.number, failed("worker_lost", "the worker ended without a result"))
