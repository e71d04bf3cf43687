"""The docstring of a written module: it says what the network is, and words of users never become code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ressearch.arch import Plan, named, plan
from ressearch.codegen import model_source


def resolved(name: str) -> Plan:
    return plan(named(name), in_channels=2, num_classes=5)


def source_of(found: Plan, name: str = "a network", origin: str = "") -> str:
    return model_source(found, name=name, resolution=9, origin=origin)


HOSTILE = {
    "triple quotes": 'a"""\nimport os\nos.abort()\n"""',
    "only quotes": '"""""""',
    "a last quote": 'ends in "',
    "backslashes": "C:\\new\\x41\\N{DASH}\\",
    "a last backslash": "ends in \\",
    "an escaped quote": '\\"""+__import__("os").abort()+"""',
    "line breaks": "one\ntwo\r\nthree\x0b\x0cfour\u2028five\x85six",
    "braces": "{name} {0} {{}} %s $x",
    "names of ours": "torch.rand F.relu ZeroPad( SqueezeExcite(",
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
    found = resolved("plain-8")
    expected = ast.parse(source_of(found))
    source = source_of(found, name=words, origin=words)
    tree = ast.parse(source)
    assert ast.dump(ast.Module(tree.body[1:], [])) == ast.dump(ast.Module(expected.body[1:], []))
    docstring = ast.get_docstring(tree)
    assert docstring is not None
    assert "logits" in docstring
    file = tmp_path / "model.py"
    file.write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--line-length=100", "--select=E,F,W"]
    checked = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_printable_words_are_kept() -> None:
    words = 'C:\\new "quoted" """thrice""" {braces}'
    docstring = ast.get_docstring(ast.parse(source_of(resolved("resnet-8"), name=words)))
    assert docstring is not None
    assert words in " ".join(docstring.split())


def test_the_docstring_says_what_it_is() -> None:
    found = plan(named("resnet-20"), in_channels=3, num_classes=10)
    source = model_source(found, name="resnet-20", resolution=32, origin="Origin: val_accuracy 0.91.")
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring is not None
    assert docstring.startswith("resnet-20: (N, 3, 32, 32) images to (N, 10) logits.")
    assert "269,722 parameters, 40,551,040 multiply-adds per image." in docstring
    assert "Origin: val_accuracy 0.91." in docstring
    assert docstring.endswith('network = build(load_file("weights.safetensors")).eval()')


def test_the_docstring_of_a_network_without_weights_names_none() -> None:
    source = model_source(resolved("resnet-8"), name="resnet-8", resolution=9, has_weights=False)
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring is not None
    assert "safetensors" not in docstring
    assert docstring.endswith("    network = build()")
