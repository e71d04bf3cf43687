"""Python source as text: calls that wrap like a formatter wraps them, and prose that cannot become code."""

import textwrap
from collections.abc import Sequence

LINE_LENGTH = 100


def call(head: str, arguments: Sequence[str], tail: str = ")", indent: int = 8) -> str:
    """Write `head` + arguments + `tail` on one line, else the arguments on one line, else one line each."""
    margin, inner = " " * indent, " " * (indent + 4)
    joined = ", ".join(arguments)
    for text in (f"{margin}{head}{joined}{tail}", f"{margin}{head}\n{inner}{joined}\n{margin}{tail}"):
        if max(map(len, text.splitlines())) <= LINE_LENGTH and "\n" not in joined:
            return text
    return "\n".join((f"{margin}{head}", *(f"{inner}{argument}," for argument in arguments), f"{margin}{tail}"))


def prose(text: str) -> str:
    """Wrap a user's words for the inside of a docstring, where they must stay words.

    Whitespace, line breaks included, becomes single spaces; what cannot be printed (control characters, direction
    marks) a question mark; backslashes and triple quotes are escaped.
    """
    words = " ".join(text.split())
    words = "".join(character if character.isprintable() else "?" for character in words)
    # Escapes double a character and wide characters take two columns: wrap first, at half the length.
    plain = words.isascii() and "\\" not in words and '"' not in words
    wrapped = textwrap.wrap(words, LINE_LENGTH - 4 if plain else LINE_LENGTH // 2 - 4)
    return "\n".join(line.replace("\\", "\\\\").replace('"""', r"\"\"\"") for line in wrapped)
