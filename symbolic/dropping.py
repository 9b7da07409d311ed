"""Which constants are needed: a term that may vanish, a factor or an exponent that may be 1.

Whether a constant is needed at all is asked by the usual Bayesian information criterion: dropping it saves log(n)/2
nats (`constants_cost`), and one bit for every node that vanishes with it.
"""

from __future__ import annotations

import math
import time

from numpy.typing import ArrayLike
from sympy import Expr, Integer, Symbol

from .description import NODE_COST, constants_cost
from .formula import Formula
from .phases import UNKNOWN, phases
from .printing import count_nodes
from .snapping import Fitted, loss, prepare, with_fit

__all__ = ["drop_constants"]


def _known(fit: Fitted) -> dict[Symbol, tuple[float, float]]:
    """Value and error of the constants that the data say something of, which may so be told from 0.

    Years from 2000 on do not tell the phase of a wave in the year 0. Left out, it would come back in the last digits of
    the rate, with a standard error of these.
    """
    added = phases(fit.formula.form)
    return {
        symbol: (value, error)
        for symbol, (value, error) in fit.intervals().items()
        if symbol not in added or error < UNKNOWN
    }


def _without_zeros(fit: Fitted) -> Fitted:
    """Drop all constants at once that are zero within their error, if the formula is shorter for it.

    One at a time is safer and comes next; long formulas with many zeros would take a refit for each of them.
    """
    zeros: dict[Symbol, Expr] = {
        symbol: Integer(0) for symbol, (value, error) in _known(fit).items() if abs(value) < error
    }
    if len(zeros) < 2 or fit.n < 2:
        return fit
    changed = fit.replaced(zeros)
    if changed is None:
        return fit
    left = len(changed[0].fitted)
    saved = constants_cost(len(fit.free), fit.n) - constants_cost(left, fit.n)
    shorter = saved + fit.length(fit.result) - fit.length(changed[1]) > 0
    return Fitted(changed[0], fit.X, fit.y, fit.sample_weight) if shorter else fit


def drop_constants(
    formula: Formula,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    deadline: float = math.inf,
) -> Formula:
    """Set constants to 0, 1 or -1 where the data do not ask for more, one at a time, the others refitted.

    A constant goes when n/2 log(rss) grows by less than it and the nodes that vanish with it cost
    (`constants_cost`); of several the one that shortens the description most goes first. Only what
    makes the formula shorter is tried: 0 for a term, 1 for a factor or an exponent.

    Parameters
    ----------
    formula : its fitted constants are refitted first; exact ones stay.
    X : (n, d). y : (n,). sample_weight : (n,), optional.
    deadline : value of ``time.monotonic()`` after which nothing further is tried.

    Examples
    --------
    >>> import numpy as np
    >>> import sympy
    >>> a, b, x = sympy.symbols("a b x", real=True)
    >>> X = np.linspace(1, 2, 20)[:, None]
    >>> print(drop_constants(Formula(a * x**2 + b, {a: 0.9, b: 0.1}, (x,)), X, X[:, 0] ** 2))
    x**2
    """
    fit = _without_zeros(prepare(formula, X, y, sample_weight))
    while fit.free and fit.n > 1 and time.monotonic() < deadline:
        now = fit.length(fit.result)
        size = count_nodes(fit.formula.structure)
        best: tuple[float, Formula] | None = None
        for symbol, (value, error) in _known(fit).items():
            for exact in (0, 1, -1):
                shorter = fit.formula.structure.xreplace({symbol: Integer(exact)})
                lost = len(set(fit.free) - shorter.free_symbols)
                saved = NODE_COST * (size - count_nodes(shorter))
                saved += constants_cost(len(fit.free), fit.n) - constants_cost(len(fit.free) - lost, fit.n)
                # The loss is about that of a straight formula; a bent one may do better, but not ten times.
                if count_nodes(shorter) >= size or 0.1 * loss(value - exact, error) > saved + 1.0:
                    continue
                changed = fit.replaced({symbol: Integer(exact)})
                if time.monotonic() > deadline:
                    break
                if changed is None:
                    continue
                gain = now + saved - fit.length(changed[1])
                if gain > 0 and (best is None or gain > best[0] + 1e-9):
                    best = (gain, changed[0])
        if best is None:
            break
        fit = Fitted(best[1], fit.X, fit.y, fit.sample_weight)
    return with_fit(fit.formula, fit.formula.structure, fit.formula.values, fit.result)
