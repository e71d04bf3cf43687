"""Trials one after the other in this process: for small runs, debugging and tests."""

from ressearch.search.study import Search
from ressearch.search.worker import Clock, TrialFunction
from ressearch.training.loop import TrainingError


def run_in_process(search: Search, function: TrialFunction) -> None:
    """Run the search to its end.

    A KeyboardInterrupt closes the running trial, to be trained again, and returns.
    """
    search.session.num_workers = 1
    try:
        while assignment := search.next_trial():
            clock = Clock()
            reason: str | None = None
            message = ""
            try:
                for result in function(assignment):
                    if not search.epoch(assignment.number, result, clock.seconds):
                        break
            except TrainingError as error:
                reason, message = error.reason, str(error)
            except Exception as error:  # a trial may fail in any way; the run goes on
                reason, message = "error", f"{type(error).__name__}: {error}"
            search.finish(assignment.number, reason=reason, message=message, seconds=clock.seconds)
    except KeyboardInterrupt:
        search.interrupt()
