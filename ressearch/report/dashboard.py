"""The Optuna dashboard on one study."""

from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna_dashboard import wsgi

from ressearch.store.files import database_url
from ressearch.store.trial_store import TrialStore


def dashboard_server(directory: Path, host: str, port: int) -> WSGIServer:
    """Return a bound server; `server_port` tells the port where 0 was given.

    Raises:
        StudyError: If there is no study in the directory.
        ValueError: If the address cannot be used.
    """
    TrialStore(directory).open_for_reading()
    try:
        return make_server(host, port, wsgi(database_url(directory)), _Server, _Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"cannot serve at {host}:{port}: {reason}; name another --port or --host") from error


class _Server(ThreadingMixIn, WSGIServer):
    """Answers requests side by side: a page asks for many things at once."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    """Logs no requests: the terminal is the user's."""

    def log_message(self, format: str, *args: Any) -> None:
        """Drop the message."""
