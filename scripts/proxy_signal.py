"""Which short training ranks networks as a long one does? Rank correlations with the longest audit of a study.

    ressearch audit STUDY --sample 16 --epochs 8 --subset 24000     # the long one
    python scripts/proxy_signal.py trials/STUDY --work WORK 16:12000:4 16:24000:2 16:24000:2:0.95

Each proxy is RESOLUTION:IMAGES:EPOCHS, or with the decay of an average of the weights at the end. The audited networks
are trained with it, each with its own recipe and one seed, and read after every epoch. Trainings that are in WORK are
not done again.
"""

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from ressearch.search.agreement import Resamples
from ressearch.search.continuation import kept_source
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord, open_study
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

SEED = 11
"""Of the trainings; the study's own and the audit's have others."""
Curve = Mapping[str, Any]
"""Accuracies of a training, and its seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("proxies", nargs="+")
    parser.add_argument("--work", type=Path, required=True, help="directory of results")
    options = parser.parse_args()
    study = open_study(options.study)
    long = _longest(study)
    trials = {trial.number: trial for trial in study.trials if trial.number in long}
    curves = _trained(options.proxies, trials, kept_source(options.study), options.work)
    resamples = Resamples(len(trials), seed=0)
    target = [long[number].val_accuracy or 0.0 for number in trials]
    print("| proxy | read after epoch | Kendall's tau | 95 % interval | mean seconds up to there |")
    print("|---|---|---|---|---|")
    own = [trial.val_accuracy or 0.0 for trial in trials.values()]
    print(f"| the study's own | | {_cells(resamples, own, target)} | |")
    for proxy in options.proxies:
        found = [curves[proxy, number] for number in trials]
        for epoch in range(1, len(found[0]["accuracies"]) + 1):
            read = [curve["accuracies"][epoch - 1] for curve in found]
            seconds = fmean(curve["seconds"] for curve in found) * epoch / len(found[0]["accuracies"])
            print(f"| {proxy} | {epoch} | {_cells(resamples, read, target)} | {seconds:.0f} |")


def _longest(study: StudyRecord) -> dict[int, TrialRecord]:
    """Return the trainings of the longest audit, by the trials that they repeat."""
    complete = [record for record in study.audits if record.state == "complete" and record.trial_of is not None]
    length = max(record.epochs * (record.num_images or 0) for record in complete)
    return {
        record.trial_of: record
        for record in complete
        if record.epochs * (record.num_images or 0) == length and record.trial_of is not None
    }


def _cells(resamples: Resamples, read: Sequence[float], target: Sequence[float]) -> str:
    found = resamples.agreement(read, target).kendall
    if found.value is None or found.interval is None:
        return "- | -"
    return "{:.2f} | {:.2f} to {:.2f}".format(found.value, *found.interval)


def _trained(
    proxies: Sequence[str], trials: Mapping[int, TrialRecord], source: Source, work: Path
) -> dict[tuple[str, int], Curve]:
    """Train what WORK lacks, a process for each core."""
    work.mkdir(parents=True, exist_ok=True)
    files = {
        (proxy, number): work / f"{proxy.replace(':', '-')}-{number}.json" for proxy in proxies for number in trials
    }
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        missing = {
            pool.submit(_train, trials[number], proxy, source): file
            for (proxy, number), file in files.items()
            if not file.exists()
        }
        for done in as_completed(missing):
            missing[done].write_text(json.dumps(done.result()))
    return {key: json.loads(file.read_text()) for key, file in files.items()}


def _train(trial: TrialRecord, proxy: str, source: Source) -> Curve:
    """Train one network; what diverges is as bad as chance."""
    import torch

    from ressearch.arch import plan
    from ressearch.model import build
    from ressearch.training.data import load, prepare
    from ressearch.training.loop import Training, TrainingError

    torch.set_num_threads(1)
    resolution, subset, epochs, *decay = proxy.split(":")
    seen = replace(source, resolution=int(resolution), subset=int(subset))
    recipe = replace(Recipe(**trial.recipe), epochs=int(epochs), ema_decay=float(decay[0]) if decay else 0.0)
    images = load(prepare(seen, seed=0), "cpu")
    torch.manual_seed(SEED)
    shape = images.shape
    module = build(plan(trial.build_architecture(), shape.channels, shape.num_classes))
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
