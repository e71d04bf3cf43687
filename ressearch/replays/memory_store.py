"""A store that keeps nothing beyond the process: what a replayed search writes is read by nobody."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ressearch.store.record import TrialRecord


class MemoryStore:
    """Stands in for `TrialStore` where a `Ledger` writes."""

    directory = Path("replay")
    sessions: tuple[Mapping[str, Any], ...] = ()

    def trials(self) -> list[TrialRecord]:
        """Return nothing: every replay begins anew."""
        return []

    def keep_session(self, index: int, session: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def begin(self, record: TrialRecord) -> TrialRecord:
        """Return the trial as it is."""
        return record

    def report(self, record: TrialRecord) -> None:
        """Keep nothing."""

    def pause(self, record: TrialRecord) -> None:
        """Keep nothing."""

    def close(self, record: TrialRecord) -> TrialRecord:
        """Return the trial as it is."""
        return record

    def can_continue(self, record: TrialRecord) -> bool:
        """Tell that every paused trial can go on."""
        return record.state == "paused"

    def weights_file(self, number: int) -> Path:
        """Return a path that nobody opens."""
        return self.directory / f"{number}"

    def checkpoint_file(self, number: int) -> Path:
        """Return a path that nobody opens."""
        return self.directory / f"{number}"
