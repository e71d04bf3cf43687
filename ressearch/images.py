"""What images look like to a network. Every room may import this module; it imports nothing of ours."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ImageShape:
    """What a network must fit: images are (N, channels, resolution, resolution)."""

    channels: int
    resolution: int
    num_classes: int
