"""Images/s of our training loop beside the tutorial pipeline and beside the bare step, on ResNet-20; and its pauses.

    python scripts/bench_training.py                      # CIFAR-10, downloaded by torchvision
    python scripts/bench_training.py --data DIRECTORY     # with train.parquet

Contestants take turns in one process, another one first in every round, so that whatever else the machine does, and
whoever ran before, hits all alike.
Validation is cut to one image; the rest of our loop runs as in a search. Then the boundary of an epoch is measured:
all between its last step and the first step of the next, a checkpoint and the validation of 5,000 images included.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision.transforms as T
from PIL import Image
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader, Dataset

from ressearch.arch import named, plan
from ressearch.model import build
from ressearch.training.augment import normalise
from ressearch.training.data import Images, load, prepare
from ressearch.training.loop import Training, has_fast_bfloat16, train
from ressearch.training.recipe import Recipe
from ressearch.training.source import Source

BATCH = 128
VAL_IMAGES, EPOCH_IMAGES = 5_000, 45_000
"""How CIFAR-10's training images are divided: the boundary of an epoch is a share of so many images' training."""


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's CIFAR10 serves them: an array to a PIL image to the transforms."""

    def __init__(self, images: Images) -> None:
        self.arrays = images.train_images[:].cpu().permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = images.train_labels.tolist()
        mean, std = images.mean.tolist(), images.std.tolist()
        self.transform = T.Compose(
            [T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(mean, std)]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="directory with train.parquet; CIFAR-10 by torchvision if left out")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of every contestant's training process")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20, help="steps per contestant and round")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)

    name = "parquet" if options.data else "cifar10"
    source = Source(name=name, root=options.data, subset=options.steps * BATCH, val_images=VAL_IMAGES)
    all_images = load(prepare(source, seed=0), device)
    images = replace(all_images, val_images=all_images.val_images[:1], val_labels=all_images.val_labels[:1])
    contestants = {
        "ours": our_loop(images, device),
        "averaging": our_loop(images, device, ema_decay=0.99),
        "tutorial": tutorial(images, device),
        "bare step": bare_step(images, device, options.steps),
    }
    print(
        f"ResNet-20, {images.shape.resolution}x{images.shape.resolution}, batch {BATCH}; {device}, "
        f"{torch.get_num_threads()} torch thread(s), bfloat16 {has_fast_bfloat16(device.type)} (tutorial: float32 "
        f"and 2 DataLoader workers); torch {torch.__version__}, {platform.machine()}; "
        f"{options.rounds} rounds of {options.steps} steps"
    )
    rates = measure(contestants, options.rounds, options.steps * BATCH)
    for contestant, values in rates.items():
        print(f"{contestant:<10} {summary(values)} images/s")
    for one, other, aim in (("ours", "tutorial", 2.0), ("ours", "bare step", 0.97), ("averaging", "bare step", 0.97)):
        ratios = [ours / theirs for ours, theirs in zip(rates[one], rates[other], strict=True)]
        print(f"{one:<9} / {other:<10} {summary(ratios, digits=3)}   aim >= {aim}")
    for ema_decay in (0.0, 0.99):
        shares = boundaries(all_images, device, options.rounds, ema_decay=ema_decay)
        print(
            f"boundary, average of weights {'on' if ema_decay else 'off'}: {summary(shares, digits=3)} "
            f"of an epoch of {EPOCH_IMAGES} images   aim <= 0.08"
        )


def measure(contestants: dict[str, Callable[[], None]], rounds: int, num_images: int) -> dict[str, list[float]]:
    """Images/s of every contestant in every round; a first round warms up and is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    order = deque(contestants.items())
    for turn in range(rounds + 1):
        order.rotate()
        for name, run in order:
            started = time.perf_counter()
            run()
            if turn > 0:
                rates[name].append(num_images / (time.perf_counter() - started))
    return rates


def summary(values: list[float], digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f} (median; {min(values):.{digits}f} to {max(values):.{digits}f})"


def resnet20() -> nn.Module:
    torch.manual_seed(0)
    return build(plan(named("resnet-20"), in_channels=3, num_classes=10))


def our_loop(images: Images, device: torch.device, ema_decay: float = 0.0) -> Callable[[], None]:
    module = resnet20()
    recipe = Recipe(epochs=1, batch_size=BATCH, ema_decay=ema_decay)

    def run() -> None:
        for _ in train(module, images, recipe, seed=0, device=device):
            pass

    return run


def tutorial(images: Images, device: torch.device) -> Callable[[], None]:
    module = resnet20().to(device)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    loader = DataLoader(Pictures(images), batch_size=BATCH, shuffle=True, num_workers=2, persistent_workers=True)

    def run() -> None:
        module.train()
        for batch, labels in loader:
            loss = F.cross_entropy(module(batch.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return run


def bare_step(images: Images, device: torch.device, steps: int) -> Callable[[], None]:
    module = resnet20().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True)
    batch = normalise(images.train_images[:BATCH], images.mean, images.std)
    labels = images.train_labels[:BATCH]

    def run() -> None:
        module.train()
        for _ in range(steps):
            with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device.type)):
                logits = module(batch)
            loss = F.cross_entropy(logits.float(), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        loss.item()

    return run


def boundaries(images: Images, device: torch.device, rounds: int, *, ema_decay: float) -> list[float]:
    """Time of every boundary between two epochs, as a share of the training time of `EPOCH_IMAGES`.

    The first boundary and the steps before it warm up and are not counted.
    """
    begins: list[float] = []
    ends: list[float] = []

    def note(times: list[float]) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())

    module = resnet20()
    module.register_forward_pre_hook(lambda module, _: note(begins) if module.training else None)
    recipe = Recipe(epochs=rounds + 2, batch_size=BATCH, ema_decay=ema_decay)
    training = Training(module, images, recipe, seed=0, device=device)
    hook = register_optimizer_step_post_hook(lambda *_: note(ends))
    with tempfile.TemporaryDirectory() as directory:
        for _ in training.epochs():
            training.save(Path(directory) / "checkpoint.pt")
    hook.remove()
    steps = len(ends) // recipe.epochs
    waits = [begin - end for end, begin in zip(ends, begins[1:], strict=False)]  # from a step's end to the next one
    pauses = waits[steps - 1 :: steps][1:]
    per_epoch = [(ends[last] - begins[last - steps + 1]) / steps for last in range(2 * steps - 1, len(ends), steps)]
    scale = BATCH / EPOCH_IMAGES
    return [pause * scale / step for pause, step in zip(pauses, per_epoch, strict=False)]


if __name__ == "__main__":
    main()
