"""Which network is trained once more, with a fresh seed, so that the best one is not just the luckiest."""

import math
from collections.abc import Iterable

from ressearch.ranking import Directions
from ressearch.store.record import TrialRecord, ranked

SHARE = 0.1
"""Of all epochs, where nobody says."""
MIN_RANKED = 8
"""Ranked trials before the first repeat: with fewer, a new network tells more."""
MIN_FINISHED = 20
"""Finished trials before the first repeat."""
MAX_RUNS = 6
"""Trainings of one network."""


class Leaders:
    """Gives the share of a search that goes to repeats to the networks that may well be the best.

    That is the one whose estimate plus its standard error is highest: a network that a repeat shows to be worse loses
    its place to the next one. With several objectives it is one of the front.

    Repeats come last, when the leaders are known: as soon as what is left of the budget is what they have a share in.
    Where the budget has no known end, they are spread over the search.

    Args:
        share: Of all epochs that are trained (0..1); None is 0.1.
        directions: What is better of each objective.
        longest: Seconds that a training may take; networks that took longer are not trained again. None is no bound.
    """

    def __init__(self, share: float | None, directions: Directions, *, longest: float | None = None) -> None:
        self._share = SHARE if share is None else share
        self._directions = directions
        self._longest = math.inf if longest is None else longest

    def next(self, records: Iterable[TrialRecord], epochs_left: float | None = None) -> TrialRecord | None:
        """Return the trial whose network is trained again, None if it is a new network's turn.

        Args:
            records: All trials of the study.
            epochs_left: That the budget still holds, about; None if nobody knows.
        """
        records = list(records)
        if not self._share or sum(record.is_finished for record in records) < MIN_FINISHED:
            return None
        length = max(record.epochs for record in records)
        repeated = [record for record in records if record.trial_of is not None]
        num_repeated = sum(length if record.is_open else record.epochs for record in repeated)
        left = length if epochs_left is None else epochs_left
        if num_repeated + left > self._share * (sum(record.epochs for record in records) + left):
            return None
        under_way = {record.trial_of for record in repeated if record.is_open}
        places = ranked(records, self._directions)
        if len(places) < MIN_RANKED:
            return None
        last = 1 if len(self._directions) > 1 else len(places)
        rivals = [
            trial
            for front, trial in places
            if front <= last
            and trial.num_runs < MAX_RUNS
            and trial.number not in under_way
            and trial.seconds <= self._longest
        ]
        return max(rivals, key=_hoped, default=None)


def _hoped(trial: TrialRecord) -> float:
    score = trial.score
    assert score is not None
    return score.value + (score.std_error or 0.0)
