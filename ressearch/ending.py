"""How a run ends on a signal: in order, within ten seconds, whatever it is doing at that moment.

Ctrl-C (SIGINT), SIGTERM and SIGHUP mean the same. The first one raises `Interrupted` in the main thread, at once or,
where work must not be torn apart, at the end of that work; later ones change nothing. What is ignored when a run
starts stays ignored, such as SIGHUP under nohup. Outside of the main thread nothing is caught and nothing held back.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

PATIENCE = 6.0
"""Seconds after a signal that held-back work may take; then it is interrupted as well."""
LIMIT = 9.0
"""Seconds after a signal at which a command ends even if some call into a library has not returned."""

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(KeyboardInterrupt):
    """A signal has asked for the end."""


class _Watch:
    """Takes the signals of the outermost call that catches them."""

    def __init__(self, *, ends_process: bool) -> None:
        self.received: signal.Signals | None = None
        self.since = 0.0
        self.holds = 0
        self.was_raised = False
        self._ends_process = ends_process
        self._timers: list[threading.Timer] = []
        self._terminals = [fd for fd in (1, 2) if _is_terminal(fd)]

    def handle(self, signum: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        if self.received is None:
            self._first(signal.Signals(signum))
        if self.holds == 0 and not self.was_raised:
            self.interrupt()

    def interrupt(self) -> None:
        """Raise what ends the main thread."""
        self.was_raised = True
        raise Interrupted

    def swallowed(self, event: Any) -> None:
        """Take an exception that Python could not raise, such as one in a finaliser: ours is sent again."""
        if isinstance(event.exc_value, Interrupted):
            self.was_raised = False
            self._later(0.05, self._wake)
        else:
            sys.__unraisablehook__(event)

    def stop(self) -> None:
        """Forget the timers."""
        for timer in self._timers:
            timer.cancel()

    def _first(self, signum: signal.Signals) -> None:
        self.received, self.since = signum, time.monotonic()
        self._later(PATIENCE, self._lose_patience)
        if self._ends_process:
            self._later(LIMIT, _leave)
        for fd in self._terminals:
            if not _is_terminal(fd):  # it was closed, which is why SIGHUP came: writing would fail from now on
                os.dup2(os.open(os.devnull, os.O_WRONLY), fd)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _lose_patience(self) -> None:
        self.holds, self.was_raised = 0, False
        self._wake()

    def _wake(self) -> None:
        """Run the handler in the main thread, and end a system call that it waits in."""
        assert self.received is not None
        signal.pthread_kill(threading.main_thread().ident or 0, self.received)


_watch: _Watch | None = None


@contextmanager
def catching(*, ends_process: bool = False) -> Iterator[None]:
    """Catch the signals, and bring back what was there before in the end; inside of another `catching`, do nothing.

    Args:
        ends_process: Whether nothing but the end of the process follows: it comes `LIMIT` seconds after a signal
            whatever happens, and signals are ignored in the end.
    """
    global _watch
    if _watch is not None or not _is_main_thread():
        yield
        return
    _watch = watch = _Watch(ends_process=ends_process)
    before = {signum: signal.getsignal(signum) for signum in _SIGNALS}
    caught = {signum: handler for signum, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    hook = sys.unraisablehook
    try:
        sys.unraisablehook = watch.swallowed
        for signum in caught:
            signal.signal(signum, watch.handle)
        yield
    finally:
        for signum, handler in caught.items():
            signal.signal(signum, signal.SIG_IGN if ends_process else handler)
        sys.unraisablehook = hook
        if not ends_process:
            watch.stop()
            _watch = None


@contextmanager
def orderly() -> Iterator[None]:
    """Catch the signals while a function works that puts its things in order before it ends.

    Where nobody around it catches them, SIGTERM and SIGHUP are sent again afterwards, to do what they would have done.
    """
    is_outermost, signum = _watch is None, None
    try:
        with catching():
            try:
                yield
            finally:
                signum = received()
    finally:
        if is_outermost and signum not in (None, signal.SIGINT):
            signal.raise_signal(signum)


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the end of this work, for `PATIENCE` seconds.

    Raises:
        Interrupted: In the end, if one came and has interrupted nothing yet.
    """
    watch = _watch if _is_main_thread() else None
    if watch is None:
        yield
        return
    watch.holds += 1
    try:
        yield
    finally:
        watch.holds = max(0, watch.holds - 1)
    if watch.received and watch.holds == 0 and not watch.was_raised:
        watch.interrupt()


@contextmanager
def released() -> Iterator[None]:
    """Within `held`, let a signal interrupt this work at once, or before it begins if one has come."""
    watch = _watch if _is_main_thread() else None
    if watch is None:
        yield
        return
    holds, watch.holds = watch.holds, 0
    try:
        if watch.received:
            watch.interrupt()
        yield
    finally:
        watch.holds = holds


def received() -> signal.Signals | None:
    """Return the signal that has asked for the end, if one has."""
    return _watch.received if _watch else None


def waited() -> float:
    """Return the seconds since a signal came, 0 if none has."""
    return time.monotonic() - _watch.since if _watch and _watch.received else 0.0


def exit_code() -> int:
    """Return the exit code of a command that a signal has ended: 128 and the number of the signal."""
    return 128 + (received() or signal.SIGINT)


def _leave() -> None:
    """End this process now, whatever its main thread does; registered clean-ups get a second."""
    code = exit_code()
    with suppress(OSError):
        os.write(2, b"\nressearch: ended; the same command carries on\n")
    cleaning = threading.Thread(target=atexit._run_exitfuncs, daemon=True)  # removes temporary directories, too
    cleaning.start()
    cleaning.join(1.0)
    os._exit(code)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
