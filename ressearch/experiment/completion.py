"""YAML text of an experiment, and what it leaves out."""

from collections.abc import Iterable, Mapping

from ressearch.space.yaml_nodes import compose

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
            text = top.items[section].with_first(f"{key}: {value}", text)
        else:
            text = top.with_first(f"{section}: {{{key}: {value}}}", text)
    return f"{text.rstrip()}\n\n# {reason}\n"
