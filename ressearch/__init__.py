"""Neural architecture search over the residual design space."""

__version__ = "0.1.0"
