"""Runs one command in a process group of its own and leaves nothing behind when it ends, however it ends.

    python warden.py FD COMMAND ...

The command may use the file descriptor, and a folder for its temporary files that $RAY_TMPDIR names. It is over when it
exits, when standard input reaches its end, or when whoever started the warden is gone, since that closes the input.
All processes that it has started, and their children, are killed then, and the folder is removed. A process whose
parent has died is given to the warden by the kernel (a "subreaper"), so that none escapes; this needs Linux.

Imports nothing but the standard library: it must start at once and stay small.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_SET_DEATH_SIGNAL, _SET_SUBREAPER = 1, 36
"""Of prctl(2)."""
_LONGEST_PLACE = 20
"""Characters of a path in which Ray can have its folder: the paths of its sockets below may have 107."""
_KILL_SECONDS = 5.0


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; end it now if that has happened. Linux only."""
    if sys.platform == "linux":
        _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def watch(fd: int, command: list[str]) -> None:
    """Run a command until it ends or is no longer wanted."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # whoever is responsible gets them, too, and closes the input
        signal.signal(getattr(signal, name), lambda *_: None)
    if sys.platform == "linux":
        _prctl(_SET_SUBREAPER, 1)
    folder = _folder()
    variables = {**os.environ, "RAY_TMPDIR": folder}
    try:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[fd], env=variables) as process:
            os.close(fd)
            _wait(process)
            _kill_all(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def descendants(pid: int) -> set[int]:
    """Return all living processes below one, as far as /proc tells."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        new = set(children.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _prctl(option: int, argument: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(argument), 0, 0, 0)


def _folder() -> str:
    """Make a folder, in the usual place unless its path is too long for sockets."""
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="ressearch-ray-", dir=usual if len(usual) <= _LONGEST_PLACE else "/tmp")


def _wait(process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        if select.select([0], [], [], 0.2)[0] and not os.read(0, 1):
            return


def _kill_all(process: "subprocess.Popen[bytes]") -> None:
    """Kill the command and everything below this process, until nothing is left of it."""
    process.kill()
    process.wait()
    deadline = time.monotonic() + _KILL_SECONDS
    while _has_children() and time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _has_children() -> bool:
    """Tell what /proc cannot: it is read piece by piece, and a process may start others meanwhile."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # it has ended
        return True
    return False


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2:])
