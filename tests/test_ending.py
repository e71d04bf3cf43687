"""What a signal does to the code that it meets."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ressearch import ending

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _handlers_stay() -> Iterator[None]:
    """Nothing is ignored at first, whatever a shell's background or nohup has said; handlers are brought back."""
    outside = [signal.signal(signum, signal.SIG_DFL) for signum in SIGNALS]
    try:
        yield
        assert [signal.getsignal(signum) for signum in SIGNALS] == [signal.SIG_DFL] * len(SIGNALS)
    finally:
        for signum, handler in zip(SIGNALS, outside, strict=True):
            signal.signal(signum, handler)


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_interrupts_once(signum: signal.Signals) -> None:
    with ending.catching():
        with pytest.raises(ending.Interrupted):
            signal.raise_signal(signum)
        signal.raise_signal(signum)
        signal.raise_signal(signal.SIGINT)
        assert ending.received() == signum
        assert ending.exit_code() == 128 + signum
    assert ending.received() is None


def test_what_is_held_comes_to_its_end() -> None:
    done = []
    with ending.catching():
        with pytest.raises(ending.Interrupted), ending.held():  # noqa: PT012
            with ending.held():
                signal.raise_signal(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        with ending.held():  # it has been said once
            done.append("after")
    assert done == ["inner", "outer", "after"]


def test_what_is_released_does_not_wait() -> None:
    with ending.catching(), pytest.raises(ending.Interrupted), ending.held():  # noqa: PT012
        with pytest.raises(ending.Interrupted), ending.released():
            signal.raise_signal(signal.SIGINT)
        with ending.released():
            pytest.fail("it began after the signal")


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "PATIENCE", 0.05)
    with ending.catching(), pytest.raises(ending.Interrupted), ending.held():  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)
        pytest.fail("it was left alone")


def test_a_signal_that_meets_a_finaliser_is_not_lost() -> None:
    class Closing:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with ending.catching():
        closing = Closing()
        with pytest.raises(ending.Interrupted):  # noqa: PT012
            del closing
            time.sleep(60)


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending.catching():
            signal.raise_signal(signal.SIGHUP)
            assert ending.received() is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_catch_nothing() -> None:
    handlers = []

    def work() -> None:
        with ending.orderly(), ending.held(), ending.released():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]


def test_a_function_that_ends_in_order_passes_its_signal_on() -> None:
    seen = []
    before = signal.signal(signal.SIGTERM, lambda signum, _: seen.append(signum))
    try:
        with ending.orderly(), ending.orderly():
            with pytest.raises(ending.Interrupted):
                signal.raise_signal(signal.SIGTERM)
            assert seen == []
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


STUCK = """
import atexit, os, signal, sys, tempfile
from ressearch import ending
ending.LIMIT = 0.3
folder = tempfile.TemporaryDirectory(dir=sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
with ending.catching(ends_process=True), ending.held():
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        try:
            signal.sigwait([signal.SIGUSR1])
        except BaseException:
            pass
"""


def test_a_process_ends_whatever_it_is_stuck_in(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(ending.__file__).parents[1])}
    command = [sys.executable, "-c", STUCK, str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 143
    assert ended.stderr == "\nressearch: ended; the same command carries on\n"
    assert list(tmp_path.iterdir()) == []
