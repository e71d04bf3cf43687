"""YAML text of an experiment, and what it leaves out."""

from collections.abc import Iterable, Mapping

from yaml import MappingNode

from ressearch.space.yaml_nodes import Entry, compose

Key = tuple[str, str]
"""A section, and a key in it."""


def left_out(text: str, keys: Iterable[Key]) -> set[Key]:
    """Return those keys that the text does not give; one that is given as null is given."""
    sections = compose(text, "").items
    return {(section, key) for section, key in keys if section not in sections or key not in sections[section].items}


def completed(text: str, values: Mapping[Key, object], reason: str) -> str:
    """Return the text with values that it leaves out, and a comment at its end that says why they are so."""
    for (section, key), value in values.items():
        top = compose(text, "")
        if section in top.items:
            text = _inserted(text, top.items[section], f"{key}: {value}")
        else:
            text = _inserted(text, top, f"{section}: {{{key}: {value}}}")
    return f"{text.rstrip()}\n\n# {reason}\n"


def _inserted(text: str, mapping: Entry, line: str) -> str:
    """Put a line before the first key of a mapping, which is written in a block or in braces."""
    node = mapping.node
    assert isinstance(node, MappingNode)
    if not mapping.items:
        index = node.start_mark.index + 1
        return text[:index] + line + text[index:]
    mark = node.value[0][0].start_mark
    separator = ", " if node.flow_style else "\n" + " " * mark.column
    return text[: mark.index] + line + separator + text[mark.index :]
