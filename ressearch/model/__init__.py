"""Torch begins here: a plan becomes a module."""

from ressearch.model.build import build

__all__ = ["build"]
