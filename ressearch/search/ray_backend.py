"""The bridge between a work and Ray Tune: Ray places and runs trials, the work decides and keeps the book.

Ray is driven by a process of its own (`ray_driver`) that asks this one over a pipe. A third one (`warden`) kills all
that Ray has started when either of them ends. Whatever becomes of Ray, this process and the study live on.

Importing this module loads Ray, after telling it to be quiet.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ressearch import ending
from ressearch.experiment import Resources
from ressearch.schedulers import Decision
from ressearch.search import warden
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec, Work, failed
from ressearch.store.files import StudyError

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
from ray import cloudpickle  # noqa: E402

from ressearch.search.ray_access import private_session  # noqa: E402 - imports Ray

OBJECT_STORE_BYTES = 100 * 2**20  # only small messages travel through it
SERVERS = ("gcs_server", "raylet")
"""Processes of Ray without which nothing goes on."""
GRACE = 4.0
"""Seconds that trials have, after a signal, to deliver the result of their last epoch."""


def run_on_ray(work: Work, do: TrialFunction) -> None:
    """Do all trials of a work on Ray.

    Uses the Ray session of this process if there is one, else starts one on this machine and ends it. A signal gives
    trials that have reported their last epoch `GRACE` seconds for their result, and ends all others at once.

    Raises:
        ValueError: If not even one trial fits on the machine.
        StudyError: If Ray does not start, or ends in mid-run.
        Exception: Whatever went wrong in the work itself, such as a full disk.
    """
    bridge = Bridge(work)
    try:
        with ending.held(), _driver(work.resources, do) as (connection, pid):
            lost = _serve(connection, bridge, pid)
            if lost and not _signal_follows():
                raise StudyError(
                    f"Ray's {lost} has ended, killed from outside or for want of memory; the same command carries on"
                )
    except KeyboardInterrupt:
        work.interrupt()


def _signal_follows() -> bool:
    """Tell whether Ray has ended because all processes of the job are told to: the others may be faster than this."""
    time.sleep(0.5)
    return ending.received() is not None


@contextmanager
def _driver(resources: Resources, do: TrialFunction) -> Iterator[tuple[Connection, int]]:
    """Start the process that drives Ray; in the end nothing is left of it, and of what it has started.

    Gives the pipe to it, and the id of the process below which all others are.
    """
    ours, theirs = Pipe()
    address = ray.get_runtime_context().gcs_address if ray.is_initialized() else None
    driver = [sys.executable, "-P", "-m", "ressearch.search.ray_driver", str(theirs.fileno())]
    guarded = subprocess.Popen(
        [sys.executable, "-I", "-S", warden.__file__, str(theirs.fileno()), *driver],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # where Ray writes pages when something has been killed
        pass_fds=[theirs.fileno()],
        start_new_session=True,  # a terminal's Ctrl-C is ours
        env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)},
    )
    theirs.close()
    try:
        with suppress(OSError):  # it has ended already: the first answer will not come
            ours.send((resources, cloudpickle.dumps(do), address))
        yield ours, guarded.pid
    finally:
        ours.close()
        with suppress(subprocess.TimeoutExpired):
            guarded.communicate(timeout=ending.LIMIT)  # closes its input, which ends it
        with suppress(ProcessLookupError, PermissionError):  # nothing is left, unless the warden was killed or hangs
            os.killpg(guarded.pid, signal.SIGKILL)


def _serve(connection: Connection, bridge: "Bridge", pid: int) -> str | None:
    """Answer the driver, below process `pid`, until all is done, or a signal has come and nothing is worth waiting for.

    Returns:
        What has ended of Ray before that, None if nothing.

    Raises:
        ValueError: If Ray cannot be used.
    """
    with ExitStack() as stack:
        deaths: dict[int, str] = {}
        is_starting = True
        while not _is_over(bridge):
            if is_starting:  # Ray itself would wait half a minute for a server that has died by then
                _watch_servers(pid, deaths, stack)
            match _message(connection, deaths):
                case ("ask", name, arguments):
                    is_starting = False
                    answer = getattr(bridge, name)(*arguments)
                    with suppress(ConnectionError):  # the next message is its end
                        connection.send(answer)
                case ("done",):
                    break
                case ("refused", reason):
                    raise ValueError(reason)
                case ("lost", what):
                    return str(what)
    return None


def _message(connection: Connection, deaths: Mapping[int, str]) -> tuple[Any, ...]:
    """Return what the driver has to say, if anything; a death goes first, since the driver may take it for another."""
    ready = wait([connection, *deaths], timeout=0.1)
    for descriptor, name in deaths.items():
        if descriptor in ready:
            return "lost", name
    try:
        return connection.recv() if ready else ()
    except (EOFError, ConnectionError):
        return "lost", "driver"


def _watch_servers(pid: int, deaths: dict[int, str], stack: ExitStack) -> None:
    """Add file descriptors that become readable when Ray's servers below a process end; Linux has them.

    Args:
        pid: Of the process.
        deaths: Names of the servers by file descriptor.
        stack: Closes the descriptors.
    """
    for each in warden.descendants(pid) if hasattr(os, "pidfd_open") else ():
        with suppress(OSError):  # it has ended meanwhile
            name = Path(f"/proc/{each}/comm").read_text().strip()
            if name in SERVERS and name not in deaths.values():
                descriptor = os.pidfd_open(each)
                deaths[descriptor] = name
                stack.callback(os.close, descriptor)


def _is_over(bridge: "Bridge") -> bool:
    return ending.received() is not None and (not bridge.has_finishing or ending.waited() > GRACE)


class Bridge:
    """Answers the driver in the name of the work. Trials go by Ray's ids; specs and events travel as bytes.

    Attributes:
        has_finishing: Whether a trial has reported its last epoch and owes its result.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._running: dict[str, TrialSpec] = {}
        self._finishing: set[str] = set()

    @property
    def has_finishing(self) -> bool:  # noqa: D102 - see the class
        return bool(self._finishing)

    def placed(self, num_workers: int) -> None:
        """Take the number of trials at a time."""
        self._work.num_workers = num_workers

    def suggest(self, trial_id: str) -> tuple[int, bytes] | bool:
        """Return the number of the next trial and what its worker needs; True for "not now", False for "never"."""
        if spec := None if ending.received() else self._work.next_trial():
            self._running[trial_id] = spec
            return spec.number, cloudpickle.dumps(spec)
        return bool(self._running)  # a running trial may be lost and needed again

    def receive(self, trial_id: str, content: bytes) -> bool:
        """Pass an event on; return whether the trial goes on."""
        spec = self._running.get(trial_id)
        if spec is None:
            return False  # it has been stopped
        event: Progress | TrialResult = cloudpickle.loads(content)
        if isinstance(event, TrialResult):
            self._ended(trial_id, event)
            return True  # after its result a trial ends by itself
        goes_on = self._work.report(spec.number, event) is Decision.GO
        if not goes_on:
            del self._running[trial_id]
        elif event.epoch.epoch == spec.recipe.epochs:
            self._finishing.add(trial_id)
        return goes_on

    def end(self, trial_id: str) -> None:
        """Close a trial that has ended without a result."""
        if trial_id in self._running and ending.received():
            self._ended(trial_id, failed("interrupted", "the run was interrupted"))
        elif trial_id in self._running:
            self._ended(trial_id, failed("worker_lost", "the worker process ended"))

    def _ended(self, trial_id: str, result: TrialResult) -> None:
        self._finishing.discard(trial_id)
        self._work.finish(self._running.pop(trial_id).number, result)


def placement(resources: Resources, available: dict[str, float]) -> tuple[int, dict[str, float]]:
    """Return the number of trials at a time and what each of them holds.

    One trial per GPU, or as many as `gpus_per_trial` lets share one; without GPUs one trial per `cpus_per_trial`
    cores.

    Raises:
        ValueError: If not even one trial fits, or a GPU is asked for where there is none.
    """
    cpus, gpus = available.get("CPU", 0.0), available.get("GPU", 0.0)
    if resources.gpus_per_trial is not None and not gpus:
        raise resources.lacks_gpu()
    if gpus:
        num_slots = int(gpus / resources.device_share + 1e-9)
        per_trial = {"cpu": min(resources.cpus_per_trial, cpus / max(1, num_slots)), "gpu": resources.device_share}
    else:
        num_slots = int(cpus / resources.cpus_per_trial)
        per_trial = {"cpu": float(resources.cpus_per_trial)}
    if num_slots < 1:
        raise ValueError(f"resources: no trial fits, each asks for {per_trial} of {cpus:g} CPUs and {gpus:g} GPUs")
    return min(num_slots, resources.workers or num_slots), per_trial


@contextmanager
def session(resources: Resources) -> Iterator[None]:
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
