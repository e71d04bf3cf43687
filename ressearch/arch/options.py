"""Options: the members of the enum axes, and the annotation of a field that takes such a member or its YAML name."""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

Held = TypeVar("Held")
Taken = TypeVar("Taken")


class Option(Enum):
    """A named value of an axis: one row of data, whose columns are attributes of the member.

    The YAML name is the member's name in lower case.
    """

    summary: str
    """One line of help."""

    def __init__(self, summary: str) -> None:
        self.summary = summary

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class Accepts(Generic[Held, Taken]):
    """A field that holds one type and also takes another, which the constructor converts.

    An annotation only: `Accepts[tuple[Stage, ...], list[Stage]]` is a tuple to whoever reads the field. Type checkers
    read it as a descriptor; nothing of it exists at run time.
    """

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type) -> Held: ...

        def __set__(self, instance: object, value: Held | Taken) -> None: ...


Named = Accepts[Held, str]
"""A field that holds a member of an enum and also takes the member's YAML name."""


def name_of(member: Enum) -> str:
    """Return the YAML name of an enum member."""
    return member.name.lower()


def first_line(function: Callable[..., Any]) -> str:
    """Return the first line of a docstring, the help text of a row that is made from a function."""
    return (function.__doc__ or "").partition("\n")[0]
