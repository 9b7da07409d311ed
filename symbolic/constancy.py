"""Whether the constants of a formula are constant: a law has the same ones everywhere in the table.

Neighbouring rows tell a wrong formula only where rows lie close together. Between the crests of a fast wave, or in a
box of many columns, none do; but the wrong formula's constants would have to change along some column for it to follow
the data: the size of a wave whose amplitude is another column, for instance. The test is a score test (Rao 1948; of
varying parameters, Breusch & Pagan, Econometrica 47 (1979) 1287) in a form that asks nothing of the noise but that its
mean is zero (Wooldridge, Econometric Theory 7 (1991) 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, rankdata

from .conditioning import fitted_constants
from .formula import Formula
from .rows import spread_rows
from .tape import compile_tape

__all__ = ["Drift", "drift"]

Array = NDArray[np.float64]

_ROWS_PER_DIRECTION = 30  # fewer, and the distribution of the score is not known
_MOST_ROWS = 10_000  # that are looked at
_ALIKE = 1e-6  # of the length of a direction, below which it says what the others said


@dataclass(frozen=True)
class Drift:
    """The column along which the constants of a formula change most clearly.

    Attributes
    ----------
    column : its index.
    chance : probability that constants which are constant seem to change so much along any of the columns.
    """

    column: int
    chance: float


def drift(
    formula: Formula, X: Array, residuals: Array, columns: Sequence[int], weight: Array | None = None
) -> Drift | None:
    """Test every fitted constant, the size of the whole and what is added to it for a change along each column.

    Parameters
    ----------
    formula : fitted to the rows.
    X, residuals : (n, d), (n,).
    columns : those of X along which a change is looked for; ranks count, so that no single value decides.
    weight : (n,) of the rows in the fit.

    Returns
    -------
    Drift or None
        None where the rows at which the formula has derivatives are too few to tell, or nothing is left over.

    Examples
    --------
    >>> import sympy
    >>> a, x, r = sympy.symbols("a x r", real=True)
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 2, (400, 2)) * [100, 1]
    >>> wave = Formula(a * sympy.sin(x), {a: 1.5}, (x, r))
    >>> noise = 0.5 * rng.normal(size=400)
    >>> change = drift(wave, X, (X[:, 1] - 1.5) * np.sin(X[:, 0]) + noise, (0, 1))
    >>> change.column, change.chance < 1e-6, drift(wave, X, noise, (0, 1)).chance > 0.01
    (1, True, True)
    """
    if len(X) > _MOST_ROWS:
        some = spread_rows(len(X), _MOST_ROWS)
        X, residuals, weight = X[some], residuals[some], None if weight is None else weight[some]
    symbols, theta = fitted_constants(formula)
    bound = compile_tape(formula.form, formula.symbols, symbols).bind(np.asarray(X, dtype=np.float64))
    root = np.ones(len(X)) if weight is None else np.sqrt(weight / np.max(weight))
    directions = np.vstack([np.ones(len(X)), bound.value(theta), *bound.jacobian_rows()]) * root
    usable = np.all(np.isfinite(directions), axis=0)  # the slope of sqrt(x) has no value at 0
    if usable.sum() < _ROWS_PER_DIRECTION:
        return None
    X, directions, left = X[usable], _scaled(directions[:, usable]), _scaled((residuals * root)[None, usable])
    basis = _orthonormal(directions.T)
    if len(X) < _ROWS_PER_DIRECTION * basis.shape[1] or not len(left):
        return None
    left = left[0] - basis @ (basis.T @ left[0])
    worst: Drift | None = None
    for column in columns:
        position = rankdata(X[:, column]) / len(X) - 0.5
        changed = position[:, None] * basis
        changed = changed - basis @ (basis.T @ changed)
        changed = _orthonormal(changed[:, np.linalg.norm(changed, axis=0) > _ALIKE])
        if not changed.shape[1]:
            continue
        score = changed * left[:, None]
        total = score.sum(axis=0)
        statistic = float(total @ np.linalg.lstsq(score.T @ score, total, rcond=1e-12)[0])
        chance = min(1.0, len(columns) * float(chi2.sf(statistic, changed.shape[1])))
        if math.isfinite(statistic) and (worst is None or chance < worst.chance):
            worst = Drift(column, chance)
    return worst


def _scaled(rows: Array) -> Array:
    """The rows that are not zero, brought to a size whose square is a float."""
    size = np.max(np.abs(rows), axis=1)
    return np.asarray(rows[size > 0] / size[size > 0, None], dtype=np.float64)


def _orthonormal(columns: Array) -> Array:
    """An orthonormal basis (n, q) of what the columns span, each first scaled to unit length."""
    columns = columns / np.linalg.norm(columns, axis=0)
    if not columns.shape[1]:
        return columns
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, size > _ALIKE * size[0]], dtype=np.float64)
