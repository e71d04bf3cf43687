"""Strangers who reach the ports of a session that `run` has started, on a real Ray session."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import ray

from ressearch.experiment import load_experiment
from ressearch.search.contract import TrialFunction, TrialSpec
from ressearch.search.ray_access import private_session
from ressearch.search.ray_backend import run_on_ray
from ressearch.search.session import run_session

# Ray and what it starts leave sockets and log files to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STRANGER = """
import sys
import ray
from ray._raylet import GcsClient

def run_code():
    ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
    return ray.get(ray.remote(lambda: "owned").remote(), timeout=30)

def write_into_the_server():
    return GcsClient(address=sys.argv[1]).internal_kv_put(b"key", b"value", True, None)

attempt = {"run": run_code, "write": write_into_the_server}[sys.argv[2]]
try:
    print(attempt())
except Exception as error:
    print("refused", type(error).__name__)
"""
VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def attacks() -> dict[str, str]:
    """Where Ray's server is, and what strangers reach there, who have this user's rights but not the token."""
    address = ray.get_runtime_context().gcs_address
    own = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    theirs: dict[str, dict[str, str]] = {
        "no token": {},
        "no authentication": {"RAY_AUTH_MODE": "disabled"},
        "a wrong token": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
        "the user's usual token": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "usual"},
        "the token": own,
    }
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ours["RAY_py_gcs_connect_timeout_s"] = "5"
    ours["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # or Ray would ask for this machine's other address
    tried = {
        f"{attempt} with {name}": subprocess.Popen(
            [sys.executable, "-c", STRANGER, address, attempt], env=ours | variables, stdout=subprocess.PIPE, text=True
        )
        for name, variables in theirs.items()
        for attempt in ("run", "write")
    }
    said = {name: stranger.communicate(timeout=300)[0].strip() for name, stranger in tried.items()}
    return {"address": address, **said}


@pytest.mark.slow
def test_strangers_are_refused_whatever_the_environment_says(
    write_space: Callable[..., Path],
    scripted: Callable[..., TrialFunction],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "usual")
    seen, source = tmp_path / "seen.json", Path(__file__)

    def attack(spec: TrialSpec) -> None:
        names: dict[str, object] = {}
        exec(compile(source.read_text(), str(source), "exec"), names)  # workers do not know the modules of tests
        seen.write_text(json.dumps(names["attacks"]()))  # type: ignore[operator]

    path = write_space(epochs=1)
    do = scripted(lambda *_: 0.5, before=attack)
    outcome = run_session(load_experiment(path), tmp_path / "study", partial(run_on_ray, do=do), trials=1)
    assert outcome.num_finished == 1
    found = json.loads(seen.read_text())
    assert found.pop("address").startswith("127.0.0.1:")
    assert (found.pop("run with the token"), found.pop("write with the token")) == ("owned", "1")
    assert len(found) == 8
    assert {name: said for name, said in found.items() if not said.startswith("refused")} == {}
    assert (os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]) == ("disabled", "usual")


def test_every_session_has_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    tokens = []
    for _ in range(2):
        with private_session():
            assert os.environ["RAY_AUTH_MODE"] == "token"
            tokens.append(os.environ["RAY_AUTH_TOKEN"])
        assert not any(name in os.environ for name in VARIABLES)
    assert len(set(tokens)) == 2
    assert all(len(token) >= 32 for token in tokens)


def test_the_environment_is_restored_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "usual")
    with pytest.raises(KeyboardInterrupt), private_session():
        raise KeyboardInterrupt
    assert os.environ["RAY_AUTH_TOKEN"] == "usual"


@pytest.mark.parametrize("version", ["2.9.3", "2.51.1", "2.51.0rc1", "1.13.0"])
def test_a_ray_without_tokens_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "__version__", version)
    with (
        pytest.raises(ValueError, match=rf"^Ray {version} lets everybody .* expected 2\.52 or later"),
        private_session(),
    ):
        pytest.fail("it has started")


@pytest.mark.parametrize("version", ["2.52.0", "2.60.0", "2.100.0rc1", "3.0.0.dev0"])
def test_later_ones_are_not(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "__version__", version)
    with private_session():
        assert os.environ["RAY_AUTH_MODE"] == "token"
