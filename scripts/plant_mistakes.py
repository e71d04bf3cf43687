"""Which of the mistakes in mistakes.yaml the tests of their rooms notice; each is planted alone, in a copy of the tree.

python scripts/plant_mistakes.py [--room ROOM] [--only N ...] [--jobs N]

The tests of a mistake are run once without it, too: a mistake is noticed if they pass then and fail, or hang, with it.
Exits with 1 if a mistake goes unnoticed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_name("mistakes.yaml")
PASSED, FAILED = 0, 1
"""Exit codes of pytest; others say that it could not run, as where an import fails."""
TIMEOUT = 600.0
"""Seconds that tests may take without a mistake; with one, three times what they took."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A plausible slip: in `file` of `room`, `old` becomes `new`. `tests` could notice it, and take the least time."""

    number: int
    room: str
    file: str
    what: str
    old: str
    new: str
    tests: str

    def __str__(self) -> str:
        return f"{self.number:3} {self.room:10} {self.file.removeprefix('ressearch/')}: {self.what}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--room", help="the mistakes of one room")
    parser.add_argument("--only", type=int, nargs="+", help="the mistakes with these numbers")
    parser.add_argument("--jobs", type=int, default=1, help="mistakes at a time")
    arguments = parser.parse_args()
    every = table()
    check(every)
    chosen = [
        mistake
        for mistake in every
        if arguments.room in (None, mistake.room) and (arguments.only is None or mistake.number in arguments.only)
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        suites = list(dict.fromkeys(mistake.tests for mistake in chosen))
        seconds = dict(zip(suites, pool.map(seconds_without, suites), strict=True))
        outcomes = list(pool.map(partial(noticed, seconds), chosen))
    report(chosen, outcomes)
    sys.exit(not all(outcomes))


def table() -> list[Mistake]:
    """Read the mistakes, numbered from 1; the tests of the room serve where a mistake names none."""
    content = yaml.safe_load(TABLE.read_text())
    return [
        Mistake(number=number, **{"tests": content["tests"][row["room"]], **row})
        for number, row in enumerate(content["mistakes"], start=1)
    ]


def check(mistakes: list[Mistake]) -> None:
    """End with a message where a mistake cannot be planted."""
    for mistake in mistakes:
        count = (ROOT / mistake.file).read_text().count(mistake.old)
        if count != 1:
            sys.exit(f"mistake {mistake}: {mistake.old!r} must occur once, got {count} times")


def seconds_without(tests: str) -> float:
    """Return how long tests take without a mistake; end with a message if they do not pass."""
    started = time.perf_counter()
    with copied() as tree:
        if tested(tree, tests, TIMEOUT) != PASSED:
            sys.exit(f"{tests}: these tests must pass without a mistake")
    return time.perf_counter() - started


def noticed(seconds: dict[str, float], mistake: Mistake) -> bool:
    """Plant a mistake and tell whether its tests notice; end with a message if they cannot even begin."""
    with copied() as tree:
        file = tree / mistake.file
        file.write_text(file.read_text().replace(mistake.old, mistake.new))
        code = tested(tree, mistake.tests, 30 + 3 * seconds[mistake.tests])
    if code not in (PASSED, FAILED):
        sys.exit(f"mistake {mistake}: pytest ends with {code}; a mistake must leave everything importable")
    print(f"{'noticed' if code else 'UNNOTICED':9} {mistake}", flush=True)
    return code != PASSED


@contextmanager
def copied() -> Iterator[Path]:
    """Copy the tree as it is, without what git ignores."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mistake-") as scratch:
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, Path(scratch) / name)
        yield Path(scratch)


def tested(tree: Path, tests: str, timeout: float) -> int:
    """Run tests in a tree and return pytest's exit code; tests that hang have failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests.split()]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return FAILED
    return done.returncode


def report(mistakes: list[Mistake], outcomes: list[bool]) -> None:
    """Print how many were noticed by room, and which were not."""
    by_room: dict[str, list[bool]] = defaultdict(list)
    for mistake, outcome in zip(mistakes, outcomes, strict=True):
        by_room[mistake.room].append(outcome)
    print()
    for room, found in [*by_room.items(), ("all", outcomes)]:
        print(f"{room:10} {sum(found)} of {len(found)} noticed")
    for mistake, outcome in zip(mistakes, outcomes, strict=True):
        if not outcome:
            print(f"unnoticed: {mistake}")


if __name__ == "__main__":
    main()
