"""How a run ends: seconds from a signal to the end of the process, and what is left of it ten seconds later.

    python scripts/bench_endings.py --rounds 3                   # signals, at every phase, with both backends
    python scripts/bench_endings.py --rounds 20 --deaths         # kill -9 of the run, of the raylet, of Ray's server

Every run is real: the space of search_spaces/quickstart.yaml, images included. A process counts as left if it has
inherited a variable of the run's environment; a file, if it lies in the run's temporary folder or has a hidden name in
its study. Other load on the machine makes the seconds longer.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ressearch.search.warden import descendants

SPACE = Path(__file__).parent.parent / "search_spaces" / "quickstart.yaml"
MARK = "RESSEARCH_BENCH_ENDINGS"
SIGNALS = {
    "Ctrl-C": [signal.SIGINT],
    "Ctrl-C twice": [signal.SIGINT, signal.SIGINT],
    "SIGTERM": [signal.SIGTERM],
    "SIGHUP": [signal.SIGHUP],
}
LATER = 10.0


@dataclass
class Run:
    """One `ressearch run` with a temporary folder and a mark of its own."""

    home: Path
    backend: str
    trials: int
    mark: str
    process: "subprocess.Popen[str]"

    @property
    def study(self) -> Path:
        """The directory of its study."""
        return self.home / "study"

    @property
    def output(self) -> str:
        """What it has printed so far, errors included."""
        return (self.home / "output").read_text()

    def child(self, name: str) -> int | None:
        """The process below the run that bears a name, if there is one."""
        for pid in descendants(self.process.pid):
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    return pid
        return None

    def left(self) -> tuple[int, int]:
        """Processes and temporary files that are still there."""
        files = [*(self.home / "tmp").iterdir(), *self.study.rglob(".*")]
        return len(list(marked(self.mark))), len(files)


def marked(mark: str) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                yield int(entry.name)


@contextmanager
def started(backend: str, trials: int) -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="e") as home:
        (Path(home) / "tmp").mkdir()
        mark = uuid.uuid4().hex
        command = [sys.executable, "-m", "ressearch", "run", str(SPACE), "--study", f"{home}/study"]
        command += ["--backend", backend, "--trials", str(trials)]
        with (Path(home) / "output").open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": f"{home}/tmp", "TORCHINDUCTOR_CACHE_DIR": f"{home}/torch", MARK: mark},
                start_new_session=True,
                text=True,
            )
        try:
            yield Run(home=Path(home), backend=backend, trials=trials, mark=mark, process=process)
        finally:
            for pid in marked(mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


PHASES: dict[str, tuple[int, Callable[[Run], bool]]] = {
    "imports": (16, lambda run: bool(list(marked(run.mark)))),
    "Ray starts, or study opens": (
        16,
        lambda run: run.child("gcs_server") is not None if run.backend == "ray" else run.study.exists(),
    ),
    "mid-run": (16, lambda run: "trial 1 " in run.output),
    "final export": (1, lambda run: bool(list(run.study.glob(".best-*")))),
}
"""Trials of the run, and whether the phase has begun."""


def until(run: Run, condition: Callable[[Run], bool]) -> bool:
    deadline = time.monotonic() + 120
    while not condition(run):
        if run.process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def ending(run: Run, phase: str, signals: list[signal.Signals]) -> float | None:
    """Seconds from the first signal to the end of the process; None if it ended before the phase."""
    if not until(run, PHASES[phase][1]):
        return None
    if phase == "imports":
        time.sleep(0.4)
    began = time.monotonic()
    for index, signum in enumerate(signals):
        time.sleep(0.3 * min(index, 1))
        run.process.send_signal(signum)
    run.process.wait()
    return time.monotonic() - began


def bench_signals(rounds: int) -> None:
    print(f"{'backend':8}{'phase':28}{'signal':14}{'median s':>9}{'worst s':>9}  exit codes  left: processes, files")
    for backend in ("ray", "local"):
        for phase, (trials, _) in PHASES.items():
            for name, signals in SIGNALS.items():
                seconds, codes, left = [], set(), []
                for _ in range(rounds):
                    with started(backend, trials) as run:
                        if (taken := ending(run, phase, signals)) is None:
                            continue
                        seconds.append(taken)
                        codes.add(run.process.returncode)
                        time.sleep(LATER)
                        left.append(run.left())
                        if "Traceback" in run.output:
                            print(run.output)
                if not seconds:
                    print(f"{backend:8}{phase:28}{name:14} was never met")
                    continue
                print(
                    f"{backend:8}{phase:28}{name:14}{statistics.median(seconds):9.2f}{max(seconds):9.2f}  "
                    f"{', '.join(map(str, sorted(codes))):10}  {max(left)[0]}, {max(files for _, files in left)}",
                    flush=True,
                )


def bench_deaths(rounds: int) -> None:
    print(f"{'kill -9 of':14}{'runs':>6}{'median s':>9}{'worst s':>9}  exit codes  runs that left processes, files")
    for name in ("the run", "raylet", "gcs_server"):
        found: dict[str, list[float]] = defaultdict(list)
        codes = set()
        for _ in range(rounds):
            with started("ray", 16) as run:
                until(run, lambda run: run.child("raylet") is not None)
                time.sleep(random.uniform(0, 12))
                victim = run.process.pid if name == "the run" else run.child(name)
                if victim is None or run.process.poll() is not None:
                    continue
                began = time.monotonic()
                os.kill(victim, signal.SIGKILL)
                run.process.wait()
                found["seconds"].append(time.monotonic() - began)
                codes.add(run.process.returncode)
                time.sleep(LATER)
                processes, files = run.left()
                found["processes"].append(processes > 0)
                found["files"].append(files > 0)
                if name != "the run" and run.output.count("\n") > 20:
                    print(run.output)
        seconds = found["seconds"] or [0.0]
        print(
            f"{name:14}{len(found['seconds']):6}{statistics.median(seconds):9.2f}{max(seconds):9.2f}  "
            f"{', '.join(map(str, sorted(codes))):10}  {sum(found['processes'])}, {sum(found['files'])}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deaths", action="store_true", help="kill -9 instead of signals")
    arguments = parser.parse_args()
    if arguments.deaths:
        bench_deaths(arguments.rounds)
    else:
        bench_signals(arguments.rounds)


if __name__ == "__main__":
    main()
