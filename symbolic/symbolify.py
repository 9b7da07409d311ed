"""A trained network becomes a formula: primitives for its edges, constants from the data, then the shortest form."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sympy import Symbol

from kanlib.data import as_inputs, as_tensor, finite
from kanlib.errors import FormulaError, InputError
from kanlib.network import KAN
from kanlib.threads import one_thread

from .compose import reduce_parameters
from .edges import search_set
from .formula import Formula
from .joint import Candidate, joint_candidates
from .names import safe_symbols
from .noise import EQUAL, NoiseModel
from .polish import polish
from .snapping import formula_length

__all__ = ["finish", "symbolify"]

Array = NDArray[np.float64]


def symbolify(
    model: KAN,
    X: ArrayLike,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    target_name: str = "y",
    primitives: Sequence[str] | None = None,
    output: int = 0,
    time_limit: float = 60.0,
) -> Formula:
    """The formula that fits the data best among those of the network's shape.

    Every spline edge is compared with every primitive; the cheapest assignments are refitted to y as a whole, and of
    the refitted formulas the one with the shortest description (residuals, constants, structure) is taken, its
    constants cut where the data do not need them, recognised where they are exact, and given standard errors.

    The formula is the best of its kind, which need not be good: compare its residuals with the network's, or let
    `discover` judge it.

    Parameters
    ----------
    model : KAN
        A trained network; edges already fixed to primitives stay as they are, their constants are refitted.
    X : array, tensor or data frame, shape (n, in_features)
    y : array-like, shape (n,)
    names : sequence of str, optional
        Column names; those of the data frame, the network's ``input_names`` or x1, x2, ... by default.
    target_name : str
    primitives : sequence of str, optional
        The primitives to try; all by default.
    output : int
        Which output of the network y is.
    time_limit : float
        Seconds after which no further assignment is tried.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        No assignment gives a finite formula (a network too large, or no primitive fits an edge).

    Examples
    --------
    >>> import torch
    >>> from kanlib import KAN, fit
    >>> X = torch.linspace(0.5, 2, 60, dtype=torch.float64)[:, None]
    >>> y = 3 * torch.log(X[:, 0]) + 1
    >>> model = KAN([1, 1], dtype=torch.float64)
    >>> _ = fit(model, X, y, progress=False)
    >>> print(symbolify(model, X, y, names=["t"]))
    3*log(t) + 1
    """
    end = time.monotonic() + time_limit
    columns = getattr(X, "columns", None)
    if names is None:
        names = [str(c) for c in columns] if columns is not None else model.input_names
    names = tuple(names) if names is not None else tuple(f"x{i + 1}" for i in range(model.in_features))
    if len(names) != model.in_features:
        raise InputError(f"names has {len(names)} entries for {model.in_features} columns; expected one for each.")
    if not 0 <= output < model.out_features:
        raise InputError(f"output is {output}; expected 0 to {model.out_features - 1}, an output of the network.")
    symbols, _ = safe_symbols(names)
    table = as_inputs(X, model.in_features, dtype=torch.float64, names=names).cpu().numpy()
    target = finite(as_tensor(y, "y"), "y", torch.float64).cpu().numpy()
    if target.shape == (len(table), 1):
        target = target[:, 0]
    if target.shape != (len(table),):
        raise InputError(f"y has shape {target.shape}; expected ({len(table)},), one value for each row of X.")
    with one_thread():
        found = joint_candidates(
            model,
            table,
            target,
            symbols,
            primitives=search_set(primitives),
            output=output,
            expired=lambda: time.monotonic() > end,
        )
    if not found:
        raise FormulaError(
            "no assignment of primitives to the network's edges gives a finite formula; prune the network, give it "
            "more time, or allow more primitives."
        )
    finished = [finish(candidate, table, target, symbols, names, target_name) for candidate in found[:3]]
    return min(finished, key=lambda formula: formula_length(formula, table, target))


def finish(
    candidate: Candidate,
    X: Array,
    y: Array,
    symbols: tuple[Symbol, ...],
    names: Sequence[str],
    target_name: str,
    noise: NoiseModel = EQUAL,
    *,
    time_limit: float = 5.0,
) -> Formula:
    """Refit a candidate on all rows, cut and recognise its constants, and write it in its shortest form."""
    structure, values = reduce_parameters(candidate.structure, candidate.values, symbols, X)
    formula = Formula(structure, values, symbols, names=tuple(names), target=target_name)
    polished = polish(formula, X, y, noise.weight(y), time_limit=time_limit)
    return replace(polished, relative_errors=noise.power == 1)
