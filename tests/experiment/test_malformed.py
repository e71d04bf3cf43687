"""Several hundred files that are no search spaces: each must end in one short line with file and line.

A file is the good one below with one place spoiled: values of wrong types, out of range, or in YAML's traps; keys
missing, misspelt or twice; domains and conditions that cannot be; broken YAML; bytes that are no text; too much of it.
"""

import itertools
import os
import random
import re
import signal
import string
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import ressearch
from ressearch import check
from ressearch.experiment import load_experiment
from ressearch.space import SpaceError
from ressearch.space.lookup import find_architecture

Sections = dict[str, dict[str, str]]

GOOD: Sections = {
    "data": {"name": "digits", "subset": "400", "val_images": "200", "resolution": "8"},
    "architecture": {
        "stages": "2",
        "depth": "[{int: {low: 1, high: 2}}, 1]",
        "width": "[8, {choice: [8, 16]}]",
        "shortcut": "{choice: [zero_pad, projection]}",
        "transform": "{choice: [basic, bottleneck]}",
        "cardinality": "{choice: [1, 2], when: {transform: bottleneck}}",
        "dropout": "{float: {low: 0, high: 0.4, step: 0.1}}",
        "zero_init": "false",
        "levels": "1",
        "norm": "batch",
    },
    "recipe": {"epochs": "4", "batch_size": "20", "lr": "{float: {low: 0.01, high: 0.1, log: true}}", "flip": "false"},
    "limits": {"num_params": "{max: 300_000}", "num_macs": "{max: 9_000_000}"},
    "sampler": {"name": "tpe", "seed": "3"},
    "scheduler": {"name": "asha", "first_rung": "1"},
    "budget": {"trials": "9"},
    "resources": {"workers": "1"},
}

NO_NUMBER = {
    "a word": "three",
    "quoted": "'3'",
    "thousands": "'1,000'",
    "exponent without point": "1e3",
    "octal": "010",
    "base 60": "1:30",
    "a date": "2001-01-01",
    "Arabic digits": "٣",
    "full-width digits": "\uff13",
    "a Roman numeral": "Ⅲ",
    "minus sign of typography": "\u22123",
    "a list": "[1, 2]",
    "a mapping": "{a: 1}",
    "two words": "3 4",
    "true": "true",
    "yes": "yes",
    "a unit": "3k",
    "percent": "30%",
    "nan without a point": "nan",
    "not a number": ".nan",
    "infinite": ".inf",
    "infinitely small": "-.inf",
    "an expression": "2*3",
    "tagged text": "!!str 3",
    "tagged truth": "!!bool 3",
    "tagged word": "!!int three",
    "tagged number": "!!float three",
    "tagged time": "!!timestamp x",
    "tagged nonsense time": "!!timestamp 2001-99-99",
    "tagged nothing": "!!int ''",
    "tagged fraction of nothing": "!!float ''",
    "tagged sign": "!!int -",
    "tagged base 60": "!!int ':'",
    "tagged bytes": "!!binary '*'",
    "tagged null": "!!null x",
    "unknown tag": "!size 3",
    "tag on a mapping": "!!int {a: 1}",
    "tag on a list": "!!int [3]",
    "list tag on a word": "!!seq 3",
    "mapping tag on a list": "!!map [3]",
    "text tag on a list": "!!str [3]",
    "truth tag on a mapping": "!!bool {3: 4}",
    "set": "!!set {a, b}",
    "pairs": "!!omap [a: 1]",
    "python object": "!!python/object/apply:os.system ['true']",
    "python name": "!!python/name:os.system",
    "tag of somewhere": "!<tag:example.org,2024:number> 3",
    "escapes": '"\\e[31m3\\e[0m"',
    "too many digits": "9" * 5000,
    "far too large": "1" + "0" * 400,
    "with tabs": '"3\\t"',
    "a long text": "x" * 5000,
}
NO_WHOLE_NUMBER = {"fraction": "2.5", "whole fraction": "3.0", "negative": "-1", "minus zero point": "-0.0"}
NO_TRUTH = {
    "a letter": "y",
    "quoted": "'true'",
    "a number": "1",
    "misspelt": "ture",
    "a list": "[true]",
    "null": "~",
    "a tag": "!!bool 3",
    "a tagged time": "!!timestamp x",
    "a tagged number": "!!int ''",
    "a tagged null": "!!null true",
    "a domain of numbers": "{int: {low: 0, high: 1}}",
    "empty": "''",
}
NO_NAME = {
    "unknown": "nonsense",
    "a number": "3",
    "no": "no",
    "off": "off",
    "quoted number": "'3'",
    "empty": "''",
    "null": "null",
    "a list": "[batch]",
    "a nested list": "[[batch]]",
    "a mapping": "{batch: 1}",
    "a tag": "!name batch",
    "bytes": "!!binary YmF0Y2g=",
    "a Cyrillic letter": "b\u0430tch",
    "invisible letter": '"batch\\u200b"',
    "reversed by a bidi override": '"\\u202ehctab"',
    "a tagged time": "!!timestamp x",
    "a tagged truth": "!!bool batch",
    "a tagged number": "!!int ''",
    "a merge key": "<<",
    "a bell": '"batch\\a"',
    "a line break": '"batch\\nbatch"',
    "capitals": "BATCH",
    "a date": "2024-02-30",
    "very long": "batch" * 2000,
}
NO_SECTION = {
    "nothing": "",
    "a word": "word",
    "a number": "3",
    "a list": "[1, 2]",
    "an empty list": "[]",
    "true": "yes",
    "a date": "2024-01-01",
    "a tag": "!!set {}",
    "another tag": "!section {}",
}
WHOLE = [
    ("data", "subset"),
    ("data", "val_images"),
    ("data", "resolution"),
    ("architecture", "stages"),
    ("architecture", "depth"),
    ("architecture", "width"),
    ("architecture", "levels"),
    ("recipe", "epochs"),
    ("recipe", "batch_size"),
    ("sampler", "seed"),
    ("scheduler", "first_rung"),
    ("budget", "trials"),
    ("resources", "workers"),
]
NUMBERS = [("recipe", "lr"), ("architecture", "dropout")]
TRUTHS = [("recipe", "flip"), ("architecture", "zero_init")]
NAMES = [
    ("data", "name"),
    ("architecture", "norm"),
    ("architecture", "shortcut"),
    ("sampler", "name"),
    ("scheduler", "name"),
]
RIGHT_THERE = {("architecture.depth", "a list"), ("architecture.width", "a list")}
"""What is wrong in general, and not there."""

DOMAINS = {
    "no values": "{choice: []}",
    "no list": "{choice: 3}",
    "null values": "{choice: }",
    "twice": "{choice: [1, 2, 1]}",
    "twice as a float": "{choice: [1, 2, 1.0]}",
    "one of them wrong": "{choice: [1, two]}",
    "one of them null": "{choice: [1, ~]}",
    "nested": "{choice: [[1, 2]]}",
    "a domain inside": "{choice: [{int: {low: 1, high: 2}}]}",
    "empty": "{}",
    "two kinds": "{choice: [1], int: {low: 1, high: 2}}",
    "unknown kind": "{range: {low: 1, high: 2}}",
    "misspelt kind": "{chioce: [1, 2]}",
    "capital kind": "{Choice: [1, 2]}",
    "kind twice": "{choice: [1], choice: [2]}",
    "low above high": "{int: {low: 3, high: 1}}",
    "no high": "{int: {low: 3}}",
    "no low": "{int: {high: 3}}",
    "list of bounds": "{int: [1, 3]}",
    "no step": "{int: {low: 1, high: 3, step: 0}}",
    "step backwards": "{int: {low: 1, high: 3, step: -1}}",
    "step beyond": "{int: {low: 1, high: 4, step: 2}}",
    "step and log": "{int: {low: 1, high: 3, step: 2, log: true}}",
    "log as a number": "{int: {low: 1, high: 3, log: 10}}",
    "log of zero": "{int: {low: 0, high: 3, log: true}}",
    "fractions": "{int: {low: 1.5, high: 3}}",
    "infinite": "{int: {low: 1, high: .inf}}",
    "quoted": "{int: {low: '1', high: '3'}}",
    "unknown bound": "{int: {low: 1, high: 3, base: 2}}",
    "null": "{int: }",
    "bound null": "{int: {low: ~, high: 3}}",
    "no keys": "{int, 1, 3}",
    "unknown condition": "{choice: [1, 2], when: {shape: round}}",
    "condition on itself": "{choice: [1, 2], when: {%s: 1}}",
    "condition on a value that never is": "{choice: [1, 2], when: {norm: nonsense}}",
    "condition that never holds": "{choice: [1, 2], when: {norm: group}}",
    "condition without values": "{choice: [1, 2], when: {transform: []}}",
    "condition no mapping": "{choice: [1, 2], when: transform}",
    "condition on a list of lists": "{choice: [1, 2], when: {transform: [[basic]]}}",
    "condition null": "{choice: [1, 2], when: {transform: }}",
    "condition alone": "{when: {transform: basic}}",
    "a stage too many": "[1, 1, 1]",
    "a stage too few": "[1]",
    "no stages": "[]",
    "stage without a value": "[1, ]",
    "huge list": f"[{', '.join(['1'] * 300)}]",
}
FLOATS = {
    "not a number": "{float: {low: 0.1, high: .nan}}",
    "infinite": "{float: {low: .inf, high: .inf}}",
    "low above high": "{float: {low: 0.2, high: 0.1}}",
    "log of zero": "{float: {low: 0, high: 0.1, log: true}}",
    "log of a negative": "{float: {low: -1, high: 0.1, log: true}}",
    "exponent without point": "{float: {low: 1e-4, high: 0.1}}",
    "step beyond": "{float: {low: 0.1, high: 0.4, step: 0.2}}",
    "step not a number": "{float: {low: 0.1, high: 0.3, step: .nan}}",
    "step of nothing": "{float: {low: 0.1, high: 0.3, step: 1.0e-320}}",
    "step infinite": "{float: {low: 0.1, high: 0.3, step: .inf}}",
    "step and log": "{float: {low: 0.1, high: 0.3, step: 0.1, log: true}}",
    "below zero": "{float: {low: -0.1, high: 0.3}}",
    "beyond one": "{float: {low: 0.1, high: 1.0e+400}}",
    "comma": "{float: {low: 0,1, high: 0,5}}",
    "names": "{choice: [low, high]}",
    "truth": "{choice: [true, false]}",
    "nan chosen": "{choice: [0.1, .nan]}",
    "null step": "{float: {low: 0.1, high: 0.3, step: abc}}",
}
WHOLE_FILES = {
    "empty": b"",
    "a space": b" ",
    "line breaks": b"\n\n\n",
    "comments only": b"# Is this a space?\n# no\n",
    "a document mark": b"---\n",
    "null": b"null\n",
    "a word": b"word\n",
    "a number": b"3\n",
    "a list": b"- version: 1\n",
    "an empty mapping": b"{}\n",
    "JSON of something else": b'{"name": "resnet", "layers": [1, 2]}\n',
    "two documents": b"version: 1\n---\nversion: 1\n",
    "a document behind the end": b"version: 1\n...\nversion: 1\n",
    "a directive": b"%YAML 9.9\n---\nversion: 1\n",
    "an unknown directive": b"%SPACE 1\nversion: 1\n",
    "a null byte": b"version: 1\x00\n",
    "an escape code": b"version: \x1b[31m1\n",
    "a C1 control": "version: \x9b31m1\n".encode(),
    "UTF-16": "version: 1\n".encode("utf-16"),
    "UTF-32": "version: 1\n".encode("utf-32"),
    "Latin-1": "# Größe\nversion: 1\n".encode("latin-1"),
    "half a character": b"version: 1\n# \xc3",
    "random bytes": random.Random(0).randbytes(2000),
    "an image": b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(500),
    "a byte order mark inside": "version: \ufeff1\n".encode(),
    "a byte order mark only": "\ufeff".encode(),
    "carriage returns, wrong version": b"version: 2\r\narchitecture: {}\r\n",
    "old carriage returns": b"version: 2\rarchitecture: {}\r",
    "tabs": b"version: 1\narchitecture:\n\tstages: 3\n",
    "no space behind the colon": b"version:1\narchitecture:\n",
    "an unclosed quote": b"version: 1\ndata: {name: 'digits}\n",
    "an unclosed brace": b"version: 1\ndata: {name: digits\n",
    "an unopened brace": b"version: 1\ndata: name: digits}\n",
    "wrong indentation": b"version: 1\ndata:\n    name: digits\n  subset: 3\n",
    "an unknown alias": b"version: 1\ndata: *digits\n",
    "an anchor twice": b"version: 1\ndata: {name: &a digits, subset: &a 3}\n",
    "an alias of itself": b"version: 1\narchitecture: &a {stages: 1, depth: *a}\n",
    "a list that holds itself": b"version: 1\narchitecture: {stages: 1, depth: &a [*a]}\n",
    "a merge key": b"version: 1\n<<: {data: {name: digits}}\n",
    "a merge key of a list": b"version: 1\narchitecture: {<<: [{stages: 1}, {depth: 1}], width: 8}\n",
    "a value key": b"version: 1\n=: 3\n",
    "a key that is a list": b"version: 1\n? [a, b]\n: 3\n",
    "a key that is a mapping": b"version: 1\n? {a: b}\n: 3\n",
    "a key that is null": b"version: 1\n~: 3\n",
    "a key that is a number": b"version: 1\n3: 3\n",
    "a key that is empty": b"version: 1\n'': 3\n",
    "a key with a tag": b"version: 1\n!!str data: {name: digits}\n!!binary ZGF0YQ==: 3\n",
    "a key with an escape code": b'version: 1\n"\\e]0;title\\a": 3\n',
    "a key of several lines": b'version: 1\n"da\\nta": 3\n',
    "a key of several lines in a section": b'version: 1\ndata: {"na\\nme": {"x\\ny": 3}}\n',
    "a long key": b"version: 1\n" + b"k" * 900 + b": 3\n",
    "a very long key": b"version: 1\n? " + b"k" * 50_000 + b"\n: 3\n",
    "a version of text": b"version: one\narchitecture: {stages: 1, depth: 1, width: 8}\n",
    "a version of tomorrow": b"version: 1.0\narchitecture: {stages: 1, depth: 1, width: 8}\n",
    "a version tagged": b"version: !!python/int 1\narchitecture: {stages: 1, depth: 1, width: 8}\n",
    "a tag on the file": b"!!python/object:ressearch.Architecture\nversion: 1\n",
    "a set as the file": b"!!set\nversion: 1\n",
    "a widening without widths": b"version: 1\narchitecture: {stages: 1, depth: 1}\n",
    "a pyramid without alpha": b"version: 1\narchitecture: {stages: 1, depth: 1, widening: additive}\n",
    "a billion stages": b"version: 1\narchitecture: {stages: 1_000_000_000, depth: 1, width: 8}\n",
    "ten thousand stages": b"version: 1\narchitecture: {stages: 10_000, depth: 1, width: 8}\n",
    "a circle of conditions": (
        b"version: 1\narchitecture:\n  stages: 1\n  depth: 1\n  width: 8\n"
        b"  se: {choice: [none, pre], when: {merge: add}}\n  merge: {choice: [add, dropout], when: {se: pre}}\n"
    ),
    "a condition of a depth": (
        b"version: 1\narchitecture:\n  stages: 1\n  width: 8\n  transform: {choice: [basic, bottleneck]}\n"
        b"  depth: {choice: [1, 2], when: {transform: basic}}\n"
    ),
    "many brackets": b"version: 1\ndata: " + b"[" * 10_000,
    "many brackets, closed": b"version: 1\ndata: " + b"[" * 10_000 + b"]" * 10_000,
    "many braces": b"version: 1\ndata: " + b"{a: " * 10_000,
    "many question marks": b"? " * 5_000,
    "many levels": b"".join(b" " * level + b"a:\n" for level in range(400)),
    "many dashes": b"- " * 5_000,
    "many keys": b"version: 1\n" + b"".join(b"key%d: %d\n" % (index, index) for index in range(4_000)),
    "many keys in a section": b"version: 1\ndata: {" + b", ".join(b"k%d: 1" % index for index in range(6_000)) + b"}",
    "many equal keys": b"version: 1\n" * 5_000,
    "a long list": b"version: 1\nbaselines: [" + b"resnet-20, " * 6_000 + b"]\narchitecture: {}\n",
    "ten million bytes of keys": b"".join(b"key%d: %d\n" % (index, index) for index in range(650_000)),
    "ten million bytes of lists": b"version: 1\ndata: [" + b"1," * 5_000_000 + b"]\n",
    "ten million bytes of text": b"version: " + b"1" * 10_000_000,
    "ten million bytes of line breaks": b"\n" * 10_000_000,
    "many laughs": b"version: 1\na0: &a0 [x, x]\n"
    + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (level, level, level - 1, level - 1) for level in range(1, 80)),
    "many laughs in a section": b"version: 1\narchitecture:\n  stages: 1\n  depth: &a0 [1, 1]\n"
    + b"".join(b"  a%d: &a%d [*a%d, *a%d]\n" % (level, level, level - 1, level - 1) for level in range(1, 80)),
}
PLACES = {
    "baseline unknown": "baselines: [resnet-21]",
    "baseline far off": "baselines: [vgg]",
    "baseline twice": "baselines: [resnet-20, resnet-20]",
    "baseline a number": "baselines: [20]",
    "baselines no list": "baselines: resnet-20",
    "baselines a mapping": "baselines: {resnet-20: true}",
    "baseline null": "baselines: [~]",
    "baseline of many layers": "baselines: [resnet-2000000000]",
    "baseline of very many layers": f"baselines: [resnet-{'9' * 5000}]",
    "baseline with an escape code": 'baselines: ["resnet-20\\e[2J"]',
    "baseline of several lines": 'baselines: ["resnet\\n-20"]',
    "baselines under both names": "baselines: [resnet-20]\nancestors: [resnet-20]",
    "objectives empty": "objectives: []",
    "objectives null": "objectives:",
    "objectives a word": "objectives: val_accuracy",
    "objective unknown": "objectives: [val_accuracy, num_flops]",
    "objective twice": "objectives: [val_accuracy, num_params, num_params]",
    "objectives without accuracy": "objectives: [num_params]",
    "objectives in another order": "objectives: [num_params, val_accuracy]",
    "objective null": "objectives: [~]",
    "section unknown": "trainer: {lr: 0.1}",
    "section of another tool": "search_space: {depth: [1, 2]}",
    "another section unknown": "seed: 3",
    "key twice": "data: {name: digits}",
}
FIELDS = {
    ("recipe", "schedule"): ["step", "Cosine", "3", "[cosine]", "{choice: [cosine, one_cycle]}", "null"],
    ("recipe", "momentum"): ["1", "-0.1", "1.5", ".nan", "{choice: [0.9, 1.0]}"],
    ("recipe", "weight_decay"): ["-1", ".inf", "1e-4", "{float: {low: -1, high: 1}}"],
    ("recipe", "warmup_epochs"): ["4", "-1", ".nan", "{int: {low: 0, high: 4}}"],
    ("recipe", "label_smoothing"): ["1", "-0.1", "{choice: [0, 1]}"],
    ("recipe", "lr"): ["0", "-0.1", "1e-1", "[0.1, 0.2]", "{choice: [0.1, 0]}", "{int: {low: 0, high: 1}}"],
    ("recipe", "epochs"): ["0", "-3", "{choice: [3, 4]}"],
    ("recipe", "learning_rate"): ["0.1"],
    ("recipe", "crop_padding"): ["-1", "4.5"],
    ("recipe", "crop_fill"): ["white", "3", "[black]", "null"],
    ("recipe", "optimizer"): ["adam"],
    ("data", "root"): ["3", "[a]", "{a: b}", "!!binary YQ=="],
    ("data", "name"): [
        "{choice: [digits, cifar10]}",
        "folder",
        "parquet",
        "cifar",
        "CIFAR10",
        "mnist",
        "folder\n  root: /nowhere/to/be/found",
        "parquet\n  root: /nowhere/to/be/found",
        "folder\n  root: /dev/null",
        "parquet\n  root: /dev/null",
        'folder\n  root: "/nowhere\\e[2J\\n"',
        'folder\n  root: "a\\0b"',
    ],
    ("data", "subset"): ["0", "-1", "{choice: [1, 2]}"],
    ("data", "val_images"): ["0", "-5"],
    ("data", "resolution"): ["0"],
    ("limits", "num_params"): [
        "300000",
        "{max: -1}",
        "{min: 10, max: 5}",
        "{max: 1}",
        "{min: 999_999_999_999}",
        "{max: 3e5}",
        "{max: '300000'}",
        "{max: 300k}",
        "{high: 3}",
        "[1, 2]",
        "{max: [3]}",
        "{max: .inf}",
    ],
    ("limits", "num_macs"): ["{max: 1}", "{max: 0}"],
    ("limits", "num_flops"): ["{max: 3}"],
    ("limits", "params"): ["{max: 3}"],
    ("sampler", "name"): ["grid", "TPE", "optuna", "random_search"],
    ("sampler", "population_size"): ["3"],
    ("sampler", "seed"): ["4294967296", "-1", "{choice: [1, 2]}"],
    ("scheduler", "first_rung"): ["0", "-1", "9", "1.5"],
    ("scheduler", "reduction_factor"): ["1", "0", "2.5", "-3", ".inf"],
    ("scheduler", "grace_period"): ["1"],
    ("budget", "trials"): ["0", "-1", "1e3", "'9'", "many"],
    ("budget", "hours"): ["0", "-1", ".nan", ".inf", "long"],
    ("budget", "target"): ["0", "1.1", ".nan", "good"],
    ("budget", "patience"): ["0", "-1", "1.5", "none"],
    ("budget", "seconds_per_trial"): ["0", ".inf", "a minute"],
    ("budget", "minutes"): ["3"],
    ("data", "test_images"): ["5", "-1", "1.5", ".nan", "some"],
    ("resources", "workers"): ["0", "-2", "all"],
    ("resources", "gpus_per_trial"): ["0", "2", "-1", ".nan", "half"],
    ("resources", "cpus_per_trial"): ["0", "0.5"],
    ("architecture", "stages"): ["0", "-1", "1", "3", "{choice: [2, 3]}", "[2]", "99999999999999999999"],
    ("architecture", "depth"): [
        "1_000_000_000",
        "{int: {low: 1, high: 1_000_000_000}}",
        "[1, 10_001]",
        "{choice: [10_001, 1]}",
    ],
    ("architecture", "widen_factor"): ["-1", ".nan", "[1, 2]"],
    ("architecture", "stem_width"): ["0", "-8", "[8, 16]"],
    ("architecture", "bottleneck_ratio"): ["-1", ".inf"],
    ("architecture", "drop_path_rate"): ["1", "-0.1"],
    ("architecture", "alpha"): ["-1", "[1, 2]"],
    ("architecture", "widening"): ["additive", "{choice: [additive, per_stage]}", "[additive, additive]"],
    ("architecture", "se_ratio"): ["0", "1.5"],
    ("architecture", "levels"): ["0", "{choice: [0, 1]}"],
    ("architecture", "shortcut"): ["{choice: [zero_pad, zero_pad]}", "{choice: [zeropad]}", "{int: {low: 0, high: 1}}"],
    ("architecture", "zero_init"): ["{choice: [true, true]}", "{choice: [0, 1]}", "{choice: ['true']}"],
    ("architecture", "kernel_size"): ["3"],
}


def text_of(sections: Mapping[str, Mapping[str, str]], first: str = "# Is it a space?\nversion: 1\n") -> str:
    return first + "".join(
        f"{name}:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items()) for name, keys in sections.items()
    )


def with_value(section: str, key: str, value: str | None) -> str:
    """The good file with one value replaced, or left out."""
    keys = {name: given for name, given in GOOD[section].items() if name != key}
    return text_of({**GOOD, section: keys if value is None else {**keys, key: value}})


def wrong_values() -> Iterator[tuple[str, str]]:
    kinds = [
        (WHOLE, NO_NUMBER | NO_WHOLE_NUMBER),
        (NUMBERS, NO_NUMBER),
        (TRUTHS, NO_TRUTH),
        (NAMES, NO_NAME),
        ([("architecture", "depth"), ("architecture", "levels")], DOMAINS),
        (NUMBERS, FLOATS),
    ]
    for places, values in kinds:
        for (section, key), (what, value) in itertools.product(places, values.items()):
            if (f"{section}.{key}", what) not in RIGHT_THERE:
                yield f"{section}.{key} {what}", with_value(section, key, value.replace("%s", key))
    for (section, key), several in FIELDS.items():
        for value in several:
            yield f"{section}.{key}: {value}", with_value(section, key, value)


def wrong_keys() -> Iterator[tuple[str, str]]:
    """Every key misspelt in a way of its own, and given twice; what is needed left out."""
    rng = random.Random(0)
    for section, keys in GOOD.items():
        for key in keys:
            at = rng.randrange(len(key))
            misspelt = rng.choice(
                [key[:at] + key[at + 1 :], key[:at] + key[at] + key[at:], key[:at] + "-" + key[at + 1 :], key.upper()]
            )
            others = {name: value for name, value in keys.items() if name != key}
            yield f"{section}.{misspelt}", text_of({**GOOD, section: {**others, misspelt: keys[key]}})
            yield f"{section}.{key} twice", text_of(GOOD).replace(f"\n  {key}:", f"\n  {key}: 1\n  {key}:", 1)
        for what, value in NO_SECTION.items():
            yield (
                f"{section} {what}",
                text_of({name: GOOD[name] for name in GOOD if name != section}) + (f"{section}: {value}\n"),
            )
        yield f"{section} twice", text_of(GOOD) + f"{section}:\n"
        yield f"{section} misspelt", text_of({**GOOD, "x" + section: GOOD[section]})
    for key in ("stages", "depth", "width"):
        yield f"without {key}", with_value("architecture", key, None)
    yield "without version", text_of(GOOD, first="")
    yield "without architecture", text_of({name: GOOD[name] for name in GOOD if name != "architecture"})
    for what, lines in PLACES.items():
        yield what, text_of(GOOD) + lines + "\n"


def broken_text() -> Iterator[tuple[str, str]]:
    """The good file cut off where something is open, without brackets, and with characters where they mean another."""
    good, rng = text_of(GOOD), random.Random(1)
    opens = [place for place, character in enumerate(good) if character in "{["]
    for place in rng.sample(opens, 12):
        yield f"cut at {place}", good[: place + 1]
    closes = [place for place, character in enumerate(good) if character in "}]"]
    for place in rng.sample(closes, 12):
        yield f"without a bracket at {place}", good[:place] + good[place + 1 :]
    for character in "\t%@`*&!|>\"'[{}],":
        yield f"a line of {character!r}", good.replace("recipe:\n", f"{character}\nrecipe:\n")
    for character in "\x00\x07\x08\x1b\x7f\x80\x9b\ufffe\ud800":
        yield f"a character {character!r}", good.replace("batch\n", f"batch{character}\n")
    for place in rng.sample(range(len(good)), 12):
        junk = "".join(rng.choices(string.punctuation, k=6))
        yield f"junk {junk} at {place}", f"{good[:place]}\n{junk}: [\n{good[place:]}"


def malformed() -> dict[str, bytes]:
    """Every file by what is wrong with it; no two are equal."""
    texts = itertools.chain(wrong_values(), wrong_keys(), broken_text())
    files = {name: text.encode(errors="surrogatepass") for name, text in texts} | WHOLE_FILES
    return {name: content for content, name in {content: name for name, content in files.items()}.items()}


MALFORMED = malformed()
SECONDS = 30
"""Only guards against what has no end."""


def test_there_are_several_hundred() -> None:
    assert len(MALFORMED) > 1_500
    assert len(set(MALFORMED.values())) == len(MALFORMED)


def test_only_the_spoiled_place_is_wrong(path: Path) -> None:
    path.write_text(text_of(GOOD))
    check(load_experiment(path), samples=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "space.yaml"


@pytest.mark.parametrize("what", MALFORMED)
def test_one_line_says_where(what: str, path: Path) -> None:
    path.write_bytes(MALFORMED[what])
    with pytest.raises(SpaceError) as caught, ending_in(SECONDS):
        check(path, samples=20)
    assert_one_line(str(caught.value), path)


@pytest.mark.parametrize("what", random.Random(2).sample(sorted(MALFORMED), 30))
def test_so_does_the_command_line(what: str, path: Path) -> None:
    path.write_bytes(MALFORMED[what])
    command = [sys.executable, "-m", "ressearch", "check", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(ressearch.__file__).parents[1])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("ressearch: ")
    assert ended.stderr.endswith("\n")
    assert_one_line(ended.stderr.removeprefix("ressearch: ")[:-1], path)


def assert_one_line(message: str, path: Path) -> None:
    assert re.match(rf"{re.escape(str(path))}:\d+(:\d+)?: ", message), message
    assert message.isprintable()
    assert len(message) < 1_500


@contextmanager
def ending_in(seconds: int) -> Iterator[None]:
    """Fail, rather than hang, when it takes longer."""

    def end(*_: object) -> None:
        pytest.fail(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("file", ["/dev/zero", "/dev/urandom"])
def test_a_file_without_end(file: str) -> None:
    with pytest.raises(SpaceError, match=rf"{file}:\d+: the file goes on beyond 100,000 bytes"):
        load_experiment(file)


def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpaceError, match="pipe:1: the file is empty"), ending_in(SECONDS):
        load_experiment(tmp_path / "pipe")


def test_a_pipe_that_is_written_to(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(text_of(GOOD))
    with subprocess.Popen(["cat", good], stdout=subprocess.PIPE) as writer, ending_in(SECONDS):
        assert writer.stdout is not None
        assert load_experiment(f"/dev/fd/{writer.stdout.fileno()}").space == load_experiment(good).space


def test_a_description_that_aliases_blow_up(tmp_path: Path) -> None:
    """Whoever reads a file as plain data goes all the way down."""
    path = tmp_path / "architecture.yaml"
    path.write_bytes(b"architecture:\n" + MALFORMED["many laughs in a section"].partition(b"stages: 1\n")[2])
    with pytest.raises(SpaceError, match=r"yaml:\d+: with its aliases this holds more than"), ending_in(SECONDS):
        find_architecture(path)


def test_a_description_that_holds_itself(tmp_path: Path) -> None:
    path = tmp_path / "architecture.yaml"
    path.write_text("architecture: &a\n  stages: [*a]\n")
    with pytest.raises(SpaceError, match=r"yaml:1: with its aliases this holds more than"):
        find_architecture(path)
