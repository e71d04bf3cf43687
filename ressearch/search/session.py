"""One session of a study: open its directory, search on a backend, account for it."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from ressearch import ending
from ressearch.experiment import Budget, Experiment, Origin
from ressearch.experiment.loader import check_feasible, check_fit, parse_experiment
from ressearch.experiment.objectives import directions_of
from ressearch.ranking import Directions
from ressearch.search.allowance import Allowance
from ressearch.search.continuation import check_images, check_terms, prints_of
from ressearch.search.contract import Backend
from ressearch.search.ledger import Ledger, Tell
from ressearch.search.provenance import command, new_manifest
from ressearch.search.proxy import reason_of
from ressearch.search.recipe_stage import reached
from ressearch.search.search import Search
from ressearch.store.files import MANIFEST, SPACE, StudyError, write_manifest
from ressearch.store.optuna_study import writable
from ressearch.store.record import TrialRecord
from ressearch.store.trial_store import TrialStore
from ressearch.training.data import Prepared, counted, prepare
from ressearch.training.source import Counts


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a display is told before the first trial.

    budget: of all sessions; seconds_before: what earlier ones took of its time.
    directions: what is better of each objective. records: trials of earlier sessions.
    refused: candidates refused in this session by rule, kept up to date.
    images: how many there are, if they are to be shown.
    proxy: why resolution, images and epochs are as they are, in one line; empty where the experiment says them all.
    findings: returns what the scheduler has found out, in one line; empty if nothing.
    """

    directory: Path
    question: str
    budget: Budget
    num_epochs: int
    directions: Directions
    records: tuple[TrialRecord, ...]
    refused: Mapping[str, int]
    seconds_before: float = 0.0
    images: Counts | None = None
    proxy: str = ""
    findings: Callable[[], str] = str


Observe = Callable[[Start], AbstractContextManager[Tell]]
"""Opens a display; it is told of every trial that begins, has trained an epoch, or ends."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a session ended.

    seconds: time of all sessions.
    ended_by: the part of the budget that is used up, such as `hours`; None if none is.
    num_cut_short: trials that were running when this session ended; they are trained again if the study goes on.
    """

    directory: Path
    num_finished: int
    budget: Budget
    seconds: float
    ended_by: str | None
    num_cut_short: int
    exhausted: bool
    refused: dict[str, int]
    changes: tuple[str, ...]
    """What the experiment adds to the study, in words: looser limits, more choices."""
    findings: str
    """What the scheduler has found out, in one line; empty if nothing."""
    summary: dict[str, float]
    """See `account`."""

    @property
    def was_interrupted(self) -> bool:
        """Whether trials are left to train."""
        return self.ended_by is None and not self.exhausted


def unobserved(_: Start) -> AbstractContextManager[Tell]:
    """Show nothing."""
    return nullcontext(lambda _: None)


@ending.orderly()
def run_session(
    experiment: Experiment,
    directory: Path,
    backend: Backend,
    *,
    trials: int | None = None,
    budget: Budget | None = None,
    observe: Observe = unobserved,
) -> Outcome:
    """Search until the budget of the study is used up, over all its sessions; the same call again carries on.

    Args:
        experiment: What to search.
        directory: The study.
        backend: Does the trials.
        trials: Finished trials in the end, those of earlier sessions and the baselines included; the budget's if None.
        budget: What it gives holds instead of the experiment's.
        observe: Opens a display.

    Raises:
        SpaceError: If the space's limits cannot be met, or sampler or scheduler cannot serve it.
        StudyError: If the study is in use, damaged, or of another experiment or other images.
        ValueError: If the images cannot be used, or nobody says when to end.
    """
    budget = _budget(experiment, Budget(trials=trials).overridden(budget or Budget()))
    check_fit(experiment)
    check_feasible(experiment)
    store = TrialStore(directory)
    with store.lease():
        changes = check_terms(directory, experiment)
        images = prepare(experiment.images, seed=experiment.seed)
        with ending.held():
            _open(directory, store, experiment, images)
        ledger = Ledger(store)
        before = sum(float(session.get("seconds", 0.0)) for session in store.sessions)
        allowance = Allowance(budget, directions_of(experiment.objectives), before=before)
        counts = counted(images)
        search = Search(experiment, ledger, images, counts, allowance=allowance)
        try:
            if changes:
                ledger.note(changes=changes)
            _run(search, backend, observe, _start(search, experiment, directory, counts))
        finally:
            summary = account(ledger.ended, search.num_workers, allowance.seconds)
            if ledger.ended:
                with suppress(StudyError), writable(str(directory)), ending.held():  # the first error is known
                    ledger.note(refused=dict(search.candidates.refused), **summary)
    return Outcome(
        directory=directory,
        num_finished=ledger.num_finished,
        budget=budget,
        seconds=before + allowance.seconds,
        ended_by=search.ended_by,
        num_cut_short=sum(record.reason == "interrupted" for record in ledger.ended),
        exhausted=search.exhausted,
        refused=dict(search.candidates.refused),
        changes=tuple(changes),
        findings=search.rule.findings,
        summary=summary,
    )


def _start(search: Search, experiment: Experiment, directory: Path, images: Counts) -> Start:
    return Start(
        directory=directory,
        question=experiment.origin.question,
        budget=search.allowance.budget,
        num_epochs=experiment.fidelity.epochs,
        directions=directions_of(experiment.objectives),
        records=tuple(search.ledger.records.values()),
        refused=search.candidates.refused,
        seconds_before=search.allowance.before,
        images=images,
        proxy=reason_of(experiment),
        findings=lambda: search.rule.findings,
    )


def _run(search: Search, backend: Backend, observe: Observe, start: Start) -> None:
    """Show and do all trials that are left, if any; whatever happens, none is left running."""
    ledger, where = search.ledger, str(start.directory)
    ended_by = search.ended_by
    if ended_by and (ended_by != "trials" or not ledger.open()):
        return
    try:
        with observe(start) as ledger.tell, writable(where):
            ledger.note(started=time.strftime("%Y-%m-%dT%H:%M:%S%z"), command=command())
            backend(search)
    finally:
        with suppress(StudyError), writable(where):  # the first error has been reported
            search.interrupt()


def account(ended: list[TrialRecord], num_workers: int, seconds: float) -> dict[str, float]:
    """Return what a session's time went into.

    Args:
        ended: Trials that ended in the session.
        num_workers: Trials at a time.
        seconds: Wall-clock time of the session.

    Returns:
        seconds, num_trials, num_workers; busy_share, the share of the workers' time between the start of the first
        trial and the end of the last that went into trials; overhead_per_trial, the rest in worker seconds per trial.
    """
    busy = sum(record.seconds for record in ended)
    starts = [record.ended - record.seconds for record in ended if record.ended is not None]
    ends = [record.ended for record in ended if record.ended is not None]
    available = (max(ends) - min(starts)) * num_workers if ends else 0.0
    return {
        "seconds": seconds,
        "num_trials": len(ended),
        "num_workers": num_workers,
        "busy_share": min(1.0, busy / available) if available else 0.0,
        "overhead_per_trial": max(0.0, available - busy) / len(ended) if ended else 0.0,
    }


def _budget(experiment: Experiment, given: Budget) -> Budget:
    budget = experiment.session.budget.overridden(given)
    if not budget.ends:
        raise ValueError(
            "say when to end: --trials N, --hours H, --target ACCURACY or --patience N, or `budget: {trials: N}` in "
            "the file"
        )
    return budget


def _open(directory: Path, store: TrialStore, experiment: Experiment, images: Prepared) -> None:
    """Open the store for writing, and keep what the experiment says.

    Raises:
        StudyError: If the study was begun with other images.
    """
    prints = prints_of(images)
    check_images(directory, prints)
    searched = reached(experiment) if experiment.recipe_tuning.trials else experiment
    domains = {parameter.name: parameter.domain for parameter in searched.space.parameters}
    kept = {split: each.to_dict() for split, each in prints.items()}
    store.open(directions_of(experiment.objectives), domains, experiment.terms(), kept)
    if _says(experiment.origin, experiment):
        (store.directory / SPACE).write_text(experiment.origin.text)
    if not (store.directory / MANIFEST).is_file():
        write_manifest(store.directory, new_manifest(experiment, images, prints))


def _says(origin: Origin, experiment: Experiment) -> bool:
    """Tell whether the YAML that an experiment was read from still says all of it: Python may have changed it since."""
    return bool(origin.text) and parse_experiment(origin.text, origin.path) == experiment
