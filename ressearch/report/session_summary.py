"""What is said at the end of a session."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ressearch.messages import printable
from ressearch.report.formatting import duration, network
from ressearch.report.study_summary import StudySummary, counts_text, refused_text, summarised
from ressearch.store.files import LEADERBOARD, STUDIES
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import StudyRecord

if TYPE_CHECKING:
    from ressearch.search.session import Outcome


def session_summary(outcome: "Outcome", study: StudyRecord) -> str:
    """Return how a session ended, what was found, where it is and what to type next."""
    return "\n".join(map(printable, _lines(outcome, summarised(study.trials))))


def _lines(outcome: "Outcome", now: StudySummary) -> Iterator[str]:
    yield f"{outcome.num_finished} of {outcome.target} trials finished: {counts_text(now.counts)}"
    yield f"{refused_text(outcome.refused)} in this session"
    if outcome.exhausted:
        yield "the space holds no further feasible network that is new"
    if outcome.was_interrupted:
        yield "interrupted; the same command carries on where this one stopped"
    yield ""
    yield from _networks(now)
    yield ""
    if num_trials := int(outcome.summary["num_trials"]):
        session = outcome.summary
        yield (
            f"this session: {num_trials} trials in {duration(session['seconds'])}; "
            f"workers: {session['num_workers']:.0f}, "
            f"busy {session['busy_share']:.1%} of the time; overhead {session['overhead_per_trial']:.3f} s per trial"
        )
    else:
        yield "this session: nothing was left to train; a higher --trials goes on"
    yield from _next(outcome.directory, now)


def _networks(now: StudySummary) -> Iterator[str]:
    if now.best is None:
        yield "no trial within the limits finished at full length, so there is no best network"
    else:
        yield f"best: {_network(now.best)}"
    if now.found and now.best and now.found.number != now.best.number:
        yield f"best found by the search: {_network(now.found)}"
    for baseline in now.baselines:
        difference = now.difference(baseline)
        against = "" if difference is None else f"; the best found has {difference:+.4f}"
        yield f"baseline {_network(baseline)}{against}"


def _network(trial: TrialRecord) -> str:
    name = f"{trial.baseline} (trial {trial.number})" if trial.baseline else f"trial {trial.number}"
    outside = "" if trial.within_limits else ", outside the limits"
    described = network(trial.build_architecture())
    return f"{name}, val_accuracy {trial.val_accuracy:.4f}, {trial.num_params:,} params{outside}, {described}"


def _next(directory: Path, now: StudySummary) -> Iterator[str]:
    files = LEADERBOARD + (", best/ (model.py, weights.safetensors, architecture.yaml)" if now.best else "")
    yield f"in {directory}: {files}"
    yield ""
    study = directory.name if directory == STUDIES / directory.name else directory
    yield f"next: ressearch leaderboard {study}"
    if now.best:
        yield f"      ressearch export {study} best -o DIR"
    yield f"      ressearch dashboard {study}"
