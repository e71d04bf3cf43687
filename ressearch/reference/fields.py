"""Fields: a mapping of a reference file that is read to its last field."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ressearch.messages import expected
from ressearch.space.yaml_nodes import Entry, SpaceError

T = TypeVar("T")

_NEEDED: Any = object()
_LARGEST = 10**15
"""No number of a network comes near."""


class Fields:
    """The entries of a mapping; null says the same as nothing, and what nobody has read is refused in the end.

    `Entry` reads and checks the values; this class adds defaults, and the account of what has been read.

    Raises:
        SpaceError: In every method, with file, line, path, what was got and what is allowed.
    """

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._items = {name: child for name, child in entry.items.items() if not child.is_null}
        self._unread = set(self._items)
        self._sections: dict[str, Fields] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all fields."""
        return tuple(self._items)

    def has(self, name: str) -> bool:
        """Whether there is anything under a name."""
        return name in self._items

    def error(self, message: str, name: str = "") -> SpaceError:
        """Return an error that begins with the place of the mapping, or of one of its fields."""
        return self._items.get(name, self._entry).error(message)

    def section(self, name: str) -> "Fields":
        """Return the mapping under a name."""
        if name not in self._sections:
            self._sections[name] = Fields(self.entry(name))
        return self._sections[name]

    def optional(self, name: str) -> "Fields | None":
        """Return the mapping under a name if there is one."""
        return self.section(name) if self.has(name) else None

    def number(self, name: str, default: float = _NEEDED, *, first: bool = False) -> float:
        """Return a number, or the first of a list of them."""
        if self._is_left_out(name, default):
            return default
        entry = self.entry(name)
        if first and entry.is_list and entry.elements:
            entry = entry.elements[0]
        number: float = entry.scalar(float)
        if not abs(number) <= _LARGEST:
            raise entry.error(f"got {entry.text}, expected a number")
        return number

    def integer(self, name: str, default: int = _NEEDED) -> int:
        """Return a positive integer."""
        return default if self._is_left_out(name, default) else _positive(self.entry(name))

    def integers(self, name: str, *, length: int | None = None, default: list[int] = _NEEDED) -> list[int]:
        """Return a list of positive integers."""
        if self._is_left_out(name, default):
            return default
        entry = self.entry(name)
        numbers = [_positive(element) for element in entry.elements]
        if length is not None and len(numbers) != length:
            raise entry.error(f"got {numbers}, expected one for each of the {length} stages")
        return numbers

    def flag(self, name: str, default: bool = _NEEDED) -> bool:
        """Return a truth value."""
        if self._is_left_out(name, default):
            return default
        return bool(self.entry(name).scalar(bool))

    def text(self, name: str, default: str = _NEEDED) -> str:
        """Return a text."""
        return default if self._is_left_out(name, default) else str(self.entry(name).scalar(str))

    def choice(self, name: str, table: Mapping[str, T], default: T = _NEEDED) -> T:
        """Return what a table has for a name."""
        return default if self._is_left_out(name, default) else table[self.entry(name).name(table)]

    def first_word(self, name: str, table: Mapping[str, T]) -> T:
        """Return what a table has for the first word of a text."""
        word = self.text(name).partition(" ")[0]
        if word not in table:
            raise self.error(expected(word, table), name)
        return table[word]

    def must_be(self, name: str, value: object) -> None:
        """Check a field that may be left out, since nothing else is possible here."""
        if self.has(name) and (got := self.entry(name).data) != value:
            raise self.error(f"got {got!r}, expected {value!r}", name)

    def ignore(self, names: Iterable[str]) -> None:
        """Pass over fields that say nothing here."""
        self._unread -= set(names)

    def finish(self) -> None:
        """Check that every field has been read."""
        for section in self._sections.values():
            section.finish()
        if self._unread:
            name = min(self._unread)
            raise self.error(f"got {self._items[name].text}, unknown here, or without effect", name)

    def _is_left_out(self, name: str, default: object) -> bool:
        return default is not _NEEDED and not self.has(name)

    def entry(self, name: str) -> Entry:
        """Return what is under a name, as it is."""
        self._unread.discard(name)
        if name not in self._items:
            raise self.error(f"{name!r} is missing")
        return self._items[name]


def _positive(entry: Entry) -> int:
    number: int = entry.scalar(int)
    if not 0 < number <= _LARGEST:
        raise entry.error(f"got {number}, expected a positive integer")
    return number
