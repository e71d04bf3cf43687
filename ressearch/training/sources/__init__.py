"""The data sources by name. To add one, write its `SourceKind` in a file of this directory and add a row here."""

from ressearch.training.sources.cifar import CIFAR10, CIFAR100
from ressearch.training.sources.digits import DIGITS
from ressearch.training.sources.folder import FOLDER
from ressearch.training.sources.kind import SourceKind
from ressearch.training.sources.parquet import PARQUET

SOURCES: dict[str, SourceKind] = {
    "digits": DIGITS,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "folder": FOLDER,
    "parquet": PARQUET,
}

__all__ = ["SOURCES", "SourceKind"]
