"""The Optuna dashboard on one study: whatever it is asked, it only reads; notes may be written."""

import json
import os
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna_dashboard import wsgi
from optuna_dashboard._serializer import serialize_frozen_trial

from ressearch.store.files import DATABASE, database_url
from ressearch.store.reading import ReadingStorage, best_trials, brief_storage
from ressearch.store.study_record import open_study

_STUDY = re.compile(r"/api/studies/(\d+)/?")
_NOTE = re.compile(r"/api/studies/\d+(/\d+)?/note/?")
_MAX_DRAINED = 1 << 20
"""Bytes of a refused request that are read, so that its sender is there to read the answer."""


def dashboard_server(directory: Path, host: str, port: int) -> WSGIServer:
    """Return a bound server; `server_port` tells the port where 0 was given.

    Raises:
        StudyError: If there is no study in the directory, or it cannot be read.
        ValueError: If the address cannot be used.
    """
    open_study(directory)  # what is wrong with it is said before a page is opened
    try:
        return make_server(host, port, Dashboard(directory), _Server, _Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"cannot serve at {host}:{port}: {reason}; name another --port or --host") from error


class Dashboard:
    """The pages of a study. They read copies of its database; of all that would write, notes alone reach it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._storage = ReadingStorage(directory / DATABASE)
        self._pages: WSGIApplication = wsgi(self._storage)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if method == "GET" and (study := _STUDY.fullmatch(path)):
            return self._study(int(study[1]), environ, start_response)
        if method in ("GET", "HEAD"):
            return self._pages(environ, start_response)
        if method != "PUT" or not _NOTE.fullmatch(path):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this dashboard only reads", environ, start_response)
        if not all(os.access(each, os.W_OK) for each in (self._directory, self._directory / DATABASE)):
            return _refusal(HTTPStatus.FORBIDDEN, "this study cannot be written", environ, start_response)
        with self._storage.lock:  # reading the file meanwhile would take SQLite's locks away
            notes: WSGIApplication = wsgi(brief_storage(database_url(self._directory)))
            return notes(environ, start_response)

    def _study(self, study_id: int, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer with a study, its best trials those of the leaderboard: the dashboard's ignore the limits."""
        answers: list[tuple[str, list[tuple[str, str]]]] = []

        def keep(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            answers.append((status, headers))
            return lambda _: None

        body = b"".join(self._pages(environ, keep))
        status, headers = answers[-1]
        if status.startswith("200"):
            notes = self._storage.get_study_system_attrs(study_id)
            best = best_trials(self._storage, study_id)
            serialized = [serialize_frozen_trial(study_id, trial, notes) for trial in best]
            body = json.dumps({**json.loads(body), "best_trials": serialized}).encode()
            headers = [*((name, value) for name, value in headers if name.lower() != "content-length")]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]


def _refusal(
    status: HTTPStatus, reason: str, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Answer in the form in which the dashboard's pages expect a reason, and show it."""
    length = environ.get("CONTENT_LENGTH") or "0"
    environ["wsgi.input"].read(min(int(length), _MAX_DRAINED) if length.isdecimal() else 0)
    body = json.dumps({"reason": reason}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Allow", "GET, HEAD")]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


class _Server(ThreadingMixIn, WSGIServer):
    """Answers requests side by side: a page asks for many things at once."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    """Logs no requests: the terminal is the user's."""

    def log_message(self, format: str, *args: Any) -> None:
        """Drop the message."""
