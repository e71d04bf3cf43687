"""What messages say, and how foreign text is written in them. Every room may import this; it imports none."""

import difflib
from collections.abc import Iterable

_LONGEST = 60
"""Characters of a foreign text that a message quotes."""


def printable(text: str, keep: str = "") -> str:
    r"""Write characters that are not to be seen as escapes, such as `\x1b`, since a terminal would obey them.

    These are control characters, line breaks, direction marks and bytes of file names that are no text. Those in
    `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else ascii(one)[1:-1] for one in text)


def shortened(text: str) -> str:
    """Cut a long text."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def quoted(got: object) -> str:
    """Return what was got as Python writes it, a long text shortened."""
    return repr(shortened(got) if isinstance(got, str) else got)


class Note(UserWarning):
    """A warning of ours: what works, but not as the user may think, in one line, which the command line prints."""


def expected(got: object, allowed: Iterable[str], verb: str = "got") -> str:
    """Say what was got, what is allowed, and the nearest guess."""
    allowed = list(allowed)
    hint = did_you_mean(got, allowed)
    return f"{verb} {quoted(got)}, expected one of {', '.join(allowed)}" + (f"; {hint}" if hint else "")


def did_you_mean(got: object, known: Iterable[str], at_most: int = 1) -> str:
    """Ask for the nearest of the known names, such as `did you mean 'resnet-20'?`; "" where none is near."""
    if not isinstance(got, str) or len(got) > _LONGEST:
        return ""
    guesses = difflib.get_close_matches(got.lower(), list(known), n=at_most, cutoff=0.5)
    return f"did you mean {' or '.join(map(repr, guesses))}?" if guesses else ""
