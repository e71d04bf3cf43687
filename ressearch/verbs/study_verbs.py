"""Verbs on search spaces and studies."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from ressearch import ending
from ressearch.verbs.arguments import BackendName, loaded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from wsgiref.simple_server import WSGIServer

    from ressearch.experiment import Experiment
    from ressearch.images import ImageShape
    from ressearch.replays.tournament import Tell, Tournament
    from ressearch.report.leaderboard import Row
    from ressearch.search.pacing import Pace
    from ressearch.search.retraining import Observe as ObserveRetraining
    from ressearch.search.session import Observe, Outcome
    from ressearch.space import Space
    from ressearch.space.survey import Report
    from ressearch.store.table import Table


def check(
    experiment: "Experiment | Space | str | Path",
    *,
    images: "ImageShape | None" = None,
    samples: int = 2000,
    seed: int = 0,
) -> "Report":
    """Look at a search space: its size, feasible share, ranges of cost, and why points are refused.

    Args:
        experiment: An experiment, the path of one, or a space.
        images: What networks must fit; those of the experiment if None, of CIFAR-10 for a space.
        samples: Points to look at.
        seed: Of the points.

    Raises:
        SpaceError: If the file is wrong, or its limits cannot be met.
    """
    from ressearch.arch.literature import DATASETS
    from ressearch.experiment.loader import check_feasible, check_fit
    from ressearch.space import Space
    from ressearch.space.survey import check_limits, survey

    if samples < 1:
        raise ValueError(f"samples >= 1 must hold, got {samples}")
    if isinstance(experiment, Space):
        images = images or DATASETS["cifar10"]
        check_limits(experiment, images, seed=seed)
        return survey(experiment, images, samples=samples, seed=seed)
    experiment = loaded(experiment)
    check_fit(experiment)
    check_feasible(experiment, seed=seed)
    return survey(experiment.space, images or experiment.shape, samples=samples, seed=seed)


def pace(experiment: "Experiment | str | Path", *, seed: int = 0) -> "Pace | None":
    """Predict how long trials of an experiment take on this machine, by a few steps of some networks; reads no image.

    Args:
        experiment: An experiment, or the path of its YAML file.
        seed: Of the networks.

    Returns:
        The prediction; None where too few networks are within the limits.

    Raises:
        SpaceError: If the file is wrong.
        ValueError: If nothing says how many images there are.
    """
    from ressearch.search.pacing import paced

    return paced(loaded(experiment), seed=seed)


@ending.orderly()
def run(
    experiment: "Experiment | str | Path",
    *,
    trials: int | None = None,
    hours: float | None = None,
    target: float | None = None,
    patience: int | None = None,
    seconds_per_trial: float | None = None,
    study: str | Path | None = None,
    prior: str | Path | None = None,
    backend: BackendName = "ray",
    observe: "Observe | None" = None,
) -> "Outcome":
    """Search until the budget is used up, then write leaderboard.md and export the best network.

    The budget is what is given here, and for the rest what the experiment's says; it counts over all sessions of the
    study, and whichever part of it is used up first ends the search: the same call carries on, and more of that part
    extends it. Trials that are running then end after their epoch, and are trained again if the study goes on.

    Args:
        experiment: An experiment, or the path of its YAML file.
        trials: Finished trials in the end, baselines included.
        hours: Time of all sessions.
        target: Validation accuracy, 0..1, that the best complete trial within the limits has reached.
        patience: Finished trials in a row, baselines not counted, none of which is a new best.
        seconds_per_trial: Worker time of a trial; what is predicted to take longer is refused untrained, and what takes
            longer fails.
        study: A directory, or a name under `trials/`; the name of the experiment if None.
        prior: An earlier study, near whose best networks the search begins; the sampler must be `gp`.
        backend: `ray` uses the whole machine, `local` trains one trial after the other in this process.
        observe: Opens a display, see `ressearch.search.session.Start`.

    Raises:
        SpaceError: If the experiment is wrong.
        StudyError: If the study is in use, damaged, or of another experiment, or the prior says nothing of this space.
        ValueError: If a part of the budget is out of its range, or none ends the search; if the sampler has no use for
            a prior.
    """
    from ressearch.experiment import Budget
    from ressearch.packaging.trials import export_best
    from ressearch.report.leaderboard_forms import write_leaderboard
    from ressearch.search.backends import backend_named
    from ressearch.search.priors import with_prior
    from ressearch.search.proxy import with_proxy
    from ressearch.search.session import run_session, unobserved
    from ressearch.store.files import study_directory
    from ressearch.store.study_record import open_study

    experiment = loaded(experiment)
    directory = study_directory(study if study is not None else experiment.name)
    if prior is not None:
        experiment = with_prior(experiment, open_study(study_directory(prior)))
    experiment = with_proxy(experiment, directory, hours or experiment.session.budget.hours)
    budget = Budget(trials=trials, hours=hours, target=target, patience=patience, seconds_per_trial=seconds_per_trial)
    outcome = run_session(experiment, directory, backend_named(backend), budget=budget, observe=observe or unobserved)
    record = open_study(directory)
    with ending.held():
        write_leaderboard(record)
        export_best(record)
    return outcome


@ending.orderly()
def record(
    experiment: "Experiment | str | Path",
    table: str | Path,
    *,
    random: int = 200,
    mutations: int = 40,
    repeats: int = 24,
    seeds: int = 2,
    backend: BackendName = "ray",
    observe: "Observe | None" = None,
    observe_repeats: "ObserveRetraining | None" = None,
) -> "Table":
    """Train networks of a space to the end, and write all their curves into one file that searches are replayed on.

    The trainings are kept in a study beside the file, with its name but without its ending: the same call carries on,
    and larger numbers add to it. The file is written whenever the call ends.

    Args:
        experiment: An experiment, or the path of its YAML file; its sampler, scheduler and budget are not used.
        table: The Parquet file.
        random: Networks drawn at random, baselines included.
        mutations: Networks that differ in one parameter from one of the best quarter of those.
        repeats: Networks, spread over the ranking, that are trained again with other seeds.
        seeds: Further trainings of each of those.
        backend: As for `run`.
        observe: Opens a display of the networks.
        observe_repeats: Opens a display of the repeats.

    Raises:
        SpaceError: If the experiment is wrong.
        StudyError: If the study is in use, damaged, or of another experiment.
        ValueError: If a number is too small, the file has another ending than .parquet or is not this study's, or
            images cannot be used.
    """
    from ressearch.search.backends import backend_named
    from ressearch.search.recording import record_study
    from ressearch.search.retraining import unobserved as unobserved_repeats
    from ressearch.search.session import unobserved
    from ressearch.store.files import is_study
    from ressearch.store.table import table_of, write_table

    path = Path(table)
    if path.suffix != ".parquet":
        raise ValueError(f"{path}: the table is a Parquet file, say {path.with_suffix('.parquet')}")
    if path.exists() and not is_study(path.with_suffix("")):
        raise ValueError(
            f"{path}: is there already, without the study {path.with_suffix('')} to carry on; a new table needs "
            "another name"
        )
    study = record_study(
        loaded(experiment),
        path.with_suffix(""),
        backend_named(backend),
        num_random=random,
        num_mutated=mutations,
        num_repeated=repeats,
        num_seeds=seeds,
        observe=observe or unobserved,
        observe_repeats=observe_repeats or unobserved_repeats,
    )
    made = table_of(study)
    with ending.held():
        write_table(made, path)
    return made


def replay(
    table: str | Path,
    *,
    samplers: "Sequence[str]" = (),
    schedulers: "Sequence[str]" = (),
    repeat_shares: "Sequence[float]" = (),
    recipe_trials: "Sequence[int]" = (0,),
    hours: float = 1.0,
    repeats: int = 100,
    workers: int = 2,
    seed: int = 0,
    tell: "Tell" = lambda done, of: None,  # noqa: ARG005
) -> "Tournament":
    """Replay searches on recorded trainings: the real samplers and schedulers, a simulated clock.

    Every sampler is combined with every scheduler and every share.

    Args:
        table: Of `record`, or the Parquet form of NAS-Bench-Macro.
        samplers: Names, or YAML mappings such as `{name: gp, random_share: 0.2}`; the default one if empty.
        schedulers: Likewise.
        repeat_shares: Shares of the epochs that train the best networks again; the default's if empty.
        recipe_trials: Numbers of trials that tune the recipe before the search, 0 for none.
        hours: Simulated time of each search.
        repeats: Searches of each setting, with seeds of their own that all settings share.
        workers: Simulated trials at a time.
        seed: Of the first search.
        tell: Told how many searches of how many are done.

    Raises:
        SpaceError: If there is no such sampler or scheduler, or it cannot serve the space.
        TableError: If the table cannot be read, or says too little of networks between the recorded ones.
        ValueError: If a number is too small.
    """
    from ressearch.replays.replaying import Setting
    from ressearch.replays.tournament import held
    from ressearch.samplers import DEFAULT_SAMPLER
    from ressearch.schedulers import DEFAULT_SCHEDULER

    for name, value in (("hours", hours), ("repeats", repeats), ("workers", workers)):
        if value <= 0:
            raise ValueError(f"{name} > 0 must hold, got {value:g}")
    settings = [
        Setting.parse(sampler, scheduler, repeat_share=share, recipe_trials=stage)
        for sampler, scheduler, share, stage in product(
            samplers or (DEFAULT_SAMPLER,), schedulers or (DEFAULT_SCHEDULER,), repeat_shares or (None,), recipe_trials
        )
    ]
    return held(Path(table), settings, hours=hours, repeats=repeats, workers=workers, seed=seed, tell=tell)


def leaderboard(study: str | Path, *, top: int | None = None) -> "list[Row]":
    """Return the trials of a study, ranked; the first `top` of them if given.

    Raises:
        StudyError: If there is no such study.
    """
    from ressearch.report.leaderboard import leaderboard_rows
    from ressearch.store.study_record import open_study

    if top is not None and top < 1:
        raise ValueError(f"top >= 1 must hold, got {top}")
    return leaderboard_rows(open_study(study))[:top]


def dashboard(study: str | Path, *, host: str = "127.0.0.1", port: int = 8080) -> "WSGIServer":
    """Return a server of the Optuna dashboard on a study, bound to its port; `serve_forever` starts it.

    Raises:
        StudyError: If there is no such study.
        ValueError: If the port cannot be used.
    """
    from ressearch.report.dashboard import dashboard_server
    from ressearch.store.files import study_directory

    return dashboard_server(study_directory(study), host, port)
