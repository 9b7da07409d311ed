"""From what users hold (arrays, tensors, data frames, lists) to finite tensors of a known shape.

Every door of the library (fit, attribution, prune) asks here, so that the same bad table gets the same clear
answer everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import largest
from .errors import InputError, InputTypeError

__all__ = ["as_inputs", "as_tensor", "as_weights", "finite"]


def as_tensor(values: Any, name: str) -> Tensor:
    """Turn an array-like of real numbers into a tensor, keeping its dtype and device where it has one.

    Parameters
    ----------
    values : Tensor, array, data frame, series or nested list
        Real numbers or booleans.
    name : str
        What the values are called in error messages.

    Raises
    ------
    InputTypeError
        If the values are not real numbers (strings, complex numbers, dates, objects).

    Examples
    --------
    >>> as_tensor([[1, 2], [3, 4]], "X").dtype
    torch.int64
    """
    if isinstance(values, Tensor):
        if values.is_complex():
            raise InputTypeError(f"{name} holds complex numbers; expected real ones. Pass {name}.real or its parts.")
        return values.detach()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} is not a rectangular table: {error}. Give every row the same length.") from error
    if array.dtype == object:
        array = _numbers_from_objects(array, name)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(
            f"{name} holds values of type {array.dtype}; expected real numbers. "
            "Encode text and categories as numbers, and drop columns that are not inputs."
        )
    if array.dtype.kind == "f" and array.dtype.itemsize not in (2, 4, 8):
        array = array.astype(np.float64)
    if array.dtype.kind == "u":
        array = array.astype(np.int64)
    # Native byte order and non-negative strides are what torch takes; a read-only array would make it warn.
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(array.shape)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def as_inputs(
    values: Any,
    in_features: int,
    *,
    dtype: torch.dtype,
    device: torch.device | str | None = None,
    name: str = "X",
    names: tuple[str, ...] | None = None,
) -> Tensor:
    """Turn an array-like into finite inputs of shape (n, in_features).

    Parameters
    ----------
    values : Tensor, array, data frame or nested list, shape (n, in_features)
    in_features : int
        The number of columns the network takes.
    dtype, device
        Of the result.
    name : str
        What the values are called in error messages.
    names : tuple of str, optional
        The column names the network knows. Of a data frame that has all of them, these columns are taken.

    Raises
    ------
    InputError
        If the shape is wrong, a value is not finite, or there are no rows.
    InputTypeError
        If the values are not real numbers.

    Examples
    --------
    >>> as_inputs([[1, 2], [3, 4]], 2, dtype=torch.float32)
    tensor([[1., 2.],
            [3., 4.]])
    """
    columns = getattr(values, "columns", None)
    if names is not None and columns is not None:
        present = [str(column) for column in columns]
        if present != list(names) and set(names) <= set(present) and len(set(present)) == len(present):
            order = [present.index(column) for column in names]
            values = np.asarray(values)[:, order]
    x = as_tensor(values, name)
    if x.ndim != 2:
        hint = "reshape(-1, 1) makes one column of it" if x.ndim == 1 else "flatten its leading dimensions"
        raise InputError(f"{name} has shape {tuple(x.shape)}; expected (rows, {in_features}): {hint}.")
    if x.shape[1] != in_features:
        raise InputError(
            f"{name} has {x.shape[1]} columns; the network takes {in_features}. "
            "Pass the columns it was built for, in the same order."
        )
    if not len(x):
        raise InputError(f"{name} has no rows; expected at least one.")
    return finite(x, name, dtype, device)


def as_weights(values: Any, n_rows: int, *, dtype: torch.dtype, device: torch.device | str | None = None) -> Tensor:
    """Turn an array-like into row weights of shape (n_rows,), scaled to a mean of one.

    Raises
    ------
    InputError
        If the shape is wrong, a weight is negative or not finite, or all are zero.
    """
    w = as_tensor(values, "sample_weight")
    if w.shape != (n_rows,):
        raise InputError(f"sample_weight has shape {tuple(w.shape)}; expected ({n_rows},), one weight for each row.")
    w = finite(w, "sample_weight", torch.float64, device)
    if bool((w < 0).any()) or not bool((w > 0).any()):
        raise InputError(
            "sample_weight has negative entries or only zeros; weights are positive, or zero to skip a row."
        )
    return (w / w.mean()).to(dtype)


def finite(values: Tensor, name: str, dtype: torch.dtype, device: torch.device | str | None = None) -> Tensor:
    """Move to a dtype and device; every value has to be finite before and after.

    Raises
    ------
    InputError
        If a value is NaN or infinite, or too large for ``dtype``.
    """
    moved = values.to(device=device, dtype=dtype)
    good = moved.abs() <= largest(dtype)  # not so for NaN
    if bool(good.all()):
        return moved
    rows = (~good).reshape(len(moved), -1).any(dim=1).nonzero()[:, 0]
    first = int(rows[0])
    if bool(torch.isfinite(values).all()):
        raise InputError(
            f"{name} has values too large for {dtype} (first in row {first}). Rescale the column, or use float64."
        )
    raise InputError(
        f"{name} has NaN or infinite values in {len(rows)} of {len(moved)} rows (first in row {first}); "
        "expected finite numbers. Drop or impute those rows."
    )


def _numbers_from_objects(array: np.ndarray, name: str) -> np.ndarray:
    """Numbers stored as Python objects (mixed data frames); text is refused even where it reads as a number."""
    flat = array.ravel()
    text = next((value for value in flat if isinstance(value, (str, bytes))), None)
    if text is not None:
        raise InputTypeError(
            f"{name} holds text such as {text!r}; expected real numbers. "
            "Encode text and categories as numbers, and drop columns that are not inputs."
        )
    missing = sum(value is None or type(value).__name__ in ("NAType", "NaTType") for value in flat)
    if missing:
        raise InputError(f"{name} has {missing} missing values; expected finite numbers. Drop or impute those rows.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name} holds values that are not real numbers ({error}); expected numbers.") from error
