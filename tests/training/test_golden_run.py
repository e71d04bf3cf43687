"""A tiny network's training against plain PyTorch written out: every field of a recipe, every schedule."""

import copy
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ressearch.training import loop
from ressearch.training.data import Images
from ressearch.training.loop import Training
from ressearch.training.recipe import RECIPES, SCHEDULE_NAMES, Recipe

COUNT = 70  # two steps of 32 per epoch, and six images that are left out
EVERYTHING = Recipe(
    epochs=4,
    batch_size=32,
    lr=0.1,
    momentum=0.8,
    nesterov=False,
    weight_decay=0.02,
    decay_norms=True,
    schedule="cosine",
    warmup_epochs=1.5,
    label_smoothing=0.2,
    crop_padding=4,
    crop_fill="reflect",
    flip=True,
    cutout=8,
    ema_decay=0.7,
)
CHANGES: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 16,
    "lr": 0.05,
    "momentum": 0.5,
    "nesterov": True,
    "weight_decay": 0.2,
    "decay_norms": False,
    "schedule": "one_cycle",
    "warmup_epochs": 0.5,
    "label_smoothing": 0.0,
    "crop_padding": 8,
    "crop_fill": "black",
    "flip": False,
    "cutout": 0,
    "ema_decay": 0.3,
}


@dataclass
class Outcome:
    """What a training came to: by epoch, and the state of the module after it."""

    train_losses: list[float]
    val_losses: list[float]
    val_accuracies: list[float]
    lrs: list[float]
    state: dict[str, Tensor]

    @property
    def numbers(self) -> list[float]:
        return [*self.train_losses, *self.val_losses, *self.val_accuracies, *self.lrs]


@pytest.fixture(autouse=True)
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "has_fast_bfloat16", lambda _: False)


@pytest.fixture(scope="module")
def images(digits: Images) -> Images:
    return replace(digits, train_images=digits.train_images[:COUNT], train_labels=digits.train_labels[:COUNT])


def network() -> nn.Sequential:
    """Return a smooth one: at a kink, a last digit would make another training."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten(), nn.Linear(256, 10))


def trained(images: Images, recipe: Recipe) -> Outcome:
    """What the code under test comes to."""
    module = network()
    results = list(Training(module, images, recipe, seed=6, device="cpu").epochs())
    names = ("train_loss", "val_loss", "val_accuracy", "lr")
    return Outcome(*([getattr(result, name) for result in results] for name in names), module.state_dict())


def written_out(images: Images, recipe: Recipe) -> Outcome:
    """What plain PyTorch comes to."""
    module, generator = network(), torch.Generator().manual_seed(6)
    average, speeds = copy.deepcopy(module.state_dict()), [torch.zeros_like(p) for p in module.parameters()]
    steps = COUNT // recipe.batch_size
    outcome = Outcome([], [], [], [], {})
    for epoch in range(recipe.epochs):
        torch.randint(2**62, (), generator=generator)  # seeds what is random in the module: here, nothing
        order, losses = torch.randperm(COUNT, generator=generator), []
        for step in range(steps):
            done, rows = epoch * steps + step, order[step * recipe.batch_size :][: recipe.batch_size]
            lr = rate(done, steps, recipe)
            pixels = normalised(varied(images.train_images[rows], generator, recipe), images)
            loss = smoothed_loss(module.train()(pixels), images.train_labels[rows], recipe.label_smoothing)
            descend(module, speeds, loss, lr, recipe)
            keep = min(recipe.ema_decay, (1 + done) / (10 + done))
            for name, now in module.state_dict().items():
                average[name] = keep * average[name] + (1 - keep) * now if now.is_floating_point() else now.clone()
            losses.append(loss.item())
        judged = copy.deepcopy(module).eval()
        judged.load_state_dict(average if recipe.ema_decay else module.state_dict())
        with torch.no_grad():
            logits = judged(normalised(images.val_images[:], images))
        outcome.train_losses.append(sum(losses) / steps)
        outcome.val_losses.append(smoothed_loss(logits, images.val_labels, 0.0).item())
        outcome.val_accuracies.append((logits.argmax(1) == images.val_labels).sum().item() / len(images.val_labels))
        outcome.lrs.append(lr)
    outcome.state = dict(judged.state_dict())
    return outcome


def rate(step: int, steps_per_epoch: int, recipe: Recipe) -> float:
    num_steps, warmup = recipe.epochs * steps_per_epoch, recipe.warmup_epochs * steps_per_epoch
    share = step / num_steps
    if recipe.schedule == "one_cycle":
        return recipe.lr * float(np.interp(share, [0, 0.45, 0.9, 1], [0.1, 1, 0.1, 0.001]))
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    if recipe.schedule == "cosine":
        return recipe.lr * math.cos(0.5 * math.pi * (step - warmup) / (num_steps - warmup)) ** 2
    if recipe.schedule == "step_he2016":
        return recipe.lr * (1 if share < 0.5 else 0.1 if share < 0.75 else 0.01)
    assert recipe.schedule == "step_wrn"
    return recipe.lr * (1 if share < 0.3 else 0.2 if share < 0.6 else 0.04 if share < 0.8 else 0.008)


def varied(batch: Tensor, generator: torch.Generator, recipe: Recipe) -> Tensor:
    """Crop, mirror and cut out, image by image; lengths are a quarter of those at 32 pixels."""
    count, shift, side = len(batch), recipe.crop_padding // 4, recipe.cutout // 4
    pictures = list(batch.numpy())
    if shift:
        corners = torch.randint(2 * shift + 1, (count, 2), generator=generator).tolist()
        mode = {"black": "constant", "reflect": "reflect"}[recipe.crop_fill]
        padded = [np.pad(picture, ((0, 0), (shift, shift), (shift, shift)), mode=mode) for picture in pictures]
        pictures = [each[:, y : y + 8, x : x + 8] for each, (y, x) in zip(padded, corners, strict=True)]
    if recipe.flip:
        is_mirrored = (torch.rand(count, generator=generator) < 0.5).tolist()
        pictures = [each[:, :, ::-1] if mirror else each for each, mirror in zip(pictures, is_mirrored, strict=True)]
    if side:
        pictures = [each.copy() for each in pictures]
        for each, (y, x) in zip(pictures, torch.randint(8, (count, 2), generator=generator).tolist(), strict=True):
            each[:, max(0, y - side // 2) : y + side - side // 2, max(0, x - side // 2) : x + side - side // 2] = 0
    return torch.from_numpy(np.stack(pictures))


def normalised(pixels: Tensor, images: Images) -> Tensor:
    return (pixels.float() / 255 - images.mean[:, None, None]) / images.std[:, None, None]


def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    likelihoods = logits.log_softmax(1)
    right = likelihoods[torch.arange(len(labels)), labels]
    return -((1 - smoothing) * right + smoothing * likelihoods.mean(1)).mean()


@torch.no_grad()
def descend(module: nn.Module, speeds: list[Tensor], loss: Tensor, lr: float, recipe: Recipe) -> None:
    """One step of SGD; the speeds are changed in place."""
    parameters = list(module.parameters())
    with torch.enable_grad():
        gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient, speed in zip(parameters, gradients, speeds, strict=True):
        if parameter.ndim > 1 or recipe.decay_norms:
            gradient = gradient + recipe.weight_decay * parameter
        speed.mul_(recipe.momentum).add_(gradient)
        parameter -= lr * (gradient + recipe.momentum * speed if recipe.nesterov else speed)


def assert_as_written_out(images: Images, recipe: Recipe) -> Outcome:
    got, expected = trained(images, recipe), written_out(images, recipe)
    assert got.numbers == pytest.approx(expected.numbers, rel=1e-4)
    assert got.state.keys() == expected.state.keys()
    for name, tensor in expected.state.items():
        torch.testing.assert_close(got.state[name], tensor, rtol=1e-3, atol=1e-5, msg=name)
    return got


@pytest.mark.parametrize("schedule", SCHEDULE_NAMES)
def test_a_training_with_everything_is_that_of_plain_pytorch(schedule, images: Images) -> None:
    assert_as_written_out(images, replace(EVERYTHING, schedule=schedule))


@pytest.mark.parametrize("name", RECIPES)
def test_named_recipes_are_trained_as_they_say(name: str, images: Images) -> None:
    assert_as_written_out(images, replace(RECIPES[name], epochs=4, batch_size=32))


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_every_field_changes_what_is_computed(field: str, images: Images) -> None:
    """A field without a row in the table above fails; so does one that the loop does not follow."""
    assert asdict(EVERYTHING)[field] != CHANGES[field]
    changed = assert_as_written_out(images, replace(EVERYTHING, **{field: CHANGES[field]}))
    before = trained(images, EVERYTHING)
    assert any(
        not torch.allclose(before.state[name], changed.state[name], rtol=1e-2, atol=1e-4) for name in changed.state
    )


@pytest.mark.parametrize("off", ["momentum", "weight_decay", "crop_padding", "ema_decay", "warmup_epochs"])
def test_what_is_off_is_off(off: str, images: Images) -> None:
    assert_as_written_out(images, replace(EVERYTHING, nesterov=True, **{off: 0}))
