"""Sums of few monomials, some of them divided by one common 1 + c*m: saturation, as in 20 - u - u*v/(1 + c*u**2).

As one fraction such a law has many coefficients that depend on each other, which strong noise does not allow to see.
For a given c and monomial m it is a short sum out of a small dictionary, and c is a single number: a grid and the refit
of all constants find it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sympy import Add, Expr, Mul, Symbol

from ..description import constants_cost
from .descent import Table
from .forward import forward_terms
from .terms import Exponents, exponent_rows, n_terms, products

__all__ = ["fraction_forms"]

Array = NDArray[np.float64]
Form = tuple[Expr, dict[Symbol, float]]

_MOST_CHOSEN = 6
_MOST_COLUMNS = 60
_GRID = (0.2, 0.6, 2.0, 6.0)  # times 1 / median of m
_BEFORE_POLE = (-0.5, -0.9)  # times 1 / maximum of m


def fraction_forms(
    table: Table, symbols: Sequence[Symbol], scale: Array, most: int, expired: Callable[[], bool]
) -> Iterator[Form]:
    """Short sums of monomials and monomials over 1 + c*m, the shortest descriptions first.

    Parameters
    ----------
    table : rows with columns (n, k) divided by ``scale``. symbols : one per column. most : how many m to keep.

    Examples
    --------
    >>> a, b = symbols = (Symbol("a", real=True), Symbol("b", real=True))
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.uniform(0, 2, (200, 2))
    >>> y = 3 - Z[:, 0] * Z[:, 1] / (1 + 2 * Z[:, 0] ** 2) + 0.005 * rng.normal(size=200)
    >>> forms = fraction_forms(Table(Z, y, np.ones(200)), symbols, np.ones(2), 1, lambda: False)
    >>> sorted(round(value, 1) for value in next(forms)[1].values())
    [-1.0, 2.0, 3.0]
    """
    k, n = table.Z.shape[1], len(table.y)
    degree = max((d for d in (1, 2, 3) if 2 * n_terms(k, d) <= min(_MOST_COLUMNS, n)), default=0)
    if degree == 0:
        return
    terms = exponent_rows(k, degree)
    values = products(table.Z, terms)
    target = table.y * table.root
    found: list[tuple[float, int, float, NDArray[np.int64], Array]] = []
    for index in range(1, n_terms(k, min(degree, 2))):
        if expired():
            return
        trials = [
            (length, index, c, chosen, coefficients)
            for c in _trial_constants(values[:, index])
            for length, chosen, coefficients in [_short_sum(values, values[:, index], c, table.root, target)]
        ]
        found += [min(trials, key=lambda trial: trial[0])] if trials else []
    for length, index, c, chosen, coefficients in sorted(found, key=lambda trial: trial[0])[:most]:
        step = 1.5
        # A wrong c asks for terms that are not there: it is sharpened before they are chosen for good.
        while step > 1.01:
            for other in (c * step, c / step):
                if (1.0 + other * values[:, index]).min() > 0.0:
                    trial = _short_sum(values, values[:, index], other, table.root, target)
                    if trial[0] < length:
                        length, chosen, coefficients = trial
                        c = other
                        break
            else:
                step = math.sqrt(step)
        if (chosen >= len(terms)).any():
            yield _form(symbols, scale, terms, terms[index], c, chosen, coefficients)


def _trial_constants(m: Array) -> list[float]:
    """Values of c for which 1 + c*m has no zero on the rows or between them."""
    size = np.abs(m)
    middle, largest = float(np.median(size)), float(size.max())
    if middle == 0.0:
        return []
    one_sign = m.min() >= 0 or m.max() <= 0
    sign = 1.0 if m.max() > 0 else -1.0
    grid = [sign * t / middle for t in _GRID] if one_sign else []
    return grid + [sign * t / largest for t in _BEFORE_POLE]


def _short_sum(values: Array, m: Array, c: float, root: Array, target: Array) -> tuple[float, NDArray[np.int64], Array]:
    """(description length, chosen columns, their coefficients) of the best sum for this denominator."""
    A = np.hstack([values, values / (1.0 + c * m)[:, None]]) * root[:, None]
    order = forward_terms(A, target, min(_MOST_CHOSEN, len(target) // 4))
    best: tuple[float, NDArray[np.int64], Array] = (math.inf, order[:0], np.empty(0))
    n = len(target)
    for size in range(1, len(order) + 1):
        chosen = order[:size]
        coefficients, *_ = np.linalg.lstsq(A[:, chosen], target, rcond=1e-12)
        rss = float(np.sum((target - A[:, chosen] @ coefficients) ** 2))
        length = 0.5 * n * math.log(max(rss, 1e-300) / n) + 1.5 * constants_cost(size + 1, n)
        if length < best[0]:
            best = length, chosen, np.asarray(coefficients, dtype=np.float64)
    return best


def _form(
    symbols: Sequence[Symbol],
    scale: Array,
    terms: Exponents,
    m: NDArray[np.int64],
    c: float,
    chosen: NDArray[np.int64],
    coefficients: Array,
) -> Form:
    def power(row: NDArray[np.int64]) -> Expr:
        return Mul(*[symbol ** int(e) for symbol, e in zip(symbols, row, strict=True) if e])

    names = [Symbol(f"k{index}?", real=True) for index in range(len(chosen) + 1)]  # "?": no column is called so
    values = {names[0]: c / float(np.prod(scale**m))}
    parts: tuple[list[Expr], list[Expr]] = ([], [])
    for name, column, coefficient in zip(
        names[1:], np.sort(chosen)[::-1], coefficients[np.argsort(-chosen)], strict=True
    ):
        row = terms[column % len(terms)]
        values[name] = float(coefficient / np.prod(scale**row))
        parts[int(column >= len(terms))].append(name * power(row))
    return Add(*parts[0]) + Add(*parts[1]) / (1 + names[0] * power(m)), values
