"""A network to take home: source that needs torch only, ONNX or torch.export, weights, and a description."""

from ressearch.export.bundle import Bundle, Format, check_target, export_bundle
from ressearch.export.check import ExportError
from ressearch.export.source import model_source

__all__ = ["Bundle", "ExportError", "Format", "check_target", "export_bundle", "model_source"]
