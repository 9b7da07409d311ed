"""The last mile of a formula: equivalent forms, unneeded constants out, exact constants in, the shortest text.

A form matters to statistics as well as to the eye: D + C/(s + K) has three constants that all look
significant, (a*s + b)/(s + K) is the same curve and shows that b is not needed. So the forms are tried first,
each with its constants dropped, and the shortest description is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy import Expr

from .compose import canonical
from .deadline import within
from .dropping import drop_constants
from .formula import Formula
from .parameters import parametrize, reduce_parameters
from .phases import nearest_quarter
from .printing import count_nodes
from .simplify import rational_form, simplify_formula
from .snapping import fitted, formula_length, snap

__all__ = ["polish"]

Array = NDArray[np.float64]

_MANY = 5000  # rows that decide which constants stay; the others only sharpen them


def polish(
    formula: Formula,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    time_limit: float = 5.0,
) -> Formula:
    """Refit, rewrite, drop, snap and simplify a formula, with standard errors for what stays fitted.

    Parameters
    ----------
    formula : a formula whose fitted constants are good starting values.
    X : (n, d) the table it was made for. y : (n,). sample_weight : (n,), optional.
    time_limit : seconds; when they are over the best formula so far is returned.

    Examples
    --------
    Michaelis-Menten, found as a constant less a hyperbola:

    >>> c1, c2, c3, s = sympy.symbols("c1 c2 c3 s", real=True)
    >>> X = np.linspace(0.1, 3, 12)[:, None]
    >>> y = 2.5 * X[:, 0] / (X[:, 0] + 0.375)
    >>> print(polish(Formula(c1 + c2 / (s + c3), {c1: 2.4, c2: -0.9, c3: 0.4}, (s,)), X, y))
    20*s/(8*s + 3)
    """
    end = time.monotonic() + time_limit
    table, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if len(table) > 2 * _MANY:
        fewer = _from_fewer_rows(formula, table, target, weight, time_limit)
        if fewer is not None:
            return snap(fewer, table, target, weight, deadline=end)
    best = drop_constants(formula, table, target, weight, deadline=end)
    # Forms are compared with their exact constants recognised: cos(x + 1/2) is shorter than sin(x + 2.0708).
    best = snap(best, table, target, weight, deadline=end)
    length = formula_length(best, table, target, weight)
    for expr in _forms(best, end):
        structure, values = parametrize(expr, formula.symbols)
        structure, values = reduce_parameters(structure, values, formula.symbols, table)
        form = replace(formula, structure=structure, values=values, covariance=None)
        form = drop_constants(form, table, target, weight, deadline=end)
        form = snap(form, table, target, weight, deadline=end)
        other = formula_length(form, table, target, weight)
        if other < length - 1e-9:
            best, length = form, other
    left = end - time.monotonic()
    shorter = simplify_formula(best.expr, formula.symbols, table, time_limit=max(0.0, min(2.0, left)))
    structure, values = parametrize(shorter, formula.symbols, exact=True)
    named = fitted(replace(formula, structure=structure, values=values, covariance=None), table, target, weight)
    worse = formula_length(named, table, target, weight) > formula_length(best, table, target, weight) + 1.0
    return best if worse else named


def _from_fewer_rows(
    formula: Formula, X: Array, y: Array, sample_weight: Array | None, time_limit: float
) -> Formula | None:
    """The formula as some of the rows leave it, much faster; None where all rows together ask for more."""
    rows = np.random.default_rng(0).permutation(len(X))[:_MANY]
    weight = None if sample_weight is None else sample_weight[rows]
    shorter = polish(formula, X[rows], y[rows], weight, time_limit=0.4 * time_limit)
    length, before = (formula_length(each, X, y, sample_weight) for each in (shorter, formula))
    return shorter if length <= before else None


def _forms(formula: Formula, end: float) -> Iterator[Expr]:
    """Other ways to write the same curve, no more than twice as long."""
    size = count_nodes(formula.expr)
    seen = {formula.expr}
    for rule in (rational_form, sympy.expand, nearest_quarter):
        left = end - time.monotonic()
        form = within(min(left, 1.0), lambda e, rule=rule: canonical(rule(e)), formula.expr)
        if form is not None and form not in seen and count_nodes(form) <= 2 * size + 4:
            seen.add(form)
            yield form
