"""From a formula to the network that computes it."""

from __future__ import annotations

from .compiling import compile_formula

__all__ = ["compile_formula"]
