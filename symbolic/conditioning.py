"""Whether the fitted constants of a formula can be told apart on the data: a*exp(b*x) + c over a short range is a line.

Where they nearly say the same, standard errors from the straight-line approximation are wrong, and resampling
(`kanlib.symbolic.bootstrap`) is worth its time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Symbol

from kanlib.errors import InputError

from .formula import Formula
from .tape import compile_tape

__all__ = ["condition_number", "fitted_constants", "near_degenerate"]

Array = NDArray[np.float64]

_DEGENERATE = 1e-4


def fitted_constants(formula: Formula) -> tuple[tuple[Symbol, ...], Array]:
    """The constants of a formula that are fitted, none of the exact ones, and their values (p,).

    Examples
    --------
    >>> import sympy
    >>> a, b, x = sympy.symbols("a b x", real=True)
    >>> fitted_constants(Formula(a * x + b, {a: 1.5, b: sympy.Integer(2)}, (x,)))
    ((a,), array([1.5]))
    """
    return formula.fitted, np.array([formula.values[symbol] for symbol in formula.fitted], dtype=np.float64)


def condition_number(formula: Formula, X: ArrayLike, sample_weight: Array | None = None) -> float:
    """How nearly the fitted constants say the same on these rows: largest over smallest singular value of the Jacobian.

    Its columns are scaled to unit length first, so that units do not count. 1 for independent constants; inf for
    redundant ones, or where the formula has no derivative. The scaling is that of Belsley, Kuh & Welsch (*Regression
    Diagnostics*, 1980, ch. 3).

    Parameters
    ----------
    X : (n, d) rows; those where the formula has no value are passed over.
    sample_weight : (n,) weights of the rows in the fit, not negative: 1/variance up to a factor. Equal by default.

    Raises
    ------
    InputError
        Weights that are not one a row, or not finite, or negative.

    Examples
    --------
    >>> import sympy
    >>> a, b, x = sympy.symbols("a b x", real=True)
    >>> law = Formula(a + b * x, {a: 1.0, b: 1.0}, (x,))
    >>> condition_number(law, [[-1.0], [1.0]]) < 1.01 < 1e3 < condition_number(law, [[1000.0], [1001.0]])
    True
    """
    symbols, theta = fitted_constants(formula)
    if not symbols:
        return 1.0
    bound = compile_tape(formula.form, formula.symbols, symbols).bind(np.asarray(X, dtype=np.float64))
    value = bound.value(theta)
    weight = _weights(sample_weight, len(value))
    usable = np.isfinite(value) & (weight > 0)
    jacobian = bound.jacobian_rows()[:, usable]
    if jacobian.shape[1] < len(symbols) or not np.all(np.isfinite(jacobian)):
        return math.inf
    largest = np.max(np.abs(jacobian), axis=1, keepdims=True)
    if not np.all(largest > 0):
        return math.inf
    # both first to a size whose square is a float
    scaled = jacobian / largest * np.sqrt(weight[usable] / np.max(weight[usable]))
    s = np.linalg.svd(scaled / np.linalg.norm(scaled, axis=1, keepdims=True), compute_uv=False)
    return float(s[0] / s[-1]) if s[-1] > 0 else math.inf


def near_degenerate(
    formula: Formula, X: ArrayLike, limit: float = _DEGENERATE, sample_weight: Array | None = None
) -> bool:
    """Whether the usual standard errors cannot be trusted: smallest over largest singular value below ``limit``.

    ``sample_weight`` (n,) as for `condition_number`: constants that only rows of little weight tell apart are alike.

    Examples
    --------
    An exponential over a hundredth of its range is a straight line, and three constants are one too many for it.

    >>> import sympy
    >>> a, b, c, x = sympy.symbols("a b c x", real=True)
    >>> law = Formula(a * sympy.exp(b * x) + c, {a: 1.0, b: 1.0, c: 0.0}, (x,))
    >>> [near_degenerate(law, np.linspace(0, end, 50)[:, None]) for end in (0.01, 3.0)]
    [True, False]
    """
    return condition_number(formula, X, sample_weight) * limit > 1.0


def _weights(sample_weight: Array | None, n: int) -> Array:
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,) or not np.all(np.isfinite(weight)) or np.any(weight < 0):
        raise InputError(
            f"sample_weight has shape {weight.shape}; expected {n} finite numbers that are not negative, one a row."
        )
    return weight
