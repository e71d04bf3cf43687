"""The written module: equal to ours, clean to a linter, and nothing in it that its network does not use."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ressearch.arch import Architecture, Stage, named, plan
from ressearch.arch.architecture import SqueezeExcitation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.arch.widening import Widening
from ressearch.export import model_source
from ressearch.model import build

RULES = "E,F,W,I,UP,B,SIM,RUF,N,C4,PIE,RET,ARG"


def source_of(architecture: Architecture, name: str = "a network", origin: str = "") -> str:
    return model_source(plan(architecture, in_channels=2, num_classes=5), name=name, resolution=9, origin=origin)


def executed(source: str, seed: int = 0) -> nn.Module:
    namespace: dict[str, Any] = {}
    exec(compile(source, "model.py", "exec"), namespace)
    torch.manual_seed(seed)
    network = namespace["build"]()
    assert isinstance(network, nn.Module)
    return network


def check_equal(architecture: Architecture) -> None:
    """One seed starts both modules from equal weights; trained a little, they still give equal logits."""
    torch.manual_seed(0)
    ours = build(plan(architecture, in_channels=2, num_classes=5))
    source = source_of(architecture)
    written = executed(source)
    images = torch.randn(4, 2, 9, 9)
    assert torch.equal(ours(images), written(images))  # train mode: also moves the running statistics
    pairs = list(zip(ours.state_dict().values(), written.state_dict().values(), strict=True))
    assert all(torch.equal(first, second) for first, second in pairs)
    assert torch.equal(ours.eval()(images), written.eval()(images))
    check_nothing_unused(ast.parse(source))


def check_nothing_unused(tree: ast.Module) -> None:
    """Only torch is imported; every class is built, every argument read, every attribute applied."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert {module.split(".")[0] for module in modules} == {"torch"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    for found in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        assert found.name in called, f"class {found.name} is never built"
        attributes = [node for node in ast.walk(found) if isinstance(node, ast.Attribute)]
        of_self = [node for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"]
        stored = {node.attr for node in of_self if isinstance(node.ctx, ast.Store)}
        loaded = {node.attr for node in of_self if isinstance(node.ctx, ast.Load)}
        assert stored <= loaded, f"{found.name} never uses {sorted(stored - loaded)}"
        for function in (node for node in found.body if isinstance(node, ast.FunctionDef)):
            read = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            arguments = {argument.arg for argument in function.args.args} - {"self"}
            assert arguments <= read, f"{found.name}.{function.name} never reads {sorted(arguments - read)}"


def test_every_combination_equals_ours(combination: Architecture) -> None:
    check_equal(combination)


@settings(max_examples=100)
@given(data=st.data())
def test_the_grid_equals_ours(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_equal(data.draw(architectures))


@pytest.mark.slow
@settings(max_examples=2000)
@given(data=st.data())
def test_much_of_the_grid_equals_ours(architectures: st.SearchStrategy[Architecture], data: st.DataObject) -> None:
    check_equal(data.draw(architectures))


BOTTLENECK = {"transform": Transform.BOTTLENECK, "shortcut": Shortcut.PROJECTION}
SE = {"se": SqueezeExcitation.STANDARD}
MIXED = Architecture(
    stages=(
        Stage(depth=2, width=16),
        Stage(depth=4, width=32, stride=2, shortcut=Shortcut.PROJECTION, **SE),
        Stage(depth=2, width=64, stride=2, transform=Transform.BOTTLENECK, cardinality=4),
        Stage(depth=2, width=64, stride=2, shortcut=Shortcut.ZERO_PAD),
        Stage(depth=2, width=80, transform=Transform.BOTTLENECK, bottleneck_ratio=0.1, cardinality=2, se_ratio=4, **SE),
        Stage(depth=2, width=96, shortcut=Shortcut.NONE),
        Stage(depth=2, width=12, shortcut=Shortcut.PROJECTION_EVERYWHERE),
    ),
    stem_width=16,
)
LITERATURE = {
    "resnet-110": named("resnet-110"),
    "preresnet-20": named("preresnet-20"),
    "plain-20": named("plain-20"),
    "se-preresnet": Architecture(
        stages=tuple(Stage(depth=2, width=width, **BOTTLENECK, **SE) for width in (64, 128, 256)),
        ordering=Ordering.FULL_PREACTIVATION,
    ),
    "resnext": Architecture(
        stages=tuple(Stage(depth=3, width=width, bottleneck_ratio=2.0, **BOTTLENECK) for width in (64, 128)),
        stem_width=64,
    ),
    "pyramidnet": Architecture(
        stages=tuple(Stage(depth=6, stride=stride) for stride in (1, 2, 2)),
        ordering=Ordering.PYRAMID_PREACTIVATION,
        widening=Widening.ADDITIVE,
        alpha=48,
    ),
    "mixed": MIXED,
    "mixed-preactivation": Architecture(stages=MIXED.stages, stem_width=16, ordering=Ordering.FULL_PREACTIVATION),
}


@pytest.mark.parametrize("architecture", LITERATURE.values(), ids=LITERATURE)
def test_networks_of_the_literature_equal_ours(architecture: Architecture) -> None:
    check_equal(architecture)


def ruff(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments[:1], "--isolated", "--no-cache", "--line-length=100"]
    return subprocess.run([*command, *arguments[1:]], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, every_combination: dict[str, Architecture]) -> Path:
    """A directory with the source of every combination and of the networks above."""
    directory = tmp_path_factory.mktemp("written")
    for name, architecture in {**every_combination, **LITERATURE}.items():
        (directory / f"{name}.py").write_text(source_of(architecture, name), encoding="utf-8")
    return directory


def test_the_linter_finds_nothing(written: Path) -> None:
    """N812: `import torch.nn.functional as F` is the field's habit."""
    checked = ruff("check", f"--select={RULES}", "--ignore=N812", str(written))
    assert checked.returncode == 0, checked.stdout


def test_the_formatter_changes_nothing(written: Path) -> None:
    checked = ruff("format", "--diff", str(written))
    assert checked.returncode == 0, checked.stdout


HOSTILE = {
    "triple quotes": 'a"""\nimport os\nos.abort()\n"""',
    "only quotes": '"""""""',
    "a last quote": 'ends in "',
    "backslashes": "C:\\new\\x41\\N{DASH}\\",
    "a last backslash": "ends in \\",
    "an escaped quote": '\\"""+__import__("os").abort()+"""',
    "line breaks": "one\ntwo\r\nthree\x0b\x0cfour\u2028five\x85six",
    "braces": "{name} {0} {{}} %s $x",
    "control characters": "a\x00b\x1b[31mc\x7f",
    "direction marks": "abc\u202edef\u2066ghi",
    "a surrogate": "a\ud800b",
    "wide": "残差" * 80,
    "long": "x" * 500,
    "long backslashes": "\\" * 300,
    "long quotes": '"' * 300,
    "empty": "",
    "other scripts": "étude café, Студия",
}


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_words_of_users_stay_words(words: str, tmp_path: Path) -> None:
    """Whatever a study is called, only the docstring of the module follows it."""
    expected = ast.parse(source_of(named("resnet-8")))
    source = source_of(named("resnet-8"), name=words, origin=words)
    tree = ast.parse(source)
    assert ast.dump(ast.Module(tree.body[1:], [])) == ast.dump(ast.Module(expected.body[1:], []))
    docstring = ast.get_docstring(tree)
    assert docstring is not None
    assert "logits" in docstring
    file = tmp_path / "model.py"
    file.write_text(source, encoding="utf-8")
    checked = ruff("check", "--select=E,F,W", str(file))
    assert checked.returncode == 0, checked.stdout


def test_printable_words_are_kept() -> None:
    words = 'C:\\new "quoted" """thrice""" {braces}'
    docstring = ast.get_docstring(ast.parse(source_of(named("resnet-8"), name=words)))
    assert docstring is not None
    assert words in " ".join(docstring.split())


def test_the_docstring_says_what_it_is() -> None:
    resolved = plan(named("resnet-20"), in_channels=3, num_classes=10)
    docstring = ast.get_docstring(
        ast.parse(model_source(resolved, name="resnet-20", resolution=32, origin="Origin: val_accuracy 0.91."))
    )
    assert docstring is not None
    assert docstring.startswith("resnet-20: (N, 3, 32, 32) images to (N, 10) logits.")
    assert "269,722 parameters, 40,551,040 multiply-adds per image." in docstring
    assert "Origin: val_accuracy 0.91." in docstring


def test_shape_comments_are_true() -> None:
    """Each comment behind a stage names the shape that the stage gives."""
    source = source_of(MIXED)
    network = executed(source)
    shapes = {}
    for name, module in network.named_children():
        module.register_forward_hook(lambda _module, _args, output, name=name: shapes.update({name: output.shape}))
    network(torch.randn(2, 2, 9, 9))
    for number in range(1, 8):
        channels, height, width = shapes[f"stage{number}"][1:]
        assert f"x = self.stage{number}(x)  # (N, {channels}, {height}, {width})" in source


def test_resnet_20_reads_as_if_written_by_hand() -> None:
    """One block class; equal blocks in one line; the whole file within a screen or two."""
    source = source_of(named("resnet-20"))
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert classes == ["ZeroPadShortcut", "BasicBlock", "ResNet"]
    assert "self.stage1 = nn.Sequential(*(BasicBlock(16, 16) for _ in range(3)))" in source
    assert len(source.splitlines()) < 90


def test_the_source_is_a_function_of_the_plan() -> None:
    assert source_of(MIXED) == source_of(Architecture.from_dict(MIXED.to_dict()))
