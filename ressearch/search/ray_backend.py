"""The bridge between a work and Ray Tune: Ray places and runs trials, the work decides and keeps the book.

Importing this module loads Ray, after telling it to be quiet.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ressearch.experiment import Resources
from ressearch.schedulers import Decision
from ressearch.search.contract import Progress, TrialFunction, TrialResult, Work, failed

for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # five files per trial that nobody reads
    "RAY_AIR_NEW_OUTPUT": "0",  # with verbose=0: nothing on stdout
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a worker without GPUs keeps the device variables of its machine
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # Ray's own state is disposable: the study is the truth
    # Workers inherit these. glibc would hand memory back and fault it in again at every step, and a worker would keep
    # the compiled convolutions of 1024 shapes; `trainer.train_once` hands memory back between trials instead.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30 - 1),
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256",
}.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402 - reads the settings above
from ray import tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from ressearch.search.ray_access import private_session  # noqa: E402 - imports Ray

OBJECT_STORE_BYTES = 100 * 2**20  # only small messages travel through it


def run_on_ray(work: Work, do: TrialFunction) -> None:
    """Do all trials of a work on Ray.

    Uses the Ray session of this process if there is one, else starts one on this machine and ends it. Ctrl-C lets
    Ray end the trials, which the next session trains again; a second Ctrl-C raises KeyboardInterrupt.

    Raises:
        ValueError: If not even one trial fits on the machine.
        Exception: Whatever went wrong in the work itself, such as a full disk.
    """
    with _session(work.resources), tempfile.TemporaryDirectory(prefix="ressearch-ray-") as scratch:
        work.num_workers, per_trial = placement(work.resources, ray.cluster_resources())
        bridge = Bridge(work)
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_trainable, do=do), per_trial),
            tune_config=tune.TuneConfig(
                search_alg=BridgeSearcher(bridge),
                scheduler=BridgeScheduler(bridge),
                num_samples=-1,
                max_concurrent_trials=work.num_workers,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_directory,
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),  # the work trains lost candidates again itself
            ),
        )
        tuner.fit()
        if bridge.error:
            raise bridge.error


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
    """Hold a Ray session open: that of this process if it has one, which is left as it is, else a private one."""
    if ray.is_initialized():
        yield
        return
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with private_session():
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


def _trainable(config: dict[str, Any], do: TrialFunction) -> None:
    """Run one trial in a worker process. An event stays one object: Ray would flatten a dictionary."""
    for event in do(config["spec"]):
        tune.report({"event": event})


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['spec'].number:06d}"


def _trial_directory(trial: Any) -> str:
    """Return a name of its own for every part of a trial that pauses."""
    return f"{_trial_name(trial)}-{trial.trial_id}"


class Bridge:
    """Passes between Ray and the work, and keeps the first error of the work: Ray would bury it in one of its own.

    After an error every trial is stopped and none begins.

    Attributes:
        error: The first error.
    """

    def __init__(self, work: Work) -> None:
        self.error: Exception | None = None
        self._work = work
        self._running: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray writes down all it is given, and nobody reads that."""
        return {}

    def guarded(self, action: Callable[..., Any], *arguments: Any, after_error: Any = None) -> Any:
        """Return what an action returns, or `after_error` once one has failed."""
        if self.error is None:
            try:
                return action(*arguments)
            except Exception as error:
                self.error = error
        return after_error

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial, None for "not now", FINISHED for "never again"."""
        if spec := self._work.next_trial():
            self._running[trial_id] = spec.number
            return {"spec": spec}
        return None if self._running else Searcher.FINISHED  # a running trial may be lost and needed again

    def receive(self, trial_id: str, event: Progress | TrialResult) -> bool:
        """Pass an event on; return whether the trial goes on."""
        number = self._running.get(trial_id)
        if number is None:
            return False  # it has been stopped
        if isinstance(event, Progress):
            goes_on = self._work.report(number, event) is Decision.GO
        else:
            self._work.finish(number, event)
            goes_on = False
        if not goes_on:
            del self._running[trial_id]
        return goes_on or isinstance(event, TrialResult)  # after its result a trial ends by itself

    def end(self, trial_id: str, is_error: bool) -> None:
        """Close a trial that has ended without a result."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        if is_error:
            self._work.finish(number, failed("worker_lost", "the worker process ended"))
        else:
            self._work.finish(number, failed("interrupted", "the run was interrupted"))


class BridgeSearcher(Searcher):  # type: ignore[misc]
    """Asks the work for trials and tells it of their ends. Ray calls these methods by keyword."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(metric="event", mode="max")  # Ray asks for some metric; nothing reads it
        self._bridge = bridge

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial, None for "not now", FINISHED for "never again"."""
        return self._bridge.guarded(self._bridge.suggest, trial_id, after_error=Searcher.FINISHED)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the scheduler sees every result, the last one of a stopped trial included."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: ARG002
        """Close the trial, however it ended."""
        self._bridge.guarded(self._bridge.end, trial_id, error)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the state."""


class BridgeScheduler(FIFOScheduler):  # type: ignore[misc]
    """Forwards every event to the work, which decides whether the trial goes on."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def on_trial_result(self, _controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return CONTINUE or STOP."""
        goes_on = self._bridge.guarded(self._bridge.receive, trial.trial_id, result["event"], after_error=False)
        return str(self.CONTINUE if goes_on else self.STOP)
