"""What is known about a law before the search."""

from __future__ import annotations

from .noise import RowNoise, given_noise, weighted_rows
from .prior import Prior, prior

__all__ = ["Prior", "RowNoise", "given_noise", "prior", "weighted_rows"]
