"""Phases of sines and cosines: sin(x + 1.571) is cos(x), and a constant shorter."""

from __future__ import annotations

import math

import sympy
from sympy import Add, Expr, Symbol

__all__ = ["UNKNOWN", "nearest_quarter", "phases", "without_phases"]

UNKNOWN = math.pi / 4
"""Error of a phase, in radians, from which it is not known at all: any other one can be had by a nearby rate."""

_SMALL = 0.05  # radians: what noise may leave of a phase that is none


def phases(expr: Expr) -> set[Symbol]:
    """Constants that are added inside a sine or cosine.

    Examples
    --------
    >>> a, b, c, x = sympy.symbols("a b c x", real=True)
    >>> phases(a * sympy.sin(b * x + c))
    {c}
    """
    angles = (wave.args[0] for wave in expr.atoms(sympy.sin, sympy.cos))
    return {term for angle in angles for term in Add.make_args(angle) if isinstance(term, Symbol)}


def nearest_quarter(expr: Expr) -> Expr:
    """Sines and cosines with their phase within pi/4 of 0, where it may turn out to be 0.

    Examples
    --------
    >>> x = sympy.Symbol("x", real=True)
    >>> nearest_quarter(sympy.sin(x + 1.5))
    cos(x - 0.0707963267948966)
    """
    return _turned(expr, math.inf, 0.0)


def without_phases(expr: Expr) -> Expr:
    """The same with phases left out that are nearly multiples of a quarter turn.

    Examples
    --------
    >>> x = sympy.Symbol("x", real=True)
    >>> without_phases(sympy.sin(x + 1.56) + sympy.sin(x + 1.3))
    sin(x + 1.3) + cos(x)
    """
    return _turned(expr, _SMALL, _SMALL)


def _turned(expr: Expr, near: float, small: float) -> Expr:
    """Phases that are ``near`` a multiple of a quarter turn become what is left, or nothing where that is ``small``."""
    expr = expr.func(*[_turned(part, near, small) for part in expr.args]) if expr.args else expr
    if not isinstance(expr, (sympy.sin, sympy.cos)):
        return expr
    phase, rest = expr.args[0].as_coeff_Add()
    if not isinstance(phase, sympy.Float):
        return expr
    turns = round(float(phase) / (math.pi / 2))
    angle = float(phase) - turns * math.pi / 2
    if abs(angle) >= near:
        return expr
    argument = rest if abs(angle) < small else rest + sympy.Float(angle)
    kind = (turns + isinstance(expr, sympy.cos)) % 4
    turned: Expr = sympy.cos(argument) if kind % 2 else sympy.sin(argument)
    return -turned if kind >= 2 else turned
