"""ONNX files and programs of torch.export: they give our logits for any batch, and say what they are."""

import json
import sys
from pathlib import Path
from typing import get_args

import onnx
import onnxruntime
import pytest
import torch
import yaml
from torch import Tensor

from ressearch.arch import Architecture, Stage, architecture_id, cost, named, plan
from ressearch.arch.layers import Layer, Normalisation
from ressearch.arch.merges import Merge
from ressearch.arch.orderings import Ordering
from ressearch.arch.shortcuts import Shortcut
from ressearch.arch.squeeze_excitation import SqueezeExcitation
from ressearch.arch.stems import Stem
from ressearch.arch.survival import DropPath
from ressearch.images import ImageShape
from ressearch.model import build
from ressearch.packaging import Bundle, ExportError, Format, bundle, export_bundle

SHAPE = ImageShape(channels=2, resolution=13, num_classes=4)
SMALL = {"depth": 1, "stride": 2}
NETWORKS = {
    "cifar": Architecture(
        stages=(
            Stage(**SMALL, width=8, merge=Merge.CONSTANT_SCALE, shortcut_scale=0.5, dropout=0.1),
            Stage(**SMALL, width=16, merge=Merge.DROPOUT, se=SqueezeExcitation.IDENTITY, se_ratio=4),
        ),
        stem_width=8,
        drop_path=DropPath.LINEAR,
        levels=3,
    ),
    "imagenet": Architecture(
        stages=(
            Stage(**SMALL, width=8, shortcut=Shortcut.AVG_POOL_ZERO_PAD, merge=Merge.EXCLUSIVE_GATE),
            Stage(**SMALL, width=16, shortcut=Shortcut.PROJECTION, se=SqueezeExcitation.PRE, se_ratio=4, se_bias=False),
        ),
        stem=Stem.IMAGENET,
        stem_width=4,
        ordering=Ordering.FULL_PREACTIVATION,
        norm=Normalisation.GROUP,
        norm_groups=2,
    ),
}


def exported(directory: Path, architecture: Architecture, made_as: Format) -> tuple[Bundle, torch.nn.Module]:
    torch.manual_seed(0)
    network = build(plan(architecture, SHAPE.channels, SHAPE.num_classes))
    for _ in range(2):
        network(torch.randn(8, SHAPE.channels, SHAPE.resolution, SHAPE.resolution))  # moves the running statistics
    made = export_bundle(
        directory,
        architecture=architecture,
        shape=SHAPE,
        state=network.state_dict(),
        name='a "name" {of} \\ mine',
        origin={"study": "digits"},
        normalisation={"mean": [0.25, 0.5], "std": [0.125, 0.25], "class_names": list("abcd")},
        format=made_as,
    )
    return made, network.eval()


def images_of(batch: int) -> Tensor:
    return torch.randn(batch, SHAPE.channels, SHAPE.resolution, SHAPE.resolution)


def test_the_networks_hold_every_kind_of_layer() -> None:
    held = {type(layer) for architecture in NETWORKS.values() for layer in plan(architecture, 2, 4).layers()}
    assert held == set(get_args(Layer))


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_gives_our_logits(name: str, tmp_path: Path) -> None:
    made, network = exported(tmp_path / "a", NETWORKS[name], "onnx")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["architecture.yaml", "model.onnx"]
    assert made.weights is None
    assert made.max_difference <= 1e-4
    session = onnxruntime.InferenceSession(made.model, providers=["CPUExecutionProvider"])
    for batch in (1, 3, 7):
        images = images_of(batch)
        (logits,) = session.run(None, {"images": images.numpy()})
        assert torch.from_numpy(logits).allclose(network(images), atol=1e-4)
    onnx.checker.check_model(onnx.load(made.model), full_check=True)


def test_onnx_says_what_it_is(tmp_path: Path) -> None:
    architecture = NETWORKS["cifar"]
    made, _ = exported(tmp_path / "a", architecture, "onnx")
    model = onnx.load(made.model)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["name"] == 'a "name" {of} \\ mine'
    assert said["architecture_id"] == architecture_id(architecture)
    counted = cost(plan(architecture, SHAPE.channels, SHAPE.num_classes), SHAPE.resolution)
    assert json.loads(said["cost"])["num_params"] == counted.num_params
    assert json.loads(said["images"])["mean"] == [0.25, 0.5]
    assert json.loads(said["origin"]) == {"study": "digits"}
    assert "stage1.blocks.0.conv1.weight" in {tensor.name for tensor in model.graph.initializer}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_program_gives_our_logits(name: str, tmp_path: Path) -> None:
    made, network = exported(tmp_path / "a", NETWORKS[name], "torch-export")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["architecture.yaml", "model.pt2"]
    assert made.max_difference <= 1e-5
    loaded = torch.export.load(made.model).module()
    for batch in (1, 3, 7):
        images = images_of(batch)
        assert loaded(images).allclose(network(images), atol=1e-5)


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ExportError, match=rf"ONNX needs the package {missing}: pip install 'ressearch\[onnx\]'"):
        exported(tmp_path / "a", NETWORKS["cifar"], "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("made_as", ["onnx", "torch-export"])
def test_a_wrong_graph_is_not_handed_out(made_as: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = bundle.model_source
    change = ("return self.classifier(x)", "return -self.classifier(x)")
    monkeypatch.setattr(bundle, "model_source", lambda *args, **words: write(*args, **words).replace(*change))
    with pytest.raises(ExportError, match="what was written is not the network: a logit of a batch of 1 differs by"):
        exported(tmp_path / "a", NETWORKS["cifar"], made_as)
    assert not list(tmp_path.iterdir())


def test_an_untrained_graph_says_so(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    made = export_bundle(
        tmp_path / "a", architecture=named("plain-8"), shape=SHAPE, state=None, name="plain-8", format="torch-export"
    )
    assert torch.equal(torch.get_rng_state(), before)
    description = yaml.safe_load(made.architecture.read_text(encoding="utf-8"))
    assert description["weights"] == "not trained: those that seed 0 starts"
    torch.manual_seed(0)
    network = build(plan(named("plain-8"), SHAPE.channels, SHAPE.num_classes)).eval()
    images = images_of(3)
    assert torch.export.load(made.model).module()(images).allclose(network(images), rtol=1e-5, atol=1e-5)
