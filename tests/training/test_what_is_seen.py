"""What a network is shown while it is trained and while it is judged, written down by the network itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ressearch.images import ImageShape
from ressearch.training.data import Images
from ressearch.training.loop import evaluate, train
from ressearch.training.recipe import Recipe

COUNT = 240
PLAIN = Recipe(epochs=1, batch_size=40, warmup_epochs=0, crop_padding=0, flip=False, cutout=0)


class Watching(nn.Module):
    """Keeps the pixels of every image, as they were before they were normalised, in training and in evaluation."""

    def __init__(self, images: Images) -> None:
        super().__init__()
        self.linear = nn.Linear(images.train_images[0].numel(), 10)
        self.scale, self.shift = 255 * images.std[:, None, None], 255 * images.mean[:, None, None]
        self.seen: dict[bool, list[np.ndarray]] = {True: [], False: []}

    def forward(self, images: Tensor) -> Tensor:
        pixels = (images.float() * self.scale + self.shift).round().to(torch.uint8)
        self.seen[self.training] += list(pixels.contiguous().numpy())
        return self.linear(images.flatten(1))


def some(resolution: int) -> Images:
    """Two channels of noise, no two images alike, none with a black pixel."""
    generator = torch.Generator().manual_seed(0)
    size = (COUNT + 20, 2, resolution, resolution)
    pixels = torch.randint(1, 256, size, dtype=torch.uint8, generator=generator)
    labels = torch.arange(COUNT + 20) % 10
    return Images(
        train_images=pixels[:COUNT],
        train_labels=labels[:COUNT],
        val_images=pixels[COUNT:],
        val_labels=labels[COUNT:],
        mean=torch.tensor([0.4, 0.6]),
        std=torch.tensor([0.25, 0.125]),
        class_names=tuple("0123456789"),
        shape=ImageShape(channels=2, resolution=resolution, num_classes=10),
    )


def shown(images: Images, recipe: Recipe) -> list[np.ndarray]:
    """Train, and return what the network saw while it was trained."""
    module = Watching(images)
    list(train(module, images, recipe, seed=0, device="cpu"))
    assert {pixels.tobytes() for pixels in module.seen[False]} == contents(images.val_images.numpy())
    return module.seen[True]


def contents(images: np.ndarray) -> set[bytes]:
    return {np.ascontiguousarray(image).tobytes() for image in images}


def windows(image: np.ndarray, padding: int) -> dict[bytes, tuple[int, int]]:
    """Every window of an image with a black border, and how far it lies from the middle."""
    size = image.shape[1]
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    return {
        np.ascontiguousarray(padded[:, top : top + size, left : left + size]).tobytes(): (top - padding, left - padding)
        for top in range(2 * padding + 1)
        for left in range(2 * padding + 1)
    }


def test_without_augmentation_every_image_is_seen_once_as_it_is() -> None:
    images = some(8)
    seen = shown(images, PLAIN)
    assert len(seen) == COUNT
    assert contents(seen) == contents(images.train_images.numpy())


def test_another_epoch_has_another_order() -> None:
    images = some(8)
    seen = shown(images, replace(PLAIN, epochs=2))
    first, second = ([pixels.tobytes() for pixels in half] for half in (seen[:COUNT], seen[COUNT:]))
    assert sorted(first) == sorted(second)
    assert first != second


def test_half_of_the_images_are_mirrored_left_to_right() -> None:
    images = some(8)
    plain = contents(images.train_images.numpy())
    mirrored = contents(images.train_images.numpy()[:, :, :, ::-1])
    seen = shown(images, replace(PLAIN, flip=True))
    assert contents(seen) <= plain | mirrored
    assert 0.3 < sum(pixels.tobytes() in mirrored for pixels in seen) / COUNT < 0.7


@pytest.mark.parametrize(("resolution", "shift"), [(8, 1), (16, 2), (32, 4)])
def test_crops_shift_by_the_padding_of_a_32_pixel_image_to_scale(resolution: int, shift: int) -> None:
    images = some(resolution)
    possible: dict[bytes, tuple[int, int]] = {}
    for image in images.train_images.numpy():
        possible |= windows(image, shift)
    shifts = [possible[pixels.tobytes()] for pixels in shown(images, replace(PLAIN, crop_padding=4))]
    assert {top for top, _ in shifts} == {left for _, left in shifts} == set(range(-shift, shift + 1))
    assert any(top != left for top, left in shifts)


@pytest.mark.parametrize(("resolution", "side"), [(8, 2), (16, 4), (32, 8)])
def test_cutout_blackens_a_square_to_scale(resolution: int, side: int) -> None:
    images = some(resolution)
    sizes = set()
    for pixels in shown(images, replace(PLAIN, cutout=8)):
        black = pixels == 0
        assert (black[0] == black[1]).all()
        rows, columns = np.nonzero(black[0].any(1))[0], np.nonzero(black[0].any(0))[0]
        assert black[0].sum() == len(rows) * len(columns) > 0
        sizes.add((len(rows), len(columns)))
    assert max(rows for rows, _ in sizes) == max(columns for _, columns in sizes) == side


def test_a_module_is_judged_as_it_is_used_not_as_it_is_trained() -> None:
    """Running statistics instead of the batch's, no dropout, and nothing learnt from what it is judged on."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(128), nn.Dropout(0.5), nn.Linear(128, 10))
    module[1].running_mean.uniform_(-1, 1)
    module[1].running_var.uniform_(0.5, 2)
    images = some(8)
    inputs = (images.val_images / 255 - images.mean[:, None, None]) / images.std[:, None, None]
    flat = inputs.flatten(1)
    normed = (flat - module[1].running_mean) / (module[1].running_var + 1e-5).sqrt()
    expected = nn.functional.cross_entropy(module[3](normed), images.val_labels).item()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.train()
    loss, _ = evaluate(module, images.val_images, images.val_labels, images.mean, images.std, "cpu")
    assert loss == pytest.approx(expected, rel=2e-2)  # bfloat16, where the processor has it
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_the_module_is_in_training_mode_in_every_epoch() -> None:
    images = some(8)
    assert len(shown(images, replace(PLAIN, epochs=3))) == 3 * COUNT


def test_an_export_is_told_the_mean_and_the_deviation_that_images_are_normalised_with() -> None:
    names = [str(digit) for digit in range(10)]
    assert some(8).normalisation == {"mean": pytest.approx([0.4, 0.6]), "std": [0.25, 0.125], "class_names": names}
