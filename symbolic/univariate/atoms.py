"""Functions of one variable with natural constants, and their products: the dictionary of sums.

Laws are often sums of few such terms: sin(x) + sin(x + x**2), x + sin(x**2), sin(x**2)*cos(x). What no constant needs
to be searched for can be found by linear algebra alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Function, Rational, Symbol

from ..printing import count_nodes
from ..tape import compile_tape

__all__ = ["Atoms", "natural_atoms", "products"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Atoms:
    """Terms as columns: values (n, m), expressions (products as pairs of indices until they are asked for)."""

    values: Array
    factors: tuple[tuple[Expr, ...], ...]
    nodes: Array

    def expr(self, index: int) -> Expr:
        """The term as an expression."""
        return sympy.Mul(*self.factors[index])


_X = Symbol("x", real=True)


@lru_cache(maxsize=1)
def _table() -> tuple[Expr, ...]:
    x, half = _X, Rational(1, 2)
    sin, cos, tan, exp, log, sqrt = sympy.sin, sympy.cos, sympy.tan, sympy.exp, sympy.log, sympy.sqrt
    sinh, cosh, tanh, atan = sympy.sinh, sympy.cosh, sympy.tanh, sympy.atan
    powers = [x ** Rational(p) for p in (1, 2, 3, 4, 5, 6, -1, -2, -3, -4)]
    roots = [x ** (k * half) for k in (1, 3, 5, -1, -3)] + [sympy.Abs(x)]
    inner = [x, x**2, x**3, 2 * x, 3 * x, x / 2, x + x**2, sympy.pi * x, 2 * sympy.pi * x, sqrt(x), 1 / x]
    waves = [f(u) for u in (*inner, exp(x), exp(-x), log(x)) for f in (sin, cos)]
    waves += [sin(x) ** 2, sin(x) ** 3, sin(sin(x)), tan(x)]
    exps = [exp(k * x) for k in (1, -1, 2, -2, half, -half)] + [exp(k * x**2) for k in (-1, 1, -half)]
    exps += [exp(-1 / x), exp(1 / x), exp(-sqrt(x)), exp(sin(x)), exp(cos(x)), 1 / (exp(x) - 1), 1 / (exp(x) + 1)]
    logs = [log(u) for u in (x, 1 + x, 1 + x**2, 1 - x, 1 + exp(x), x + x**2, 1 + sqrt(x), x + 2)] + [log(x) ** 2]
    algebraic = [(1 + s * u) ** p for u in (x, x**2) for s in (1, -1) for p in (half, -half, -1, -2)]
    algebraic += [1 / (1 + x**3), 1 / (1 + x**4), sqrt(1 + x**4)]
    bent = [tanh(x), 1 / tanh(x), tanh(x**2), sinh(x), cosh(x), 1 / cosh(x), atan(x), atan(x**2), atan(1 / x)]
    bent += [sympy.asinh(x), sympy.acosh(x), sympy.atanh(x), sympy.asin(x), sympy.erf(x)]
    return tuple(dict.fromkeys([*powers, *roots, *waves, *exps, *logs, *algebraic, *bent]))


def natural_atoms(x: Array, symbol: Symbol, functions: frozenset[str]) -> Atoms:
    """Every function of the table that is finite and not constant on x (n,), without near-copies.

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> atoms = natural_atoms(np.linspace(-1.0, 1.0, 50), x, frozenset({"sin"}))
    >>> [str(atoms.expr(k)) for k in range(3)], any("log" in str(atoms.expr(k)) for k in range(len(atoms.nodes)))
    (['x', 'x**2', 'x**3'], False)
    """
    columns, factors, nodes = [], [], []
    for expr in _table():
        names = {part.func.__name__ for part in expr.atoms(Function)}
        if not names <= functions | {"Abs"}:
            continue
        values = compile_tape(expr, (_X,)).bind(x[:, None]).value(np.empty(0))
        if np.all(np.isfinite(values)) and np.abs(values).max() < 1e12 and np.std(values) > 1e-9 * np.abs(values).max():
            columns.append(values)
            factors.append((expr.xreplace({_X: symbol}),))
            nodes.append(float(count_nodes(expr)))
    return _distinct(Atoms(np.stack(columns, axis=1), tuple(factors), np.array(nodes)))


def products(atoms: Atoms) -> Atoms:
    """The atoms, and the products of every two of them, without near-copies: an earlier, shorter one stays."""
    m = atoms.values.shape[1]
    first, second = np.triu_indices(m)
    order = np.argsort(atoms.nodes[first] + atoms.nodes[second], kind="stable")
    first, second = first[order], second[order]
    values = np.hstack([atoms.values, atoms.values[:, first] * atoms.values[:, second]])
    factors = atoms.factors + tuple(
        atoms.factors[i] + atoms.factors[j] for i, j in zip(first.tolist(), second.tolist(), strict=True)
    )
    nodes = np.concatenate([atoms.nodes, atoms.nodes[first] + atoms.nodes[second] + 1])
    return _distinct(Atoms(values, factors, nodes))


def _distinct(atoms: Atoms) -> Atoms:
    """Without columns that are constant, too large, or an earlier one up to c*f + d."""
    centred = atoms.values - atoms.values.mean(axis=0)
    with np.errstate(all="ignore"):
        size = np.linalg.norm(centred, axis=0)
        unit = centred / size
    fine = np.isfinite(size) & (size > 1e-9 * np.abs(atoms.values).max(axis=0))
    # a fingerprint of each column, the sign aside; columns that agree in it to seven digits are copies
    probes = np.random.default_rng(0).standard_normal((2, len(unit)))
    marks = np.where(fine, probes @ np.where(fine, unit, 0.0), np.nan)
    marks = np.round(marks * np.sign(marks[0]), 7)
    kept, seen = [], set()
    for k in np.flatnonzero(fine).tolist():
        mark = (marks[0, k], marks[1, k])
        if mark not in seen:
            seen.add(mark)
            kept.append(k)
    return Atoms(atoms.values[:, kept], tuple(atoms.factors[k] for k in kept), atoms.nodes[kept])
