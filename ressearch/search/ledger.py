"""The trials of a work, in memory and in the store in step, and told to whoever watches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ressearch.search.contract import Progress, advanced
from ressearch.store.record import TrialRecord

Tell = Callable[[TrialRecord], None]
"""Told of a trial whenever it begins, has trained an epoch, or ends."""


class Store(Protocol):
    """What keeps trials: a `TrialStore`, or whatever stands in for one."""

    @property
    def directory(self) -> Path:
        """The study."""

    @property
    def sessions(self) -> Sequence[Mapping[str, Any]]:
        """What is kept of each session."""

    def trials(self) -> list[TrialRecord]:
        """Return the trials of all sessions."""

    def keep_session(self, index: int, session: Mapping[str, Any]) -> None:
        """Write what is to be kept of a session."""

    def begin(self, record: TrialRecord) -> TrialRecord:
        """Write a new trial; return it with what writing added."""

    def report(self, record: TrialRecord) -> None:
        """Write a trial's latest epoch."""

    def pause(self, record: TrialRecord) -> None:
        """Write that a trial waits, or runs again."""

    def close(self, record: TrialRecord) -> TrialRecord:
        """Write the end of a trial; return it with what writing added."""

    def can_continue(self, record: TrialRecord) -> bool:
        """Tell whether an open trial has a checkpoint to go on from."""

    def weights_file(self, number: int) -> Path:
        """Return where a trial's weights are."""

    def checkpoint_file(self, number: int) -> Path:
        """Return where a trial's checkpoint is."""


class Ledger:
    """Trials by number, as they are now; every change is written before it is told.

    Trials that a killed driver left running are closed first; paused ones that can be continued stay open.

    Attributes:
        records: Trials of all sessions.
        ended: Trials that ended since the ledger was opened.
        store: Where they are kept.
        tell: Told of every change from now on.
    """

    def __init__(self, store: Store, tell: Tell = lambda _: None) -> None:
        self.store = store
        self.tell = tell
        self.ended: list[TrialRecord] = []
        self.records = {record.number: record for record in _without_leftovers(store)}
        self._session: dict[str, Any] = {}
        self._session_index = len(store.sessions)

    @property
    def next_number(self) -> int:
        """Number of the next trial."""
        return len(self.records)

    @property
    def num_finished(self) -> int:
        """Trials that count towards a target."""
        return sum(record.is_finished for record in self.records.values())

    def open(self, state: str | None = None) -> list[TrialRecord]:
        """Return the trials that have not ended, or those of them that are `running` or `paused`."""
        return [record for record in self.records.values() if record.is_open and state in (None, record.state)]

    def note(self, **values: Any) -> None:
        """Keep values of this session with the study, plain JSON."""
        session = self._session | values
        if session != self._session:
            self.store.keep_session(self._session_index, session)
            self._session = session

    def begin(self, record: TrialRecord) -> TrialRecord:
        """Add a trial."""
        return self._changed(self.store.begin(record))

    def advance(self, number: int, progress: Progress) -> TrialRecord:
        """Add an epoch to a trial."""
        record = advanced(self.records[number], progress)
        self.store.report(record)
        return self._changed(record)

    def pause(self, number: int) -> TrialRecord:
        """Let a trial wait."""
        return self._with_state(replace(self.records[number], state="paused"))

    def resume(self, number: int) -> TrialRecord:
        """Let a trial run that has waited."""
        return self._with_state(replace(self.records[number], state="running"))

    def close(self, record: TrialRecord) -> TrialRecord:
        """Write how a trial has ended."""
        closed = self._changed(self.store.close(record))
        self.ended.append(closed)
        return closed

    def _with_state(self, record: TrialRecord) -> TrialRecord:
        self.store.pause(record)
        return self._changed(record)

    def _changed(self, record: TrialRecord) -> TrialRecord:
        self.records[record.number] = record
        self.tell(record)
        return record


def _without_leftovers(store: Store) -> list[TrialRecord]:
    return [
        _lost(store, record) if record.is_open and not store.can_continue(record) else record
        for record in store.trials()
    ]


def _lost(store: Store, record: TrialRecord) -> TrialRecord:
    message = "the driver ended while this trial was running"
    return store.close(replace(record, state="failed", reason="lost_driver", message=message))
