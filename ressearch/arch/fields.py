"""Fields: a mapping that somebody else has written, read one checked value at a time."""

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_NEEDED: Any = object()
_LARGEST = 10**15
"""No number of a network comes near."""


class Fields:
    """A mapping, read field by field; null says the same as nothing, and what nobody has read is refused in the end.

    Raises:
        ValueError: In every method, naming the field, what was expected and what was got.
    """

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, Mapping):
            raise ValueError(f"{path} must be a mapping, got {values!r}")
        self._path = path
        self._values = {str(name): value for name, value in values.items() if value is not None}
        self._unread = set(self._values)
        self._sections: dict[str, Fields] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all fields."""
        return tuple(self._values)

    def has(self, name: str) -> bool:
        """Whether there is anything under a name."""
        return name in self._values

    def section(self, name: str) -> "Fields":
        """Return the mapping under a name."""
        if name not in self._sections:
            self._sections[name] = Fields(self._get(name, _NEEDED), f"{self._path}.{name}")
        return self._sections[name]

    def optional(self, name: str) -> "Fields | None":
        """Return the mapping under a name if there is one."""
        return self.section(name) if self.has(name) else None

    def number(self, name: str, default: float = _NEEDED, *, first: bool = False) -> float:
        """Return a number, or the first of a list of them."""
        value = self._get(name, default)
        if first and isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            raise self._wrong(name, value, "a number")
        return value

    def integer(self, name: str, default: int = _NEEDED) -> int:
        """Return a positive integer."""
        value = self._get(name, default)
        if self.has(name) and not _is_positive(value):
            raise self._wrong(name, value, "a positive integer")
        return value  # type: ignore[no-any-return]

    def integers(self, name: str, *, length: int | None = None, default: list[int] = _NEEDED) -> list[int]:
        """Return a list of positive integers."""
        value = self._get(name, default)
        if not isinstance(value, list) or not all(_is_positive(item) for item in value):
            raise self._wrong(name, value, "a list of positive integers")
        if length is not None and len(value) != length:
            raise self._wrong(name, value, f"one for each of the {length} stages")
        return value

    def flag(self, name: str, default: bool = _NEEDED) -> bool:
        """Return a truth value."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def text(self, name: str, default: str = _NEEDED) -> str:
        """Return a text."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, value, "a text")
        return value

    def choice(self, name: str, table: Mapping[Any, T], default: T = _NEEDED, *, first_word: bool = False) -> T:
        """Return what a table has for a value, or for its first word."""
        value = self._get(name, None if default is not _NEEDED else _NEEDED)
        if value is None:
            return default
        key = value.partition(" ")[0] if first_word and isinstance(value, str) else value
        for known, meaning in table.items():
            if type(key) is type(known) and key == known:
                return meaning
        raise self._wrong(name, value, "one of " + "; ".join(str(known).lower() for known in table))

    def must_be(self, name: str, value: object) -> None:
        """Check a field that may be left out, since nothing else is possible here."""
        if (got := self._get(name, value)) != value:
            raise self._wrong(name, got, f"{value!r}")

    def ignore(self, *names: str) -> None:
        """Let fields stand that say nothing here."""
        self._unread -= set(names)

    def finish(self) -> None:
        """Check that every field has been read."""
        for section in self._sections.values():
            section.finish()
        if self._unread:
            name = min(self._unread)
            raise ValueError(f"{self._path}.{name} is unknown, or says nothing of this network: {self._values[name]!r}")

    def _get(self, name: str, default: Any) -> Any:
        self._unread.discard(name)
        value = self._values.get(name, default)
        if value is _NEEDED:
            raise ValueError(f"{self._path}.{name} is missing")
        return value

    def _wrong(self, name: str, value: object, expected: str) -> ValueError:
        return ValueError(f"{self._path}.{name}: expected {expected}, got {value!r}")


def _is_positive(value: object) -> bool:
    return type(value) is int and 0 < value <= _LARGEST
