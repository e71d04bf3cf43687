"""Commands that train outside of a search."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ressearch import ending, verbs
from ressearch.cli.application import (
    Described,
    Study,
    app,
    fail,
    interrupted,
    say,
)
from ressearch.messages import printable

if TYPE_CHECKING:
    from ressearch.training.loop import EpochResult


@app.command(epilog="\b\nExample:\n  ressearch train wrn-16-4 search_spaces/cifar10.yaml --epochs 30")
def train(
    architecture: Described,
    space: Annotated[
        Path,
        typer.Argument(metavar="SPACE", help="Search space whose images and recipe are used.", show_default=False),
    ],
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Epochs, instead of the recipe's.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, images' order and augmentation.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Directory to write; trained/<name> if left out."),
    ] = None,
) -> None:
    """Train one architecture and export it.

    The images and the recipe are those of SPACE. Test images are read once, after the last epoch. DIR holds model.py,
    weights.safetensors and architecture.yaml, as after `export`.
    """
    from ressearch.report.formatting import duration
    from ressearch.training.loop import TrainingError

    def observe(epoch: "EpochResult") -> None:
        say(
            f"epoch {epoch.epoch}: val_accuracy {epoch.val_accuracy:.4f}, train_loss {epoch.train_loss:.4f}, "
            f"{duration(epoch.seconds)}"
        )

    try:
        directory, trained = verbs.train(
            architecture, space, epochs=epochs, seed=seed, directory=output, observe=observe
        )
    except TrainingError as error:
        fail(f"{error}; nothing was written")
    except KeyboardInterrupt:
        interrupted("ressearch: ended; nothing was written")
    say(f"test_accuracy {trained.test_accuracy:.4f}\n{directory}")


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
    backend: Annotated[
        Literal["ray", "local"], typer.Option(help="ray: the whole machine. local: one by one in this process.")
    ] = "ray",
) -> None:
    """Train the best networks and the baselines again with fresh seeds, and test each training once.

    The baselines are trained with the recipe of the study and with that of the best network. Nothing was chosen on
    the test images. What is done is kept: the same command again trains what is missing, more --seeds add to it.

    Ctrl-C, SIGTERM and SIGHUP end within ten seconds, with exit code 130, 143 and 129.
    """
    from ressearch.report.confirmation_table import confirmation_table
    from ressearch.store.record import TrialRecord

    def tell(record: TrialRecord) -> None:
        if record.is_open:
            return
        accuracy = (record.measures or {}).get("test_accuracy")
        how = f"failed: {printable(record.message or '')}" if accuracy is None else f"test_accuracy {accuracy:.4f}"
        say(f"{record.group}, seed {record.seed}: {how}")

    try:
        rows = verbs.confirm(study, top=top, seeds=seeds, epochs=epochs, subset=subset, backend=backend, tell=tell)
    except KeyboardInterrupt:
        interrupted()
    say(f"\n{confirmation_table(rows)}")
    for row in rows:
        for failure in row.failures:
            say(f"{row.contestant.name}: a training failed: {printable(failure)}")
    if any(len(row.accuracies) + len(row.failures) < seeds for row in rows):
        say("\nnot all trainings are done; the same command carries on")
        raise typer.Exit(ending.exit_code())
