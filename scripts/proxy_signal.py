"""Which short training ranks networks as a long one does? Rank correlations with trainings that are already done.

    ressearch audit STUDY --sample 16 --epochs 8 --subset 24000     # the long ones
    python scripts/proxy_signal.py trials/STUDY --work WORK 16:12000:4 16:24000:2 16:24000:2:0.95

    python scripts/bench_live.py SPACE --data DIRECTORY --work LIVE     # or those that judge winners and baselines
    python scripts/proxy_signal.py LIVE --work WORK 16:8000:2:0.95 16:12000:4:0.95

Each proxy is RESOLUTION:IMAGES:EPOCHS, or with the decay of an average of the weights at the end. Each network is
trained with it once, with its own recipe, and read after every epoch. Trainings that are in WORK are not done again.
"""

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from ressearch.arch import Architecture
from ressearch.packaging import read_description
from ressearch.search.agreement import Resamples
from ressearch.search.continuation import kept_source
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

SEED = 11
"""Of the trainings; the study's own and the long ones have others."""
Curve = Mapping[str, Any]
"""Accuracies of a training, and its seconds."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A network, and the accuracy of its long trainings. In a study it has another one from the search."""

    architecture: Architecture
    recipe: Recipe
    accuracy: float
    searched: float | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("long", type=Path, help="an audited study, or a directory of bench_live.py")
    parser.add_argument("proxies", nargs="+")
    parser.add_argument("--work", type=Path, required=True, help="directory of results")
    options = parser.parse_args()
    if (options.long / "trained").is_dir():
        known = _judged(options.long / "trained")
        source = Source(name="parquet", root=options.long / "searched", val_images=3000, test_images=0)
    else:
        known, source = _audited(open_study(options.long)), kept_source(options.long)
    curves = _trained(options.proxies, known, source, options.work)
    resamples = Resamples(len(known), seed=0)
    target = [one.accuracy for one in known.values()]
    print("| proxy | read after epoch | Kendall's tau | 95 % interval | mean seconds up to there |")
    print("|---|---|---|---|---|")
    if own := [one.searched for one in known.values() if one.searched is not None]:
        print(f"| the study's own | | {_cells(resamples, own, target)} | |")
    for proxy in options.proxies:
        found = [curves[proxy, name] for name in known]
        for epoch in range(1, len(found[0]["accuracies"]) + 1):
            read = [curve["accuracies"][epoch - 1] for curve in found]
            seconds = fmean(curve["seconds"] for curve in found) * epoch / len(found[0]["accuracies"])
            print(f"| {proxy} | {epoch} | {_cells(resamples, read, target)} | {seconds:.0f} |")


def _audited(study: StudyRecord) -> dict[str, Known]:
    """Return the networks of the longest audit, by the numbers of their trials."""
    complete = [record for record in study.audits if record.state == "complete"]
    length = max(record.epochs * (record.num_images or 0) for record in complete)
    long = {record.trial_of: record for record in complete if record.epochs * (record.num_images or 0) == length}
    return {
        str(trial.number): Known(
            architecture=trial.build_architecture(),
            recipe=trial.build_recipe(),
            accuracy=long[trial.number].val_accuracy or 0.0,
            searched=trial.val_accuracy or 0.0,
        )
        for trial in study.trials
        if trial.number in long
    }


def _judged(trained: Path) -> dict[str, Known]:
    """Return the networks that were judged, with the mean test accuracy over seeds."""
    found: dict[str, list[Known]] = {}
    for file in sorted(trained.glob("*/architecture.yaml")):
        described = read_description(file)
        assert described.recipe
        accuracy = yaml.safe_load(file.read_text())["origin"]["test_accuracy"]
        network = Known(architecture=described.architecture, recipe=described.recipe, accuracy=accuracy)
        found.setdefault(file.parent.name.rsplit("-", 1)[0], []).append(network)
    return {name: replace(each[0], accuracy=fmean(one.accuracy for one in each)) for name, each in found.items()}


def _cells(resamples: Resamples, read: Sequence[float], target: Sequence[float]) -> str:
    found = resamples.agreement(read, target).kendall
    if found.value is None or found.interval is None:
        return "- | -"
    return "{:.2f} | {:.2f} to {:.2f}".format(found.value, *found.interval)


def _trained(
    proxies: Sequence[str], known: Mapping[str, Known], source: Source, work: Path
) -> dict[tuple[str, str], Curve]:
    """Train what WORK lacks, a process for each core."""
    work.mkdir(parents=True, exist_ok=True)
    files = {(proxy, name): work / f"{proxy.replace(':', '-')}-{name}.json" for proxy in proxies for name in known}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        missing = {
            pool.submit(_train, known[name], proxy, source): file
            for (proxy, name), file in files.items()
            if not file.exists()
        }
        for done in as_completed(missing):
            missing[done].write_text(json.dumps(done.result()))
    return {key: json.loads(file.read_text()) for key, file in files.items()}


def _train(network: Known, proxy: str, source: Source) -> Curve:
    """Train one network; what diverges is as bad as chance."""
    import torch

    from ressearch.arch import plan
    from ressearch.model import build
    from ressearch.training.data import load, prepare
    from ressearch.training.loop import Training, TrainingError

    torch.set_num_threads(1)
    resolution, subset, epochs, *decay = proxy.split(":")
    seen = replace(source, resolution=int(resolution), subset=int(subset))
    recipe = replace(network.recipe, epochs=int(epochs), ema_decay=float(decay[0]) if decay else 0.0)
    images = load(prepare(seen, seed=0), "cpu")
    torch.manual_seed(SEED)
    shape = images.shape
    module = build(plan(network.architecture, shape.channels, shape.num_classes))
    accuracies, seconds = [], 0.0
    try:
        for result in Training(module, images, recipe, seed=SEED, device="cpu").epochs():
            accuracies.append(result.val_accuracy)
            seconds += result.seconds
    except TrainingError:
        accuracies += [1 / shape.num_classes] * (recipe.epochs - len(accuracies))
        seconds = math.nan
    return {"accuracies": accuracies, "seconds": seconds}


if __name__ == "__main__":
    main()
