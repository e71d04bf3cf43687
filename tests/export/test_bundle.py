"""The exported directory: complete, checked in a process without `ressearch`, and all or nothing."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from ressearch.arch import Architecture, Stage, architecture_id, named, plan
from ressearch.arch.architecture import SqueezeExcitation
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.transforms import Transform
from ressearch.export import ExportError, bundle, export_bundle
from ressearch.model import build
from ressearch.train.source import ImageShape

SHAPE = ImageShape(channels=1, resolution=8, num_classes=4)
GATED = Architecture(
    stages=(
        Stage(depth=2, width=16, transform=Transform.BOTTLENECK, cardinality=2, shortcut=Shortcut.PROJECTION),
        Stage(depth=2, width=32, stride=2, se=SqueezeExcitation.STANDARD),
    ),
    stem_width=8,
    ordering=Ordering.FULL_PREACTIVATION,
)


def trained(architecture: Architecture) -> dict[str, Tensor]:
    """Weights away from their start: every tensor, the running statistics included."""
    torch.manual_seed(0)
    network = build(plan(architecture, SHAPE.channels, SHAPE.num_classes))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        network(torch.randn(8, 1, 8, 8)).square().mean().backward()
        optimizer.step()
    return network.state_dict()


@pytest.mark.parametrize("architecture", [named("resnet-8"), GATED], ids=["resnet-8", "gated"])
def test_an_export_gives_the_logits_of_the_trained_network(architecture: Architecture, tmp_path: Path) -> None:
    state = trained(architecture)
    shuffled = dict(sorted(state.items()))  # as safetensors reads it back: the order of the layers is lost
    origin = {"study": "digits", "trial": 17, "val_accuracy": 0.5}
    normalisation = {"mean": [0.25], "std": [0.125], "class_names": ["no", "yes", "off", "on"]}
    made = export_bundle(
        tmp_path / "new" / "best",
        architecture=architecture,
        shape=SHAPE,
        state=shuffled,
        name="mine",
        origin=origin,
        normalisation=normalisation,
    )
    assert made.max_difference <= 1e-5
    directory = tmp_path / "new" / "best"
    assert sorted(path.name for path in directory.iterdir()) == ["architecture.yaml", "model.py", "weights.safetensors"]
    assert [path.name for path in directory.parent.iterdir()] == ["best"]  # nothing unfinished is left
    weights = load_file(made.weights)
    names = runpy.run_path(str(made.model))["build"]().state_dict()
    assert set(names) == set(weights)
    assert all(torch.equal(old, weights[new]) for old, new in zip(state.values(), names, strict=True))
    description = yaml.safe_load(made.architecture.read_text(encoding="utf-8"))
    assert plan(Architecture.from_dict(description["architecture"]), 1, 4) == plan(architecture, 1, 4)
    assert description["architecture_id"] == architecture_id(architecture)
    assert description["images"] == {"channels": 1, "resolution": 8, "num_classes": 4} | normalisation
    assert description["origin"] == origin
    source = made.model.read_text(encoding="utf-8")
    assert "Origin: study digits, trial 17, val_accuracy 0.5." in source
    assert "(pixels / 255 - mean) / std for every channel, with mean 0.2500 and std 0.1250." in source


def test_a_stranger_runs_it_as_its_docstring_says(tmp_path: Path) -> None:
    state = trained(GATED)
    made = export_bundle(tmp_path / "best", architecture=GATED, shape=SHAPE, state=state, name="mine")
    script = (
        "import sys; sys.modules['ressearch'] = None\n"
        "import torch\n"
        "from safetensors.torch import load_file\n"
        "from model import build\n"
        'network = build(load_file("weights.safetensors")).eval()\n'
        "print(*network(torch.ones(1, 1, 8, 8))[0].tolist())\n"
    )
    command = [sys.executable, "-B", "-c", script]
    done = subprocess.run(command, cwd=made.model.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = build(plan(GATED, 1, 4)).eval()
    ours.load_state_dict(state)
    expected = ours(torch.ones(1, 1, 8, 8))[0]
    assert torch.tensor([float(word) for word in done.stdout.split()]).allclose(expected, atol=1e-5)


def test_files_in_the_way(tmp_path: Path) -> None:
    state = trained(named("resnet-8"))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("kept", "file"):
        with pytest.raises(ExportError, match=f"{name} exists and is not an empty directory; name another one"):
            export_bundle(tmp_path / name, architecture=named("resnet-8"), shape=SHAPE, state=state, name="mine")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept", "notes.txt"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    export_bundle(tmp_path, architecture=named("resnet-8"), shape=SHAPE, state=trained(named("resnet-8")), name="mine")
    assert (tmp_path / "model.py").exists()


def test_weights_of_another_network(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the weights belong to another network: '.*' is in one of the two only"):
        export_bundle(tmp_path / "a", architecture=GATED, shape=SHAPE, state=trained(named("resnet-8")), name="mine")
    state = trained(named("resnet-8"))
    wide = ImageShape(channels=1, resolution=8, num_classes=7)
    message = r"the weights belong to another network: '4\.1\.weight' has the shape \(4, 64\), expected \(7, 64\)"
    with pytest.raises(ExportError, match=message):
        export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=wide, state=state, name="mine")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    state = trained(named("resnet-8"))
    state["4.1.weight"].fill_(float("nan"))
    with pytest.raises(ExportError, match="a logit differs by nan, at most 1e-05 is allowed"):
        export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=SHAPE, state=state, name="mine")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("F.relu(y + self.shortcut(x))", "F.relu(y - self.shortcut(x))"),
            "is not the trained network: a logit",
        ),
        (("from torch import", "import ressearch\nfrom torch import"), "does not run without ressearch:"),
    ],
    ids=["wrong", "not torch only"],
)
def test_a_wrong_module_is_not_handed_out(
    change: tuple[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bundle.model_source
    monkeypatch.setattr(bundle, "model_source", lambda *args, **words: write(*args, **words).replace(*change))
    with pytest.raises(ExportError, match=message):
        export_bundle(
            tmp_path / "a",
            architecture=named("resnet-8"),
            shape=SHAPE,
            state=trained(named("resnet-8")),
            name="mine",
        )
    assert not list(tmp_path.iterdir())


def test_the_callers_generator_is_left_alone(tmp_path: Path) -> None:
    state = trained(named("resnet-8"))
    before = torch.get_rng_state()
    export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=SHAPE, state=state, name="mine")
    assert torch.equal(torch.get_rng_state(), before)
