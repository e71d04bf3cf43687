"""YAML with places: every value keeps its file, line and key path for the error messages."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from ressearch.messages import did_you_mean, expected

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}
_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class SpaceError(ValueError):
    """A YAML file that cannot be used; the message says where, what was got and what is allowed."""


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
        return isinstance(self.node, yaml.ScalarNode) and str(self.node.tag).endswith(":null")

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
                raise at_key.error(f"the key {key!r} is given twice, first in line {items[key].line}")
            items[key] = Entry(self.file, f"{self.path}.{key}".lstrip("."), value_node)
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

    @property
    def text(self) -> str:
        """What was written, shortened, for messages."""
        if self.is_mapping:
            return "a mapping"
        if self.is_list:
            return "a list"
        raw = self.node.value if len(self.node.value) <= 60 else f"{self.node.value[:57]}..."
        if self.is_null:
            return "nothing (null)"
        return repr(raw) if str(self.node.tag).endswith(":str") else str(raw)

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
            SpaceError: If this is no scalar, or has a tag that does not fit.
        """
        self._check_tag()
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error(f"got {self.text}, expected a single value")
        try:
            return SafeConstructor().construct_object(self.node)
        except (ValueError, yaml.YAMLError):
            raise self.error(f"got {self.text}, which its YAML tag does not fit") from None

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

    def _check_tag(self) -> None:
        if self.node.tag not in _TAGS:
            tag = str(self.node.tag).replace("tag:yaml.org,2002:", "!!")
            raise self.error(f"got the YAML tag {tag}, expected a plain value without a tag")


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        SpaceError: If it is missing, a directory, not readable, or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpaceError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise SpaceError(f"{path}: this is a directory, expected a YAML file") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise SpaceError(f"{path}: not UTF-8 text: byte 0x{byte:02x} at position {error.start}") from None
    except OSError as error:
        raise SpaceError(f"{path}: cannot be read: {error.strerror}") from None


def compose(text: str, file: str, holds: str = "a search space") -> Entry:
    """Parse YAML; nothing is constructed, so nothing in it can run. `holds` names what an empty file lacks.

    Raises:
        SpaceError: If it is broken or empty, with line, column and what the parser said.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
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
        raise SpaceError(f"{file}: broken YAML: lists or mappings are nested too deeply") from None
    if node is None:
        raise SpaceError(f"{file}: the file is empty, expected {holds}")
    return Entry(file, "", node)


def _as_number(text: str) -> str:
    """Return a number that YAML 1.1 reads as text in a form that it reads as a number, "" if it is none."""
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
        return ""
    mantissa, _, exponent = text.lower().partition("e")
    return repr(float(mantissa)) + (f"e{int(exponent):+d}" if exponent else "")
