"""Parity with torchvision: its randomly initialised weights in our modules give its logits and its gradients."""

import pytest
import torch
import torchvision.models
from torch import nn

from ressearch.arch import named, plan
from ressearch.model import build

PAIRS = {
    "resnet18": "resnet-18-imagenet",
    "resnet34": "resnet-34-imagenet",
    "resnet50": "resnet-50-imagenet",
    "resnet101": "resnet-101-imagenet",
    "resnet152": "resnet-152-imagenet",
    "resnext50_32x4d": "resnext-50-32x4d-imagenet",
    "resnext101_32x8d": "resnext-101-32x8d-imagenet",
    "resnext101_64x4d": "resnext-101-64x4d-imagenet",
    "wide_resnet50_2": "wrn-50-2-imagenet",
    "wide_resnet101_2": "wrn-101-2-imagenet",
}


def gradient_norm(network: nn.Module, images: torch.Tensor) -> float:
    """Norm of the loss's gradient by all parameters, one step in train mode."""
    loss = nn.functional.cross_entropy(network.train()(images), torch.arange(len(images)))
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in gradients])).item()


@pytest.mark.parametrize(("theirs", "ours"), PAIRS.items(), ids=PAIRS)
def test_same_logits_and_gradients_as_torchvision(theirs: str, ours: str) -> None:
    """Both create their layers in the same order, so that states pair one by one."""
    torch.manual_seed(0)
    reference = getattr(torchvision.models, theirs)(weights=None)
    with torch.device("meta"):
        network = build(plan(named(ours), 3, 1000))
    weights = list(reference.state_dict().values())
    assert [tensor.shape for tensor in network.state_dict().values()] == [tensor.shape for tensor in weights]
    copies = (tensor.clone() for tensor in weights)
    network.load_state_dict(dict(zip(network.state_dict(), copies, strict=True)), assign=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        difference = (network.eval()(images) - reference.eval()(images)).abs().max().item()
    assert difference <= 1e-5
    assert gradient_norm(network, images) == pytest.approx(gradient_norm(reference, images), rel=1e-4)
