"""A backend without workers: trainings are looked up, and a clock of its own runs as fast as that goes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from ressearch.schedulers import Decision
from ressearch.search.contract import Backend, Progress, TrialResult, TrialSpec, Work
from ressearch.training.loop import EpochResult

Curve = Sequence[EpochResult]
LookUp = Callable[[TrialSpec], Curve]
"""Returns what a training would come to: all of its epochs."""


@dataclass
class Clock:
    """Seconds since the search began, as they would have passed."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


@dataclass
class _Training:
    spec: TrialSpec
    curve: Curve
    measures: Mapping[str, float] = field(default_factory=dict)
    epochs_done: int = 0
    seconds: float = 0.0


def simulated(look_up: LookUp, clock: Clock, *, num_workers: int) -> Backend:
    """Return a backend that does trials on a clock.

    A worker is idle while the work thinks about its next trial: the clock counts that, in seconds of the processor, so
    that other work on the machine makes no difference.

    Args:
        look_up: Knows every training.
        clock: What the work's own clock must be.
        num_workers: Trials at a time.
    """

    def run(work: Work) -> None:
        work.num_workers = num_workers
        order = count()
        events: list[tuple[float, int, int]] = []
        paused: dict[int, _Training] = {}
        running: dict[int, _Training] = {}

        def go_on(training: _Training, wait: float = 0.0) -> None:
            epoch = training.curve[training.epochs_done]
            heappush(events, (clock.seconds + wait + epoch.seconds, next(order), training.spec.number))

        while True:
            while len(running) < num_workers:
                started = time.process_time()
                spec = work.next_trial()
                thought = time.process_time() - started
                if spec is None:
                    break
                training = paused.pop(spec.number, None) or _Training(spec, look_up(spec))
                running[spec.number] = training
                go_on(training, thought)
            if not events:
                return
            clock.seconds, _, number = heappop(events)
            training = running[number]
            epoch = training.curve[training.epochs_done]
            training.epochs_done += 1
            training.seconds += epoch.seconds
            decision = work.report(number, Progress(epoch=epoch, seconds=training.seconds))
            if decision is Decision.PAUSE:
                paused[number] = running.pop(number)
            elif decision is Decision.STOP:
                del running[number]
            elif training.epochs_done < len(training.curve):
                go_on(training)
            else:
                del running[number]
                work.finish(number, _result(training))

    return run


def _result(training: _Training) -> TrialResult:
    last = training.curve[-1]
    return TrialResult(
        measures={"val_accuracy": last.val_accuracy, "seconds": training.seconds}, seconds=training.seconds
    )
