"""Power laws of several inputs: c * prod |z_i|**p_i, with signs, with or without a constant in front of it.

The logarithm makes a power law linear, log|y| = log|c| + sum p_i log|z_i|; its errors are those of y divided by y, so
rows are weighted by y**2, and Gauss-Newton steps on y itself remove what bias the noise leaves. Exponents of laws are
integers, halves and thirds, so each is tried as such. Signs are a linear problem too, over the field of two elements:
the sign of y is the product of the signs of some of the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Integer, Mul, Rational, Symbol

__all__ = ["monomial_forms"]

Array = NDArray[np.float64]
Form = tuple[Expr, dict[Symbol, float]]

_DENOMINATORS = (1, 2, 3)
_MOST_EXPONENT = 12.0
_STEPS = 12
_SURE = 3.0  # standard errors within which an exponent may be rounded
_NEAR = 1e-6  # the same for data without noise


@dataclass(frozen=True)
class _PowerLaw:
    """y = front * sign * exp(logs @ p) + offset, rows of the fit only."""

    logs: Array
    sign: Array
    y: Array
    root_weight: Array
    with_offset: bool

    def parts(self, p: Array) -> tuple[Array, Array, Array]:
        """(monomial, weighted linear columns, their coefficients) for fixed exponents."""
        exponent = np.clip(self.logs @ p, -300.0, 300.0)
        shape = self.sign * np.exp(exponent)
        columns = np.column_stack([shape, np.ones(len(shape))] if self.with_offset else [shape])
        weighted = columns * self.root_weight[:, None]
        norms = np.linalg.norm(weighted, axis=0)
        norms = np.where(np.isfinite(norms) & (norms > 0), norms, 1.0)
        linear = np.linalg.lstsq(weighted / norms, self.y * self.root_weight, rcond=1e-12)[0] / norms
        return shape, weighted, linear

    def rss(self, p: Array) -> float:
        _, weighted, linear = self.parts(p)
        return float(np.sum((self.y * self.root_weight - weighted @ linear) ** 2))

    def refine(self, p: Array, free: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Damped Gauss-Newton steps on the free exponents: (exponents, their standard errors)."""
        best, damping = self.rss(p), 1e-6
        errors = np.full(len(p), np.inf)
        if not free.any():
            return p, np.zeros(len(p))
        for _ in range(_STEPS):
            shape, weighted, linear = self.parts(p)
            slopes = (linear[0] * shape * self.root_weight)[:, None] * self.logs[:, free]
            jacobian = np.column_stack([slopes, weighted])
            norms = np.linalg.norm(jacobian, axis=0)
            if not np.isfinite(norms).all() or (norms == 0).any():
                break
            gram = (jacobian / norms).T @ (jacobian / norms)
            residual = self.y * self.root_weight - weighted @ linear
            inverse = np.linalg.pinv(gram + damping * np.eye(len(gram)), hermitian=True)
            variance = best / max(len(self.y) - len(gram), 1)
            errors[free] = np.sqrt(np.maximum(np.diag(inverse) * variance, 0.0))[: free.sum()] / norms[: free.sum()]
            trial = p.copy()
            trial[free] += (inverse @ ((jacobian / norms).T @ residual) / norms)[: free.sum()]
            new = self.rss(trial)
            if not new < best:
                damping *= 30.0
                if damping > 1e3:
                    break
                continue
            done = new > (1 - 1e-9) * best
            p, best, damping = trial, new, max(damping / 10.0, 1e-12)
            if done:
                break
        return p, errors


def monomial_forms(Z: Array, y: Array, weight: Array, symbols: Sequence[Symbol]) -> Iterator[Form]:
    """Power laws that may fit y, as structures with starting values for their constants.

    Parameters
    ----------
    Z : (n, k) finite. y : (n,) finite. weight : (n,) positive. symbols : one per column.

    Yields
    ------
    (structure, values)
        At most a dozen: exponents rounded to integers, halves, thirds as far as their errors allow, all of them, and
        none; without and then with an additive constant. Nothing is yielded where fewer than half of the rows have a
        logarithm.

    Examples
    --------
    >>> a, b = sympy.symbols("a b", real=True)
    >>> Z = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    >>> structure, values = next(monomial_forms(Z, 3 * Z[:, 0] ** 5 / Z[:, 1] ** 3, np.ones(40), (a, b)))
    >>> print(structure, round(sum(values.values()), 9))
    a**5*k0?/b**3 3.0
    """
    usable = (Z != 0).all(axis=1)
    varying = np.ptp(np.log(np.abs(Z[usable])), axis=0) > 1e-9 if usable.sum() > 1 else np.zeros(Z.shape[1], bool)
    columns = np.flatnonzero(varying)
    if usable.sum() < max(len(Z) / 2, len(columns) + 3) or not len(columns):
        return
    logs = np.log(np.abs(Z[:, columns][usable]))
    rows, target, root = Z[usable][:, columns], y[usable], np.sqrt(weight[usable])
    seen: set[Expr] = set()
    chosen = [symbols[int(column)] for column in columns]
    for law, p, parity in _starts(rows, logs, target, root):
        for exponents in _rounded(law, p):
            form = _form(law, exponents, parity, rows, chosen)
            if form is not None and form[0] not in seen:
                seen.add(form[0])
                yield form


def _starts(Z: Array, logs: Array, y: Array, root: Array) -> Iterator[tuple[_PowerLaw, Array, NDArray[np.int64]]]:
    """Laws with first exponents and the columns whose sign counts."""
    for p in _log_fit(logs, y, root):
        for parity in _parities(Z, y, root, p):
            sign = np.where((np.signbit(Z) @ parity) % 2 == 1, -1.0, 1.0)
            yield _PowerLaw(logs, sign, y, root, False), p, parity
    # With an offset the sign of y says nothing about the columns; powers of |z| only.
    low, high, spread = float(y.min()), float(y.max()), float(np.ptp(y))
    best: tuple[float, _PowerLaw, Array] | None = None
    for offset in (low - 0.02 * spread, low - spread, high + 0.02 * spread, high + spread):
        first = _log_fit(logs, y - offset, root)
        if spread == 0 or not first:
            continue
        law = _PowerLaw(logs, np.ones(len(y)), y, root, True)
        p, _ = law.refine(first[0], np.ones(len(first[0]), dtype=bool))
        rss = law.rss(p)
        if np.isfinite(rss) and (best is None or rss < best[0]):
            best = rss, law, p
    if best is not None:
        yield best[1], best[2], np.zeros(logs.shape[1], dtype=np.int64)


def _log_fit(logs: Array, y: Array, root: Array) -> list[Array]:
    """Exponents by least squares on log|y|: with the weights of y itself, and with equal ones if they differ much.

    Equal weights are right for errors in proportion to y, and a better start where a few rows hold nearly all of the
    sum of squares.
    """
    rows = y != 0
    if rows.sum() < logs.shape[1] + 3:
        return []
    size = np.log(np.abs(y[rows]))
    columns = np.column_stack([logs[rows], np.ones(rows.sum())])
    plain = np.linalg.lstsq(columns, size, rcond=1e-12)[0]
    if np.abs(columns @ plain - size).max() < 1e-8 * max(1.0, np.abs(size).max()):
        return [np.asarray(plain[:-1])]
    w = root[rows] * np.abs(y[rows])
    weighted = np.linalg.lstsq(columns * w[:, None], size * w, rcond=1e-12)[0]
    found = [np.asarray(weighted[:-1])]
    if np.abs(weighted[:-1] - plain[:-1]).max() > 0.25:
        found.append(np.asarray(plain[:-1]))
    return [p for p in found if np.abs(p).max() <= _MOST_EXPONENT]


def _parities(Z: Array, y: Array, root: Array, p: Array) -> list[NDArray[np.int64]]:
    """Which columns give y its sign: what integer exponents ask for if that agrees with the data, and the best."""
    negative = np.signbit(Z)
    mixed = np.flatnonzero(negative.any(axis=0) & ~negative.all(axis=0))
    natural = np.zeros(Z.shape[1], dtype=np.int64)
    natural[mixed] = np.round(p[mixed]).astype(np.int64) % 2
    if not len(mixed):
        return [natural]
    choices = (np.arange(2 ** len(mixed))[:, None] >> np.arange(len(mixed))) & 1
    signs = 1.0 - 2.0 * ((negative[:, mixed].astype(np.int64) @ choices.T) % 2)
    weighted = y * root
    agreement = np.abs(weighted @ signs) / max(float(np.abs(weighted).sum()), 1e-300)
    best = natural.copy()
    best[mixed] = choices[int(agreement.argmax())]
    own = agreement[int(natural[mixed] @ (1 << np.arange(len(mixed))))]
    if own >= agreement.max() - 1e-9 or (best == natural).all():
        return [natural]
    return [best, natural] if own > 0.5 * agreement.max() else [best]


def _rounded(law: _PowerLaw, p: Array) -> Iterator[list[Fraction | float]]:
    """Exponents as exact as the data allow, then rounded to integers, to halves, and not at all."""
    everything = np.ones(len(p), dtype=bool)
    p, errors = law.refine(p, everything)
    if not np.isfinite(p).all() or np.abs(p).max() > _MOST_EXPONENT:
        return
    fixed: list[Fraction | None] = [None] * len(p)
    current, spread = p, errors
    for _ in range(len(p)):
        simple = [_simplest(value, _SURE * error + _NEAR) for value, error in zip(current, spread, strict=True)]
        # the surest first; the others are known better once it is fixed
        open_ones = [i for i in range(len(p)) if fixed[i] is None and simple[i] is not None]
        if not open_ones:
            break
        nearest = min(open_ones, key=lambda i: (spread[i], i))
        sure = [i for i in open_ones if spread[i] < 0.03] or [nearest]
        for i in sure:
            fixed[i] = simple[i]
        free = np.array([value is None for value in fixed])
        known = np.array([float(value) if value is not None else current[i] for i, value in enumerate(fixed)])
        current, spread = law.refine(known, free)
        spread = np.where(free, spread, 0.0)
    yield [value if value is not None else float(current[i]) for i, value in enumerate(fixed)]
    for denominator in (1, 2):
        yield [Fraction(round(float(value) * denominator), denominator) for value in p]
    yield [float(value) for value in p]


def _simplest(value: float, radius: float) -> Fraction | None:
    for denominator in _DENOMINATORS:
        fraction = Fraction(round(value * denominator), denominator)
        if abs(float(fraction) - value) <= radius:
            return fraction
    return None


def _form(
    law: _PowerLaw, exponents: list[Fraction | float], parity: NDArray[np.int64], Z: Array, symbols: Sequence[Symbol]
) -> Form | None:
    """The law in symbols; None when no column is left or a number is not finite."""
    p = np.array([float(e) for e in exponents])
    if not p.any():
        return None
    names = iter(Symbol(f"k{index}?", real=True) for index in range(len(p) + 2))  # no column has a "?" in its symbol
    front = next(names)
    values: dict[Symbol, float] = {front: 0.0}
    factors: list[Expr] = [front]
    for exponent, odd, column, symbol in zip(exponents, parity, Z.T, symbols, strict=True):
        if isinstance(exponent, float):
            power: Expr = next(names)
            values[power] = exponent
        else:
            power = Rational(exponent.numerator, exponent.denominator)
        factors.append(_power(symbol, power, bool(odd), column))
    product = Mul(*factors)
    # The coefficients for the expression as it stands: an odd power of a negative column is negative.
    shape, _, linear = law.parts(p)
    flipped = [bool((column < 0).all()) and e == int(e) and int(e) % 2 for e, column in zip(p, Z.T, strict=True)]
    values[front] = float(linear[0]) * (-1.0 if sum(map(bool, flipped)) % 2 else 1.0)
    if law.with_offset:
        offset = next(names)
        values[offset] = float(linear[1])
        product = product + offset
    return (product, values) if np.isfinite(list(values.values())).all() and np.isfinite(shape).all() else None


def _power(symbol: Symbol, exponent: Expr, odd: bool, column: Array) -> Expr:
    """A real power of a column of any sign, odd or even in it."""
    if (column > 0).all():
        return symbol**exponent
    if (column < 0).all():
        return symbol**exponent if exponent.is_Integer else (-symbol) ** exponent
    if isinstance(exponent, Integer) and bool(int(exponent) % 2) == odd:
        return symbol**exponent
    size = sympy.Abs(symbol) ** exponent
    return sympy.sign(symbol) * size if odd else size
