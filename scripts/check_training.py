"""Does our training come to the accuracy of one that shares no code with it? Printed epoch by epoch.

    python scripts/check_training.py                      # CIFAR-10, downloaded by torchvision
    python scripts/check_training.py --data DIRECTORY     # with train.parquet

The other one is a ResNet-20 written out, torchvision's transforms on PIL images, a DataLoader and float32. Both have
the recipe `fast` without its average of weights, and train and validate on the same images.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bench_training import BATCH, VAL_IMAGES, Pictures, resnet20
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ressearch.noise import std_error
from ressearch.training.data import Images, load, prepare
from ressearch.training.loop import train
from ressearch.training.recipe import FAST, Recipe
from ressearch.training.source import Source

Epoch = tuple[float, float]
"""Mean training loss and validation accuracy."""


class Block(nn.Module):
    """He et al. 2015, arXiv:1512.03385, figure 2, with the shortcuts of option A."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width))
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))
        self.stride, self.added = stride, width - channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, width, H / stride, W / stride)."""
        before, after = self.added // 2, self.added - self.added // 2
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, after))
        return F.relu(self.second(F.relu(self.first(x))) + shortcut)


def written_out() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for width in (16, 32, 64):
        for _ in range(3):
            layers.append(Block(channels, width, 1 if channels == width else 2))
            channels = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return network


def ours(images: Images, recipe: Recipe, seed: int) -> Iterator[Epoch]:
    for epoch in train(resnet20(), images, recipe, seed=seed, device="cpu"):
        yield epoch.train_loss, epoch.val_accuracy


def another(images: Images, recipe: Recipe, seed: int) -> Iterator[Epoch]:
    torch.manual_seed(seed)
    network = written_out().to(memory_format=torch.channels_last)
    decayed = [each for each in network.parameters() if each.ndim > 1]
    others = [each for each in network.parameters() if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)
    loader = DataLoader(Pictures(images), batch_size=recipe.batch_size, shuffle=True, drop_last=True)
    num_steps, step = recipe.epochs * len(loader), 0
    for _ in range(recipe.epochs):
        network.train()
        losses = []
        for batch, labels in loader:
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr * np.interp(step / num_steps, [0, 0.45, 0.9, 1], [0.1, 1, 0.1, 0.001])
            logits = network(batch.to(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
        yield sum(losses) / len(losses), validated(network, images)


def validated(network: nn.Module, images: Images) -> float:
    network.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images.val_labels), 500):
            pixels = images.val_images[start : start + 500].float() / 255
            batch = (pixels - images.mean[:, None, None]) / images.std[:, None, None]
            correct += int((network(batch).argmax(1) == images.val_labels[start : start + 500]).sum())
    return correct / len(images.val_labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="directory with train.parquet; CIFAR-10 by torchvision if left out")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    name = "parquet" if options.data else "cifar10"
    images = load(prepare(Source(name=name, root=options.data, val_images=VAL_IMAGES), seed=0), "cpu")
    recipe = replace(FAST, epochs=options.epochs, batch_size=BATCH, ema_decay=0.0)
    print(f"ResNet-20, {len(images.train_labels):,} images train, {len(images.val_labels):,} validate")
    trainings = {each.__name__: each(images, recipe, options.seed) for each in (ours, another)}
    for epoch in range(1, recipe.epochs + 1):
        for contestant, training in trainings.items():
            loss, accuracy = next(training)
            error = std_error(accuracy, len(images.val_labels))
            print(
                f"epoch {epoch}/{recipe.epochs}  {contestant:<8} train_loss {loss:.4f}  "
                f"val_accuracy {accuracy:.4f} ±{error:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
