"""The console that tables are printed on."""

import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ressearch.messages import printable

PIPE_WIDTH = 200
"""Columns where there is no terminal whose width could be asked for."""


class PlainTextConsole(Console):
    """A console on which text is text: square brackets are no markup, and escape codes in it are shown, not obeyed."""

    def __init__(self, *, file: TextIO | None = None, width: int | None = None, force_terminal: bool | None = None):
        super().__init__(file=file, width=width, force_terminal=force_terminal, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as Rich does; its own styles and control codes are apart from the text."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text, keep="\n"), style)


def new_console() -> Console:
    """Return a console on stdout; into a pipe it writes plain text that is wide enough not to be cut."""
    return PlainTextConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH)
