"""What messages say. Every room may import this; it imports nothing of ours."""

import difflib
from collections.abc import Iterable


class Note(UserWarning):
    """A warning of ours: what works, but not as the user may think, in one line, which the command line prints."""


def expected(got: object, allowed: Iterable[str], verb: str = "got") -> str:
    """Say what was got, what is allowed, and the nearest guess."""
    allowed = list(allowed)
    hint = did_you_mean(got, allowed)
    return f"{verb} {got!r}, expected one of {', '.join(allowed)}" + (f"; {hint}" if hint else "")


def did_you_mean(got: object, known: Iterable[str], at_most: int = 1) -> str:
    """Ask for the nearest of the known names, such as `did you mean 'resnet-20'?`; "" where none is near."""
    guesses = difflib.get_close_matches(got.lower(), list(known), n=at_most, cutoff=0.5) if isinstance(got, str) else []
    return f"did you mean {' or '.join(map(repr, guesses))}?" if guesses else ""
