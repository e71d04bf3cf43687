"""Decode images to uint8 arrays of one size."""

import io
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by EXIF orientation. Source: CIPA DC-008-2023 (Exif 3.0), tag 0x0112."""


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence what Pillow warns of: metadata, palettes and sizes that it then copes with."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


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
            image.load()  # turns a TIFF upright and finds what a PNG tells behind its pixels
            turn = UPRIGHT.get(_orientation(image))
            rgb = _to_rgb(image)
            return resized(rgb if turn is None else rgb.transpose(turn), resolution).transpose(2, 0, 1)
    except UnidentifiedImageError as error:
        formats = "JPEG, PNG, WebP, TIFF, GIF, BMP or PNM"
        raise ValueError(f"{where}: the image cannot be decoded: it is no {formats}; convert it") from error
    except Exception as error:  # Pillow's decoders raise a dozen types on broken content
        raise ValueError(f"{where}: the image cannot be decoded: {error}") from error


def _orientation(image: Image.Image) -> int:
    """How EXIF says the camera was held, 1 to 8; 1, upright, where it says nothing that can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken metadata raises a dozen types; the pixels are sound
        return 1


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
