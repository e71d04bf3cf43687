"""The bridge between the search and Ray Tune: Ray places and runs trials, the search decides and keeps the book.

Importing this module loads Ray, after telling it to be quiet.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ressearch.search.study import Search
from ressearch.search.worker import Clock, TrialFunction
from ressearch.space.settings import Resources
from ressearch.training.loop import TrainingError

for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # five files per trial that nobody reads
    "RAY_AIR_NEW_OUTPUT": "0",  # with verbose=0: nothing on stdout
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a worker without GPUs keeps the device variables of its machine
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Ray's own state is disposable: the study is the truth
    # Workers inherit these. glibc would hand memory back and fault it in again at every step, and a worker would keep
    # the compiled convolutions of 1024 shapes; `worker.run_trial` hands memory back between trials instead.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30 - 1),
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256",
}.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402 - reads the settings above
from ray import tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

OBJECT_STORE_BYTES = 100 * 2**20  # only small messages travel through it


def run_on_ray(search: Search, function: TrialFunction) -> None:
    """Run the search to its end on Ray.

    Uses the Ray session of this process if there is one, else starts one on this machine and ends it. Ctrl-C lets
    Ray end the trials, which the next session trains again; a second Ctrl-C raises KeyboardInterrupt.

    Raises:
        ValueError: If not even one trial fits on the machine.
        Exception: Whatever went wrong in the search itself, such as a full disk.
    """
    with _session(search.space.resources), tempfile.TemporaryDirectory(prefix="ressearch-ray-") as scratch:
        num_workers, per_trial = placement(search.space.resources, ray.cluster_resources())
        search.session.num_workers = num_workers
        guard = Guard()
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_trainable, function=function), per_trial),
            tune_config=tune.TuneConfig(
                search_alg=Asker(search, guard),
                scheduler=Decider(search, guard),
                num_samples=-1,
                max_concurrent_trials=num_workers,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),  # the search trains lost candidates again itself
            ),
        )
        tuner.fit()
        if guard.error:
            raise guard.error


def placement(resources: Resources, available: dict[str, float]) -> tuple[int, dict[str, float]]:
    """Return the number of trials at a time and what each of them holds.

    One trial per GPU, or as many as `gpus_per_trial` lets share one; without GPUs one trial per `cpus_per_trial`
    cores.

    Raises:
        ValueError: If not even one trial fits.
    """
    cpus, gpus = available.get("CPU", 0.0), available.get("GPU", 0.0)
    if gpus:
        num_slots = int(gpus / resources.gpus_per_trial + 1e-9)
        per_trial = {"cpu": min(resources.cpus_per_trial, cpus / max(1, num_slots)), "gpu": resources.gpus_per_trial}
    else:
        num_slots = int(cpus / resources.cpus_per_trial)
        per_trial = {"cpu": float(resources.cpus_per_trial)}
    if num_slots < 1:
        raise ValueError(f"resources: no trial fits, each asks for {per_trial} of {cpus:g} CPUs and {gpus:g} GPUs")
    return min(num_slots, resources.workers or num_slots), per_trial


@contextmanager
def _session(resources: Resources) -> Iterator[None]:
    """Hold a Ray session open, that of this process if it has one."""
    if ray.is_initialized():
        yield
        return
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ray.init(
        num_cpus=max(num_cores, (resources.workers or 1) * resources.cpus_per_trial),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=OBJECT_STORE_BYTES,
    )
    try:
        yield
    finally:
        ray.shutdown()


def _trainable(config: dict[str, Any], function: TrialFunction) -> None:
    """Run one trial in a worker process. Whatever it raises is reported: a raised exception would cost the actor."""
    clock = Clock()
    try:
        for result in function(config["assignment"]):
            # the result stays one object: Ray would flatten a dictionary
            tune.report({"result": result, "seconds": clock.seconds})
    except TrainingError as error:
        tune.report({"failed": error.reason, "message": str(error), "seconds": clock.seconds})
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        tune.report({"failed": "error", "message": message, "seconds": clock.seconds})


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['assignment'].number:06d}"


class Guard:
    """Keeps the first error of the search, since Ray would bury it in one of its own; then all winds down."""

    error: Exception | None = None

    def call(self, action: Callable[..., Any], *arguments: Any, after_error: Any = None) -> Any:
        """Return what an action of the search returns, or `after_error` once one has failed."""
        if self.error is None:
            try:
                return action(*arguments)
            except Exception as error:
                self.error = error
        return after_error


class Asker(Searcher):  # type: ignore[misc]
    """Asks the search for trials and tells it of their ends. Ray calls these methods by keyword."""

    def __init__(self, search: Search, guard: Guard) -> None:
        super().__init__(metric="seconds", mode="max")  # Ray asks for some metric; nothing reads it
        self._search = search
        self._guard = guard
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial, None for "not now", FINISHED for "never again"."""
        return self._guard.call(self._suggest, trial_id, after_error=Searcher.FINISHED)

    def _suggest(self, trial_id: str) -> Any:
        if assignment := self._search.next_trial():
            self._numbers[trial_id] = assignment.number
            return {"assignment": assignment}
        return None if self._search.running else Searcher.FINISHED  # a running trial may be lost and needed again

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the scheduler sees every result, the last one of a stopped trial included."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Close the trial, however it ended."""
        self._guard.call(self._complete, self._numbers[trial_id], result, error)

    def _complete(self, number: int, result: dict[str, Any] | None, error: bool) -> None:
        if number not in self._search.running:
            return  # it reported its own failure
        if error:
            self._search.finish(number, reason="worker_lost", message="the worker process ended")
        elif result is None:
            self._search.finish(number, reason="interrupted", message="dropped before it began")
        else:
            self._search.finish(number)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the state."""


class Decider(FIFOScheduler):  # type: ignore[misc]
    """Forwards every result to the search, which decides whether the trial goes on."""

    def __init__(self, search: Search, guard: Guard) -> None:
        super().__init__()
        self._search = search
        self._guard = guard

    def on_trial_result(self, _controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return CONTINUE or STOP."""
        number = trial.config["assignment"].number
        goes_on = self._guard.call(self._record, number, result, after_error=False)
        return str(self.CONTINUE if goes_on else self.STOP)

    def _record(self, number: int, result: dict[str, Any]) -> bool:
        seconds = result["seconds"]
        if "failed" in result:
            self._search.finish(number, reason=result["failed"], message=result["message"], seconds=seconds)
            return True  # it ends by itself
        return self._search.epoch(number, result["result"], seconds)
