"""A network to take home: source that needs torch only, ONNX or torch.export, weights, and a description."""

from ressearch.packaging.bundle import Bundle, Format, check_target, export_bundle
from ressearch.packaging.equivalence import ExportError

__all__ = ["Bundle", "ExportError", "Format", "check_target", "export_bundle"]
