"""Short closed forms of one variable."""

from __future__ import annotations

from .candidates import UnivariateFit, univariate_candidates

__all__ = ["UnivariateFit", "univariate_candidates"]
