"""The process that drives Ray Tune; it decides nothing and asks whoever has started it, see `ray_backend`."""

import os
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from ressearch.experiment import Resources
from ressearch.search.ray_backend import placement, session
from ressearch.search.warden import end_with

HAND_OVER_SECONDS = "600"
"""How long Tune waits until a worker has cleared up after a trial that was stopped. After its own 2 s, which a busy
machine needs now and then, it would end the next trial and tell nobody, so that the run waited for it forever."""


class Link:
    """The pipe to whoever gives the trials."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Ray writes down all it is given, and nobody reads that."""
        return {}

    def order(self) -> tuple[Resources, bytes, str | None]:
        """Return what is to be done: resources, the trial function, the address of a Ray session to use."""
        return self._connection.recv()  # type: ignore[no-any-return]

    def ask(self, name: str, *arguments: Any) -> Any:
        """Call a method of the bridge."""
        self.tell("ask", name, arguments)
        return self._connection.recv()

    def tell(self, *message: Any) -> None:
        """Send what has no answer."""
        self._connection.send(message)


def main() -> None:
    """Do what is asked for over the file descriptor that the command line names."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)
    link = Link(Connection(descriptor))
    resources, do, address = link.order()
    try:
        if address:
            ray.init(address, log_to_driver=False, logging_level="ERROR")
        with session(resources):
            _run(link, resources, do)
            if address:
                ray.shutdown()
            link.tell("done")
            time.sleep(3600)  # the warden is faster than Ray's own way to an end
    except Exception as error:
        message = str(error) if isinstance(error, ValueError) else f"Ray cannot be used: {error!r}".splitlines()[0]
        link.tell("refused", message)


def _run(link: Link, resources: Resources, do: bytes) -> None:
    try:
        num_workers, per_trial = placement(resources, ray.cluster_resources())
    except ValueError as error:
        link.tell("refused", str(error))
        time.sleep(3600)  # the warden ends Ray: were it to end by itself now, that would be taken for the reason
    link.ask("placed", num_workers)
    tune.Tuner(
        tune.with_resources(tune.with_parameters(_trainable, do=do), per_trial),
        tune_config=tune.TuneConfig(
            search_alg=BridgeSearcher(link),
            scheduler=BridgeScheduler(link),
            num_samples=-1,
            max_concurrent_trials=num_workers,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_directory,
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=os.environ["RAY_TMPDIR"],
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),  # the work trains lost candidates again itself
        ),
    ).fit()


def _trainable(config: dict[str, Any], do: bytes) -> None:
    """Run one trial in a worker process. An event travels as bytes: only the two ends need to understand it."""
    end_with(os.getppid())  # should the warden be killed, too
    os.environ["TUNE_FUNCTION_THREAD_TIMEOUT_S"] = HAND_OVER_SECONDS
    for event in cloudpickle.loads(do)(cloudpickle.loads(config["spec"])):
        tune.report({"event": cloudpickle.dumps(event)})


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['number']:06d}"


def _trial_directory(trial: Any) -> str:
    """Return a name of its own for every part of a trial that pauses."""
    return f"{_trial_name(trial)}-{trial.trial_id}"


class BridgeSearcher(Searcher):  # type: ignore[misc]
    """Asks the work for trials and tells it of their ends. Ray calls these methods by keyword."""

    def __init__(self, link: Link) -> None:
        super().__init__(metric="event", mode="max")  # Ray asks for some metric; nothing reads it
        self._link = link

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial, None for "not now", FINISHED for "never again"."""
        match self._link.ask("suggest", trial_id):
            case (number, spec):
                return {"number": number, "spec": spec}
            case is_later:
                return None if is_later else Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the scheduler sees every result, the last one of a stopped trial included."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: ARG002
        """Close the trial, however it ended."""
        self._link.ask("end", trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the study is the state."""


class BridgeScheduler(FIFOScheduler):  # type: ignore[misc]
    """Forwards every event to the work, which decides whether the trial goes on."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def on_trial_result(self, _controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return CONTINUE or STOP."""
        return str(self.CONTINUE if self._link.ask("receive", trial.trial_id, result["event"]) else self.STOP)


if __name__ == "__main__":
    main()
