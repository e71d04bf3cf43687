"""Commands on search spaces and studies."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ressearch import ending, verbs
from ressearch.cli.application import Form, Space, Study, app, interrupted, say, say_findings


@app.command(epilog="\b\nExample:\n  ressearch check search_spaces/cifar10.yaml --samples 5000")
def check(
    space: Space,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Points of the space to look at.")] = 2000,
    time: Annotated[
        bool, typer.Option("--time", help="Time some networks on this machine, and tell what a budget buys.")
    ] = False,
) -> None:
    """Check a search space.

    Prints its axes, its size, the share of feasible points, their parameters and MACs, and why points are refused.
    --time trains some networks for a few steps and predicts the others.
    """
    from ressearch.experiment import load_experiment
    from ressearch.report.check_table import check_table
    from ressearch.report.console import new_console

    loaded = load_experiment(space)
    new_console().print(check_table(loaded, verbs.check(loaded, samples=samples)))
    if time:
        from ressearch.report.pace_lines import pace_lines

        for line in pace_lines(verbs.pace(loaded)):
            say(line)


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
    hours: Annotated[
        float | None, typer.Option(metavar="H", help="Time of all sessions together.", show_default=False)
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(metavar="ACCURACY", help="Validation accuracy that ends the search, 0..1.", show_default=False),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Finished trials in a row without a new best.", show_default=False),
    ] = None,
    seconds_per_trial: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Worker time of a trial: longer ones fail, or are refused.",
            show_default=False,
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY", help="Directory of the study, or a name under trials/; the name of SPACE if left out."
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(metavar="STUDY", help="Earlier study: sampler gp begins near its best.", show_default=False),
    ] = None,
    backend: Annotated[
        Literal["ray", "local"], typer.Option(help="ray: the whole machine. local: one by one in this process.")
    ] = "ray",
) -> None:
    """Search a space on real images.

    The search ends by --trials, --hours, --target or --patience, whichever comes first; at least one of them, or of
    those of the `budget` of SPACE, must be given. All count over all sessions. The same command again carries on where
    a run has stopped, and a higher number extends it. When the time is up, or another part of the budget, running
    trials end after the epoch that they are in; if the study goes on, they are trained again. The leaderboard and the
    best network are written into the study.

    Ctrl-C, SIGTERM and SIGHUP save and end within ten seconds, with exit code 130, 143 and 129: a trial that has
    trained its last epoch is kept, the others are trained again. Signals that follow change nothing.
    """
    from ressearch.report.live import progress
    from ressearch.report.session_summary import session_summary
    from ressearch.store.study_record import open_study

    try:
        outcome = verbs.run(
            space,
            trials=trials,
            hours=hours,
            target=target,
            patience=patience,
            seconds_per_trial=seconds_per_trial,
            study=study,
            prior=prior,
            backend=backend,
            observe=progress,
        )
    except KeyboardInterrupt:
        interrupted()
    say(session_summary(outcome, open_study(outcome.directory)))
    if outcome.was_interrupted:
        raise typer.Exit(ending.exit_code())


@app.command(epilog="\b\nExample:\n  ressearch record search_spaces/cifar10.yaml -o tables/cifar10.parquet")
def record(
    space: Space,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="TABLE", help="Parquet file to write.", show_default=False)
    ],
    random: Annotated[
        int, typer.Option(min=1, metavar="N", help="Networks drawn at random, baselines included.")
    ] = 200,
    mutations: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Networks that differ in one parameter from one of the best quarter."),
    ] = 40,
    repeats: Annotated[int, typer.Option(min=0, metavar="N", help="Networks that are trained again.")] = 24,
    seeds: Annotated[int, typer.Option(min=0, metavar="S", help="Further trainings of each of those.")] = 2,
    backend: Annotated[
        Literal["ray", "local"], typer.Option(help="ray: the whole machine. local: one by one in this process.")
    ] = "ray",
) -> None:
    """Train networks of a space to the end, and write their curves into one file.

    Random networks, mutations of the best of them, and repeats with other seeds; the sampler, the scheduler and the
    budget of SPACE are not used. The trainings are kept in a study beside TABLE, with its name but without .parquet:
    the same command again carries on, and larger numbers add to it.

    Ctrl-C, SIGTERM and SIGHUP save and end within ten seconds, with exit code 130, 143 and 129.
    """
    from ressearch.report.live import progress
    from ressearch.report.retraining_live import progress as progress_of_repeats

    try:
        table = verbs.record(
            space,
            output,
            random=random,
            mutations=mutations,
            repeats=repeats,
            seeds=seeds,
            backend=backend,
            observe=progress,
            observe_repeats=progress_of_repeats,
        )
    except KeyboardInterrupt:
        interrupted()
    say(f"{output}: networks {len(table.trials):,}, repeats {len(table.repeats):,}")


@app.command(
    epilog="\b\nExample:\n  ressearch replay tables/cifar10.parquet --sampler tpe --sampler evolution --hours 1"
)
def replay(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Parquet file of `ressearch record`.")],
    sampler: Annotated[
        list[str] | None,
        typer.Option(metavar="SAMPLER", help="A name, or '{name: ..., option: ...}'; may be repeated.  [default: gp]"),
    ] = None,
    scheduler: Annotated[
        list[str] | None, typer.Option(metavar="SCHEDULER", help="Likewise.  [default: calibrated]")
    ] = None,
    repeat_share: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="Share of the epochs that repeats the best; may be repeated."),
    ] = None,
    recipe_trials: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Trials that tune the recipe before the search; may be repeated."),
    ] = None,
    hours: Annotated[float, typer.Option(metavar="H", help="Simulated time of each search.")] = 1.0,
    repeats: Annotated[int, typer.Option(min=1, metavar="N", help="Searches of each setting.")] = 100,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Simulated trials at a time.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the first search.")] = 0,
    form: Form = "table",
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML file to write: regret over time, with bands.", show_default=False),
    ] = None,
) -> None:
    """Compare samplers and schedulers on recorded trainings, in seconds instead of hours.

    The real samplers and schedulers search; trainings are looked up in TABLE, or predicted from it, and a simulated
    clock counts their seconds and the time that proposals take. Every sampler is combined with every scheduler and
    every share of repeats, and all have the same seeds.
    """
    from ressearch.report.replay_findings import replay_findings
    from ressearch.report.replays_live import progress

    with progress() as tell:
        found = verbs.replay(
            table,
            samplers=sampler or [],
            schedulers=scheduler or [],
            repeat_shares=repeat_share or [],
            recipe_trials=recipe_trials or [0],
            hours=hours,
            repeats=repeats,
            workers=workers,
            seed=seed,
            tell=tell,
        )
    if picture:
        from ressearch.report.replay_picture import replay_picture
        from ressearch.whole_files import write_whole

        write_whole(picture, replay_picture(found, title=table.name).encode())
    say_findings(replay_findings(found), form)


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

    Rank counts trials that finished at full length within the limits, by validation accuracy at the last epoch; where
    the search has repeated networks, by the estimates from all trainings of each. With several objectives the front
    comes first: the trials that no other dominates; front 2 are those that only these dominate, and so on.

    ± is the standard error of an accuracy; tied are trials whose accuracy is that of the first one but for noise. What
    `confirm` has found on test images has columns of its own. csv and json round nothing, and have every field of the
    recipe.
    """
    from ressearch.report import leaderboard_forms as forms

    rows = verbs.leaderboard(study, top=top)
    match form:
        case "json":
            say(forms.as_json(rows), is_data=True)
        case "csv":
            say(forms.as_csv(rows), is_data=True)
        case "md":
            say(forms.as_markdown(rows))
        case "table":
            from ressearch.report.console import new_console
            from ressearch.store.files import study_directory

            new_console().print(forms.as_table(rows, title=f"Leaderboard of {study_directory(study)}"))


@app.command(epilog="\b\nExample:\n  ressearch dashboard quickstart --port 8080")
def dashboard(
    study: Study,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on. The dashboard knows no passwords: keep it on loopback.")
    ] = "127.0.0.1",
) -> None:
    """Serve the Optuna dashboard on a study: curves, parameters, attributes.

    It only reads, but for notes.
    """
    with verbs.dashboard(study, host=host, port=port) as server:
        say(f"{study}: http://{host}:{server.server_port}/ (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
