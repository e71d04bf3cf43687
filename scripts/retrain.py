"""Is the best network found better than the ancestors? Longer trainings of both with fresh seeds, on test images.

    python scripts/retrain.py trials/cifar10-16px --top 3 --seeds 3 --epochs 10 --subset 20000

Trains the best networks of a study that are not ancestors, all ancestors with the study's recipe, and, since a search
that tunes the recipe owes the ancestors the same, those within the limits with the recipe of the best network found.
Nothing was chosen on the test images: the search never reads them. Prints mean and standard deviation over seeds.
"""

import argparse
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import torch

from ressearch.arch import Architecture, plan
from ressearch.model import build
from ressearch.search.records import TrialRecord, read_study
from ressearch.search.worker import trial_seed
from ressearch.space import load_space
from ressearch.training.data import load, load_test, prepare
from ressearch.training.loop import evaluate, train
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source


def test_accuracy(architecture: Architecture, recipe: Recipe, source: Source, data_seed: int, seed: int) -> float:
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images = load(prepare(source, seed=data_seed), device)
    test_images, test_labels = load_test(prepare(source, seed=data_seed, split="test"), device)
    torch.manual_seed(seed)
    network = build(plan(architecture, images.shape.channels, images.shape.num_classes))
    for _ in train(network, images, recipe, seed=seed, device=device):
        pass
    return evaluate(network, test_images, test_labels, images.mean, images.std, device)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--top", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--subset", type=int, default=20_000, help="training images")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()

    study, space = read_study(arguments.study), load_space(arguments.study / "space.yaml")
    source = replace(space.source, subset=arguments.subset)
    complete = [trial for trial in study.trials if trial.state == "complete"]
    found = sorted(
        (trial for trial in complete if trial.within_limits and not trial.ancestor),
        key=lambda trial: -(trial.val_accuracy or 0),
    )[: arguments.top]
    ancestors = [trial for trial in complete if trial.ancestor]

    def recipe_of(trial: TrialRecord) -> Recipe:
        return replace(Recipe(**trial.recipe), epochs=arguments.epochs)

    contestants = [(f"found, trial {trial.number}", trial, recipe_of(trial)) for trial in found]
    contestants += [(f"{trial.ancestor}", trial, recipe_of(trial)) for trial in ancestors]
    contestants += [
        (f"{trial.ancestor}, recipe of trial {found[0].number}", trial, recipe_of(found[0]))
        for trial in ancestors
        if trial.within_limits
    ]
    seeds = [trial_seed(space.sampler.seed + 1, index) for index in range(arguments.seeds)]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            [
                pool.submit(test_accuracy, trial.build_architecture(), recipe, source, space.sampler.seed, seed)
                for seed in seeds
            ]
            for _, trial, recipe in contestants
        ]
        print(f"{arguments.epochs} epochs of {arguments.subset:,} images, test accuracy, n = {arguments.seeds}\n")
        print("| network | params | MACs | lr | weight decay | test accuracy | standard deviation | seeds |")
        print("|---|---|---|---|---|---|---|---|")
        for (name, trial, recipe), futures in zip(contestants, jobs, strict=True):
            values = [future.result() for future in futures]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            print(
                f"| {name} | {trial.num_params:,} | {trial.num_macs:,} | {recipe.lr:.3g} | {recipe.weight_decay:.2g} "
                f"| {statistics.mean(values):.4f} | {spread:.4f} | {', '.join(f'{value:.4f}' for value in values)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
