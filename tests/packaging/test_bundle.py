"""The exported directory: complete, checked, and all or nothing."""

import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from ressearch.arch import Architecture, Stage, architecture_id, named, plan
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.transforms import Transform
from ressearch.images import ImageShape
from ressearch.model import build
from ressearch.packaging import ExportError, bundle, check_target, export_bundle

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
    assert made.weights is not None
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
    assert "(pixels / 255 - mean) / std for every channel, with mean 0.25 and std 0.125." in source


def test_strangers_run_exports_as_their_docstrings_say(
    every_combination: dict[str, Architecture], tmp_path: Path
) -> None:
    """Twenty networks of the space, in one process that has torch and no `ressearch`."""
    shape = ImageShape(channels=2, resolution=9, num_classes=5)
    images = torch.randn(3, 2, 9, 9)
    save_file({"images": images}, tmp_path / "images.safetensors")
    names = random.Random(0).sample(sorted(every_combination), 20)
    for name in names:
        resolved = plan(every_combination[name], 2, 5)
        torch.manual_seed(0)
        ours = build(resolved)
        ours(torch.randn(8, 2, 9, 9))
        state = ours.state_dict()
        export_bundle(tmp_path / name, architecture=every_combination[name], shape=shape, state=state, name=name)
        save_file({"logits": ours.eval()(images).detach()}, tmp_path / name / "expected.safetensors")
    script = (
        "import os, runpy, sys\n"
        "sys.modules['ressearch'] = None\n"
        "from safetensors.torch import load_file\n"
        'images = load_file("images.safetensors")["images"]\n'
        "for name in sys.argv[1:]:\n"
        "    os.chdir(name)\n"
        '    build = runpy.run_path("model.py")["build"]\n'
        '    network = build(load_file("weights.safetensors")).eval()\n'
        '    difference = network(images) - load_file("expected.safetensors")["logits"]\n'
        "    print(float(difference.abs().max()))\n"
        "    os.chdir('..')\n"
    )
    command = [sys.executable, "-B", "-c", script, *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    differences = [float(line) for line in done.stdout.split()]
    assert len(differences) == 20
    assert max(differences) <= 1e-5


@pytest.mark.parametrize("name", ["resnet-8", "stochastic-depth-resnet-110", "resnet-1202"])
def test_a_network_of_the_literature_comes_without_weights(name: str, tmp_path: Path) -> None:
    """Even where its logits overflow before training."""
    made = export_bundle(tmp_path / "a", architecture=named(name), shape=SHAPE, state=None, name=name)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["architecture.yaml", "model.py"]
    assert made.weights is None
    assert made.max_difference <= 1e-5
    assert "safetensors" not in made.model.read_text(encoding="utf-8")
    runpy.run_path(str(made.model))["build"]()


def test_files_in_the_way(tmp_path: Path) -> None:
    state = trained(named("resnet-8"))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("kept", "file"):
        message = f"{name} exists and is not an empty directory; name another one"
        with pytest.raises(ExportError, match=message):
            check_target(tmp_path / name)
        with pytest.raises(ExportError, match=message):
            export_bundle(tmp_path / name, architecture=named("resnet-8"), shape=SHAPE, state=state, name="mine")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept", "notes.txt"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    export_bundle(tmp_path, architecture=named("resnet-8"), shape=SHAPE, state=trained(named("resnet-8")), name="mine")
    assert (tmp_path / "model.py").exists()


def test_a_name_that_no_file_can_hold_is_still_written(tmp_path: Path) -> None:
    made = export_bundle(tmp_path, architecture=named("plain-8"), shape=SHAPE, state=None, name='a\ud800"""\n')
    assert yaml.safe_load(made.architecture.read_text(encoding="utf-8"))["name"]


def test_weights_of_another_network(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the weights belong to another network: '.*' is in one of the two only"):
        export_bundle(tmp_path / "a", architecture=GATED, shape=SHAPE, state=trained(named("resnet-8")), name="mine")
    state = trained(named("resnet-8"))
    wide = ImageShape(channels=1, resolution=8, num_classes=7)
    message = r"the weights belong to another network: 'head\.1\.weight' has the shape \(4, 64\), expected \(7, 64\)"
    with pytest.raises(ExportError, match=message):
        export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=wide, state=state, name="mine")
    assert not list(tmp_path.iterdir())


def test_weights_of_an_earlier_version_are_exported(tmp_path: Path) -> None:
    """Networks were a sequence of stem, stages and head."""
    state = trained(named("resnet-8"))
    stages = {f"stages.{index}.items": f"{index + 1}" for index in range(3)} | {"stem": "0", "head": "4"}
    old = {
        name.replace(new, stages[new], 1): tensor
        for name, tensor in state.items()
        for new in stages
        if name.startswith(new)
    }
    assert "1.0.branch.0.weight" in old
    made = export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=SHAPE, state=old, name="mine")
    assert made.weights is not None
    weights = load_file(made.weights)
    assert all(
        torch.equal(weights[new], tensor)
        for new, tensor in zip(weights_in_order(made.model), state.values(), strict=True)
    )


def weights_in_order(file: Path) -> list[str]:
    return list(runpy.run_path(str(file))["build"]().state_dict())


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    state = trained(named("resnet-8"))
    state["head.1.weight"].fill_(float("nan"))
    with pytest.raises(ExportError, match="the network cannot be checked: its own logits are not finite"):
        export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=SHAPE, state=state, name="mine")
    assert not list(tmp_path.iterdir())


WRONG = "what was written is not the network: a logit of a batch of 2 differs by"


@pytest.mark.parametrize(
    ("change", "is_trained", "message"),
    [
        (("F.relu(y + self.shortcut(x))", "F.relu(y - self.shortcut(x))"), True, WRONG),
        (("F.relu(y + self.shortcut(x))", "F.relu(y - self.shortcut(x))"), False, WRONG),
        (("return self.classifier(x)", "return self.classifier(x) * float('nan')"), True, WRONG),
        (('"fan_out"', '"fan_in"'), False, "is not the network: .* starts from other weights"),
        (("from torch import", "import ressearch\nfrom torch import"), True, "with torch alone: it imports ressearch"),
        (("        return self.classifier", "        import os\n        return self.classifier"), True, "imports os"),
    ],
    ids=["wrong", "wrong untrained", "no number", "other start", "not torch only", "not torch only when run"],
)
def test_a_wrong_module_is_not_handed_out(
    change: tuple[str, str], is_trained: bool, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bundle.model_source
    monkeypatch.setattr(bundle, "model_source", lambda *args, **words: write(*args, **words).replace(*change))
    state = trained(named("resnet-8")) if is_trained else None
    with pytest.raises(ExportError, match=message):
        export_bundle(tmp_path / "a", architecture=named("resnet-8"), shape=SHAPE, state=state, name="mine")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("is_trained", [True, False])
def test_the_caller_notices_nothing(is_trained: bool, tmp_path: Path) -> None:
    """Neither in the generator, nor in the number of threads, nor in the weights."""
    state = trained(GATED)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    export_bundle(tmp_path / "a", architecture=GATED, shape=SHAPE, state=state if is_trained else None, name="mine")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert all(torch.equal(state[name], kept[name]) for name in kept)
