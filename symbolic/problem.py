"""The table of a search: checked, named, and split into rows to fit and rows to judge by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from kanlib.data import as_tensor, finite
from kanlib.errors import InputError
from kanlib.network import KAN

from .rows import spread_rows
from .sample import Sample

__all__ = ["FEW_ROWS", "Problem", "hold_out", "sample_of", "table"]

Array = NDArray[np.float64]

_LARGEST = 1e100  # its third power does not overflow
FEW_ROWS = 40  # below this no rows are set aside
_MOST_ROWS = 4000  # networks see at most so many rows; formulas see all


@dataclass(frozen=True)
class Problem:
    """A checked table; ``varying`` are the columns that are not constant.

    ``root`` holds the square roots of the rows' weights, with a mean square of 1; None where all rows count alike.
    """

    X: Array
    y: Array
    names: tuple[str, ...]
    target_name: str
    varying: tuple[int, ...]
    notes: tuple[str, ...]
    root: Array | None = None

    @property
    def roots(self) -> Array:
        """(n,) what an error of each row counts."""
        return np.ones(len(self.y)) if self.root is None else self.root

    @property
    def spread(self) -> float:
        """Standard deviation of y, rows counted by their weights."""
        mean = np.average(self.y, weights=self.roots**2)
        return math.sqrt(float(np.mean(((self.y - mean) * self.roots) ** 2)))

    def weighted(self, weight: Array | None) -> Problem:
        """The same table with weights of its rows, up to one common factor."""
        root = None if weight is None else np.sqrt(weight / weight.mean())
        return replace(self, root=None if root is None or np.ptp(root) == 0 else root)

    def on_all_columns(self, network: KAN) -> KAN:
        """A network on the varying columns becomes one on the original table."""
        config = network.config() | {
            "in_features": self.X.shape[1],
            "input_index": list(self.varying),
            "input_names": list(self.names),
        }
        whole = KAN.from_config(config)
        state = network.state_dict() | {"input_index": torch.tensor(self.varying)}
        whole.load_state_dict(state)
        return whole


def table(X: ArrayLike | Any, y: ArrayLike, names: Sequence[str] | None, target_name: str | None) -> Problem:
    """Check what a user passed to a search.

    Raises
    ------
    InputError, InputTypeError
        With what arrived, what was expected, and what to do.
    """
    columns = getattr(X, "columns", None)
    if names is None and columns is not None:
        names = [str(column) for column in columns]
    if target_name is None:
        target_name = str(getattr(y, "name", None) or "y")
    inputs = as_tensor(X, "X")
    if inputs.ndim != 2:
        raise InputError(
            f"X has shape {tuple(inputs.shape)}; expected (rows, columns). One column is X.reshape(-1, 1)."
        )
    target = as_tensor(y, "y")
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if target.ndim != 1 or len(target) != len(inputs):
        raise InputError(
            f"y has shape {tuple(target.shape)} for {len(inputs)} rows of X; expected ({len(inputs)},): "
            "one number for each row."
        )
    n, d = inputs.shape
    if n < 5:
        raise InputError(
            f"the table has {n} row{'s' * (n != 1)} (n_samples = {n}); expected at least 5. A law needs more "
            "observations than constants."
        )
    if d == 0:
        raise InputError("X has no columns; expected at least one input.")
    names = [f"x{i + 1}" for i in range(d)] if names is None else [str(name) for name in names]
    if len(names) != d:
        raise InputError(f"names has {len(names)} entries for {d} columns of X; expected one for each.")
    if target_name in names:
        raise InputError(
            f"the target {target_name!r} is also an input column; remove it from X or give it another name."
        )
    inputs, target = finite(inputs, "X", torch.float64).cpu(), finite(target, "y", torch.float64).cpu()
    table_X, table_y = inputs.numpy(), target.numpy()
    if np.ptp(table_y) <= 1e-14 * np.abs(table_y).max():
        raise InputError(
            f"y is {table_y[0]:.6g} in every row; a law needs a target that varies. Check the target column."
        )
    largest = np.maximum(np.abs(table_X).max(axis=0), 1e-300)
    varying = tuple(int(i) for i in np.flatnonzero(np.ptp(table_X, axis=0) > 1e-14 * largest))
    if not varying:
        raise InputError("every column of X is constant; a law needs at least one input that varies.")
    for name, column in [*((names[i], table_X[:, i]) for i in varying), (target_name, table_y)]:
        size = float(np.abs(column).max())
        if not 1 / _LARGEST <= size <= _LARGEST:
            raise InputError(
                f"the values of {name!r} go up to {size:.3g}; expected between {1 / _LARGEST:g} and {_LARGEST:g}, "
                "whose powers are numbers still. Choose another unit for the column."
            )
    notes = tuple(
        f"column {names[i]!r} is constant ({table_X[0, i]:.6g}) and was left aside"
        for i in range(d)
        if i not in varying
    )
    return Problem(table_X, table_y, tuple(names), target_name, varying, notes)


def hold_out(n: int, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """Which of n rows to hold out, a fifth at random; None where they are too few to spare any."""
    if n < FEW_ROWS:
        return None
    held = np.zeros(n, dtype=bool)
    held[rng.permutation(n)[: max(10, n // 5)]] = True
    return held


def sample_of(
    Z: Array, y: Array, held: NDArray[np.bool_] | None, factor: Array | None = None, root: Array | None = None
) -> Sample:
    """The sample for y = factor * F(Z): the target is y / factor, rows weigh what an error of theirs does to y.

    ``root`` holds the square roots of the rows' own weights.
    """
    train_rows = held_rows = np.arange(len(y))
    if held is not None:
        held_rows, train_rows = np.flatnonzero(held), np.flatnonzero(~held)
        if len(train_rows) > _MOST_ROWS:
            train_rows = train_rows[spread_rows(len(train_rows), _MOST_ROWS)]
    target = y if factor is None else y / factor
    own = np.ones(len(y)) if root is None else root**2
    largest = 1.0 if factor is None else float(np.abs(factor).max())  # its square may be no number
    weight = own if factor is None else own * (factor / largest) ** 2
    mean = float(weight[train_rows].mean())
    equal = bool(np.ptp(weight) == 0)
    shift, scale = _centre(target[train_rows], weight[train_rows])
    spread = _centre(y[train_rows], own[train_rows])[1] * math.sqrt(float(own[train_rows].mean()))

    def tensor(values: Array) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values))

    return Sample(
        tensor(Z[train_rows]),
        tensor((target[train_rows] - shift) / scale),
        tensor(Z[held_rows]),
        tensor((target[held_rows] - shift) / scale),
        scale,
        shift,
        held is not None,
        None if equal else tensor(weight[train_rows] / mean),
        None if equal else tensor(weight[held_rows] / mean),
        1.0 if equal else math.sqrt(mean) * (largest * scale / spread),
    )


def _centre(values: Array, weight: Array) -> tuple[float, float]:
    """Weighted mean, and the root of the mean square about it; 1 where there is no spread."""
    size = float(np.abs(values).max()) or 1.0  # of values whose squares may be no numbers
    mean = float(np.average(values / size, weights=weight))
    return size * mean, size * math.sqrt(float(np.average((values / size - mean) ** 2, weights=weight))) or 1.0
