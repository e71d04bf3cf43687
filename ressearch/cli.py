"""The command line: parses, calls the verb, prints. Torch, Ray, Optuna and Rich load only when a verb needs them."""

import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from ressearch import __version__, verbs

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
    print(f"ressearch: {message}", file=sys.stderr)
    sys.exit(1)


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
    from ressearch.report.check_table import check_table
    from ressearch.report.console import new_console
    from ressearch.space import load_space

    loaded = load_space(space)
    new_console().print(check_table(loaded, verbs.check(loaded, samples=samples)))


@app.command(epilog="\b\nExample:\n  ressearch run search_spaces/quickstart.yaml --trials 16")
def run(
    space: Space,
    trials: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Finished trials in the end, earlier sessions included.", show_default=False
        ),
    ],
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
    from ressearch.report.summary import summary
    from ressearch.search.records import read_study

    directory = verbs.study_directory(study or space.stem)
    try:
        outcome = verbs.run(
            space, trials=trials, study=directory, backend=backend, observe=lambda search: progress(search, directory)
        )
    except KeyboardInterrupt:
        print("\nressearch: ended; the same command carries on", file=sys.stderr)
        raise typer.Exit(130) from None
    print(summary(outcome, read_study(directory)), flush=True)
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
            print(forms.as_json(rows), flush=True)
        case "csv":
            print(forms.as_csv(rows), flush=True)
        case "md":
            print(forms.as_markdown(rows), flush=True)
        case "table":
            from ressearch.report.console import new_console

            new_console().print(forms.as_table(rows, title=f"Leaderboard of {verbs.study_directory(study)}"))


@app.command(epilog="\b\nExample:\n  ressearch export quickstart best -o my_network")
def export(
    study: Study,
    trial: Annotated[
        str, typer.Argument(metavar="best|TRIAL", help="The best trial, or a number.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Directory to write; <study>/export/<number> if left out."),
    ] = None,
) -> None:
    """Write a trained network as a module that needs torch only.

    DIR holds model.py, weights.safetensors and architecture.yaml; their outputs are checked against the network.
    """
    print(verbs.export_trial(study, trial, output), flush=True)


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
        print(f"{study}: http://{host}:{server.server_port}/ (Ctrl-C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
