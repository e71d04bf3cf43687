"""Confirmation: the best networks of a study and its baselines trained again with fresh seeds, and tested once each."""

import statistics
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ressearch import ending
from ressearch.experiment import Resources
from ressearch.schedulers import Decision
from ressearch.search.continuation import check_images, kept_session, kept_source, kept_terms
from ressearch.search.contract import Backend, Progress, TrialResult, TrialSpec, ended, failed, trial_seed
from ressearch.search.ledger import Ledger, Tell
from ressearch.store.files import StudyError
from ressearch.store.optuna_study import writable
from ressearch.store.record import BREAKDOWNS, TrialRecord, ranked
from ressearch.store.study_record import CONFIRMATION, StudyRecord, open_study
from ressearch.store.trial_store import TrialStore
from ressearch.training.data import Prepared, counted, fingerprint, prepare
from ressearch.training.recipe import Recipe

MEASURE = "test_accuracy"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A network with the recipe that it is trained with; equal names are the same training but for the seed."""

    name: str
    trial: TrialRecord
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """What came of a contestant.

    accuracies: on the test images (0..1), one for each seed that was trained to the end.
    failures: why other trainings failed; they are not tried again.
    """

    contestant: Contestant
    accuracies: tuple[float, ...]
    failures: tuple[str, ...] = ()

    @property
    def mean(self) -> float | None:
        """Mean over the seeds, None if there are none."""
        return statistics.mean(self.accuracies) if self.accuracies else None

    @property
    def std(self) -> float | None:
        """Standard deviation over the seeds, None with fewer than two."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None


class Confirmation:
    """Gives the trainings of some contestants with some seeds, but for those that are done. See `Work`."""

    def __init__(
        self,
        ledger: Ledger,
        contestants: Sequence[Contestant],
        seeds: Sequence[int],
        *,
        images: Prepared,
        test: Prepared,
        resources: Resources,
    ) -> None:
        self.resources = resources
        self.num_workers = 0
        self._ledger = ledger
        self._images, self._test = images, test
        self._counts = counted(images)
        done = {(record.group, record.seed) for record in ledger.records.values() if record.is_finished}
        pairs = ((contestant, seed) for seed in seeds for contestant in contestants)
        self._waiting = deque(pair for pair in pairs if (pair[0].name, pair[1]) not in done)

    def next_trial(self) -> TrialSpec | None:
        """Begin the next training."""
        if not self._waiting:
            return None
        contestant, seed = self._waiting.popleft()
        number = self._ledger.next_number
        record = TrialRecord(
            **{name: getattr(contestant.trial, name) for name in _KEPT},
            number=number,
            state="running",
            params={},
            recipe=asdict(contestant.recipe),
            seed=seed,
            num_images=self._counts.train,
            num_val_images=self._counts.val,
            group=contestant.name,
        )
        self._ledger.begin(record)
        return TrialSpec(
            number=number,
            architecture=record.build_architecture(),
            recipe=contestant.recipe,
            images=self._images,
            test=self._test,
            seed=seed,
            num_threads=self.resources.cpus_per_trial,
            device_share=self.resources.device_share,
        )

    def report(self, number: int, progress: Progress) -> Decision:
        """Record an epoch."""
        self._ledger.advance(number, progress)
        return Decision.GO

    def finish(self, number: int, result: TrialResult) -> None:
        """Close a training; one that was lost is trained again by the next call."""
        self._ledger.close(ended(self._ledger.records[number], result))
        if result.reason in BREAKDOWNS:
            raise StudyError(
                f"{self._ledger.store.directory}: a training broke down ({result.message}); mend that and give the "
                "same command again: what is done is not trained again"
            )

    def interrupt(self) -> None:
        """Close every running training."""
        with ExitStack() as endings:  # one that cannot be written leaves the others their turn
            for record in reversed(self._ledger.open()):
                endings.callback(self.finish, record.number, failed("interrupted", "the run was interrupted"))


_KEPT = (
    "architecture",
    "architecture_id",
    "candidate_id",
    "num_params",
    "num_macs",
    "num_activations",
    "within_limits",
    "baseline",
)
"""Fields that a training has from the trial that it repeats."""


@ending.orderly()
def confirm_study(
    directory: Path,
    backend: Backend,
    *,
    top: int,
    num_seeds: int,
    epochs: int | None,
    subset: int | None,
    tell: Tell = lambda _: None,
) -> list[Confirmed]:
    """Train the best of a study and its baselines with fresh seeds; the same call again trains what is missing.

    Args:
        directory: The study.
        backend: Does the trainings.
        top: Networks found by the search, the best first; with several objectives members of the front.
        num_seeds: Trainings of each.
        epochs: Of each training; those of the search if None.
        subset: Training images; all but the validation images if None.
        tell: Told of every training that begins, has trained an epoch, or ends.

    Raises:
        StudyError: If the study is missing or in use, or no trial of it is complete.
        ValueError: If there are no test images.
    """
    _check_positive(top=top, seeds=num_seeds, epochs=epochs)
    study = open_study(directory)
    terms = kept_terms(directory)
    source = replace(kept_source(directory), subset=subset)
    contestants = contestants_of(study, top=top, epochs=epochs, num_images=subset)
    seed = int(terms.get("seed", study.manifest["seed"]))
    seeds = [trial_seed(seed + 1, index) for index in range(num_seeds)]
    test = prepare(source, seed=seed, split="test")  # what is wrong with them is said before the training
    images = prepare(source, seed=seed)
    prints = {"train": fingerprint(images), "test": fingerprint(test)}
    check_images(directory, prints)
    store = TrialStore(directory, part=CONFIRMATION)
    with store.lease(), writable(str(directory)):
        check_images(directory, prints, part=CONFIRMATION)
        kept = {split: each.to_dict() for split, each in prints.items()}
        store.open({MEASURE: "maximize"}, {}, {}, kept)
        ledger = Ledger(store, tell)
        work = Confirmation(
            ledger, contestants, seeds, images=images, test=test, resources=kept_session(directory).resources
        )
        try:
            backend(work)
        finally:
            work.interrupt()
    return [
        _confirmed(contestant, [record for record in ledger.records.values() if record.group == contestant.name], seeds)
        for contestant in contestants
    ]


def _check_positive(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} >= 1 must hold, got {value}")


def contestants_of(study: StudyRecord, *, top: int, epochs: int | None, num_images: int | None) -> list[Contestant]:
    """Return the best networks found, each baseline, and each baseline within the limits with the winner's recipe.

    With several objectives the best are members of the front, the most accurate first; there may be fewer than `top`.
    A search that tunes the recipe owes the baselines the same.

    Raises:
        StudyError: If no trial is complete.
    """
    complete = [trial for trial in study.trials if trial.state == "complete"]
    placed = ranked((trial for trial in complete if not trial.baseline), study.directions)
    last = 1 if len(study.objectives) > 1 else len(placed)
    found = [trial for front, trial in placed if front <= last][:top]
    baselines = [trial for trial in complete if trial.baseline]
    if not found and not baselines:
        raise StudyError(f"{study.directory}: no trial is complete, so there is nothing to confirm")

    def contestant(name: str, trial: TrialRecord, recipe: Recipe) -> Contestant:
        recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
        images = "all" if num_images is None else f"{num_images:,}"
        return Contestant(name=f"{name} ({recipe.epochs} epochs, {images} images)", trial=trial, recipe=recipe)

    contestants = [contestant(f"trial {trial.number}", trial, trial.build_recipe()) for trial in found]
    contestants += [contestant(f"{trial.baseline}", trial, trial.build_recipe()) for trial in baselines]
    if found:
        best = found[0]
        contestants += [
            contestant(f"{trial.baseline}, recipe of trial {best.number}", trial, best.build_recipe())
            for trial in baselines
            if trial.within_limits and best.build_recipe() != trial.build_recipe()
        ]
    return contestants


def _confirmed(contestant: Contestant, records: Sequence[TrialRecord], seeds: Sequence[int]) -> Confirmed:
    """Gather the trainings of a contestant, in the order of the seeds."""
    by_seed = {record.seed: record for record in records if record.is_finished}
    done = [by_seed[seed] for seed in seeds if seed in by_seed]
    return Confirmed(
        contestant=contestant,
        accuracies=tuple(record.measures[MEASURE] for record in done if record.measures and MEASURE in record.measures),
        failures=tuple(record.message or "" for record in done if record.state == "failed"),
    )
