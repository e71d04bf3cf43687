"""Torch begins here: a plan becomes a module."""

from ressearch.model.network import build

__all__ = ["build"]
