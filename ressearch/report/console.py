"""The console that tables are printed on."""

import sys

from rich.console import Console

PIPE_WIDTH = 200
"""Columns where there is no terminal whose width could be asked for."""


def new_console() -> Console:
    """Return a console on stdout; into a pipe it writes plain text that is wide enough not to be cut."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
