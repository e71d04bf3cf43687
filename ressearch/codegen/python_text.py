"""Python source as text: calls that wrap like a formatter wraps them, and prose that cannot become code."""

import textwrap
from dataclasses import dataclass

LINE_LENGTH = 100

COUNTS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
"""Small numbers in words."""


@dataclass(frozen=True)
class Call:
    """A call, or whatever else is in brackets: `head(arguments)`.

    separator: between the arguments; a space where they are the two parts of a comprehension.
    is_long: written with one argument on a line even where it would fit on one.
    """

    head: str
    arguments: "tuple[str | Call, ...]" = ()
    separator: str = ", "
    brackets: str = "()"
    is_long: bool = False

    def __str__(self) -> str:
        return f"{self.head}{self.brackets[0]}{self.separator.join(map(str, self.arguments))}{self.brackets[1]}"


def written(source: str | Call, indent: int = 8, end: str = "") -> list[str]:
    """Write on one line, else with the arguments on one line of their own, else with a line for each."""
    margin = " " * indent
    flat = f"{margin}{source}{end}"
    if isinstance(source, str) or (len(flat) <= LINE_LENGTH and not _is_long(source)):
        return [flat]
    inner = f"{margin}    {source.separator.join(map(str, source.arguments))}"
    if len(inner) <= LINE_LENGTH and not _is_long(source):
        lines = [inner]
    else:
        comma = source.separator.rstrip()
        lines = [line for argument in source.arguments for line in written(argument, indent + 4, comma)]
    return [f"{margin}{source.head}{source.brackets[0]}", *lines, f"{margin}{source.brackets[1]}{end}"]


def _is_long(source: str | Call) -> bool:
    return isinstance(source, Call) and (source.is_long or any(map(_is_long, source.arguments)))


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
