"""Commands that train outside of a search."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ressearch import ending, verbs
from ressearch.cli.application import Form, Study, app, fail, interrupted, say, say_findings

if TYPE_CHECKING:
    from ressearch.search.retraining import Observe

DIVERGED = 3
"""Exit code of a training that has diverged."""


@app.command(
    epilog="\b\nExamples:\n  ressearch train resnet-20 --epochs 20\n  ressearch train cifar10:best --epochs 100\n"
    "  ressearch train wrn-16-4 search_spaces/cifar10.yaml --recipe wrn --set lr=0.05\n"
    "  ressearch train my_network/architecture.yaml --data folder:pictures"
)
def train(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="Network of the literature, STUDY:TRIAL, STUDY:best, or the architecture.yaml of an export.",
            show_default=False,
        ),
    ],
    space: Annotated[
        Path | None,
        typer.Argument(
            metavar="SPACE", help="Search space whose images are used, and its recipe for a NAME.", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="he2016, wrn, fast, or found: the trial's or the file's, the default there; else SPACE's, or fast.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Epochs, instead of the recipe's; schedules are stretched.", show_default=False
        ),
    ] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Another field of the recipe; may be repeated.", show_default=False
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:ROOT]",
            help="Images, such as cifar10 or folder:DIR, instead of the study's or the file's; cifar10 for a NAME.",
            show_default=False,
        ),
    ] = None,
    resolution: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Pixels of a side that images get.", show_default=False)
    ] = None,
    subset: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Training images; all but the validation images if left out.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, images' order and augmentation.")] = 0,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Directory; trained/<name> or <study>-<number> if left out."
        ),
    ] = None,
) -> None:
    """Train one network to full length, test it once, and export it.

    Every epoch is kept in DIR: the same command goes on after whatever has ended it, on the CPU to the same bits, and
    prints the result once there is one. All training images are used but those that validate, which are the study's;
    test images are read once, after the last epoch.

    DIR holds metrics.csv and tensorboard/, training.json, which says what is trained, and in the end model.py,
    weights.safetensors and architecture.yaml, as after `export`. `ressearch list recipes` describes the recipes.

    Exit codes: 3 if the training diverges (a loss is not finite), 1 for other errors, 130, 143 and 129 after Ctrl-C,
    SIGTERM and SIGHUP, which end it within ten seconds.
    """
    from ressearch.report.training_progress import training_progress
    from ressearch.training.loop import TrainingError
    from ressearch.training.recipe_settings import assignments

    try:
        directory, trained = verbs.train(
            what,
            space,
            recipe=recipe,
            epochs=epochs,
            settings=assignments(changed or ()),
            data=data,
            resolution=resolution,
            subset=subset,
            seed=seed,
            directory=output,
            device=device,
            observe=training_progress,
        )
    except TrainingError as error:
        fail(str(error), code=DIVERGED if error.reason == "non_finite" else 1)
    except KeyboardInterrupt:
        interrupted()
    if trained.was_finished:
        say("finished by an earlier call; nothing is left to train")
    say(f"test_accuracy {trained.test_accuracy:.4f} ±{trained.std_error:.4f}\n{directory}")


@app.command(epilog="\b\nExample:\n  ressearch confirm cifar10 --top 3 --seeds 3 --epochs 10")
def confirm(
    study: Study,
    top: Annotated[
        int,
        typer.Option(min=1, metavar="K", help="Networks found by the search; with several objectives, of its front."),
    ] = 3,
    seeds: Annotated[int, typer.Option(min=1, metavar="S", help="Trainings of each network.")] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Epochs of each training; the search's if left out.")
    ] = None,
    subset: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Training images; all but the validation images if left out.")
    ] = None,
    form: Form = "table",
    backend: Annotated[
        Literal["ray", "local"], typer.Option(help="ray: the whole machine. local: one by one in this process.")
    ] = "ray",
) -> None:
    """Train the best networks and the baselines again with fresh seeds, and test each training once.

    The baselines are trained with the recipe of the study and with that of the best network. All contestants share
    their seeds, so that differences are paired: the best mean is compared with the runner-up and with every baseline,
    with 95 % intervals. Nothing was chosen on the test images. What is done is kept: the same command again trains what
    is missing, from the last epoch on, and more --seeds or a higher --top add to it.

    Ctrl-C, SIGTERM and SIGHUP end within ten seconds, with exit code 130, 143 and 129.
    """
    from ressearch.report.confirmation_table import confirmation_findings

    try:
        found = verbs.confirm(
            study, top=top, seeds=seeds, epochs=epochs, subset=subset, backend=backend, observe=_progress(form)
        )
    except KeyboardInterrupt:
        interrupted()
    say_findings(confirmation_findings(found), form)
    _end_early(found.num_missing)


@app.command(epilog="\b\nExample:\n  ressearch audit cifar10 --sample 16 --epochs 40 --format md")
def audit(
    study: Study,
    sample: Annotated[
        int, typer.Option(min=4, metavar="N", help="Networks, spread over the ranking; all if there are fewer.")
    ] = 16,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Epochs of each training; five times the search's if left out."),
    ] = None,
    subset: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Training images; all but the validation images if left out.")
    ] = None,
    form: Form = "table",
    backend: Annotated[
        Literal["ray", "local"], typer.Option(help="ray: the whole machine. local: one by one in this process.")
    ] = "ray",
) -> None:
    """Train a sample at full length: does the search rank networks as full training does?

    Complete trials, good and bad ones, are trained once more, each with its own recipe and a fresh seed. Kendall's tau
    and Spearman's rho compare the search's ranking with the one at full length, and the same for parameters and MACs:
    where counting does as well, the search's short training says little. The validation images judge; the test images
    stay unread. What is done is kept: the same command again trains what is missing, a larger --sample adds to it.

    Ctrl-C, SIGTERM and SIGHUP end within ten seconds, with exit code 130, 143 and 129.
    """
    from ressearch.report.audit_table import audit_findings

    try:
        found = verbs.audit(
            study, sample=sample, epochs=epochs, subset=subset, backend=backend, observe=_progress(form)
        )
    except KeyboardInterrupt:
        interrupted()
    say_findings(audit_findings(found), form)
    _end_early(found.num_missing)


def _progress(form: str) -> "Observe":
    """Return the display of trainings; Markdown is to be redirected into a file, where no progress is to end."""
    from ressearch.report.console import PlainTextConsole
    from ressearch.report.retraining_live import progress

    return partial(progress, console=PlainTextConsole(file=sys.stderr)) if form == "md" else progress


def _end_early(num_missing: int) -> None:
    """End with the exit code of a signal where it has left trainings to do."""
    if num_missing:
        say(f"\n{num_missing} training{'s are' if num_missing > 1 else ' is'} not done; the same command carries on")
        raise typer.Exit(ending.exit_code())
