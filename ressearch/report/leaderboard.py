"""The ranking of a study: its rows, and what is to be known of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ressearch.noise import Z, few_images_text
from ressearch.report.formatting import network
from ressearch.report.recipe_text import differing, recipe_text, recipe_values
from ressearch.report.retrained import Retrained, retrained
from ressearch.store.record import TrialRecord, is_tied, ranked
from ressearch.store.study_record import StudyRecord

_BY_ACCURACY = (
    "Rank: validation accuracy at the last epoch, over the trials that finished at full length within the limits. "
)
_BY_FRONT = (
    "Rank: front, then validation accuracy at the last epoch, over the trials that finished at full length within the "
    "limits. Front 1 holds those that no other dominates in {objectives}, front 2 those that only front 1 dominates. "
)
_REPEATED = (
    "runs: trainings with different seeds; accuracies of ranked trials are estimates from all of them, each mean drawn "
    "towards the median by as much as chance makes the best ones look better. A repeat has no rank of its own."
)
_UNRANKED = "Trials without a rank follow: outside the limits, still running, pruned early, failed."
_STATES = ("complete", "running", "paused", "pruned", "failed")
"""In the order of the leaderboard."""
FROM_TRIAL = (
    "num_params",
    "num_macs",
    "architecture_id",
    "baseline",
    "epochs",
    "seconds",
    "within_limits",
    "reason",
    "message",
    "seed",
    "num_images",
    "num_val_images",
)
"""Columns that say what the trial's record says, behind its score."""
_SHOWN = {"val_accuracy", *FROM_TRIAL}


@dataclass(frozen=True, kw_only=True)
class Board:
    """What all rows of a leaderboard share.

    objectives: names; with one of them there is no need to tell of fronts.
    searched: the fields of the recipe in which the trials of the study differ.
    has_tests: whether a trial of the study was confirmed on test images.
    has_repeats: whether the search trained some of its networks again.
    notes: sentences that belong beneath the table.
    """

    objectives: tuple[str, ...] = ("val_accuracy",)
    searched: tuple[str, ...] = ()
    has_tests: bool = False
    has_repeats: bool = False
    notes: tuple[str, ...] = ()

    @property
    def more_objectives(self) -> list[str]:
        """Objectives that no column tells of but for their sake."""
        return [name for name in self.objectives if name not in _SHOWN]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial of the leaderboard.

    rank: None unless the trial finished at full length within the limits.
    front: number of its front, 1 if no other trial dominates it; None without a rank.
    tied: whether its accuracy is the first one's but for noise; None for the first one itself, without a rank, and
        where the number of validation images is unknown.
    retrained: what `confirm` has found, None if nothing.
    """

    rank: int | None
    trial: TrialRecord
    network: str
    front: int | None = None
    tied: bool | None = None
    retrained: Retrained | None = None
    board: Board = field(default_factory=Board)

    @property
    def settings(self) -> str:
        """The recipe's searched values, to the last digit."""
        return recipe_text(self.trial, self.board.searched, exact=True)

    @property
    def short_settings(self) -> str:
        """The recipe's searched values in three digits."""
        return recipe_text(self.trial, self.board.searched)

    def columns(self) -> dict[str, Any]:
        """Return the row as plain values by column, none of them rounded, the recipe as `settings`."""
        trial = self.trial
        return {
            "rank": self.rank,
            **({"front": self.front} if len(self.board.objectives) > 1 else {}),
            "trial": trial.number,
            "state": trial.state,
            "val_accuracy": trial.val_accuracy,
            "std_error": trial.std_error,
            **(self._runs() if self.board.has_repeats else {}),
            "tied": self.tied,
            **(self._tests() if self.board.has_tests else {}),
            **{name: getattr(trial, name) for name in FROM_TRIAL},
            **{name: self.measure(name) for name in self.board.more_objectives},
            "network": self.network,
            "settings": self.settings,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values by column; every field of the recipe has one, too, called `recipe_lr`."""
        recipe = {f"recipe_{name}": value for name, value in recipe_values(self.trial).items()}
        return self.columns() | recipe

    def measure(self, name: str) -> float | None:
        """Return the value of an objective, None where it was not measured."""
        trial = self.trial
        return getattr(trial, name) if hasattr(trial, name) else (trial.measures or {}).get(name)

    def _runs(self) -> dict[str, Any]:
        found = self.trial.estimate
        return {
            "num_runs": self.trial.num_runs if found else None,
            "estimate": found and found.value,
            "estimate_error": found and found.std_error,
        }

    def _tests(self) -> dict[str, Any]:
        found = self.retrained
        return {
            "test_accuracy": found and found.mean,
            "test_std": found and found.std,
            "test_seeds": found and len(found.accuracies),
        }

    @property
    def note(self) -> str:
        """What sets this trial apart: a baseline, a tie with the first one, or why it has no rank."""
        notes = [f"baseline {self.trial.baseline}"] if self.trial.baseline else []
        notes += ["tied"] if self.tied else []
        notes += [] if self.trial.trial_of is None else [f"trial {self.trial.trial_of} again"]
        match self.trial.state:
            case "complete":
                notes += [] if self.trial.within_limits else ["outside the limits"]
            case "failed":
                notes.append(f"failed: {self.trial.reason}")
            case state:
                notes.append(state)
        return ", ".join(notes)


def leaderboard_rows(study: StudyRecord) -> list[Row]:
    """Rank the trials of a study, the best first and those without a rank last."""
    best_first = ranked(study.trials, study.directions)
    others = sorted((trial for trial in study.trials if not trial.is_ranked), key=_order)
    places = [(rank, *placed) for rank, placed in enumerate(best_first, start=1)]
    first = best_first[0][1] if best_first else None
    confirmed, board = retrained(study.confirmations), board_of(study)
    return [
        Row(
            rank=rank,
            trial=trial,
            network=network(trial.build_architecture()),
            front=front,
            tied=is_tied(trial, first) if rank and first else None,
            retrained=confirmed.get(trial.number),
            board=board,
        )
        for rank, front, trial in [*places, *((None, None, trial) for trial in others)]
    ]


def board_of(study: StudyRecord) -> Board:
    """Return what the rows of a study share."""
    confirmed = retrained(study.confirmations)
    has_repeats = any(trial.trial_of is not None for trial in study.trials)
    return Board(
        objectives=study.objectives,
        searched=differing(study.trials),
        has_tests=bool(confirmed),
        has_repeats=has_repeats,
        notes=(
            rank_text(study.objectives),
            *([_REPEATED] if has_repeats else []),
            *_noise_texts(study.trials),
            *_tests_texts(confirmed),
        ),
    )


def rank_text(objectives: Sequence[str]) -> str:
    """Return what a rank means."""
    rule = _BY_ACCURACY if len(objectives) == 1 else _BY_FRONT.format(objectives=", ".join(objectives))
    return rule + _UNRANKED


def _noise_texts(trials: Iterable[TrialRecord]) -> Iterator[str]:
    """Say how sure accuracies are, where that is known."""
    counts = [trial.num_val_images for trial in trials if trial.num_val_images is not None]
    if not counts:
        return
    yield (
        f"±: standard error, over {min(counts):,} validation images. tied: the accuracy of the first one but for "
        f"noise, less than {Z} standard errors of the difference; all trials see the same images, which makes "
        "differences surer than that."
    )
    if warning := few_images_text(min(counts)):
        yield f"Note: {warning}."


def _tests_texts(confirmed: dict[int, Retrained]) -> Iterator[str]:
    """Say what accuracies on test images are of, each way of training once."""
    by_terms: dict[str, list[int]] = {}
    for number, one in sorted(confirmed.items()):
        by_terms.setdefault(one.terms, []).append(number)
    if by_terms:
        ways = "; ".join(f"{terms}: trial {', '.join(map(str, numbers))}" for terms, numbers in by_terms.items())
        yield (
            "test: mean accuracy over fresh trainings by `ressearch confirm` with the trial's own recipe, and their "
            f"standard deviation ({ways})."
        )


def _order(trial: TrialRecord) -> tuple[Any, ...]:
    """Sort key of trials without a rank: by state, for stopped trials how far they came, accuracy."""
    epochs = trial.epochs if trial.state != "complete" else 0
    return (_STATES.index(trial.state), -epochs, -(trial.val_accuracy or 0.0), trial.number)
