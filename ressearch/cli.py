"""The command line: parses, calls the verb, prints. Torch, Ray, Optuna and Rich load only when a verb needs them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from ressearch import __version__, verbs
from ressearch.messages import printable

if TYPE_CHECKING:
    from ressearch.training.loop import EpochResult

# Typer's rich help and tracebacks would load Rich for every call: 0.15 s instead of 0.06 s for --help.
app = typer.Typer(
    name="ressearch",
    help="Neural architecture search over the residual design space.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="\b\nStart:\n  ressearch run search_spaces/quickstart.yaml --trials 16\n  ressearch leaderboard quickstart",
)

Space = Annotated[Path, typer.Argument(metavar="SPACE", help="YAML file of the search space.", show_default=False)]
Study = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="Directory of a study, or its name under trials/.", show_default=False),
]
Trial = Annotated[
    str | None,
    typer.Argument(metavar="[best|TRIAL]", help="The best trial of the study, or a number.", show_default=False),
]
Described = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE",
        help="Network of the literature, or the architecture.yaml of an export.",
        show_default=False,
    ),
]
StudyOrNetwork = Annotated[
    str,
    typer.Argument(
        metavar="STUDY|NAME|FILE",
        help="A study, a network of the literature, or the architecture.yaml of an export.",
        show_default=False,
    ),
]


def main() -> NoReturn:
    """Run the command line; what a user can mend ends in one line on stderr and exit code 1."""
    try:
        app(prog_name="ressearch")
    except OSError as error:
        _end(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        _end(str(error))
    sys.exit(0)


def _end(message: str) -> NoReturn:
    print(f"ressearch: {printable(message)}", file=sys.stderr)
    sys.exit(1)


def _say(text: object, *, is_data: bool = False) -> None:
    """Print on stdout; data stay as they are where no terminal would obey what is in them."""
    is_safe = is_data and not sys.stdout.isatty()
    print(text if is_safe else printable(str(text), keep="\n"), flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ressearch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None: ...


@app.command(epilog="\b\nExample:\n  ressearch check search_spaces/cifar10.yaml --samples 5000")
def check(
    space: Space,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Points of the space to look at.")] = 2000,
) -> None:
    """Check a search space.

    Prints its axes, its size, the share of feasible points, their parameters and MACs, and why points are refused.
    """
    from ressearch.experiment import load_experiment
    from ressearch.report.check_table import check_table
    from ressearch.report.console import new_console

    loaded = load_experiment(space)
    new_console().print(check_table(loaded, verbs.check(loaded, samples=samples)))


@app.command(epilog="\b\nExample:\n  ressearch run search_spaces/quickstart.yaml --trials 16")
def run(
    space: Space,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Finished trials in the end, earlier sessions included; the budget of SPACE if left out.",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY", help="Directory of the study, or a name under trials/; the name of SPACE if left out."
        ),
    ] = None,
    backend: Annotated[
        Literal["ray", "local"], typer.Option(help="ray: the whole machine. local: one by one in this process.")
    ] = "ray",
) -> None:
    """Search a space on real images.

    The same command again carries on where a run has stopped, and a higher --trials extends it. Ctrl-C saves and
    ends; a second Ctrl-C ends at once. The leaderboard and the best network are written into the study.
    """
    from ressearch.report.live import progress
    from ressearch.report.session_summary import session_summary
    from ressearch.store.study_record import open_study

    try:
        outcome = verbs.run(space, trials=trials, study=study, backend=backend, observe=progress)
    except KeyboardInterrupt:
        print("\nressearch: ended; the same command carries on", file=sys.stderr)
        raise typer.Exit(130) from None
    _say(session_summary(outcome, open_study(outcome.directory)))
    if outcome.was_interrupted:
        raise typer.Exit(130)


@app.command(epilog="\b\nExample:\n  ressearch leaderboard quickstart --format csv --top 10 > best.csv")
def leaderboard(
    study: Study,
    form: Annotated[
        Literal["table", "json", "csv", "md"], typer.Option("--format", help="Form of the output.")
    ] = "table",
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show so many rows only.", show_default=False)
    ] = None,
) -> None:
    """Rank the trials of a study.

    Rank counts trials that finished at full length within the limits, by validation accuracy at the last epoch.
    """
    from ressearch.report import leaderboard as forms

    rows = verbs.leaderboard(study, top=top)
    match form:
        case "json":
            _say(forms.as_json(rows), is_data=True)
        case "csv":
            _say(forms.as_csv(rows), is_data=True)
        case "md":
            _say(forms.as_markdown(rows))
        case "table":
            from ressearch.report.console import new_console
            from ressearch.store.files import study_directory

            new_console().print(forms.as_table(rows, title=f"Leaderboard of {study_directory(study)}"))


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
        _say(
            f"epoch {epoch.epoch}: val_accuracy {epoch.val_accuracy:.4f}, train_loss {epoch.train_loss:.4f}, "
            f"{duration(epoch.seconds)}"
        )

    try:
        directory, trained = verbs.train(
            architecture, space, epochs=epochs, seed=seed, directory=output, observe=observe
        )
    except TrainingError as error:
        _end(f"{error}; nothing was written")
    except KeyboardInterrupt:
        print("\nressearch: ended; nothing was written", file=sys.stderr)
        raise typer.Exit(130) from None
    _say(f"test_accuracy {trained.test_accuracy:.4f}\n{directory}")


@app.command(epilog="\b\nExample:\n  ressearch confirm cifar10 --top 3 --seeds 3 --epochs 10")
def confirm(
    study: Study,
    top: Annotated[int, typer.Option(min=1, metavar="K", help="Networks found by the search.")] = 3,
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
    """
    from ressearch.report.confirmation_table import confirmation_table
    from ressearch.store.record import TrialRecord

    def tell(record: TrialRecord) -> None:
        if record.is_open:
            return
        accuracy = (record.measures or {}).get("test_accuracy")
        ending = f"failed: {printable(record.message or '')}" if accuracy is None else f"test_accuracy {accuracy:.4f}"
        _say(f"{record.group}, seed {record.seed}: {ending}")

    try:
        rows = verbs.confirm(study, top=top, seeds=seeds, epochs=epochs, subset=subset, backend=backend, tell=tell)
    except KeyboardInterrupt:
        print("\nressearch: ended; the same command carries on", file=sys.stderr)
        raise typer.Exit(130) from None
    _say(f"\n{confirmation_table(rows)}")
    for row in rows:
        for failure in row.failures:
            _say(f"{row.contestant.name}: a training failed: {printable(failure)}")
    if any(len(row.accuracies) + len(row.failures) < seeds for row in rows):
        _say("\nnot all trainings are done; the same command carries on")
        raise typer.Exit(130)


@app.command(
    epilog="\b\nExamples:\n  ressearch export quickstart best -o my_network\n  ressearch export wrn-16-4 --format onnx"
)
def export(
    what: StudyOrNetwork,
    trial: Trial = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Directory to write; <study>/export/<number> or exported/<name> if left out.",
        ),
    ] = None,
    form: Annotated[
        Literal["module", "onnx", "torch-export"],
        typer.Option("--format", help="A module that needs torch only, or one file for other runtimes."),
    ] = "module",
) -> None:
    """Write a network: a module that needs torch only, ONNX, or torch.export.

    With best|TRIAL the trained network of a study, else an untrained one. DIR holds model.py and weights.safetensors
    (trained ones), or model.onnx, or model.pt2, and architecture.yaml; what was written is run, and its outputs must
    be the network's.
    """
    if trial is None:
        _refuse_study(what, "export")
    _say(verbs.export(what, trial, output, format=form))


@app.command(
    "list", epilog="\b\nExamples:\n  ressearch list architectures\n  ressearch list samplers\n  ressearch list merge"
)
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="architectures, axes, samplers, schedulers, objectives, sources, or an axis.",
            show_default=False,
        ),
    ],
) -> None:
    """List networks of the literature, axes of the space, or what a YAML file may name.

    Given the name of an axis, its values and what they mean.
    """
    from ressearch.report.console import new_console
    from ressearch.report.lists import listed

    new_console().print(listed(what))


@app.command(epilog="\b\nExamples:\n  ressearch show wrn-28-10\n  ressearch show quickstart best")
def show(
    what: StudyOrNetwork,
    trial: Trial = None,
    layers: Annotated[bool, typer.Option("--layers", help="One row for every layer.")] = False,
) -> None:
    """Show one network: layers, shapes, cost, published errors."""
    from ressearch.report.console import new_console

    if trial is None:
        _refuse_study(what, "show")
    new_console().print(verbs.show(what, trial, every_layer=layers))


def _refuse_study(what: str, verb: str) -> None:
    """Tell a study without a trial from a name."""
    from ressearch.store.files import is_study, study_directory

    if is_study(study_directory(what)):
        raise ValueError(f"{what} is a study: say which trial, as in `ressearch {verb} {what} best`")


@app.command(epilog="\b\nExample:\n  ressearch dashboard quickstart --port 8080")
def dashboard(
    study: Study,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The dashboard knows no passwords: keep it on loopback.")
    ] = "127.0.0.1",
) -> None:
    """Serve the Optuna dashboard on a study: curves, parameters, attributes."""
    with verbs.dashboard(study, host=host, port=port) as server:
        _say(f"{study}: http://{host}:{server.server_port}/ (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
