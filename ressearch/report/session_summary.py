"""What is said at the end of a session."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ressearch.messages import printable
from ressearch.noise import few_images_text
from ressearch.report.budget_text import option_text
from ressearch.report.formatting import duration, estimate_text, measure_text, network
from ressearch.report.recipe_text import recipe_text
from ressearch.report.study_summary import StudySummary, counts_text, refused_text, summarised
from ressearch.store.files import LEADERBOARD, STUDIES
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord

if TYPE_CHECKING:
    from ressearch.search.session import Outcome

_MOST_TIES = 10
"""Trials of a tie that are named."""


def session_summary(outcome: "Outcome", study: StudyRecord) -> str:
    """Return how a session ended, what was found, where it is and what to type next."""
    summary = summarised(study.trials, study.directions)
    return "\n".join(map(printable, _lines(outcome, summary, study.refused)))


def _lines(outcome: "Outcome", now: StudySummary, refused: Mapping[str, int]) -> Iterator[str]:
    of = f" of {outcome.budget.trials}" if outcome.budget.trials else ""
    yield f"{outcome.num_finished}{of} trials finished: {counts_text(now.counts)}"
    if outcome.ended_by:
        yield f"ended by {option_text(outcome.budget, outcome.ended_by)}, after {duration(outcome.seconds)} in all"
    if outcome.ended_by and outcome.num_cut_short:
        yield f"running trials cut short: {outcome.num_cut_short}, no failures; they are trained again if it goes on"
    for change in outcome.changes:
        yield f"the study was extended: {change}"
    earlier = "" if outcome.refused == refused else f", {sum(refused.values()):,} in all sessions"
    yield f"{refused_text(outcome.refused)} in this session{earlier}"
    if outcome.findings:
        yield outcome.findings
    if outcome.exhausted:
        yield "the space holds no further feasible network that is new"
    if outcome.was_interrupted:
        yield "interrupted; the same command carries on where this one stopped"
    yield ""
    yield from _networks(now, _short(outcome.directory))
    yield ""
    if num_trials := int(outcome.summary["num_trials"]):
        session = outcome.summary
        yield (
            f"this session: {num_trials} trials in {duration(session['seconds'])}; "
            f"workers: {session['num_workers']:.0f}, "
            f"busy {session['busy_share']:.1%} of the time; overhead {session['overhead_per_trial']:.3f} s per trial"
        )
    else:
        goes_on = "another space" if outcome.exhausted else f"a higher --{outcome.ended_by or 'trials'}"
        yield f"this session: nothing was left to train; {goes_on} goes on"
    yield from _next(outcome.directory, now)


def _networks(now: StudySummary, study: object) -> Iterator[str]:
    if now.best is None:
        yield "no trial within the limits finished at full length, so there is no best network"
    else:
        yield f"best: {_network(now.best, now.told)}"
        yield from _noise(now.best, now.tied)
    yield from _front(now)
    if now.found and now.best and now.found.number != now.best.number:
        yield f"best found by the search: {_network(now.found, now.told)}"
    for baseline in now.baselines:
        against = now.comparison(baseline)
        yield f"baseline {_network(baseline, now.told)}" + (f"; the best found has {against}" if against else "")
    if any(map(now.has_another_recipe, now.baselines)):
        yield f"`ressearch confirm {study}` compares them at equal recipes"


def _noise(best: TrialRecord, tied: Sequence[TrialRecord] | None) -> Iterator[str]:
    """Name the ties, and say so where few images decide."""
    if tied is not None:
        others = f"{len(tied)} other{' is' if len(tied) == 1 else 's are'}" if tied else "no other is"
        numbers = ", ".join(str(trial.number) for trial in tied[:_MOST_TIES])
        more = ", ..." if len(tied) > _MOST_TIES else ""
        yield f"{_name(best)} leads; {others} tied with it within noise" + (f": {numbers}{more}" if tied else "")
    if best.num_val_images is not None and (warning := few_images_text(best.num_val_images)):
        yield f"note: {warning}"


def _front(now: StudySummary) -> Iterator[str]:
    """Tell how many networks there are to choose from, and the best in each objective but the first."""
    if not now.has_several:
        return
    first, *others = now.extremes
    count = f"{len(now.front)} network{'s' if len(now.front) > 1 else ''}"
    yield f"front: {count} that no other dominates in {first}, {', '.join(others)}"
    for name in others:
        trial = now.extremes[name]
        yield f"best {name}: {measure_text(name, (trial.measures or {}).get(name, math.nan))}, {_network(trial, ())}"


def _name(trial: TrialRecord) -> str:
    return f"{trial.baseline} (trial {trial.number})" if trial.baseline else f"trial {trial.number}"


def _network(trial: TrialRecord, told: Sequence[str]) -> str:
    """Describe a trial, with the fields of its recipe that are to be told."""
    outside = "" if trial.within_limits else ", outside the limits"
    described = network(trial.build_architecture())
    score, recipe = estimate_text(trial.score), f", {recipe_text(trial, told)}" if told else ""
    return f"{_name(trial)}, val_accuracy {score}, {trial.num_params:,} params{outside}, {described}{recipe}"


def _short(directory: Path) -> str | Path:
    """Return what a command calls the study."""
    return directory.name if directory == STUDIES / directory.name else directory


def _next(directory: Path, now: StudySummary) -> Iterator[str]:
    files = LEADERBOARD + (", best/ (model.py, weights.safetensors, architecture.yaml)" if now.best else "")
    yield f"in {directory}: {files}"
    yield ""
    study = _short(directory)
    yield f"next: ressearch leaderboard {study}"
    if now.best:
        yield f"      ressearch confirm {study}"
        yield f"      ressearch train {study}:best --epochs N"
        yield f"      ressearch export {study} best -o DIR"
    if now.has_several:
        yield f"      ressearch export {study} front -o DIR"
    yield f"      ressearch dashboard {study}"
