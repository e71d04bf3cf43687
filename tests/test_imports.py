"""Who may import whom, read from the source, and what the light rooms cost to import."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections import Counter
from collections.abc import Container, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ressearch"

# Imports run with the data; a dotted name opens one module of a room only.
MAY_IMPORT: dict[str, set[str]] = {
    "arch": {"arch"},
    "training": {"training"},
    "schedulers": {"schedulers"},
    "space": {"space", "arch", "training.recipe"},
    "store": {"store", "arch", "space", "training.recipe"},
    "samplers": {"samplers", "arch.Cost", "arch.InfeasibleError", "space", "store"},
    "experiment": {
        "experiment",
        "arch",
        "space",
        "samplers",
        "schedulers",
        "training.division",
        "training.source",
        "training.recipe",
    },
    "model": {"model", "arch"},
    "reference": {"reference", "arch", "model", "space.yaml_nodes"},
    "search": {"search", "arch", "space", "store", "samplers", "schedulers", "experiment", "model", "training"},
    "replays": {
        "replays",
        "arch",
        "space",
        "store",
        "samplers",
        "schedulers",
        "experiment",
        "search",
        "training.data",
        "training.loop",
        "training.recipe",
        "training.source",
    },
    "codegen": {"codegen", "arch", "model"},
    "packaging": {
        "packaging",
        "codegen",
        "arch",
        "model",
        "space",
        "store",
        "training.source",
        "training.recipe",
    },
    "report": {
        "report",
        "arch",
        "space",
        "store",
        "samplers",
        "schedulers",
        "experiment",
        "search",
        "replays",
        "training.recipe",
        "training.division",
        "training.source",
        "training.sources",
    },
}
ALL = {*MAY_IMPORT}
MAY_IMPORT |= {"verbs": {"verbs", *ALL}, "cli": {"cli", "verbs", *ALL}}
EVERYWHERE = {"__version__", "ending", "images", "messages", "noise", "ranking", "whole_files"}
ALONE_KNOW: dict[str, set[str]] = {
    "sqlalchemy": {"store"},
    "optuna": {"store", "samplers"},
    "optuna_dashboard": {"report"},
    "ray": {"search"},
    "tensorboardX": {"search"},
    "torch": {"training", "model", "search", "packaging", "reference"},
    "yaml": {"space", "packaging"},
    "rich": {"report", "reference"},
    "typer": {"cli"},
}
"""The rooms in which a package of others is imported."""
HEAVY = ("torch", "torchvision", "ray", "optuna", "sklearn", "pandas", "pyarrow", "sqlalchemy")


def imports(file: Path) -> Iterator[str]:
    """All of ours that a file imports, at any depth, without the leading `ressearch.`: `arch.names.named`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found = [f"{module}.{alias.name}" for alias in names]
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


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_with_the_data(room: str) -> None:
    allowed = MAY_IMPORT[room] | EVERYWHERE
    for file in sorted((PACKAGE / room).rglob("*.py")):
        for name in imports(file):
            parts = name.split(".")
            prefixes = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
            where = file.relative_to(PACKAGE)
            assert prefixes & allowed, f"{where} imports ressearch.{name}; {room} may import {sorted(allowed)}"


def test_no_two_files_need_each_other() -> None:
    modules = {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): file
        for file in PACKAGE.rglob("*.py")
    }
    needs = {
        module: {found for name in imports(file) if (found := _module_of(name, modules)) not in (module, None)}
        for module, file in modules.items()
    }
    TopologicalSorter(needs).prepare()  # names the circle if there is one


def _module_of(name: str, modules: Container[str]) -> str | None:
    """Return the file that a name is imported from, None if it is the package itself, which loads all on first use."""
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in modules), None)


@pytest.mark.parametrize("package", ALONE_KNOW)
def test_packages_of_others_are_known_to_few(package: str) -> None:
    found = set()
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        guarded = {id(child) for node in ast.walk(tree) if _is_for_types(node) for child in ast.walk(node)}
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    modules = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module)):
                    modules = [module]
                case _:
                    continue
            if id(node) not in guarded and any(name.partition(".")[0] == package for name in modules):
                found.add(file.relative_to(PACKAGE).parts[0])
    assert found == ALONE_KNOW[package]


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_no_two_files_share_a_name() -> None:
    """A name in a traceback, an editor's tab or a message says which file it is."""
    names = Counter(file.name for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_no_function_hides_a_module() -> None:
    """After `from package import name`, a name that is a module and a function would be either."""
    packages = ["ressearch"] + [
        module.name for module in pkgutil.walk_packages([str(PACKAGE)], "ressearch.") if module.ispkg
    ]
    assert len(packages) > len(MAY_IMPORT)
    for name in packages:
        package = importlib.import_module(name)
        offered = {*vars(package), *getattr(package, "__all__", ())}
        for module in pkgutil.iter_modules(package.__path__):
            if module.name in offered and module.name != "__main__":
                assert inspect.ismodule(getattr(package, module.name)), f"{name}.{module.name} is no module"


LIGHT = (
    "arch",
    "space",
    "experiment",
    "schedulers",
    "samplers",
    "store.record",
    "store.files",
    "cli",
    "verbs",
    "training.source",
    "training.recipe",
)


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_stay_light(module: str) -> None:
    """`ressearch --help` and `check` must not pay for torch or ray."""
    script = (
        f"import sys, ressearch.{module}\n"
        f"loaded = sorted(name for name in {HEAVY!r} if name in sys.modules)\n"
        "sys.exit(f'also loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
