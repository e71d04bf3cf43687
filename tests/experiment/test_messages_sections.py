"""Mistakes of the other sections, and limits that nothing can meet."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ressearch.experiment import load_experiment
from ressearch.experiment.loader import check_feasible
from ressearch.space import SpaceError

WIDENING = "  widening: per_stage"
LR = "  lr: {float: {low: 0.01, high: 0.5, log: true}}"

# what is replaced, by what, and a part of the message behind the file name
MISTAKES = {
    # the other sections
    "lr": (LR, "  lr: -0.1", "12: recipe.lr: lr > 0 must hold, got -0.1"),
    "searched momentum": (
        LR,
        "  momentum: {choice: [0.9, 1.0]}",
        "12: recipe.momentum: 0 <= momentum < 1 must hold, got 1.0",
    ),
    "warm-up": (LR, "  warmup_epochs: 9", "12: recipe.warmup_epochs: 0 <= warmup_epochs < epochs must hold, got 9.0"),
    "schedule": (
        LR,
        "  schedule: cosin",
        "12: recipe.schedule: got 'cosin', expected one of cosine, one_cycle, step_he2016, step_wrn; "
        "did you mean 'cosine'?",
    ),
    "epochs searched": (
        "epochs: 6",
        "epochs: {int: {low: 1, high: 6}}",
        "11: recipe.epochs: epochs takes one fixed value, got a domain; it is the fidelity",
    ),
    "flip searched": (
        LR,
        "  flip: {choice: [1, 2]}",
        "12: recipe.flip: flip takes one fixed value, got a domain; only numbers are searched",
    ),
    "source": (
        "name: digits",
        "name: cifar",
        "3: data.name: got 'cifar', expected one of digits, cifar10, cifar100, folder, parquet; did you mean",
    ),
    "root": ("name: digits", "name: folder", "3: data: root must be given for the source folder"),
    "subset": ("name: digits", "name: digits, subset: 0", "3: data.subset: subset >= 1 must hold, got 0"),
    "min > max": (
        "{max: 300_000}",
        "{min: 400_000, max: 300_000}",
        "14: limits.num_params.min: min <= max must hold, got min 400,000 and max 300,000",
    ),
    "sampler": (
        "name: tpe",
        "name: tep",
        "15: sampler.name: got 'tep', expected one of gp, tpe, evolution, nsga2, random, grid; did you mean 'tpe'?",
    ),
    "grid": (
        "name: tpe",
        "name: grid",
        "15: sampler.name: grid needs a finite space, got continuous lr; give a step or a choice",
    ),
    "seed": ("name: tpe", "seed: -1", "15: sampler.seed: 0 <= seed < 2**32 must hold, got -1"),
    "late rung": (
        "first_rung: 2",
        "first_rung: 7",
        "16: scheduler.first_rung: first_rung <= epochs must hold, got first_rung 7 and epochs 6",
    ),
    "rung 0": ("first_rung: 2", "first_rung: 0", "16: scheduler.first_rung: first_rung >= 1 must hold, got 0"),
    "reduction": (
        "first_rung: 2",
        "reduction_factor: 1",
        "16: scheduler.reduction_factor: reduction_factor >= 2 must hold, got 1",
    ),
    "workers": (
        "sampler: {name: tpe}",
        "resources: {workers: 0}",
        "15: resources.workers: workers >= 1 must hold, got 0",
    ),
    "gpus": (
        "sampler: {name: tpe}",
        "resources: {gpus_per_trial: 2}",
        "15: resources.gpus_per_trial: 0 < gpus_per_trial <= 1 must hold, got 2",
    ),
    "baseline": ("resnet-8]", "resnet-9]", "17: baselines[0]: unknown architecture 'resnet-9'; known are "),
    "baseline twice": ("resnet-8]", "resnet-8, resnet-8]", "17: baselines[1]: 'resnet-8' is given twice"),
    "objective": (
        "sampler: {name: tpe}",
        "objectives: [val_acc]",
        "15: objectives[0]: got 'val_acc', expected one of val_accuracy, ",
    ),
    "first objective": (
        "sampler: {name: tpe}",
        "objectives: [num_macs]",
        "15: objectives: the first objective must be val_accuracy, got num_macs",
    ),
    "objective twice": (
        "sampler: {name: tpe}",
        "objectives: [val_accuracy, val_accuracy]",
        "15: objectives[1]: 'val_accuracy' is given twice",
    ),
    "no objective": (
        "sampler: {name: tpe}",
        "objectives: []",
        "15: objectives: the first objective must be val_accuracy, got none",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(complaint: Callable[[str, str], str], old: str, new: str, said: str) -> None:
    got = complaint(old, new)
    assert said in got
    assert "\n" not in got


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (
            "num_params: {max: 100}",
            r":14: limits\.num_params\.max: got 100, which nothing meets: the smallest num_params found is 20,618",
        ),
        (
            "num_macs: {min: 1_000_000_000}",
            r":14: limits\.num_macs\.min: got 1,000,000,000, which nothing meets: the largest num_macs found is ",
        ),
        (
            "{num_params: {min: 120_000}, num_macs: {max: 300_000}}",
            "which nothing meets together with the other limits: nearest found is ",
        ),
    ],
)
def test_limits_that_nothing_meets_are_named(tmp_path: Path, good: str, limits: str, said: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(good.replace("num_params: {max: 300_000}", limits))
    with pytest.raises(SpaceError, match=said):
        check_feasible(load_experiment(path))


def test_limits_that_few_networks_meet_pass(tmp_path: Path, good: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(good.replace("{max: 300_000}", "{max: 20_618}"))
    check_feasible(load_experiment(path))


def test_a_space_without_any_network_is_named(tmp_path: Path, good: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(good.replace(WIDENING, "  stem_width: 64").replace("[zero_pad, projection]", "[zero_pad]"))
    with pytest.raises(
        SpaceError, match=r"architecture: none of 300 drawn points is a network; most often: stage 1: zero pad"
    ):
        check_feasible(load_experiment(path))
