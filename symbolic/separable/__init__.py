"""Laws that separate into functions of single coordinates, under a link."""

from __future__ import annotations

from .additive import additive_forms
from .bivariate import bivariate_forms

__all__ = ["additive_forms", "bivariate_forms"]
