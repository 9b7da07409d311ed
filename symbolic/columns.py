"""The table a formula reads: an array in the order of its columns, or a data frame by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kanlib.errors import InputError, InputTypeError

__all__ = ["formula_table"]

Array = NDArray[np.float64]


def formula_table(X: Any, names: Sequence[str], used: Sequence[int]) -> Array:
    """X as floats, (n, len(names)); columns a data frame lacks are NaN where the formula does not read them.

    Parameters
    ----------
    X : (n, len(names)) array, or a data frame.
    names : the column names. used : indices of those that are read.

    Raises
    ------
    InputError
        Another shape, or a missing column.
    InputTypeError
        Values that are not real numbers.

    Examples
    --------
    >>> formula_table([[1, 2]], ["a", "b"], [0]).tolist()
    [[1.0, 2.0]]
    """
    columns = getattr(X, "columns", None)
    if columns is not None and hasattr(X, "__getitem__"):
        by_name = {str(column): column for column in columns}
        missing = [names[index] for index in used if names[index] not in by_name]
        if missing:
            raise InputError(
                f"The data frame has columns {list(by_name)[:20]}; the formula reads {missing} too: "
                "add or rename columns."
            )
        table = np.full((len(X), len(names)), np.nan)
        for index in used:
            table[:, index] = _as_float(X[by_name[names[index]]])
        return table
    array = _as_float(X)
    if array.ndim != 2 or array.shape[1] != len(names):
        raise InputError(
            f"predict got an array of shape {array.shape}; expected (n, {len(names)}), one column for each "
            f"of {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}."
        )
    return array


def _as_float(values: Any) -> Array:
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError("complex numbers")
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputTypeError(
            f"predict got values that are not real numbers ({error}); expected an (n, d) table of floats."
        ) from error
