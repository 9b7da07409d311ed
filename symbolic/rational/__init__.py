"""Monomials, sparse polynomials and their ratios, under a link."""

from __future__ import annotations

from .candidates import RationalFit, rational_candidates

__all__ = ["RationalFit", "rational_candidates"]
