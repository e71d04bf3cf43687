"""A network to take home: source that needs torch only, weights, and a description."""

from ressearch.export.bundle import Bundle, ExportError, export_bundle
from ressearch.export.source import model_source

__all__ = ["Bundle", "ExportError", "export_bundle", "model_source"]
