"""Recording: networks of a space trained to the end, so that searches can be replayed on their curves.

Random networks show the whole space, mutations of the best of them its good region, and repeats with other seeds how
much of a difference is chance.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import ClassVar

from ressearch import ending
from ressearch.experiment import Budget, Experiment
from ressearch.experiment.loader import without_root
from ressearch.samplers import Params, Sampler, SamplerSettings, Task
from ressearch.schedulers import NoStopping
from ressearch.search.audit import sampled
from ressearch.search.contract import Backend, trial_seed
from ressearch.search.retraining import Observe as ObserveRepeats
from ressearch.search.retraining import Repeat, retrain
from ressearch.search.session import Observe, run_session
from ressearch.space.mutation import mutated
from ressearch.store.files import SPACE
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import REPEATS, StudyRecord, open_study

BEST_SHARE = 0.25
"""Share of the random networks whose mutations are trained."""


@dataclass(frozen=True, kw_only=True)
class Recorded(SamplerSettings):
    """Draw points at random, then mutate the best of them."""

    learns_from_stopped: ClassVar[bool] = True  # none is stopped

    num_random: int

    def start(self, task: Task) -> Sampler:
        """Return the sampler."""
        return _Recorded(task, self.num_random)


class _Recorded(Sampler):
    """Counts by a trial's number, so that a later session goes on with the same plan."""

    def __init__(self, task: Task, num_random: int) -> None:
        self._space = task.space
        self._random = Random(task.seed)
        self._num_random = num_random
        self._num_begun = 0
        self._ended: list[TrialRecord] = []

    def ask(self) -> Params | None:
        candidates = sorted(self._ended, key=lambda record: record.val_accuracy or 0.0, reverse=True)
        best = candidates[: max(1, round(BEST_SHARE * len(candidates)))]
        if self._num_begun < self._num_random or not best:
            return None
        return mutated(self._space, self._random.choice(best).params, self._random)

    def begin(self, number: int, params: Params) -> None:  # noqa: ARG002
        self._num_begun = number + 1

    def tell(self, record: TrialRecord) -> None:
        if record.state == "complete" and record.params and record.number < self._num_random:
            self._ended.append(record)

    def restore(self, records: Iterable[TrialRecord]) -> None:
        for record in records:
            self.begin(record.number, record.params)
            self.tell(record)


@ending.orderly()
def record_study(
    experiment: Experiment,
    directory: Path,
    backend: Backend,
    *,
    num_random: int,
    num_mutated: int,
    num_repeated: int,
    num_seeds: int,
    observe: Observe,
    observe_repeats: ObserveRepeats,
) -> StudyRecord:
    """Train networks for a table in a study of their own; the same call again carries on.

    Args:
        experiment: The space, images and recipe; its sampler, scheduler and budget are not used.
        directory: The study.
        backend: Does the trainings.
        num_random: Random networks, baselines and those that fail included.
        num_mutated: Networks that differ in one parameter from one of the best quarter of the random ones.
        num_repeated: Networks, spread over the ranking, that are trained again.
        num_seeds: Further trainings of each of those.
        observe: Opens a display of the networks.
        observe_repeats: Opens a display of the repeats.

    Returns:
        The study as far as it has come.

    Raises:
        SpaceError: If the space's limits cannot be met.
        StudyError: If the study is in use, damaged, or of another experiment or other images.
        ValueError: If the images cannot be used.
    """
    recorded = replace(
        experiment,
        sampler=Recorded(num_random=num_random),
        scheduler=NoStopping(),
        session=replace(experiment.session, budget=Budget(repeat_share=0.0)),
    )
    outcome = run_session(recorded, directory, backend, trials=num_random + num_mutated, observe=observe)
    if experiment.origin.text:
        (directory / SPACE).write_text(without_root(experiment.origin.text))
    study = open_study(directory)
    if not outcome.was_interrupted and num_repeated and num_seeds:
        repeats = _repeats(study, num_repeated, num_seeds, experiment.seed)
        retrain(
            directory,
            REPEATS,
            repeats,
            backend,
            measure="val_accuracy",
            subset=experiment.images.subset,
            observe=observe_repeats,
        )
    return open_study(directory)


def _repeats(study: StudyRecord, size: int, num_seeds: int, seed: int) -> list[Repeat]:
    complete = [trial for trial in study.trials if trial.state == "complete"]
    kept = {record.trial_of for record in study.repeats if record.trial_of is not None}
    return [
        Repeat(
            group=f"trial {trial.number}",
            trial=trial,
            recipe=trial.build_recipe(),
            seed=trial_seed(seed + 3 + index, trial.number),
        )
        for index in range(num_seeds)
        for trial in sampled(complete, size, seed=seed, kept=kept)
    ]
