"""Scikit-learn's handwritten digits: 1,797 scans that come with the package."""

from pathlib import Path

from ressearch.training.sources.kind import Decoded, SourceKind, Split

NUM_IMAGES = (143, 146, 142, 147, 145, 146, 145, 144, 140, 144)
"""That train, by digit: known before scikit-learn, which takes a second to load."""


def _decode(_: Path, split: Split, resolution: int) -> Decoded:
    """Every fifth image of a class is test, since the bundle has no test set of its own."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    from ressearch.training.pixels import resized

    bundle = load_digits()
    nth_of_class = np.zeros(len(bundle.target), dtype=np.int64)
    for label in range(10):
        members = bundle.target == label
        nth_of_class[members] = np.arange(members.sum())
    chosen = (nth_of_class % 5 == 4) == (split == "test")
    grey = np.round(bundle.images[chosen] * (255 / 16)).astype(np.uint8)  # ink is counted in 0..16
    names = tuple(str(name) for name in bundle.target_names)
    images = (resized(Image.fromarray(image), resolution)[None] for image in grey)
    return Decoded(bundle.target[chosen].tolist(), names, images)


DIGITS = SourceKind(
    summary="handwritten digits bundled with scikit-learn, 8x8 grey",
    channels=1,
    resolution=8,
    num_classes=lambda _: 10,
    content=lambda *_: "digits",
    decode=_decode,
    counts=lambda _: {str(digit): number for digit, number in enumerate(NUM_IMAGES)},
)
