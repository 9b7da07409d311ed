"""From what users pass to fit to training and validation rows."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .data import as_inputs, as_weights
from .errors import InputError, InputTypeError
from .losses import Loss
from .network import KAN
from .problem import Loader, Rows

__all__ = ["training_rows"]


def training_rows(
    model: KAN,
    X: Any,
    y: Any,
    loss: Loss,
    sample_weight: Any,
    validation: float | tuple[Any, Any] | None,
    generator: torch.Generator,
) -> tuple[Rows | Loader, Rows | None]:
    """Turn what the user passed into training rows (or a loader) and, if asked for, validation rows.

    Parameters are those of :func:`kanlib.fit`.

    Raises
    ------
    InputError
        If the data do not fit the network or each other, or cannot be split as asked.
    """
    place = model.layers[0].grid
    loader = Loader(X, loss, model.in_features, model.out_features, place.dtype, place.device)
    fraction = float(validation) if isinstance(validation, Real) else None
    held_out = None
    if validation is not None and fraction is None:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise InputTypeError("validation is neither a fraction nor a pair (X, y); expected one of them.")
        held_out = _rows(model, validation[0], validation[1], loss)
    if sample_weight is not None and loss.name == "custom":
        raise InputError("sample_weight goes with the losses 'mse' and 'cross_entropy'; weight rows in your callable.")
    if y is None:
        if not _is_loader(X):
            raise InputError("y is missing; expected targets, or a loader of (X, y) batches in place of X.")
        if fraction is not None or sample_weight is not None:
            raise InputError(
                "A loader's rows cannot be split or weighted here; pass validation=(X, y), weight in the loss."
            )
        return loader, held_out
    rows = _rows(model, X, y, loss)
    n = len(rows)
    weight = None
    if sample_weight is not None:
        weight = as_weights(sample_weight, n, dtype=place.dtype, device=place.device)
    if fraction is None:
        return Rows(rows.x, rows.y, weight), held_out
    n_held_out = round(n * fraction) if 0 < fraction < 1 else 0
    if not 0 < n_held_out < n:
        raise InputError(
            f"validation is {fraction}, of {n} rows; expected a fraction between 0 and 1 that leaves at least one row "
            "on either side, or a pair (X, y)."
        )
    order = torch.randperm(n, generator=generator)
    parts = []
    for index in (order[n_held_out:].sort().values, order[:n_held_out].sort().values):
        part = rows.take(index)
        if weight is not None:
            w = as_weights(weight[index.to(weight.device)], len(index), dtype=place.dtype, device=place.device)
            part = Rows(part.x, part.y, w)
        parts.append(part)
    return parts[0], parts[1]


def _rows(model: KAN, X: Any, y: Any, loss: Loss) -> Rows:
    place = model.layers[0].grid
    x = as_inputs(X, model.in_features, dtype=place.dtype, device=place.device, names=model.input_names)
    return Rows(x, loss.target(y, len(x), model.out_features, dtype=place.dtype, device=place.device))


def _is_loader(X: Any) -> bool:
    """Whether X can be iterated over again and again and is not a table."""
    table = isinstance(X, (Tensor, np.ndarray, list, tuple, str)) or hasattr(X, "columns") or hasattr(X, "__array__")
    return not table and isinstance(X, Iterable) and iter(X) is not X
