"""Commands on single networks."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ressearch import verbs
from ressearch.cli.application import (
    StudyOrNetwork,
    Trial,
    TrialOrFront,
    app,
    refuse_study,
    say,
)


@app.command(
    epilog="\b\nExamples:\n  ressearch export quickstart best -o my_network\n"
    "  ressearch export quickstart front -o networks\n  ressearch export wrn-16-4 --format onnx"
)
def export(
    what: StudyOrNetwork,
    trial: TrialOrFront = None,
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

    With best|TRIAL the trained network of a study, with front each of its front in DIR/<number>, else an untrained one.
    DIR holds model.py and weights.safetensors (trained ones), or model.onnx, or model.pt2, and architecture.yaml; what
    was written is run, and its outputs must be the network's. best is the most accurate one, also where a study has
    several objectives; the front are all that no other one equals in every objective and beats in one.
    """
    if trial is None:
        refuse_study(what, "export")
    say(verbs.export(what, trial, output, format=form))


@app.command(
    "list", epilog="\b\nExamples:\n  ressearch list architectures\n  ressearch list samplers\n  ressearch list merge"
)
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="architectures, axes, samplers, schedulers, objectives, sources, recipes, or an axis.",
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
    """Show one network: layers, shapes, cost, published errors.

    Of a trial of a study also its rank, its accuracy with the standard error, its whole recipe, and its curve.
    """
    from ressearch.report.console import new_console

    if trial is None:
        refuse_study(what, "show")
    new_console().print(verbs.show(what, trial, every_layer=layers))
