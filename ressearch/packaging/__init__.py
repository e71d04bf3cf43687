"""A network to take home: source that needs torch only, ONNX or torch.export, weights, and a description."""

from ressearch.packaging.bundle import Bundle, Format, check_target, export_bundle
from ressearch.packaging.description import Described, TrainingData, read_description
from ressearch.packaging.equivalence import ExportError

__all__ = [
    "Bundle",
    "Described",
    "ExportError",
    "Format",
    "TrainingData",
    "check_target",
    "export_bundle",
    "read_description",
]
