"""Mistakes of YAML itself: keys, types, and words that YAML reads otherwise than they look."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ressearch.arch import AXES
from ressearch.experiment import load_experiment
from ressearch.space import SpaceError

DEPTH = "  depth: {int: {low: 1, high: 2}}"
SHORTCUT = "  shortcut: {choice: [zero_pad, projection]}"
WIDENING = "  widening: per_stage"
LR = "  lr: {float: {low: 0.01, high: 0.5, log: true}}"
SHORTCUTS = ", ".join(AXES["shortcut"].names)

# what is replaced, by what, and a part of the message behind the file name
MISTAKES = {
    # keys
    "section": ("sampler:", "smapler:", "15: unknown key 'smapler', expected one of version, data, "),
    "section guess": ("sampler:", "smapler:", "did you mean 'sampler'?"),
    "axis": (SHORTCUT, "  shortcuts: none", "8: architecture: unknown key 'shortcuts', expected one of stages, "),
    "axis guess": (SHORTCUT, "  shortcuts: none", "did you mean 'shortcut'?"),
    "recipe key": (LR, "  learn_rate: 0.1", "12: recipe: unknown key 'learn_rate'"),
    "bound": ("{max: 300_000}", "{maximum: 3}", "14: limits.num_params: unknown key 'maximum', expected one of min, "),
    "limit": ("num_params", "num_flops", "14: limits: unknown key 'num_flops', expected one of num_params, num_macs"),
    "range key": ("low: 1,", "lo: 1,", "6: architecture.depth.int: unknown key 'lo', expected one of low, high, "),
    "key twice": (WIDENING, "  depth: 3", "9: architecture: the key 'depth' is given twice, first in line 6"),
    "key no text": (WIDENING, "  no: 3", "9: architecture: got the key no, expected text; YAML reads no as false"),
    "version missing": ("version: 1\n", "", "2: 'version' is missing, expected version: 1"),
    "version wrong": ("version: 1", "version: 2", "2: version: got 2, expected 1"),
    "stages missing": ("  stages: 3\n", "", "architecture: 'stages' is missing, expected the number of stages"),
    "no stages": ("stages: 3", "stages: 0", "5: architecture.stages: 1 <= stages <= 100 must hold, got 0"),
    "depth missing": (DEPTH + "\n", "", "architecture: 'depth' is missing, expected the number of blocks"),
    # types and YAML's traps
    "text for number": (DEPTH, "  depth: three", "6: architecture.depth: got 'three', expected a whole number"),
    "quoted number": (
        DEPTH,
        "  depth: '3'",
        "6: architecture.depth: got '3', expected a whole number; leave the quotes out",
    ),
    "float for int": (DEPTH, "  depth: 2.5", "6: architecture.depth: got 2.5, expected a whole number"),
    "bool for int": (DEPTH, "  depth: true", "6: architecture.depth: got true, expected a whole number"),
    "section no mapping": ("{name: digits}", "digits", "3: data: got 'digits', expected keys with values"),
    "list no list": ("[resnet-8]", "resnet-8", "17: baselines: got 'resnet-8', expected a list"),
    "no": (SHORTCUT, "  shortcut: no", "8: architecture.shortcut: got no, expected one of " + SHORTCUTS),
    "no trap": (SHORTCUT, "  shortcut: no", "YAML reads no as false; write 'no' in quotes if a name is meant"),
    "off": (
        "{name: asha, first_rung: 2}",
        "{name: off}",
        "16: scheduler.name: got off, expected one of asha, calibrated, hyperband, median, none; YAML reads off",
    ),
    "yes in choice": ("[zero_pad, proj", "[yes, proj", "8: architecture.shortcut.choice[0]: got yes, expected one of "),
    "no for none": (SHORTCUT, "  norm: no", "in quotes if a name is meant; did you mean 'none'?"),
    "false for none": (
        SHORTCUT,
        "  norm: false",
        "got false, expected one of batch, group, none; did you mean 'none'?",
    ),
    "yes for none": (
        SHORTCUT,
        "  norm: yes",
        "8: architecture.norm: got yes, expected one of batch, group, none; YAML",
    ),
    "None": (SHORTCUT, "  norm: None", "got 'None', expected one of batch, group, none; did you mean 'none'?"),
    "null": (SHORTCUT, "  shortcut: ~", f"got nothing (null), expected one of {SHORTCUTS}; did you mean 'none'?"),
    "null without none": (
        SHORTCUT,
        "  init: null",
        "got nothing (null), expected one of he, lecun, xavier, depth_scaled",
    ),
    "text for truth": (SHORTCUT, "  zero_init: y", "8: architecture.zero_init: got 'y', expected true or false"),
    "quoted truth": (
        SHORTCUT,
        "  zero_init: 'True'",
        "8: architecture.zero_init: got 'True', expected true or false; leave the quotes out",
    ),
    "number for truth": (SHORTCUT, "  zero_init: 1", "8: architecture.zero_init: got 1, expected true or false"),
    "null for truth": (SHORTCUT, "  zero_init:", "got nothing (null), expected true or false"),
    "list for truth": (
        SHORTCUT,
        "  zero_init: {choice: [[true]]}",
        "zero_init.choice[0]: got a list, expected true or",
    ),
    "truth for number": (
        SHORTCUT,
        "  dropout: on",
        "8: architecture.dropout: got on, expected a number; YAML reads on",
    ),
    "empty value": (DEPTH, "  depth:", "6: architecture.depth: got nothing (null), expected a whole number"),
    "1e-3": (LR, "  lr: 1e-3", "12: recipe.lr: got '1e-3', expected a number; YAML reads 1e-3 as text; write 1.0e-3"),
    "5E4": (
        "low: 0.01",
        "low: 5E-4",
        "12: recipe.lr.float.low: got '5E-4', expected a number; YAML reads 5E-4 as text; write 5.0e-4",
    ),
    "1.5e3": (LR, "  lr: 1.5e3", "YAML reads 1.5e3 as text; write 1.5e+3"),
    "-.1": (
        LR,
        "  momentum: -.1",
        "12: recipe.momentum: got '-.1', expected a number; YAML reads -.1 as text; write -0.1",
    ),
    "octal": (
        DEPTH,
        "  depth: 010",
        "6: architecture.depth: got 010, expected a whole number; YAML reads 010 as the octal number 8; write 10",
    ),
    "base 60": (
        "epochs: 6",
        "epochs: 1:30",
        "11: recipe.epochs: got 1:30, expected a whole number; YAML reads 1:30 as 90, a number to base 60",
    ),
    "date": ("name: digits", "name: 2024-01-01", "3: data.name: got 2024-01-01, expected one of digits, "),
    "tag": (
        SHORTCUT,
        "  shortcut: !!python/name:os.system x",
        "8: architecture.shortcut: got the YAML tag !!python/name:os.system, expected a plain",
    ),
    "unfit tag": (DEPTH, "  depth: !!int three", "6: architecture.depth: got the YAML tag !!int, expected a plain"),
    "own tag": (DEPTH, "  depth: !range {low: 1}", "6: architecture.depth: got the YAML tag !range"),
    "infinite": (LR, "  lr: .inf", "12: recipe.lr: lr > 0 must hold"),
    # no YAML at all
    "broken": (DEPTH, "  depth: {int: {low: 1", "7:8: broken YAML: while parsing a flow mapping, expected ',' or '}'"),
    "tab": (DEPTH, "\tdepth: 3", "6:1: broken YAML: "),
    "tab hint": (DEPTH, "\tdepth: 3", "; indent with spaces, not with tabs"),
    "control character": (DEPTH, "  depth: \x07", "6: broken YAML: character '\\x07' is not allowed"),
    "unknown anchor": (DEPTH, "  depth: *here", "6:10: broken YAML: found undefined alias 'here'"),
    "two documents": ("recipe:", "---\nrecipe:", "broken YAML: expected a single document in the stream"),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(complaint: Callable[[str, str], str], old: str, new: str, said: str) -> None:
    got = complaint(old, new)
    assert said in got
    assert "\n" not in got


def test_the_good_file_loads(tmp_path: Path, good: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(good)
    assert load_experiment(path).origin.question == "Does it load?"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty, expected a search space"),
        (b"# only a comment\n", "the file is empty, expected a search space"),
        (b"version: 1\n", ":1: 'architecture' is missing, expected the axes of the space"),
        (b"[" * 3000, "broken YAML: lists or mappings are nested too deeply"),
        (b"- 1\n", ":1: got a list, expected keys with values"),
        (b"version: 1\nname: caf\xe9\n", "not UTF-8 text: byte 0xe9 at position 20"),
    ],
)
def test_a_file_without_a_space_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(content)
    with pytest.raises(SpaceError) as caught:
        load_experiment(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"missing\.yaml: there is no such file$"):
        load_experiment(tmp_path / "missing.yaml")
    with pytest.raises(SpaceError, match="this is a directory, expected a YAML file"):
        load_experiment(tmp_path)
