"""Whole searches of a few minutes, ours beside today's tools, and their winners trained anew on images nobody saw.

    python scripts/bench_live.py SPACE --data DIRECTORY --minutes 6 --pairs 8 --work WORK

DIRECTORY has CIFAR-10 as train.parquet. Searches see its first 15,000 images; winners and baselines are trained on
10,000 of these for 10 epochs at 32 pixels, with fresh seeds, and tested on the 35,000 others. `stock` is Ray Tune with
OptunaSearch and ASHAScheduler as they come, around our training: what it gets is the same space, recipe and images.
Pairs take turns in who comes first. The baselines are trained with several recipes. The same command carries on
where it was ended (a search that was interrupted begins anew); no search is left out.

With --as-searched the winners are trained anew as in the search instead (its resolution, images and epochs), which
tells how well it was searched, whether or not that training is a good one to search by.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pyarrow.parquet as pq

import ressearch
from ressearch.arch import Architecture, architecture_id, cost, named, plan
from ressearch.experiment import Experiment, load_experiment
from ressearch.noise import Paired
from ressearch.space import Space
from ressearch.store.distributions import suggested
from ressearch.store.record import best_of
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

NUM_SEARCHED = 15_000
"""Images that searches see: the first ones."""
NUM_JUDGED, EPOCHS = 10_000, 10
"""Images and epochs of the trainings that judge."""
RECIPES = {
    "untuned": [(128, 0.1)],
    "with its best lr": [(128, 0.05), (128, 0.1), (128, 0.2), (128, 0.4)],
    "with small batches": [(32, 0.1)],
}
"""Batch sizes and learning rates of the baselines; of several, the best one counts."""
BASELINES = ("resnet-20", "preresnet-20")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3, help="trainings that judge each network")
    parser.add_argument("--only", choices=("ours", "stock"), help="one side alone")
    parser.add_argument("--as-searched", action="store_true", help="judge by trainings such as those of the search")
    parser.add_argument("--work", type=Path, required=True, help="where searches and results are kept")
    options = parser.parse_args()
    work: Path = options.work.absolute()
    _divide(options.data, work)
    winners: dict[str, dict[str, Any]] = {}
    for pair in range(options.pairs):
        sides = ("ours", "stock") if pair % 2 == 0 else ("stock", "ours")
        for side in sides:
            if options.only in (None, side):
                winners[f"{side}-{pair}"] = _searched(side, options.space, work, pair, options.minutes)
    for name in BASELINES:
        base = load_experiment(options.space).recipe
        for batch_size, lr in chain.from_iterable(RECIPES.values()):
            recipe = replace(base, batch_size=batch_size, lr=lr)
            winners[_baseline(name, batch_size, lr)] = {"architecture": named(name).to_dict(), "recipe": asdict(recipe)}
    experiment = load_experiment(options.space)
    if options.as_searched:
        source = replace(experiment.images, name="parquet", root=work / "judged", test_images=None)
        judge = partial(_judge, source=source, epochs=experiment.recipe.epochs, directory=work / "trained-as-searched")
    else:
        source = Source(name="parquet", root=work / "judged", subset=NUM_JUDGED, val_images=1000)
        judge = partial(_judge, source=source, epochs=EPOCHS, directory=work / "trained")
    _print(_judged(winners, judge, options.seeds), winners, options)


def _baseline(name: str, batch_size: int, lr: float) -> str:
    return f"{name}, batch {batch_size}, lr {lr:g}"


def _divide(data: Path, work: Path) -> None:
    """Write the images that searches see, and the others as test images beside them."""
    for name in ("searched", "judged"):
        (work / name).mkdir(parents=True, exist_ok=True)
    if (work / "judged" / "test.parquet").exists():
        return
    rows = pq.read_table(data / "train.parquet")
    for name in ("searched", "judged"):
        pq.write_table(rows.slice(0, NUM_SEARCHED), work / name / "train.parquet")
    pq.write_table(rows.slice(NUM_SEARCHED), work / "judged" / "test.parquet")


def _searched(side: str, space: Path, work: Path, seed: int, minutes: float) -> dict[str, Any]:
    """Return the winner of a search, which runs in a process of its own unless its result is there."""
    result = work / f"{side}-{seed}.json"
    if not result.exists():
        for begun in (work / f"{side}-{seed}", work / "ray" / f"{side}-{seed}"):
            shutil.rmtree(begun, ignore_errors=True)
        call = f"import bench_live; bench_live._search_{side}({str(space)!r}, {str(work)!r}, {seed}, {minutes})"
        paths = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": paths}  # for Ray's workers, too
        subprocess.run([sys.executable, "-c", call], check=True, stdout=sys.stderr, env=environment)
    winner: dict[str, Any] = json.loads(result.read_text())
    return winner


def _experiment(space: str, work: str, seed: int) -> Experiment:
    found = load_experiment(space)
    source = replace(found.images, name="parquet", root=Path(work) / "searched", test_images=0)
    return replace(found, images=source, seed=seed)


def _search_ours(space: str, work: str, seed: int, minutes: float) -> None:
    experiment = _experiment(space, work, seed)
    directory = Path(work) / f"ours-{seed}"
    outcome = ressearch.run(experiment, hours=minutes / 60, study=directory)
    study = ressearch.open_study(directory)
    best = best_of(study.trials, study.directions)
    assert best
    assert best.score
    trained = sum(trial.seconds for trial in study.trials)
    told = {"trials": outcome.num_finished, "trained": trained, "score": best.score.value}
    _keep(directory, best.build_architecture(), best.build_recipe(), told)


def _search_stock(space: str, work: str, seed: int, minutes: float) -> None:
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    experiment = _experiment(space, work, seed)
    from ressearch.training.data import prepare

    images = prepare(experiment.images, seed=seed)
    search = OptunaSearch(partial(_suggested, space=experiment.space), metric="accuracy", mode="max", seed=seed)
    tuner = tune.Tuner(
        tune.with_resources(partial(_train_stock, experiment=experiment, images=images, seed=seed), {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=ASHAScheduler(metric="accuracy", mode="max", max_t=experiment.recipe.epochs),
            num_samples=-1,
            time_budget_s=60 * minutes,
            max_concurrent_trials=os.cpu_count(),
        ),
        run_config=tune.RunConfig(storage_path=f"{work}/ray", name=f"stock-{seed}", verbose=0),
    )
    results = tuner.fit()
    best = results.get_best_result(metric="accuracy", mode="max")
    candidate = experiment.candidate(best.config or {})
    trained = sum((result.metrics or {}).get("time_total_s", 0.0) for result in results)
    told = {
        "trials": len(results),
        "errors": results.num_errors,
        "trained": trained,
        "score": (best.metrics or {})["accuracy"],
    }
    _keep(Path(work) / f"stock-{seed}", candidate.architecture, experiment.recipe_of(candidate), told)


def _suggested(trial: Any, *, space: Space) -> dict[str, Any]:
    return dict(space.draw(partial(suggested, trial)))


def _train_stock(config: Mapping[str, Any], *, experiment: Experiment, images: Any, seed: int) -> None:
    """Train a network as a script around Ray Tune would; one outside the limits is an error."""
    import torch
    from ray import tune

    from ressearch.model import build
    from ressearch.training.data import load
    from ressearch.training.loop import Training

    torch.set_num_threads(1)
    candidate = experiment.candidate(config)
    torch.manual_seed(seed)
    training = Training(
        build(candidate.plan), load(images, "cpu"), experiment.recipe_of(candidate), seed=seed, device="cpu"
    )
    for result in training.epochs():
        tune.report({"accuracy": result.val_accuracy})


def _keep(place: Path, architecture: Architecture, recipe: Recipe, told: Mapping[str, Any]) -> None:
    found = {"architecture": architecture.to_dict(), "recipe": asdict(recipe), **told}
    place.with_suffix(".json").write_text(json.dumps(found, indent=1))


def _judged(
    winners: Mapping[str, Mapping[str, Any]], judge: Callable[[Mapping[str, Any], int], float], seeds: int
) -> dict[str, list[float]]:
    """Return the test accuracies of every network, one per seed; as many trainings at a time as there are cores."""
    jobs = [(name, seed) for seed in range(1, seeds + 1) for name in winners]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = pool.map(judge, [winners[name] for name, _ in jobs], [seed for _, seed in jobs])
        accuracies: dict[str, list[float]] = {name: [] for name in winners}
        for (name, _), accuracy in zip(jobs, found, strict=True):
            accuracies[name].append(accuracy)
            print(f"{name}, seed {len(accuracies[name])}: {accuracy:.4f}", file=sys.stderr, flush=True)
    return accuracies


def _judge(winner: Mapping[str, Any], seed: int, *, source: Source, epochs: int, directory: Path) -> float:
    import torch

    torch.set_num_threads(1)
    architecture = Architecture.from_dict(winner["architecture"])
    recipe = replace(Recipe(**winner["recipe"]), epochs=epochs)
    key = f"{architecture_id(architecture)}-{recipe.lr:.4g}-{recipe.weight_decay:.4g}-{recipe.batch_size}-{seed}"
    _, trained = ressearch.train(
        architecture, recipe=recipe, data=source, seed=seed, directory=directory / key, device="cpu"
    )
    assert trained.test_accuracy is not None
    return trained.test_accuracy


def _print(accuracies: Mapping[str, list[float]], winners: Mapping[str, Any], options: argparse.Namespace) -> None:
    print(
        "| network | params | MACs | batch | lr | trials | seconds of workers in trainings | mean | "
        f"deviation over {options.seeds} seeds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, values in accuracies.items():
        winner = winners[name]
        trained = round(winner["trained"]) if "trained" in winner else ""
        counted = cost(plan(Architecture.from_dict(winner["architecture"]), 3, 10), 32)
        deviation = stdev(values) if len(values) > 1 else math.nan
        print(
            f"| {name} | {counted.num_params:,} | {counted.num_macs:,} | "
            f"{winner['recipe']['batch_size']} | {winner['recipe']['lr']:.3g} | "
            f"{winner.get('trials', '')} | {trained} | {fmean(values):.4f} | {deviation:.4f} |"
        )
    for line in _differences(accuracies, options.pairs):
        print(line)


def _differences(accuracies: Mapping[str, list[float]], pairs: int) -> Iterator[str]:
    """Compare the searches pair by pair, and with the baselines."""
    mean = {name: fmean(values) for name, values in accuracies.items()}
    rivals = {
        "stock": [mean.get(f"stock-{pair}") for pair in range(pairs)],
        **{
            f"{name} {how}": [max(mean[_baseline(name, *recipe)] for recipe in recipes)] * pairs
            for name in BASELINES
            for how, recipes in RECIPES.items()
        },
    }
    for name, scores in rivals.items():
        found = [
            ours - score
            for pair, score in enumerate(scores)
            if score is not None and (ours := mean.get(f"ours-{pair}")) is not None
        ]
        if found:
            paired = Paired(tuple(found))
            low, high = paired.interval or (math.nan, math.nan)
            yield f"\nours - {name}: {fmean(found):+.4f} (95 % {low:+.4f} to {high:+.4f}, {len(found)} searches)"


if __name__ == "__main__":
    main()
