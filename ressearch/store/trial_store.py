"""The trials of one study, written by whoever holds its lease."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
from optuna.distributions import BaseDistribution

from ressearch.ranking import Directions
from ressearch.space import Domain
from ressearch.space.limits import LIMITED, Bounds, Limits, Longest
from ressearch.store.distributions import distribution_of
from ressearch.store.files import (
    DATABASE,
    LOCK,
    MANIFEST,
    StudyError,
    checkpoint_file,
    database_url,
    is_study,
    left_behind,
    nearby,
    read_manifest,
    weights_file,
)
from ressearch.store.frozen_trial import PAUSED, STATES, record_of
from ressearch.store.optuna_study import (
    PART,
    OptunaStudy,
    created,
    created_file,
    opened,
    readable,
    storage_of,
    unchanged_by_others,
)
from ressearch.store.reading import ReadingStorage
from ressearch.store.record import TrialRecord
from ressearch.store.snapshot import UnusableError, held

SCHEMA = 2
"""Version of the attributes of trials and studies; 1 called baselines ancestors and kept no measures."""

EARLIER_TERMS = {
    "data.test_images": 0,
    "recipe.nesterov": True,
    "recipe.decay_norms": False,
    "recipe.ema_decay": 0.0,
    "recipe.crop_fill": "black",
    "recipe_tuning.trials": 0,
    "limits.seconds.max": None,
}
"""What terms meant that versions before them did not keep: a study that lacks one was begun with this value."""

_SESSION = "session "


class TrialStore:
    """Trials in a database: an SQLite file in the study's directory, or one that many studies share, by its URL.

    Attributes:
        directory: Where the study's files are, absolute.
    """

    def __init__(self, directory: Path, *, part: str | None = None, url: str | None = None) -> None:
        self.directory = directory.absolute()
        self._named = directory
        self._part = part
        self._url = url
        self._objectives: tuple[str, ...] = ()
        self._distributions: dict[str, BaseDistribution] = {}
        self._study: OptunaStudy | None = None
        self._is_checked = False
        self._writes = False
        self._written: dict[int, tuple[int, Mapping[str, Any]]] = {}

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Hold the study; the kernel lets go of it when this process ends, however it ends.

        Raises:
            StudyError: If another process holds it, or it is damaged: nothing is written then.
        """
        self._check_files()
        self._is_checked = True
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.directory / LOCK)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise StudyError(
                f"{self._named}: another `ressearch` is working on this study; wait for it, end it, "
                "or name another study with --study"
            ) from None
        try:
            with held(self._file):
                yield
        finally:
            self.let_go()
            lock.release()

    def let_go(self) -> None:
        """Close the database, which brings it up to date; it is opened again when it is needed."""
        if self._study:
            self._study.let_go()

    def open(
        self,
        objectives: Directions,
        domains: Mapping[str, Domain],
        terms: Mapping[str, Any],
        images: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Open the study for writing, creating it where there is none.

        What is kept is replaced by what is given: whoever calls has compared the two.

        Args:
            objectives: Directions by name.
            domains: The searched parameters by name; they hold the values of all trials.
            terms: What must stay the same while the study goes on.
            images: Fingerprints of the images by split, if anybody wants them kept.

        Raises:
            StudyError: If its database cannot be used, or is of a newer version of this program.
        """
        kept = {"terms": dict(terms), **({"images": dict(images)} if images else {})}
        attributes = {"schema": SCHEMA, **kept, **({PART: self._part} if self._part else {})}
        self._objectives = tuple(objectives)
        self._distributions = {name: distribution_of(domain) for name, domain in domains.items()}
        with readable(self._where):
            if self._url is None and not is_study(self.directory):
                created_file(self._file, self._name, objectives, attributes)
            if not self._is_checked:
                self._check_files()
            if not self._open_study(writes=True):
                created(self._address, self._name, objectives, attributes)
                self._open_study(writes=True)
            self._check_schema()
            self._renew(kept)

    def _renew(self, kept: Mapping[str, Any]) -> None:
        """Replace what is kept where it has changed, and judge all trials anew: their limits may have been loosened."""
        if all(self._opened.attributes.get(name) == value for name, value in kept.items()):
            return
        limits = _limits(kept["terms"])
        judged = (
            {record.number: limits.allow(record.cost, record.seconds) for record in self.trials()} if limits else {}
        )
        self._opened.redefine(self._distributions, judged, kept)

    def open_for_reading(self) -> bool:
        """Open the study; tell whether there is such a part of it.

        Raises:
            StudyError: If there is no study, or it cannot be used.
        """
        if self._url is None and not is_study(self.directory):
            raise StudyError(f"{self._named}: no study here ({DATABASE} is missing){nearby(self._named)}")
        with readable(self._where):
            is_there = self._open_study(writes=False)
        if is_there:
            self._check_schema()
        elif self._part is None:
            raise StudyError(f"{self._where}: there is no study {self._name!r}")
        return is_there

    def _check_files(self) -> None:
        """Look at what is there before anything is written: Optuna adds its tables to whatever it is given.

        Raises:
            StudyError: If it is damaged, or the database of a study is gone.
        """
        if self._url is not None:
            return
        if is_study(self.directory):
            study = TrialStore(self._named)
            study.open_for_reading()
            records = study.trials()
            if self._part is None:
                self._check_extensible(records)
            if (self.directory / MANIFEST).exists():
                read_manifest(self._named)
        elif left := left_behind(self.directory):
            raise StudyError(
                f"{self._where}: it is gone, but its study has left {' and '.join(left)}; restore it from a copy, or "
                "delete what is left to begin anew"
            )

    @property
    def terms(self) -> Mapping[str, Any] | None:
        """What the study was begun with; None if a version of this program began it that kept no terms."""
        kept = self._opened.attributes.get("terms")
        return EARLIER_TERMS | kept if isinstance(kept, dict) else kept

    @property
    def images(self) -> Mapping[str, Mapping[str, Any]]:
        """Fingerprints of the images by split; empty if a version of this program began it that kept none."""
        return dict(self._opened.attributes.get("images", {}))

    @property
    def sessions(self) -> tuple[Mapping[str, Any], ...]:
        """What `keep_session` was given, in the order of the sessions."""
        attributes = self._opened.attributes
        keys = sorted((key for key in attributes if key.startswith(_SESSION)), key=lambda key: int(key.split()[1]))
        return tuple(attributes[key] for key in keys)

    def keep_session(self, index: int, session: Mapping[str, Any]) -> None:
        """Keep what there is to tell of a session, plain JSON values; the first has index 0."""
        with unchanged_by_others(self._where, f"session {index}"):
            self._opened.keep(f"{_SESSION}{index}", dict(session))

    @property
    def directions(self) -> Directions:
        """What is better of each objective, by name.

        Raises:
            StudyError: If the database cannot be used.
        """
        with readable(self._where):
            return self._opened.directions

    def trials(self) -> list[TrialRecord]:
        """Read all trials.

        Raises:
            StudyError: If the database cannot be used, or a trial was not written by this program.
        """
        with readable(self._where):
            records = [record_of(trial) for trial in self._opened.trials()]
            if len({record.number for record in records}) < len(records):
                raise ValueError("two trials have the same number")
            if not records and "schema" not in self._opened.attributes:
                raise UnusableError("it was not written by ressearch")
        if self._writes:
            self._check_extensible(records)
        return records

    def begin(self, record: TrialRecord) -> TrialRecord:
        """Add an open trial; its number must be the next one."""
        attributes = record.attributes()
        with unchanged_by_others(self._where, f"trial {record.number}"):
            self._opened.check_next(record.number)
            trial_id = self._opened.open(
                record.params, self._distributions, attributes, within_limits=record.within_limits
            )
        self._written[record.number] = trial_id, attributes
        return record

    def report(self, record: TrialRecord) -> None:
        """Write the last epoch of an open trial, so that a killed driver leaves its curve."""
        if len(self._objectives) == 1:  # Optuna keeps no intermediate values with several objectives
            last = record.curve[-1]
            with unchanged_by_others(self._where, f"trial {record.number}"):
                self._opened.report(self._trial_id(record.number), int(last["epoch"]), last["val_accuracy"])

    def pause(self, record: TrialRecord) -> None:
        """Keep whether an open trial waits for its scheduler, so that the next session can continue it."""
        self._write(record, {PAUSED: record.state == "paused"})

    def close(self, record: TrialRecord) -> TrialRecord:
        """Write how a trial has ended, and drop its checkpoint; return it as it is read from now on."""
        self._write(record, {PAUSED: False} if PAUSED in self._known(record.number) else {})
        measures = record.measures or {}
        values = [measures[name] for name in self._objectives if name in measures]
        has_values = record.state in ("complete", "pruned") and len(values) == len(self._objectives)
        with unchanged_by_others(self._where, f"trial {record.number}"):
            trial_id = self._trial_id(record.number)
            if not record.within_limits:
                self._opened.exclude(trial_id)
            closed = self._opened.close(trial_id, STATES[record.state], values if has_values else None)
        del self._written[record.number]
        self._drop_checkpoint(record.number)
        return record_of(closed)

    def _drop_checkpoint(self, number: int) -> None:
        checkpoint = self.checkpoint_file(number)
        checkpoint.unlink(missing_ok=True)
        for partial in checkpoint.parent.glob(".*.partial"):
            partial.unlink(missing_ok=True)  # of a worker that was killed while it wrote
        if self._part is not None:  # it keeps nothing else there
            with suppress(OSError):  # there is none, or another training needs it
                checkpoint.parent.rmdir()
                checkpoint.parent.parent.rmdir()

    def weights_file(self, number: int) -> Path:
        """Return where the weights of a trial are, or will be."""
        return weights_file(self.directory, number)

    def can_continue(self, record: TrialRecord) -> bool:
        """Tell whether a trial is paused and its checkpoint is there.

        In a part every epoch leaves a checkpoint, so that a training goes on that a killed driver has left running.
        """
        waits = record.state == "paused" or (record.state == "running" and self._part is not None)
        return waits and self.checkpoint_file(record.number).is_file()

    def checkpoint_file(self, number: int) -> Path:
        """Return where a trial leaves what it needs to go on."""
        return checkpoint_file(self.directory, number, self._part)

    def _write(self, record: TrialRecord, more: Mapping[str, Any]) -> None:
        """Write the attributes that have changed."""
        known = self._known(record.number)
        attributes = {**record.attributes(), **more}
        changed = {name: value for name, value in attributes.items() if name not in known or known[name] != value}
        with unchanged_by_others(self._where, f"trial {record.number}"):
            trial_id = self._trial_id(record.number)
            self._opened.note(trial_id, changed)
        self._written[record.number] = trial_id, {**known, **changed}

    def _trial_id(self, number: int) -> int:
        return self._written[number][0] if number in self._written else self._opened.trial_id(number)

    def _known(self, number: int) -> Mapping[str, Any]:
        return self._written[number][1] if number in self._written else {}

    def _open_study(self, *, writes: bool) -> bool:
        """Open the study if it is there. In a database of many it is the one that is called like the directory."""
        name = None if self._url is None else self._name
        reads_file = self._url is None and not writes
        storage = ReadingStorage(self._file) if reads_file else storage_of(self._address, writes=writes)
        self._study = opened(storage, name=name, part=self._part)
        self._writes = writes
        return self._study is not None

    def _check_extensible(self, records: Sequence[TrialRecord]) -> None:
        """Check that the next trial gets a number of its own: Optuna counts the trials that are there.

        Raises:
            StudyError: If one is missing.
        """
        if missing := sorted(set(range(len(records))) - {record.number for record in records}):
            raise StudyError(
                f"{self._where}: trial {missing[0]} is missing: somebody has deleted it, and Optuna would give its "
                "number away; name another study with --study"
            )

    @property
    def _name(self) -> str:
        return self.directory.name + (f" {self._part}" if self._part else "")

    def _check_schema(self) -> None:
        schema = self._opened.attributes.get("schema", 1)
        if schema not in (1, SCHEMA):
            raise StudyError(
                f"{self._where}: it has version {schema} of the schema and this program reads versions 1 and {SCHEMA}; "
                "install a newer ressearch"
            )
        if not isinstance(self.terms, Mapping | None):
            raise StudyError(f"{self._where}: cannot be used as a study: its terms are damaged; restore it from a copy")

    @property
    def _opened(self) -> OptunaStudy:
        assert self._study is not None, "open the store first"
        return self._study

    @property
    def _file(self) -> Path:
        return self.directory / DATABASE

    @property
    def _address(self) -> str:
        return self._url or database_url(self.directory)

    @property
    def _where(self) -> str:
        return f"{self._named / DATABASE}" if self._url is None else f"{self._named}"


def _limits(terms: Mapping[str, Any]) -> Limits | None:
    """Return the limits of a study, None if a version of this program began it that kept no terms."""
    if "limits.num_params.max" not in terms:
        return None
    bounds = {name: Bounds(terms[f"limits.{name}.min"], terms[f"limits.{name}.max"]) for name in LIMITED}
    return Limits(**bounds, seconds=Longest(terms["limits.seconds.max"]))
