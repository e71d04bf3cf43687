"""The command line itself: what all commands share. Typer parses, a verb works, the command prints."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from ressearch import __version__, ending
from ressearch.messages import Note, printable

if TYPE_CHECKING:
    from ressearch.report.plain_tables import Findings

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
TrialOrFront = Annotated[
    str | None,
    typer.Argument(
        metavar="[best|front|TRIAL]",
        help="The best trial of the study, all that no other dominates in its objectives, or a number.",
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
Form = Annotated[Literal["table", "md"], typer.Option("--format", help="Form of the output.")]


def main() -> NoReturn:
    """Run the command line; what a user can mend ends in one line on stderr and exit code 1.

    A signal ends it with 128 and its number, 130 for Ctrl-C.
    """
    warnings.showwarning = _show_warning
    with ending.catching():
        try:
            app(prog_name="ressearch")
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        except ValueError as error:
            fail(str(error))
        except KeyboardInterrupt:
            sys.exit(ending.exit_code())
        except SystemExit as end:
            sys.exit(ending.exit_code() if ending.received() else end.code)
    sys.exit(0)


ENDED = "ressearch: ended; the same command carries on"


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what a user can mend, and end with an exit code."""
    print(f"ressearch: {printable(message)}", file=sys.stderr)
    sys.exit(code)


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
) -> None:
    """Print a note of ours in one line; a warning of another package with the place in the source it comes from."""
    if issubclass(category, Note):
        print(f"ressearch: note: {printable(str(message))}", file=sys.stderr)
    else:
        print(
            printable(warnings.formatwarning(message, category, filename, lineno), keep="\n"), end="", file=sys.stderr
        )


def say(text: object, *, is_data: bool = False) -> None:
    """Print on stdout; data stay as they are where no terminal would obey what is in them."""
    is_safe = is_data and not sys.stdout.isatty()
    print(text if is_safe else printable(str(text), keep="\n"), flush=True)


def say_findings(found: "Findings", form: str) -> None:
    """Print tables and sentences, as Markdown or for a terminal."""
    from ressearch.report.console import new_console
    from ressearch.report.plain_tables import findings_markdown, for_terminal

    if form == "md":
        say(findings_markdown(found))
        return
    for table in found.tables:
        say(f"\n{table.title}:")
        new_console().print(for_terminal(table))
    say("\n".join(found.sentences))


def interrupted(message: str = ENDED) -> NoReturn:
    """Say that a signal has ended the work, and end with its exit code."""
    print(f"\n{message}", file=sys.stderr)
    raise typer.Exit(ending.exit_code()) from None


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


def refuse_study(what: str, verb: str) -> None:
    """Tell a study without a trial from a name."""
    from ressearch.store.files import is_study, study_directory

    if is_study(study_directory(what)):
        raise ValueError(f"{what} is a study: say which trial, as in `ressearch {verb} {what} best`")
