"""Some rows of many, evenly spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread_rows"]


def spread_rows(n: int, most: int) -> NDArray[np.int64]:
    """Indices of all n rows, or of ``most`` of them, evenly spread.

    Examples
    --------
    >>> spread_rows(3, 10).tolist(), spread_rows(100, 3).tolist()
    ([0, 1, 2], [0, 50, 99])
    """
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
