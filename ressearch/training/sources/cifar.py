"""CIFAR-10 and CIFAR-100, downloaded by torchvision, which verifies the checksums."""

from functools import partial
from pathlib import Path

from ressearch.training.sources.kind import Decoded, SourceKind, Split

NUM_IMAGES = 50_000
"""That train, of all classes alike (Krizhevsky 2009); their names are in the archive."""


def _cifar(num_classes: int, archive: str, checksum: str) -> SourceKind:
    return SourceKind(
        summary=f"CIFAR-{num_classes}, downloaded by torchvision to the root or the cache directory, 32x32 colour",
        channels=3,
        num_classes=lambda _: num_classes,
        content=lambda *_: checksum,
        decode=partial(_decode, num_classes, archive, checksum),
        counts=lambda _: {f"class {label}": NUM_IMAGES // num_classes for label in range(num_classes)},
    )


def _decode(num_classes: int, archive: str, checksum: str, root: Path, split: Split, resolution: int) -> Decoded:
    """Decode one split. Torchvision opens the files of both, to check their sums."""
    from PIL import Image
    from torchvision import datasets

    from ressearch.training.pixels import resized

    root.mkdir(parents=True, exist_ok=True)
    dataset = {10: datasets.CIFAR10, 100: datasets.CIFAR100}[num_classes]
    try:
        data = dataset(root=str(root), train=split == "train", download=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"cifar{num_classes}: {archive} is not in {root} and cannot be downloaded ({error}). Ways out: copy "
            f"{archive} (md5 {checksum}) into {root}, or use another source: digits, which needs no network, "
            "folder or parquet"
        ) from error
    images = (resized(Image.fromarray(image), resolution).transpose(2, 0, 1) for image in data.data)
    return Decoded(data.targets, tuple(data.classes), images)


CIFAR10 = _cifar(10, "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")
CIFAR100 = _cifar(100, "cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85")
