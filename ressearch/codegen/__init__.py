"""The source of a network: a plan written as a Python file that needs torch only."""

from ressearch.codegen.module_source import model_source

__all__ = ["model_source"]
