"""A long search of short trials: does anything grow that should not?

    python scripts/soak.py                   # 300 trials of one epoch on the digits
    python scripts/soak.py --trials 100

Starts `ressearch run` as a user would, on all workers, and looks at its processes once a second (Linux only). Prints
memory and open files of the driver and of its workers, and the disk space per trial, each over the first and over the
last fifth of the trials. Weights are kept per trial, so their bytes are told apart from the rest.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SPACE = """# Does anything grow that should not?
version: 1
data: {name: digits, subset: 600, val_images: 200}
architecture:
  stages: 3
  stem_width: 8
  depth: {int: {low: 1, high: 3}}
  width: [{choice: [8, 12, 16]}, {choice: [16, 24, 32]}, {choice: [32, 48, 64]}]
  ordering: {choice: [original, full_preactivation]}
  se: {choice: [none, standard]}
recipe: {epochs: 1, batch_size: 100, lr: {float: {low: 0.02, high: 0.5, log: true}}}
limits: {num_params: {max: 300_000}}
scheduler: {name: none}
"""
MIB = 2**20


@dataclass(frozen=True)
class Look:
    """The processes at one moment: memory in bytes (resident, shared pages included), open files."""

    driver_memory: int
    driver_files: int
    worker_memory: int
    worker_files: int


def main() -> None:
    """Run the search and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300)
    trials: int = parser.parse_args().trials
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        looks, sizes = searched(Path(scratch), trials)
    fifth = max(1, len(looks) // 5)
    print(f"{trials} trials of one epoch; median of the first and of the last fifth of the time")
    for name, unit, value in ROWS:
        first, last = (statistics.median(map(value, part)) for part in (looks[:fifth], looks[-fifth:]))
        print(f"{name:28} {first:10.1f} {last:10.1f} {unit}")
    for name, per_trial in sizes.items():
        print(f"{name:28} {per_trial[0]:10.1f} {per_trial[1]:10.1f} KiB per trial")


ROWS: list[tuple[str, str, Callable[[Look], float]]] = [
    ("memory of the driver", "MiB", lambda look: look.driver_memory / MIB),
    ("memory of a worker (largest)", "MiB", lambda look: look.worker_memory / MIB),
    ("open files of the driver", "", lambda look: look.driver_files),
    ("open files of a worker (most)", "", lambda look: look.worker_files),
]


def searched(scratch: Path, trials: int) -> tuple[list[Look], dict[str, tuple[float, float]]]:
    """Search; return what was seen from the first trial's end on, and disk space after a fifth and at the end."""
    space, study = scratch / "soak.yaml", scratch / "study"
    space.write_text(SPACE)
    command = [sys.executable, "-m", "ressearch", "run", space, "--trials", str(trials), "--study", study]
    looks: list[Look] = []
    early: dict[str, float] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as driver:
        while driver.poll() is None:
            time.sleep(1.0)
            finished = num_finished(study)
            if finished and (look := seen(driver.pid)):
                looks.append(look)
            if not early and finished >= trials // 5:
                early = disk(study, finished)
    if driver.returncode:
        sys.exit(f"the search ended with exit code {driver.returncode}")
    late = disk(study, num_finished(study))
    return looks, {name: (early[name], late[name]) for name in late}


def num_finished(study: Path) -> int:
    """Count finished trials by their weights, which costs the search nothing."""
    return len(list(study.glob("trials/*/weights.safetensors")))


def disk(study: Path, trials: int) -> dict[str, float]:
    """Return KiB per trial of the database and of the weights."""
    database = sum(file.stat().st_size for file in study.glob("study.db*"))
    files = [file for file in study.glob("trials/*/*") if file.is_file()]
    return {
        "database": database / 1024 / trials,
        "files of trials": sum(file.stat().st_size for file in files) / 1024 / trials,
    }


def seen(driver: int) -> Look | None:
    """Look at the driver and at the processes of Ray that train, None while there are none."""
    workers = [pid for pid in descendants(driver) if b"ray::" in read(pid, "cmdline")]
    if not workers:
        return None
    return Look(
        driver_memory=memory(driver),
        driver_files=files(driver),
        worker_memory=max(map(memory, workers)),
        worker_files=max(map(files, workers)),
    )


def descendants(pid: int) -> list[int]:
    """Return all processes that a process has started, directly or not."""
    threads = Path(f"/proc/{pid}/task").glob("*")
    children = [int(child) for thread in threads for child in read(pid, f"task/{thread.name}/children").split()]
    return [found for child in children for found in (child, *descendants(child))]


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    fields = read(pid, "statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def files(pid: int) -> int:
    """Count the open files of a process."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def read(pid: int, name: str) -> bytes:
    """Read a file about a process, nothing if it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
