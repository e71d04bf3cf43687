"""Terms: what must stay the same while a study goes on, and what may be added to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ressearch.space.domains import domain_from_dict, includes

Terms = Mapping[str, Any]
"""Plain JSON values by dotted key; a searched parameter's is the mapping of `Parameter.to_dict`."""


@dataclass(frozen=True)
class Change:
    """One term that differs from what the study was begun with."""

    key: str
    now: Any
    was: Any

    def __str__(self) -> str:
        return f"{self.key} is {_text(self.now)}, and was {_text(self.was)}"

    @property
    def only_adds(self) -> bool:
        """Whether all earlier candidates are still allowed: a limit was loosened, or a choice added."""
        if self.key.startswith("limits."):
            return self._is_looser()
        if not isinstance(self.now, Mapping) or self.was is None:
            return False
        now, was = dict(self.now), dict(self.was) if isinstance(self.was, Mapping) else {"choice": [self.was]}
        if now.pop("when", None) != was.pop("when", None):
            return False
        domain = domain_from_dict(now)
        if isinstance(self.was, Mapping):
            return includes(domain, domain_from_dict(was))
        return domain.member(self.was) is not None

    def _is_looser(self) -> bool:
        if self.now is None or self.was is None:
            return self.now is None
        return bool(self.now > self.was if self.key.endswith(".max") else self.now < self.was)


def changes(now: Terms, was: Terms) -> list[Change]:
    """Return what differs; terms that the version which began the study did not know are not compared."""
    found = [Change(key, now.get(key), value) for key, value in was.items()]
    return [change for change in found if change.was != (_text(change.now) if _is_text(change) else change.now)]


def _is_text(change: Change) -> bool:
    """Tell whether a searched parameter was kept as a text, as the first versions did."""
    return isinstance(change.now, Mapping) and isinstance(change.was, str)


def _text(value: Any) -> str:
    """Write a term."""
    if value is None:
        return "not given"
    if not isinstance(value, Mapping):
        return f"{value}"
    domain = dict(value)
    conditions = domain.pop("when", None)
    return f"{domain_from_dict(domain)}" + (f" when {conditions}" if conditions else "")
