"""How long a search thinks about its next trial, and about what a trial has told, after thousands of trials; one core.

    python scripts/bench_asks.py [--trials 1000 10000] [--samplers gp tpe evolution] [--space SPACE]

The whole search is at work, with the scheduler `calibrated`, but nothing is trained: accuracies are made up, half of
the trials were stopped early, and a fifth are repeats.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

from ressearch.arch import InfeasibleError
from ressearch.experiment import Budget, Experiment, load_experiment
from ressearch.experiment.loader import parse_sampler, parse_scheduler
from ressearch.experiment.objectives import directions_of
from ressearch.replays.memory_store import MemoryStore
from ressearch.search.allowance import Allowance
from ressearch.search.contract import Progress, TrialResult
from ressearch.search.ledger import Ledger
from ressearch.search.search import Search
from ressearch.space import random_choose
from ressearch.store.record import TrialRecord
from ressearch.training.data import Prepared
from ressearch.training.loop import EpochResult
from ressearch.training.source import Counts

SPACE = Path(__file__).parent.parent / "search_spaces" / "cifar10.yaml"
EPOCHS = 4
ASKS = 40
REPEATS = 0.2


class Filled(MemoryStore):
    """A store with trials of earlier sessions."""

    def __init__(self, records: Sequence[TrialRecord]) -> None:
        self._records = list(records)

    def trials(self) -> list[TrialRecord]:
        """Return them."""
        return self._records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--samplers", nargs="+", default=["gp", "tpe", "evolution"])
    parser.add_argument("--space", type=Path, default=SPACE)
    options = parser.parse_args()
    loaded = load_experiment(options.space)
    base = replace(loaded, recipe=replace(loaded.recipe, epochs=EPOCHS), scheduler=parse_scheduler("calibrated"))
    print("| sampler | trials before | next trial: median | longest | told of a trial: median |")
    print("|---|---|---|---|---|")
    for count in options.trials:
        records = list(_records(base, count))
        for name in options.samplers:
            asked, told = _timed(replace(base, sampler=parse_sampler(name)), records)
            print(
                f"| {name} | {count:,} | {median(asked):.3f} s | {max(asked):.3f} s | {median(told):.3f} s |",
                flush=True,
            )


def _timed(experiment: Experiment, records: Sequence[TrialRecord]) -> tuple[list[float], list[float]]:
    directions = directions_of(experiment.objectives)
    ledger = Ledger(Filled(records))
    allowance = Allowance(Budget(trials=10**6), directions)
    nowhere = Prepared(directory=Path(), source=experiment.images, seed=0, split="train")
    search = Search(experiment, ledger, nowhere, Counts(8000, 4000, 0), allowance=allowance)
    rng = random.Random(1)
    asked, told = [], []
    for _ in range(ASKS):
        started = time.perf_counter()
        spec = search.next_trial()
        asked.append(time.perf_counter() - started)
        assert spec is not None
        started = time.perf_counter()
        for number, epoch in enumerate(_curve(rng), start=1):
            if search.report(spec.number, Progress(epoch=epoch, seconds=float(number))).value != "go":
                break
        else:
            measures = {"val_accuracy": epoch.val_accuracy, "seconds": float(EPOCHS)}
            search.finish(spec.number, TrialResult(measures=measures))
        told.append(time.perf_counter() - started)
    return asked, told


def _records(experiment: Experiment, count: int) -> Iterator[TrialRecord]:
    """Make up trials."""
    rng = random.Random(0)
    choose, number = random_choose(rng), 0
    complete: list[TrialRecord] = []
    while number < count:
        if number > 40 and rng.random() < REPEATS:
            again = rng.choice(complete)
            yield replace(again, number=number, trial_of=again.number, seed=number)
            number += 1
            continue
        try:
            candidate = experiment.candidate(experiment.space.draw(choose))
        except InfeasibleError:
            continue
        curve = list(_curve(rng))
        if stopped := number > 40 and rng.random() < 0.5:
            curve = curve[:1]
        record = TrialRecord.of(
            candidate,
            experiment.recipe_of(candidate),
            number=number,
            seed=number,
            state="pruned" if stopped else "complete",
            num_val_images=4000,
            curve=tuple(asdict(epoch) for epoch in curve),
            seconds=float(len(curve)),
            measures={"val_accuracy": curve[-1].val_accuracy, "seconds": float(len(curve))},
        )
        if not stopped:
            complete.append(record)
        yield record
        number += 1


def _curve(rng: random.Random) -> Iterator[EpochResult]:
    quality = rng.gauss(0, 0.05)
    for epoch in range(1, EPOCHS + 1):
        accuracy = 0.4 + quality + 0.05 * epoch + rng.gauss(0, 0.01)
        yield EpochResult(epoch=epoch, train_loss=1.0, val_loss=1.0, val_accuracy=accuracy, lr=0.1, seconds=1.0)


if __name__ == "__main__":
    main()
