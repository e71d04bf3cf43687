from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from ressearch.training.augment import augment, crop, cutout, flip, normalise, scaled
from ressearch.training.recipe import CropFill


def random_images(count: int, channels: int = 3, height: int = 12, width: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(1, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("fill", get_args(CropFill))
@pytest.mark.parametrize("padding", [1, 4, 11])
@pytest.mark.parametrize("size", [(3, 32, 32), (1, 8, 8), (2, 5, 9), (1, 1, 2)])
def test_crop_equals_a_loop_over_images(padding: int, size: tuple[int, int, int], fill: CropFill) -> None:
    """A mirror is seen in the other one where the padding is wider than the image."""
    images = random_images(50, *size)
    offsets = torch.randint(2 * padding + 1, (50, 2), generator=torch.Generator().manual_seed(1))
    cropped = crop(images, offsets, padding, fill)
    mode = {"black": "constant", "reflect": "reflect"}[fill]
    for image, (top, left), got in zip(images.numpy(), offsets.tolist(), cropped.numpy(), strict=True):
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)), mode=mode)
        expected = padded[:, top : top + size[1], left : left + size[2]]
        np.testing.assert_array_equal(got, expected)


def test_crop_in_the_centre_changes_nothing() -> None:
    images = random_images(7)
    assert torch.equal(crop(images, torch.full((7, 2), 4), padding=4), images)


def test_flip_mirrors_exactly_the_chosen_images() -> None:
    images = random_images(6)
    mirrored = torch.tensor([True, False, True, True, False, False])
    got = flip(images, mirrored)
    assert torch.equal(got[mirrored], images[mirrored].flip(3))
    assert torch.equal(got[~mirrored], images[~mirrored])


def test_cutout_blackens_a_square_cut_off_at_the_border() -> None:
    images = random_images(3)
    got = cutout(images, torch.tensor([[6, 6], [0, 0], [11, 4]]), size=4)
    expected = images.clone()
    expected[0, :, 4:8, 4:8] = 0
    expected[1, :, 0:2, 0:2] = 0
    expected[2, :, 9:12, 2:6] = 0
    assert torch.equal(got, expected)


def test_augment_draws_every_shift_and_mirrors_half() -> None:
    image = torch.arange(1, 145, dtype=torch.uint8).reshape(1, 1, 12, 12)
    generator = torch.Generator().manual_seed(0)
    batch = augment(image.expand(4000, -1, -1, -1), generator, padding=4, fill="black", mirror=True, cutout_size=0)
    assert batch.dtype == torch.uint8
    possible = {
        (top, left, mirrored): crop(image, torch.tensor([[top, left]]), 4)
        for top in range(9)
        for left in range(9)
        for mirrored in (False, True)
    }
    possible = {key: window.flip(3) if key[2] else window for key, window in possible.items()}
    codes = {window.numpy().tobytes(): key for key, window in possible.items()}
    drawn = [codes[got.numpy().tobytes()] for got in batch]  # a KeyError here is a wrong variation
    assert set(drawn) == set(possible)
    assert 0.45 < sum(mirrored for _, _, mirrored in drawn) / len(drawn) < 0.55


def test_augment_switched_off_changes_nothing() -> None:
    images = random_images(5)
    same = augment(images, torch.Generator(), padding=0, fill="reflect", mirror=False, cutout_size=0)
    assert torch.equal(same, images)


def test_augment_repeats_with_its_generator() -> None:
    images = random_images(64)
    first, second, other = (
        augment(images, torch.Generator().manual_seed(seed), padding=2, fill="black", mirror=True, cutout_size=3)
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_lengths_scale_with_the_resolution() -> None:
    assert [scaled(4, resolution) for resolution in (8, 16, 32, 64)] == [1, 2, 4, 8]


def test_normalise_gives_zero_mean_and_unit_deviation_channels_last() -> None:
    images = random_images(40)
    pixels = images.double() / 255
    mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3), correction=0)
    got = normalise(images, mean.float(), std.float())
    assert got.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(got.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(got.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)
