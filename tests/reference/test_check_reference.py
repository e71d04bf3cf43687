"""scripts/check_reference.py as a user runs it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
REFERENCE = CHECKOUT.parent / "shared" / "reference" / "architectures.yaml"
Run = Callable[..., tuple[int, str, str]]

RESNET_20: dict[str, Any] = {
    "input_size": 32,
    "block": "basic",
    "residual": True,
    "ordering": "original",
    "blocks_per_stage": [3, 3, 3],
    "expansion": 1,
    "stage_inner_channels": [16, 32, 64],
    "stage_out_channels": [16, 32, 64],
    "stage_strides": [1, 2, 2],
    "cardinality": 1,
    "stride_on": "conv3x3",
    "stem": {"kernel": 3, "stride": 1, "channels": 16, "bn": True, "relu": True, "max_pool": None},
    "shortcut": {"type": "identity", "dim_change": "zero_pad_subsample"},
    "tail": "none",
}
ENTRY: dict[str, Any] = {
    "id": "mine[1]",
    "nominal_depth": 20,
    "dataset": "cifar10",
    "num_classes": 10,
    "structure": RESNET_20,
    "params_exact": 269_722,
    "params_without_bn": 268_346,
    "macs_exact": 40_551_040,
    "params_exact_by_dataset": {"cifar10": 269_722, "cifar100": 275_572},
}


@pytest.fixture
def script(tmp_path: Path) -> Run:
    """Run the script on a file of entries, or of any text."""

    def run(content: object, *arguments: str) -> tuple[int, str, str]:
        file = content if isinstance(content, Path) else tmp_path / "networks.yaml"
        if file is not content:
            file.write_text(content if isinstance(content, str) else yaml.safe_dump({"architectures": content}))
        command = [sys.executable, str(CHECKOUT / "scripts" / "check_reference.py"), str(file), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT)
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_script_tells_exact_entries_from_others(script: Run) -> None:
    others = [
        {"id": "more", "params_exact": 269_723},
        {"id": "fewer-macs", "macs_exact": 40_551_039},
        {"id": "wrong-on-another", "params_exact_by_dataset": {"cifar100": 1}},
        {"id": "unknown-dataset", "params_exact_by_dataset": {"svhn2": 1}},
        {"id": "dilated", "structure": {**RESNET_20, "dilation": 2}},
        {"id": "silent", "params_exact": None},
        {"id": "nameless-depth", "nominal_depth": 50, "macs_exact": None},
    ]
    code, out, _ = script([ENTRY, *({**ENTRY, **other} for other in others), "no mapping"])
    assert code == 1
    lines = {line.split()[0]: " ".join(line.split()) for line in out.splitlines()[:-1] if line.strip()}
    assert lines["mine[1]"] == "mine[1] 269,722 269,722 268,346 268,346 40,551,040 40,551,040 exact"
    assert lines["more"].endswith("different: params: expected 269,723, counted 269,722 (-1)")
    assert lines["fewer-macs"].endswith("different: MACs: expected 40,551,039, counted 40,551,040 (+1)")
    assert "different: params on cifar100: expected 1, counted 275,572" in lines["wrong-on-another"]
    assert lines["unknown-dataset"].endswith("params_exact_by_dataset.svhn2: an unknown number of classes")
    assert (
        "dilated refused: networks.yaml:97: architectures[5].structure.dilation: got 2, unknown here"
        in lines["dilated"]
    )
    assert lines["silent"] == "silent refused: networks.yaml:109: architectures[6]: 'params_exact' is missing"
    assert "exact: nominal_depth 50, counted 20, or 22 with" in lines["nameless-depth"]
    assert lines["9"] == "9 refused: networks.yaml:127: architectures[8]: got 'no mapping', expected keys with values"
    assert out.splitlines()[-1] == "9 entries counted by arithmetic: 2 exact, 3 different, 4 refused"


def test_the_script_builds_modules(script: Run) -> None:
    code, out, _ = script([ENTRY], "--build")
    assert (code, out.splitlines()[-1]) == (
        0,
        "1 entries counted by arithmetic and as built: 1 exact, 0 different, 0 refused",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("architectures: [", "networks.yaml:1:17: broken YAML: while parsing"),
        ("", "networks.yaml:1: the file is empty, expected a mapping with a list of architectures"),
        ("[1, 2]", "networks.yaml:1: got a list, expected keys with values"),
        ("architectures: {a: 1}", "networks.yaml:1: architectures: got a mapping, expected a list"),
        ("architectures: []", "networks.yaml:1: architectures: got an empty list, expected one or more"),
        ("networks: []", "networks.yaml:1: 'architectures' is missing, expected a list of them"),
    ],
)
def test_a_file_that_cannot_be_read_ends_in_one_line(script: Run, content: str, message: str) -> None:
    code, out, error = script(content)
    assert (code, out, len(error.splitlines())) == (2, "", 1)
    assert message in error


def test_a_file_that_is_not_there_ends_in_one_line(script: Run, tmp_path: Path) -> None:
    assert script(tmp_path / "none.yaml") == (
        2,
        "",
        f"check_reference: {tmp_path}/none.yaml: there is no such file\n",
    )


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference collection is not beside this checkout")
def test_the_reference_collection_is_exact(script: Run) -> None:
    code, out, _ = script(REFERENCE)
    assert (code, out.splitlines()[-1]) == (0, "90 entries counted by arithmetic: 90 exact, 0 different, 0 refused")
