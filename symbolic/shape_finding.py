"""The smallest network that follows a table, for who wants the network itself: a stand-in small enough to be read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from kanlib.checks import check_seed
from kanlib.errors import InputError
from kanlib.methods import positive_int
from kanlib.network import KAN
from kanlib.threads import one_thread

from .problem import FEW_ROWS, hold_out, sample_of, table
from .shape_search import ROWS_PER_CONSTANT, ShapeSearch, TriedShape
from .trim import in_units_of_y

__all__ = ["FoundShape", "TriedShape", "find_shape"]


@dataclass(frozen=True)
class FoundShape:
    """The network, what it is, and what else was tried.

    Attributes
    ----------
    network : KAN, float64, from the original columns to y.
    template : such as "sum of 3 products, sum_k prod_i f_ki(x_i)".
    best : the tried shape it is.
    tried : all of them, in order.
    """

    network: KAN
    template: str
    best: TriedShape
    tried: tuple[TriedShape, ...]


def find_shape(
    X: ArrayLike,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    max_constants: int | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> FoundShape:
    """Find a small network that follows y = f(X) as closely as its rows allow.

    Parameters
    ----------
    X : array or data frame, shape (n, d)
        At least 40 rows of finite numbers. Constant columns are left aside.
    y : array-like, shape (n,)
    names : of the columns; from the data frame or x1, x2, ... by default.
    max_constants : int, optional
        Of the network. The rows set a limit of their own: 1.5 of them a constant.
    time_limit : float
        Seconds; the best network so far is returned some steps later.
    seed : int
        Of the split and the starts.

    Returns
    -------
    FoundShape

    Raises
    ------
    InputError
        As from `kanlib.symbolic.discover`; and where not even the smallest shape is allowed.

    Examples
    --------
    >>> import torch
    >>> X = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    >>> found = find_shape(X, X[:, 0] * np.exp(X[:, 1]))
    >>> found.template, found.best.held_rmse < 1e-5
    ('product, sum_k prod_i f_ki(x_i)', True)
    >>> found.network(torch.from_numpy(X)).shape
    torch.Size([400, 1])
    """
    problem = table(X, y, names, None)
    if not isinstance(time_limit, Real) or isinstance(time_limit, bool) or not time_limit > 0:
        raise InputError(f"time_limit is {time_limit!r}; expected a positive number of seconds.")
    seed = check_seed(seed)
    most = None if max_constants is None else positive_int("max_constants", max_constants)
    held = hold_out(len(problem.y), np.random.default_rng(seed))
    if held is None:
        raise InputError(f"the table has {len(problem.y)} rows; expected at least {FEW_ROWS}, a fifth to judge by.")
    sample = sample_of(problem.X[:, list(problem.varying)], problem.y, held)
    allowed = int(sample.n_distinct / ROWS_PER_CONSTANT)
    search = ShapeSearch(sample, min(allowed, most or allowed), time.monotonic() + float(time_limit), seed)
    with one_thread():
        best = search.best()
        model = in_units_of_y(search.on_all_rows(best.model), sample.scale, sample.shift)
    mine = search.record(best)
    return FoundShape(problem.on_all_columns(model), mine.template, mine, tuple(search.tried))
