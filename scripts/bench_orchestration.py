"""What the search costs beside the training: trials that only sleep, on our bridge and on Ray's own OptunaSearch.

    python scripts/bench_orchestration.py                       # 24 trials of 5 s, then 500 of 0.1 s
    python scripts/bench_orchestration.py --short-trials 100    # quicker

Both run on the same workers with TPE and ASHA over the parameters of search_spaces/cifar10.yaml, one after the other
in each of the rounds. No image is trained on; those of digits stand for CIFAR-10's, so that nothing is downloaded.
Ours keeps everything in a SQLite file, refuses infeasible and duplicate candidates and counts that time too; the stock
one keeps its study in memory and refuses nothing.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from ressearch.experiment import Experiment, Resources, Session, load_experiment
from ressearch.search.contract import Progress, TrialFunction, TrialResult, TrialSpec
from ressearch.search.ray_backend import run_on_ray
from ressearch.search.session import run_session
from ressearch.space import Space
from ressearch.store.distributions import distribution_of
from ressearch.training.loop import EpochResult
from ressearch.training.source import Source

EPOCHS = 8
SPACE = Path(__file__).parent.parent / "search_spaces" / "cifar10.yaml"


def accuracy(seed: int, epoch: int) -> float:
    return 0.5 + 0.04 * epoch + (seed % 1000) / 10_000


def sleeper(seconds: float) -> TrialFunction:
    """Return a trial that sleeps for `seconds` over all of its epochs."""

    def function(spec: TrialSpec) -> Iterator[Progress | TrialResult]:
        started = time.perf_counter()
        curve = []
        for epoch in range(1, spec.recipe.epochs + 1):
            time.sleep(seconds / EPOCHS)
            value = accuracy(spec.seed, epoch)
            result = EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=value, lr=0.1, seconds=0.0)
            curve.append(asdict(result))
            yield Progress(epoch=result, seconds=time.perf_counter() - started)
        taken = time.perf_counter() - started
        yield TrialResult(measures={"val_accuracy": value, "seconds": taken}, curve=tuple(curve), seconds=taken)

    return function


def experiment(workers: int) -> Experiment:
    """Return the experiment of both: without baselines, and with images that need no download."""
    session = Session(resources=Resources(workers=workers))
    return replace(load_experiment(SPACE), images=Source(name="digits"), session=session)


def ours(seconds: float, trials: int, workers: int) -> tuple[float, float]:
    """Return busy share and overhead per trial in seconds of worker time."""
    with tempfile.TemporaryDirectory() as scratch:
        backend = partial(run_on_ray, do=sleeper(seconds))
        summary = run_session(experiment(workers), Path(scratch) / "study", backend, trials=trials).summary
    return summary["busy_share"], summary["overhead_per_trial"]


def stock(seconds: float, trials: int, workers: int) -> tuple[float, float]:
    """The same trials through `OptunaSearch` and `ASHAScheduler`, with the best settings that Ray documents."""
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    def trainable(config: dict[str, Any]) -> None:
        started = time.time()
        for epoch in range(1, EPOCHS + 1):
            time.sleep(seconds / EPOCHS)
            value = accuracy(int(1e6 * config["lr"]), epoch)
            tune.report({"val_accuracy": value, "epoch": epoch, "started": started, "ended": time.time()})

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    space = experiment(workers).space
    with tempfile.TemporaryDirectory() as scratch:
        results = tune.Tuner(
            trainable,
            param_space=None,
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(space=_optuna_space(space), metric="val_accuracy", mode="max", seed=0),
                scheduler=ASHAScheduler(
                    "epoch", "val_accuracy", "max", max_t=EPOCHS, grace_period=4, reduction_factor=2
                ),
                num_samples=trials,
                max_concurrent_trials=workers,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=scratch, verbose=0),
        ).fit()
    ray.shutdown()
    starts = [result.metrics["started"] for result in results]
    ends = [result.metrics["ended"] for result in results]
    available = (max(ends) - min(starts)) * workers
    busy = sum(ends) - sum(starts)
    return busy / available, (available - busy) / trials


def _optuna_space(space: Space) -> dict[str, Any]:
    return {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--long-trials", type=int, default=24, help="trials of 5 s")
    parser.add_argument("--short-trials", type=int, default=500, help="trials of 0.1 s")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    for seconds, trials in ((5.0, arguments.long_trials), (0.1, arguments.short_trials)):
        if not trials:
            continue
        found: dict[str, list[tuple[float, float]]] = {"ours": [], "OptunaSearch": []}
        for _ in range(arguments.rounds):
            found["ours"].append(ours(seconds, trials, arguments.workers))
            found["OptunaSearch"].append(stock(seconds, trials, arguments.workers))
        print(f"{trials} trials of {seconds:g} s on {arguments.workers} workers, {arguments.rounds} rounds")
        medians = {}
        for name, rounds in found.items():
            shares, overheads = zip(*rounds, strict=True)
            medians[name] = statistics.median(overheads)
            print(
                f"  {name:<13} busy share {statistics.median(shares):.3f} ({min(shares):.3f} to {max(shares):.3f}), "
                f"overhead per trial {medians[name]:.3f} s ({min(overheads):.3f} to {max(overheads):.3f})"
            )
        print(f"  overhead ours / OptunaSearch: {medians['ours'] / medians['OptunaSearch']:.2f}")


if __name__ == "__main__":
    main()
