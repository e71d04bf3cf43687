"""YAML with places: every value keeps its file, line and key path for the error messages."""

import itertools
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from yaml import SafeLoader
from yaml.constructor import SafeConstructor

from ressearch.messages import did_you_mean, expected, printable, quoted, shortened

MAX_BYTES = 1_000_000
"""Of a file; parsing takes several seconds for as many."""
MAX_VALUES = 100_000
"""Of a file, counting what stands behind an alias every time."""
MAX_INTEGER = 2**63 - 1
"""What the database of a study holds."""

_RESOLVER = SafeLoader("")
_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class SpaceError(ValueError):
    """A YAML file that cannot be used; the message says where, what was got and what is allowed, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


@dataclass(frozen=True)
class Entry:
    """A node of a YAML file, read as far down as somebody looks.

    path: dotted keys and [zero-based positions] from the top, "" at the top.
    """

    file: str
    path: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """1-based line of the value."""
        return int(self.node.start_mark.line) + 1

    @property
    def is_mapping(self) -> bool:
        """Whether this is a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    @property
    def is_null(self) -> bool:
        """Whether this is nothing: null, ~ or no value at all."""
        is_null = isinstance(self.node, yaml.ScalarNode) and str(self.node.tag).endswith(":null")
        return is_null and not self._own_tag

    def error(self, message: str) -> SpaceError:
        """Return an error that begins with file, line and key path."""
        return SpaceError(": ".join(part for part in (f"{self.file}:{self.line}", self.path, message) if part))

    @cached_property
    def items(self) -> dict[str, "Entry"]:
        """The entries of a mapping by key.

        Raises:
            SpaceError: If this is no mapping, or a key is repeated or no text.
        """
        self._check_tag()
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"got {self.text}, expected keys with values")
        items: dict[str, Entry] = {}
        for key_node, value_node in self.node.value:
            at_key = Entry(self.file, self.path, key_node)
            if not str(key_node.tag).endswith(":str"):
                raise at_key.error(f"got the key {at_key.text}, expected text; {at_key.trap or 'keys are names'}")
            key = str(key_node.value)
            if key in items:
                raise at_key.error(f"the key {quoted(key)} is given twice, first in line {items[key].line}")
            items[key] = Entry(self.file, f"{self.path}.{shortened(key)}".lstrip("."), value_node)
        return items

    @cached_property
    def elements(self) -> list["Entry"]:
        """The entries of a list.

        Raises:
            SpaceError: If this is no list.
        """
        self._check_tag()
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"got {self.text}, expected a list")
        return [Entry(self.file, f"{self.path}[{index}]", node) for index, node in enumerate(self.node.value)]

    def known(self, allowed: Iterable[str]) -> dict[str, "Entry"]:
        """Return the entries of a mapping that may hold only some keys.

        Raises:
            SpaceError: If a key is not among them, with the nearest guess.
        """
        allowed = list(allowed)
        for key in self.items:
            if key not in allowed:
                at_key = Entry(self.file, self.path, next(node for node, _ in self.node.value if node.value == key))
                raise at_key.error(expected(key, allowed, "unknown key"))
        return self.items

    def with_first(self, pair: str, text: str) -> str:
        """Return the whole text with one more `key: value` at the start of this mapping, in a block or in braces."""
        node = self.node
        assert isinstance(node, yaml.MappingNode)
        if not node.value:
            index = node.start_mark.index + 1
            return text[:index] + pair + text[index:]
        mark = node.value[0][0].start_mark
        separator = ", " if node.flow_style else "\n" + " " * mark.column
        return text[: mark.index] + pair + separator + text[mark.index :]

    @property
    def text(self) -> str:
        """What was written, shortened, for messages."""
        if self.is_mapping:
            return "a mapping"
        if self.is_list:
            return "a list"
        if self.is_null:
            return "nothing (null)"
        raw = shortened(str(self.node.value))
        return repr(raw) if str(self.node.tag).endswith(":str") else raw

    @property
    def trap(self) -> str:
        """What YAML made of a plain word that was probably meant otherwise, and what to write; "" if nothing."""
        if not isinstance(self.node, yaml.ScalarNode):
            return ""
        raw, kind = str(self.node.value), str(self.node.tag).rpartition(":")[2]
        if kind == "bool" and raw.lower() not in ("true", "false"):
            return f"YAML reads {raw} as {str(self.plain).lower()}; write '{raw}' in quotes if a name is meant"
        if kind == "int" and re.fullmatch(r"[-+]?0[0-7_]+", raw):
            return f"YAML reads {raw} as the octal number {self.plain}; write {int(raw.replace('_', ''))}"
        if kind in ("int", "float") and ":" in raw:
            return f"YAML reads {raw} as {self.plain}, a number to base 60; write the number itself"
        if kind == "timestamp":
            return f"YAML reads {raw} as a date; write '{raw}' in quotes"
        if kind == "str" and (number := _as_number(raw)):
            return "leave the quotes out" if self.node.style else f"YAML reads {raw} as text; write {number}"
        return ""

    @cached_property
    def plain(self) -> Any:
        """The Python value of a scalar.

        Raises:
            SpaceError: If this is no scalar, has a tag, or is beyond what Python or a study can hold.
        """
        self._check_tag()
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error(f"got {self.text}, expected a single value")
        try:
            value = SafeConstructor().construct_object(self.node)
        except (ValueError, yaml.YAMLError):
            raise self.error(f"got {self.text}, which YAML cannot read; write it in quotes if text is meant") from None
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise self.error(f"got {self.text}, expected a number of at most {MAX_INTEGER:,}")
        return value

    @property
    def data(self) -> Any:
        """Everything below as plain Python values.

        Raises:
            SpaceError: If there is a key that is repeated or no text, or a tag.
        """
        if self.is_mapping:
            return {key: child.data for key, child in self.items.items()}
        return [child.data for child in self.elements] if self.is_list else self.plain

    def scalar(self, kind: type[int] | type[float] | type[bool] | type[str]) -> Any:
        """Return a scalar of one type; whole numbers pass as float, and nothing else is converted.

        Raises:
            SpaceError: If it has another type, with the way out of YAML's traps.
        """
        self._check_tag()
        is_trap = kind in (int, float) and self.trap
        got = None if is_trap or self.is_mapping or self.is_list else self.plain
        allowed = (int, float) if kind is float else (kind,)
        if isinstance(got, allowed) and (kind is bool or not isinstance(got, bool)):
            return float(got) if kind is float else got
        way_out = self._quoted_truth if kind is bool else self.trap
        raise self.error(f"got {self.text}, expected {_TYPE_NAMES[kind]}" + (f"; {way_out}" if way_out else ""))

    def name(self, allowed: Iterable[str]) -> str:
        """Return one of some names.

        Raises:
            SpaceError: If it is something else, with the nearest guess.
        """
        self._check_tag()
        allowed = list(allowed)
        if not self.is_mapping and not self.is_list and self.plain in allowed:
            return str(self.plain)
        if str(self.node.tag).endswith(":str"):
            raise self.error(expected(str(self.node.value), allowed))
        hints = [self.trap] if self.trap else []
        if "none" in allowed and (self.is_null or (str(self.node.tag).endswith(":bool") and not self.plain)):
            hints.append(did_you_mean("none", allowed))
        raise self.error("; ".join([f"got {self.text}, expected one of {', '.join(allowed)}", *hints]))

    @property
    def _quoted_truth(self) -> str:
        """What to do where true or false is in quotes, "" elsewhere."""
        is_truth = not (self.is_mapping or self.is_list) and str(self.node.value).lower() in ("true", "false")
        return "leave the quotes out" if is_truth else ""

    @property
    def _own_tag(self) -> str:
        """The tag that the file gives where YAML would have read the value otherwise, "" elsewhere."""
        is_plain = getattr(self.node, "style", None) is None
        implied = _RESOLVER.resolve(  # type: ignore[no-untyped-call]
            type(self.node), self.node.value, (is_plain, not is_plain)
        )
        return "" if self.node.tag == implied else str(self.node.tag).replace("tag:yaml.org,2002:", "!!")

    def _check_tag(self) -> None:
        if self._own_tag:
            raise self.error(f"got the YAML tag {shortened(self._own_tag)}, expected a plain value without a tag")


def read_text(path: Path, at_most: int = MAX_BYTES) -> str:
    """Read a UTF-8 file of `at_most` so many bytes.

    Raises:
        SpaceError: If it is missing, a directory, not readable, too long, or not UTF-8.
    """
    try:
        content = _first_bytes(path, at_most + 1)
    except FileNotFoundError:
        raise SpaceError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise SpaceError(f"{path}: this is a directory, expected a YAML file") from None
    except OSError as error:
        raise SpaceError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > at_most:
        line = content.count(b"\n", 0, at_most) + 1
        raise SpaceError(f"{path}:{line}: the file goes on beyond {at_most:,} bytes, which is all that is read of one")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        raise SpaceError(f"{path}:{line}: not UTF-8 text: byte 0x{byte:02x} at position {error.start}") from None


def _first_bytes(path: Path, at_most: int) -> bytes:
    """Read the beginning of a file: some, such as /dev/zero, have no end. A pipe that nobody writes to is empty."""

    def opened(name: str, flags: int) -> int:
        file = os.open(name, flags | os.O_NONBLOCK if path.is_fifo() else flags)
        os.set_blocking(file, True)
        return file

    with open(path, "rb", opener=opened) as file:
        return file.read(at_most)


def compose(text: str, file: str, holds: str = "a search space") -> Entry:
    """Parse YAML; nothing is constructed, so nothing in it can run. `holds` names what an empty file lacks.

    Raises:
        SpaceError: If it is broken, empty, or too much, with line, column and what the parser said.
    """
    try:
        loader = SafeLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        hint = "; indent with spaces, not with tabs" if "'\\t'" in (error.problem or "") else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise SpaceError(f"{where}: broken YAML: {said}{hint}") from None
    except yaml.reader.ReaderError as error:
        line, character = text.count("\n", 0, error.position) + 1, text[error.position]
        raise SpaceError(f"{file}:{line}: broken YAML: character {character!r} is not allowed") from None
    except RecursionError:
        where = f"{file}:{loader.line + 1}"
        raise SpaceError(f"{where}: broken YAML: lists or mappings are nested too deeply") from None
    if node is None:
        raise SpaceError(f"{file}:1: the file is empty, expected {holds}")
    _check_size(node, file, {})
    return Entry(file, "", node)


def _check_size(node: yaml.Node, file: str, counts: dict[yaml.Node, float]) -> float:
    """Count the values from a node on, `counts` being known: aliases can make endless ones of a few lines."""
    if node not in counts:
        counts[node] = math.inf  # as long as it is not counted: what holds itself has no end
        children = itertools.chain(*node.value) if isinstance(node, yaml.MappingNode) else node.value
        parts = () if isinstance(node, yaml.ScalarNode) else children
        counts[node] = 1 + sum(_check_size(part, file, counts) for part in parts)
    if counts[node] > MAX_VALUES:
        raise Entry(file, "", node).error(f"with its aliases this holds more than {MAX_VALUES:,} values")
    return counts[node]


def _as_number(text: str) -> str:
    """Return a number that YAML 1.1 reads as text in a form that it reads as a number, "" if it is none."""
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return ""
    mantissa, _, exponent = text.lower().partition("e")
    return repr(float(mantissa)) + (f"e{int(exponent):+d}" if exponent else "")
