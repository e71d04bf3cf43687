"""Decode images to uint8 arrays of one size."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


def decode_files(paths: list[Path], resolution: int) -> Iterator[Pixels]:
    """Decode files in order, a bounded number ahead, on all cores: with photographs Pillow leaves Python free."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), 1024):
            block = paths[start : start + 1024]
            yield from pool.map(lambda path: decode_rgb(path, str(path), resolution), block)


def decode_rgb(file: Path | io.BytesIO, where: str, resolution: int) -> Pixels:
    """One encoded image as uint8 (3, resolution, resolution).

    Raises:
        ValueError: If it is corrupt or truncated.
    """
    try:
        with Image.open(file) as image:
            image.draft(None, (2 * resolution, 2 * resolution))  # JPEG: skip detail that resizing drops
            return resized(_to_rgb(image), resolution).transpose(2, 0, 1)
    except Exception as error:  # Pillow's decoders raise a dozen types on broken content
        raise ValueError(f"{where}: the image cannot be decoded: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB: 16-bit grey is scaled to 8 bits, transparency is laid on white."""
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image, dtype=np.int64), 0, 65535) // 257
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; convert the image to 8 or 16 bits")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def resized(image: Image.Image, resolution: int) -> Pixels:
    """A centred square, resized bilinearly with antialiasing: uint8 (H, W) or (H, W, C)."""
    if image.size != (resolution, resolution):
        image = ImageOps.fit(image, (resolution, resolution), Image.Resampling.BILINEAR)
    return np.asarray(image)
