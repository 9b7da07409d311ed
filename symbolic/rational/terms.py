"""Polynomials as rows of exponents, and the ratio of two of them under a link, in numbers and in symbols.

A link is the function that has to be undone before the rest is rational: y = g(P/Q) with g the identity, a root, a
square, an exponential or a logarithm. The others one meets (1/y, 1/y**2) only exchange P and Q.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Add, Expr, Mul, Symbol

__all__ = ["LINKS", "Link", "Ratio", "exponent_rows", "n_terms", "products", "ratio_forms", "ratio_structure"]

Array = NDArray[np.float64]
Exponents = NDArray[np.int64]

_TINY = 1e-300


@dataclass(frozen=True)
class Link:
    """y = sign * inverse(u): how to undo it, and what it does to errors.

    Attributes
    ----------
    forward : u from |y|; only values with ``domain`` true are asked for.
    inverse, slope : |y| and d|y|/du from u; finite everywhere, flat outside the domain.
    one_sign : whether y must have one sign.
    """

    name: str
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    symbolic: Callable[[Expr], Expr]
    one_sign: bool


def _bounded_exp(u: Array) -> Array:
    return np.asarray(np.exp(np.clip(u, -700.0, 300.0)))


LINKS: tuple[Link, ...] = (
    Link("identity", lambda y: y, lambda u: u, np.ones_like, lambda e: e, False),
    Link(
        "square root",
        lambda y: y * np.abs(y),  # keeps the sign of what noise has pushed below zero
        lambda u: np.sqrt(np.maximum(u, 0.0)),
        lambda u: np.where(u > 0, 0.5 / np.sqrt(np.maximum(u, _TINY)), 0.0),
        sympy.sqrt,
        True,
    ),
    Link("exp", lambda y: np.log(np.maximum(y, _TINY)), _bounded_exp, _bounded_exp, sympy.exp, True),
    Link("square", lambda y: np.sqrt(np.maximum(y, 0.0)), np.square, lambda u: 2.0 * u, lambda e: e**2, True),
    Link(
        "log",
        np.exp,
        lambda u: np.log(np.maximum(u, _TINY)),
        lambda u: np.where(u > 0, 1.0 / np.maximum(u, _TINY), 0.0),
        sympy.log,
        False,
    ),
)


@dataclass(frozen=True)
class Ratio:
    """g(P/Q): the exponents (m, k) of the terms of P and Q and their coefficients (m,), for scaled columns."""

    link: Link
    sign: float
    numerator: Exponents
    denominator: Exponents
    p: Array
    q: Array

    @property
    def n_constants(self) -> int:
        return len(self.p) + len(self.q) - 1


def n_terms(k: int, degree: int) -> int:
    """How many monomials of k variables there are up to a total degree.

    Examples
    --------
    >>> n_terms(3, 4)
    35
    """
    return comb(k + degree, degree)


def exponent_rows(k: int, degree: int) -> Exponents:
    """Exponents (m, k) of all monomials up to a total degree, low degrees first.

    Examples
    --------
    >>> exponent_rows(2, 1).tolist()
    [[0, 0], [1, 0], [0, 1]]
    """
    rows = []
    for total in range(degree + 1):
        for chosen in combinations_with_replacement(range(k), total):
            rows.append(np.bincount(np.array(chosen, dtype=np.int64), minlength=k))
    return np.array(rows, dtype=np.int64).reshape(len(rows), k)


def products(Z: Array, exponents: Exponents) -> Array:
    """Monomials (n, m) of the columns of Z (n, k).

    Examples
    --------
    >>> products(np.array([[2.0, 3.0]]), np.array([[0, 0], [1, 2]])).tolist()
    [[1.0, 18.0]]
    """
    result = np.ones((len(Z), len(exponents)))
    for column in range(Z.shape[1]):
        power = np.ones(len(Z))
        for exponent in range(1, int(exponents[:, column].max(initial=0)) + 1):
            power = power * Z[:, column]
            result[:, exponents[:, column] == exponent] *= power[:, None]
    return result


class _Names:
    """Symbols for constants, with their values."""

    def __init__(self) -> None:
        self.values: dict[Symbol, float] = {}

    def __call__(self, value: float) -> Symbol:
        symbol = Symbol(f"k{len(self.values)}?", real=True)  # no column has a question mark in its symbol
        self.values[symbol] = float(value)
        return symbol

    def polynomial(self, symbols: Sequence[Expr], terms: Exponents, coefficients: Array, fixed: int = -1) -> Expr:
        """Named constants times monomials; coefficient number ``fixed`` is 1 and gets no name."""
        parts = []
        for index, (row, value) in enumerate(zip(terms.tolist(), coefficients.tolist(), strict=True)):
            power = Mul(*[symbol**e for symbol, e in zip(symbols, row, strict=True) if e])
            parts.append(power if index == fixed else self(value) * power)
        return Add(*parts)


def ratio_structure(ratio: Ratio, symbols: Sequence[Expr], scale: Array) -> tuple[Expr, dict[Symbol, float]]:
    """A ratio as an expression in the unscaled columns, with its constants and their values.

    The common factor of P and Q is fixed by one coefficient that becomes 1: the only one of P, if P is a constant, else
    the first of Q (its constant term, where there is one).

    Examples
    --------
    >>> u = Symbol("u", real=True)
    >>> one = np.array([[0], [1]])
    >>> ratio = Ratio(LINKS[0], 1.0, one[1:], one, np.array([6.0]), np.array([2.0, 1.0]))
    >>> structure, values = ratio_structure(ratio, (u,), np.array([1.0]))
    >>> structure.xreplace(values)
    3.0*u/(0.5*u + 1)
    """
    p = ratio.p / np.prod(scale**ratio.numerator, axis=1)
    q = ratio.q / np.prod(scale**ratio.denominator, axis=1)
    names = _Names()
    in_numerator = len(p) == 1 and len(q) > 1 and not ratio.numerator.any()
    norm = p[0] if in_numerator else q[0]
    top = names.polynomial(symbols, ratio.numerator, p / norm, 0 if in_numerator else -1)
    bottom = names.polynomial(symbols, ratio.denominator, q / norm, -1 if in_numerator else 0)
    body = ratio.link.symbolic(top / bottom)
    return (-body if ratio.sign < 0 else body), names.values


def ratio_forms(
    ratio: Ratio, symbols: Sequence[Expr], scale: Array, tolerance: float
) -> Iterator[tuple[Expr, dict[Symbol, float]]]:
    """The ratio as it is and, where that takes no more constants, as a polynomial plus a ratio.

    20 - u - u*v/(1 + u**2/2) is one fraction with five terms above; long division finds the three constants it has.
    ``tolerance`` is the relative size below which a difference of two coefficients counts as zero.
    """
    yield ratio_structure(ratio, symbols, scale)
    if len(ratio.q) < 2:
        return
    best: tuple[int, int, Polynomial, Polynomial] | None = None
    for lead in range(len(ratio.q)):
        for whole, rest in _divisions(ratio, lead, tolerance):
            size = len(whole) + len(rest)
            if size <= len(ratio.p) and (best is None or size < best[0]):
                best = size, lead, whole, rest
    if best is None:
        return
    _, lead, whole, rest = best
    names = _Names()
    unit = np.prod(scale**ratio.denominator, axis=1)
    q = ratio.q / unit
    terms, coefficients = _arrays(whole, scale)
    outside = names.polynomial(symbols, terms, coefficients)
    if rest:
        terms, coefficients = _arrays(rest, scale)
        bottom = names.polynomial(symbols, ratio.denominator, q / q[0], 0)
        outside = outside + names.polynomial(symbols, terms, coefficients / q[0]) / bottom
    body = ratio.link.symbolic(outside)
    yield (-body if ratio.sign < 0 else body), names.values


Polynomial = dict[tuple[int, ...], float]


def _divisions(ratio: Ratio, lead: int, tolerance: float) -> Iterator[tuple[Polynomial, Polynomial]]:
    """(quotient, remainder) after each step of dividing P by Q with the given leading term of Q."""
    rest: Polynomial = {tuple(e): c for e, c in zip(ratio.numerator.tolist(), ratio.p.tolist(), strict=True)}
    divisor = list(zip(ratio.denominator.tolist(), ratio.q.tolist(), strict=True))
    first, scale = divisor[lead]
    if scale == 0:
        return
    descending = sum(first) == max(sum(e) for e, _ in divisor)
    whole: Polynomial = {}
    for _ in range(len(rest) + 2):
        possible = [e for e in rest if all(a >= b for a, b in zip(e, first, strict=True))]
        if not possible:
            return
        term = (max if descending else min)(possible, key=lambda e: (sum(e), e))
        shift = tuple(a - b for a, b in zip(term, first, strict=True))
        factor = rest.pop(term) / scale
        whole[shift] = whole.get(shift, 0.0) + factor
        for index, (exponents, coefficient) in enumerate(divisor):
            if index == lead:
                continue
            key = tuple(a + b for a, b in zip(shift, exponents, strict=True))
            taken, before = factor * coefficient, rest.get(key, 0.0)
            if abs(before - taken) <= tolerance * max(abs(before), abs(taken)):
                rest.pop(key, None)
            else:
                rest[key] = before - taken
        yield dict(whole), dict(rest)


def _arrays(polynomial: Polynomial, scale: Array) -> tuple[Exponents, Array]:
    terms = np.array(sorted(polynomial), dtype=np.int64).reshape(len(polynomial), len(scale))
    values = np.array([polynomial[tuple(row)] for row in terms.tolist()])
    return terms, values / np.prod(scale**terms, axis=1)
