"""The giver of work that trains networks of a study again, for a confirmation or an audit, in a part of the study."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ressearch.experiment import Resources
from ressearch.schedulers import Decision
from ressearch.search.continuation import check_images, kept_seed, kept_session, kept_source
from ressearch.search.contract import Backend, Progress, TrialResult, TrialSpec, ended, failed
from ressearch.search.ledger import Ledger, Tell
from ressearch.store.files import StudyError
from ressearch.store.optuna_study import writable
from ressearch.store.record import BREAKDOWNS, INFRASTRUCTURE, TrialRecord
from ressearch.store.trial_store import TrialStore
from ressearch.training.data import Prepared, counted, fingerprint, prepare
from ressearch.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A training that repeats a trial with a seed of its own; `group` and `seed` tell it from all others of its part.

    recipe_of: number of the trial whose recipe it has, None if its own.
    """

    group: str
    trial: TrialRecord
    recipe: Recipe
    seed: int
    recipe_of: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a display is told before the first training.

    repeats: all trainings, those of earlier sessions included. records: trainings begun in earlier sessions.
    num_images: images that train. seconds: worker time that is left, from the pace of the search.
    """

    directory: Path
    part: str
    repeats: tuple[Repeat, ...]
    records: tuple[TrialRecord, ...]
    num_images: int
    seconds: float


Observe = Callable[[Outlook], AbstractContextManager[Tell]]
"""Opens a display; it is told of every training that begins, has trained an epoch, or ends."""


def unobserved(_: Outlook) -> AbstractContextManager[Tell]:
    """Show nothing."""
    return nullcontext(lambda _: None)


class Retraining:
    """Gives trainings, but for those that are done; one that was cut off goes on from its checkpoint. See `Work`."""

    def __init__(
        self,
        ledger: Ledger,
        repeats: Sequence[Repeat],
        *,
        images: Prepared,
        test: Prepared | None,
        resources: Resources,
    ) -> None:
        self.resources = resources
        self.num_workers = 0
        self._ledger = ledger
        self._images, self._test = images, test
        self._counts = counted(images)
        self._num_test_images = None if test is None else sum(fingerprint(test).num_images)
        records = ledger.records.values()
        done = {(record.group, record.seed) for record in records if record.is_finished}
        self._waiting = deque(repeat for repeat in repeats if (repeat.group, repeat.seed) not in done)
        self._left = {(record.group, record.seed): record.number for record in records if record.is_open}
        self._advanced: set[int] = set()

    @property
    def waiting(self) -> tuple[Repeat, ...]:
        """What is not done and not given out."""
        return tuple(self._waiting)

    def next_trial(self) -> TrialSpec | None:
        """Begin the next training, or continue it where it was cut off."""
        if not self._waiting:
            return None
        repeat = self._waiting.popleft()
        left = self._left.pop((repeat.group, repeat.seed), None)
        record = self._begin(repeat) if left is None else self._ledger.resume(left)
        return TrialSpec(
            number=record.number,
            architecture=record.build_architecture(),
            recipe=repeat.recipe,
            images=self._images,
            test=self._test,
            seed=repeat.seed,
            checkpoint=self._ledger.store.checkpoint_file(record.number),
            checkpoint_epochs=range(1, repeat.recipe.epochs + 1),
            resumes=left is not None,
            seconds=record.seconds,
            num_threads=self.resources.cpus_per_trial,
            device_share=self.resources.device_share,
        )

    def _begin(self, repeat: Repeat) -> TrialRecord:
        record = TrialRecord(
            **{name: getattr(repeat.trial, name) for name in _KEPT},
            number=self._ledger.next_number,
            state="running",
            params={},
            recipe=asdict(repeat.recipe),
            seed=repeat.seed,
            num_images=self._counts.train,
            num_val_images=self._counts.val,
            num_test_images=self._num_test_images,
            group=repeat.group,
            trial_of=repeat.trial.number,
            recipe_of=repeat.recipe_of,
        )
        return self._ledger.begin(record)

    def report(self, number: int, progress: Progress) -> Decision:
        """Record an epoch."""
        self._ledger.advance(number, progress)
        self._advanced.add(number)
        return Decision.GO

    def finish(self, number: int, result: TrialResult) -> None:
        """Close a training, or let it wait; one that was cut off is done by the next call.

        Raises:
            StudyError: If it broke down.
        """
        if self._waits_after(number, result):
            self._ledger.pause(number)
        else:
            self._ledger.close(ended(self._ledger.records[number], result))
        if result.reason in BREAKDOWNS:
            raise StudyError(
                f"{self._ledger.store.directory}: a training broke down ({result.message}); mend that and give the "
                "same command again: what is done is not trained again"
            )

    def _waits_after(self, number: int, result: TrialResult) -> bool:
        """Tell whether a training goes on later; one that broke down at once starts anew: its checkpoint may be bad."""
        may_go_on = result.reason == "interrupted" or (result.reason in INFRASTRUCTURE and number in self._advanced)
        return may_go_on and self._ledger.store.can_continue(self._ledger.records[number])

    def interrupt(self) -> None:
        """Let every running training wait, or close it where it has no checkpoint yet."""
        with ExitStack() as endings:  # one that cannot be written leaves the others their turn
            for record in reversed(self._ledger.open("running")):
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


def retrain(
    directory: Path,
    part: str,
    repeats: Sequence[Repeat],
    backend: Backend,
    *,
    measure: str,
    subset: int | None,
    observe: Observe = unobserved,
) -> list[TrialRecord]:
    """Do the trainings that are missing in a part of a study, and return all of the part.

    Args:
        directory: The study.
        part: Of the study.
        repeats: The trainings.
        backend: Does them.
        measure: What they are done for; test images are read for test_accuracy alone.
        subset: Training images; all but the validation images if None.
        observe: Opens a display.

    Raises:
        StudyError: If the study is in use or damaged, or its images have changed, or a training breaks down.
        ValueError: If the images cannot be used.
    """
    prepared = _prepared(directory, subset=subset, has_test=measure == "test_accuracy")
    prints = {split: fingerprint(each) for split, each in prepared.items()}
    check_images(directory, prints)
    store = TrialStore(directory, part=part)
    with store.lease(), writable(str(directory)):
        check_images(directory, prints, part=part)
        store.open({measure: "maximize"}, {}, {}, {split: each.to_dict() for split, each in prints.items()})
        ledger = Ledger(store)
        images, test = prepared["train"], prepared.get("test")
        resources = kept_session(directory).resources
        work = Retraining(ledger, repeats, images=images, test=test, resources=resources)
        if work.waiting:
            outlook = _outlook(directory, part, repeats, work, ledger, images)
            _run(work, backend, observe(outlook), ledger, str(directory))
    return list(ledger.records.values())


def _run(work: Retraining, backend: Backend, display: AbstractContextManager[Tell], ledger: Ledger, where: str) -> None:
    """Show and do what is missing; whatever happens, nothing is left running."""
    try:
        with display as ledger.tell, writable(where):
            backend(work)
    finally:
        with suppress(StudyError), writable(where):  # the first error has been reported
            work.interrupt()


def _prepared(directory: Path, *, subset: int | None, has_test: bool) -> Mapping[str, Prepared]:
    """Prepare the images; what is wrong with the test images is said first."""
    source, seed = replace(kept_source(directory), subset=subset), kept_seed(directory)
    test = {"test": prepare(source, seed=seed, split="test")} if has_test else {}
    return {**test, "train": prepare(source, seed=seed)}


def _outlook(
    directory: Path, part: str, repeats: Sequence[Repeat], work: Retraining, ledger: Ledger, images: Prepared
) -> Outlook:
    num_images, records = counted(images).train, tuple(ledger.records.values())
    epochs_done = {(record.group, record.seed): record.epochs for record in records if record.is_open}
    searched = kept_source(directory)
    proxy = counted(replace(images, source=searched)).train  # of trials whose version did not write it down
    seconds = sum(
        _seconds_per_image(repeat.trial, proxy)
        * num_images
        * (repeat.recipe.epochs - epochs_done.get((repeat.group, repeat.seed), 0))
        for repeat in work.waiting
    )
    return Outlook(
        directory=directory,
        part=part,
        repeats=tuple(repeats),
        records=records,
        num_images=num_images,
        seconds=seconds,
    )


def _seconds_per_image(trial: TrialRecord, num_images: int) -> float:
    """Return the time that a trial took per training image and epoch, without what it needs once."""
    seconds = sum(epoch.get("seconds", 0.0) for epoch in trial.curve) or trial.seconds
    return seconds / max(1, trial.epochs * (trial.num_images or num_images))
