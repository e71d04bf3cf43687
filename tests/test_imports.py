"""Who may import whom, read from the source, and what the light rooms cost to import."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ressearch"

# Imports run with the data; a dotted name opens one module of a room only.
MAY_IMPORT: dict[str, set[str]] = {
    "arch": {"arch"},
    "training": {"training"},
    "space": {"space", "arch", "training.source", "training.recipe"},
    "reference": {"reference", "arch", "model", "space.yaml_nodes"},
    "model": {"model", "arch"},
    "search": {"search", "arch", "space", "model", "training"},
    "report": {"report", "arch", "model", "space", "search"},
    "codegen": {"codegen", "arch", "model"},
    "packaging": {"packaging", "codegen", "arch", "model"},
}
EVERYWHERE = {"__version__", "images", "messages"}
HEAVY = ("torch", "torchvision", "ray", "optuna", "sklearn", "pandas", "pyarrow", "sqlalchemy")


def imports(file: Path) -> Iterator[str]:
    """Every module of ours that a file names, at any depth, without the leading `ressearch.`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=0):
                found = [f"{module}.{alias.name}" for alias in names] if module == "ressearch" else [module or ""]
            case ast.ImportFrom():
                pytest.fail(f"{file}:{node.lineno}: relative imports hide the room; write `from ressearch...`")
            case _:
                continue
        for name in found:
            package, _, rest = name.partition(".")
            if package == "ressearch":
                yield rest


def rooms() -> list[str]:
    return sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def test_every_room_has_a_rule() -> None:
    assert rooms() == sorted(MAY_IMPORT)


def test_no_file_name_occurs_twice() -> None:
    names = Counter(path.name for path in PACKAGE.rglob("*.py") if not path.name.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_with_the_data(room: str) -> None:
    allowed = MAY_IMPORT[room] | EVERYWHERE
    for file in sorted((PACKAGE / room).rglob("*.py")):
        for name in imports(file):
            parts = name.split(".")
            prefixes = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
            where = file.relative_to(PACKAGE)
            assert prefixes & allowed, f"{where} imports ressearch.{name}; {room} may import {sorted(allowed)}"


@pytest.mark.parametrize("module", ["arch", "space", "cli", "training.source", "training.recipe"])
def test_light_modules_stay_light(module: str) -> None:
    """`ressearch --help` and `check` must not pay for torch or ray."""
    script = (
        f"import sys, ressearch.{module}\n"
        f"loaded = sorted(name for name in {HEAVY!r} if name in sys.modules)\n"
        "sys.exit(f'also loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
