"""Random crop, flip and cutout of a whole batch at once, on its device, in uint8."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ressearch.training.recipe import CropFill


def crop(images: Tensor, offsets: Tensor, padding: int, fill: CropFill = "black") -> Tensor:
    """Cut a window of the original size out of every padded image.

    Args:
        images: uint8 (N, C, H, W).
        offsets: int64 (N, 2), the window's top and left edge, each in 0..2 * padding; `padding` is the centre.
        padding: Pixels on every side. CIFAR practice is 4 at 32 pixels (He et al. 2015,
            arXiv:1512.03385, section 4.2).
        fill: What they are: black, or the image itself, mirrored at its edge.
    """
    height, width = images.shape[2:]
    if fill == "black":
        padded = F.pad(images, (padding,) * 4)
    else:
        down, across = (_reflected(length, padding, images.device) for length in (height, width))
        padded = images[:, :, down[:, None], across]
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (N, C, 2p+1, 2p+1, H, W), a view
    rows = torch.arange(len(images), device=images.device)
    return windows[rows, :, offsets[:, 0], offsets[:, 1]]


def _reflected(length: int, padding: int, device: torch.device) -> Tensor:
    """Return which pixel is seen at each place from -padding on, with mirrors at the first and the last pixel."""
    period = max(1, 2 * (length - 1))  # there and back
    places = torch.arange(-padding, length + padding, device=device).abs() % period
    return torch.minimum(places, period - places)


def flip(images: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror left to right those images (N, C, H, W) for which the boolean `mirrored` (N,) holds."""
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def cutout(images: Tensor, centres: Tensor, size: int) -> Tensor:
    """Blacken a square of `size` pixels, cut off at the border, around each centre (N, 2) of row and column.

    Source: DeVries & Taylor 2017, arXiv:1708.04552.
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) - centres[:, :1] + size // 2  # (N, H)
    columns = torch.arange(width, device=images.device) - centres[:, 1:] + size // 2  # (N, W)
    inside_rows = (rows >= 0) & (rows < size)
    inside_columns = (columns >= 0) & (columns < size)
    return images.masked_fill((inside_rows[:, :, None] & inside_columns[:, None, :])[:, None], 0)


def augment(
    images: Tensor, generator: torch.Generator, *, padding: int, fill: CropFill, mirror: bool, cutout_size: int
) -> Tensor:
    """One random variation of every image of a uint8 batch (N, C, H, W).

    Args:
        images: The batch.
        generator: Where randomness comes from; it lives on the device of the batch.
        padding: Pixels that a crop shifts by at most, in each direction; 0 is off.
        fill: What is seen beyond the edge of a shifted image.
        mirror: Whether half of the images are mirrored.
        cutout_size: Side length of the blackened square; 0 is off.
    """
    count, device = len(images), images.device
    if padding:
        offsets = torch.randint(2 * padding + 1, (count, 2), generator=generator, device=device)
        images = crop(images, offsets, padding, fill)
    if mirror:
        images = flip(images, torch.rand(count, generator=generator, device=device) < 0.5)
    if cutout_size:
        centres = torch.randint(images.shape[2], (count, 2), generator=generator, device=device)
        images = cutout(images, centres, cutout_size)
    return images


def scaled(pixels: int, resolution: int) -> int:
    """A length given for 32-pixel images, at another resolution."""
    return round(pixels * resolution / 32)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Turn uint8 (N, C, H, W) into channels-last float32 with zero mean and unit deviation per channel.

    Args:
        images: The batch.
        mean: Per channel (C,), on the scale 0..1.
        std: Per channel (C,), on the scale 0..1.
    """
    scale = (1 / (255 * std))[:, None, None]
    shift = (-mean / std)[:, None, None]
    pixels = images.to(torch.float32, memory_format=torch.channels_last)
    return torch.addcmul(shift, pixels, scale)
