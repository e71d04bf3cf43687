"""The dashboard over HTTP: it shows the leaderboard's best, and whatever it is asked, it only reads."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pytest
from optuna_dashboard import wsgi

from ressearch.report.dashboard import dashboard_server
from ressearch.store.files import StudyError, database_url
from ressearch.store.record import TrialRecord
from ressearch.store.study_record import open_study
from ressearch.store.trial_store import TrialStore

Record = Callable[..., TrialRecord]
MANIFEST = {"version": 1, "seed": 0, "shape": {"channels": 1, "resolution": 8, "num_classes": 10}}


class Answer(NamedTuple):
    status: int
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


Ask = Callable[..., Answer]


def write_study(directory: Path, records: list[TrialRecord], objectives: dict[str, Any]) -> None:
    """Write records as a search does, and let go of the file."""
    directory.mkdir()
    store = TrialStore(directory)
    with store.lease():
        store.open(objectives, {}, {})
        for record in records:
            store.begin(replace(record, state="running", curve=(), measures=None))
            if record.state != "running":
                store.close(record)
    (directory / "manifest.json").write_text(json.dumps({**MANIFEST, "objectives": list(objectives)}))


@pytest.fixture
def directory(tmp_path: Path, record: Record) -> Path:
    """A study whose highest accuracy is outside the limits."""
    records = [
        record(0, [0.5, 0.95], baseline="resnet-8", within_limits=False, recipe={"epochs": 2}),
        record(1, [0.5, 0.75], recipe={"epochs": 2}),
        record(2, [0.5, 0.85], recipe={"epochs": 2}),
        record(3, [], state="running", recipe={"epochs": 2}),
    ]
    write_study(tmp_path / "study", records, {"val_accuracy": "maximize"})
    return tmp_path / "study"


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Ask]]:
    """Serve a study; ask by method, path and JSON."""
    servers = []

    def served(directory: Path) -> Ask:
        server = dashboard_server(directory, "127.0.0.1", 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)

        def ask(method: str, path: str, body: Any = None) -> Answer:
            connection = HTTPConnection("127.0.0.1", server.server_port, timeout=120)
            text = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
            connection.close()
            return answer

        return ask

    yield served
    for server in servers:
        server.shutdown()
        server.server_close()


def content(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def best(ask: Ask, after: int = 0) -> list[int]:
    return [trial["number"] for trial in ask("GET", f"/api/studies/1?after={after}").json["best_trials"]]


@pytest.mark.parametrize("after", [0, 2, 4])
def test_its_best_trial_is_that_of_the_leaderboard(after: int, directory: Path, serve: Callable[[Path], Ask]) -> None:
    ask = serve(directory)
    assert best(ask, after) == [open_study(directory).best.number] == [2]
    trials = ask("GET", "/api/studies/1").json["trials"]
    assert [trial["constraints"] for trial in trials] == [[1.0], [0.0], [0.0], [0.0]]


def test_nothing_is_best_while_nothing_is_within_the_limits(
    tmp_path: Path, record: Record, serve: Callable[[Path], Ask]
) -> None:
    records = [record(0, [0.9], within_limits=False, recipe={"epochs": 2})]
    write_study(tmp_path / "study", records, {"val_accuracy": "maximize"})
    assert best(serve(tmp_path / "study")) == []


def test_a_front_holds_what_is_within_the_limits(tmp_path: Path, record: Record, serve: Callable[[Path], Ask]) -> None:
    points = [(0.9, 10.0, False), (0.8, 20.0, True), (0.5, 15.0, True), (0.4, 30.0, True)]
    records = [
        record(
            number,
            [accuracy],
            measures={"val_accuracy": accuracy, "num_params": size},
            within_limits=within,
            recipe={"epochs": 2},
        )
        for number, (accuracy, size, within) in enumerate(points)
    ]
    write_study(tmp_path / "study", records, {"val_accuracy": "maximize", "num_params": "minimize"})
    assert best(serve(tmp_path / "study")) == [1, 2]


def test_a_study_of_an_older_version_shows_the_same_best(directory: Path, serve: Callable[[Path], Ask]) -> None:
    import sqlite3

    connection = sqlite3.connect(directory / "study.db")
    connection.execute("DELETE FROM trial_system_attributes")
    connection.commit()
    connection.close()
    assert best(serve(directory)) == [2]


def writing_routes() -> list[tuple[str, str]]:
    """Return every request that the dashboard knows and that is no plain reading, with numbers that exist."""
    app: Any = wsgi(optuna.storages.InMemoryStorage())
    known = {(route.method, route.rule) for route in app.routes if route.method not in ("GET", "HEAD")}
    filled = [
        (method, rule.replace("<study_id:int>", "1").replace("<trial_id:int>", "4").replace("<history_id>", "ab"))
        for method, rule in sorted(known)
    ]
    return [(method, path.replace("<artifact_id:re:[0-9a-fA-F-]+>", "ab")) for method, path in filled]


BODY = {
    "study_name": "theirs",
    "directions": ["maximize"],
    "state": "Complete",
    "values": [1.0],
    "user_attrs": {"seed": 1},
    "version": 1,
    "body": "a note",
    "output_type": "note",
    "mode": "ChooseWorst",
    "candidates": [1],
    "clicked": 1,
}


def test_every_writing_request_is_refused(directory: Path, serve: Callable[[Path], Ask]) -> None:
    ask = serve(directory)
    routes = [(method, path) for method, path in writing_routes() if not path.endswith("/note")]
    assert len(routes) >= 15
    others = [
        (method, path) for method in ("PATCH", "OPTIONS", "DELETE", "POST", "PUT", "PURGE") for path in ("/", "/x")
    ]
    notes = [(method, "/api/studies/1/note") for method in ("POST", "DELETE", "PATCH")]
    before = content(directory)
    for method, path in [*routes, *others, *notes]:
        answer = ask(method, path, BODY)
        assert (method, path, answer.status) == (method, path, 405)
        assert answer.json == {"reason": "this dashboard only reads"}
    assert ask("POST", "/api/studies", b"x" * 3_000_000).status == 405
    assert content(directory) == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_looking_changes_nothing(mode: str, directory: Path, serve: Callable[[Path], Ask]) -> None:
    import sqlite3

    connection = sqlite3.connect(directory / "study.db")
    connection.execute(f"PRAGMA journal_mode={mode}")
    connection.close()
    before = content(directory)
    ask = serve(directory)
    for path in (
        "/dashboard",
        "/api/meta",
        "/api/studies",
        "/api/studies/1?after=0",
        "/csv/1",
        "/incompatible-rdb-schema",
    ):
        assert ask("GET", path).status in (200, 302), path
    assert ask("HEAD", "/dashboard").status == 200
    assert ask("GET", "/api/studies/99").status == 404
    assert content(directory) == before


def test_trials_appear_while_a_search_goes_on(directory: Path, record: Record, serve: Callable[[Path], Ask]) -> None:
    ask = serve(directory)
    assert len(ask("GET", "/api/studies/1").json["trials"]) == 4
    assert best(ask) == [2]
    store = TrialStore(directory)
    store.open({"val_accuracy": "maximize"}, {}, {})
    final = record(4, [0.5, 0.9], recipe={"epochs": 2})
    store.begin(replace(final, state="running", curve=(), measures=None))
    store.close(final)
    assert best(ask) == [4]


def test_notes_are_kept(directory: Path, serve: Callable[[Path], Ask]) -> None:
    ask = serve(directory)
    assert ask("PUT", "/api/studies/1/note", {"version": 1, "body": "of the study"}).status == 204
    assert ask("PUT", "/api/studies/1/3/note", {"version": 1, "body": "of a trial"}).status == 204
    again = serve(directory)("GET", "/api/studies/1").json
    assert again["note"]["body"] == "of the study"
    assert [trial["note"]["body"] for trial in again["trials"]] == ["", "", "of a trial", ""]
    assert sorted(path.name for path in directory.iterdir()) == ["manifest.json", "study.db", "study.lock"]
    assert open_study(directory).best.number == 2


def test_notes_are_refused_where_nobody_may_write(
    directory: Path, serve: Callable[[Path], Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = serve(directory)
    monkeypatch.setattr("os.access", lambda *_: False)  # modes do not hold for root
    before = content(directory)
    answer = ask("PUT", "/api/studies/1/note", {"version": 1, "body": "x"})
    assert (answer.status, answer.json) == (403, {"reason": "this study cannot be written"})
    assert content(directory) == before


def test_what_is_no_study_is_not_served(directory: Path) -> None:
    storage = database_url(directory)
    optuna.create_study(storage=storage, study_name="theirs")
    with pytest.raises(StudyError, match="it holds 2 studies, expected one: study, theirs"):
        dashboard_server(directory, "127.0.0.1", 0)
