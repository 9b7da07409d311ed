"""The SymPy side of the table of primitives: one entry for every name in `kanlib.primitives.PRIMITIVES`.

The torch side lives in the core so that a saved network loads without SymPy; this table adds what formulas
need: the same function on SymPy expressions, a complexity, and whether the search uses it. The two tables are
compared when this module is imported, and a contract test compares their values.

An edge computes ``c*f(a*x + b) + d``. Under these four constants some primitives are the same curve, so the
search set leaves out the longer twin:

- cos is sin shifted by pi/2; arccos is arcsin flipped; sigmoid is tanh scaled; saturation u/(1+u) is 1 -
1/(1+u).
- the named powers (square, cube, sqrt, reciprocal, ...) stay beside `power`: they are shorter by one
constant, and
  the ones with an integer exponent also hold where u is negative, which u**p does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import sympy
from sympy import Expr, Integer, Rational

from kanlib.primitives import PRIMITIVES

__all__ = ["LIBRARY", "Entry", "allowed_functions", "functions_of", "search_names"]


@dataclass(frozen=True)
class Entry:
    """One primitive as SymPy sees it.

    Attributes
    ----------
    name : the primitive's name in `kanlib.primitives.PRIMITIVES`.
    function : ``function(u, p) -> Expr``; only `power` uses the exponent p. Real semantics: u is real,
        and the value is undefined (NaN in numbers) where the real function is.
    complexity : about the number of nodes the primitive adds to a formula; identity 1, square 2, ...
    search : whether the search tries it (False: a longer twin of another primitive under c*f(a*u + b) + d).
    """

    name: str
    function: Callable[[Expr, Expr], Expr]
    complexity: int
    search: bool = True

    def __call__(self, u: Expr, p: Expr = sympy.S.One) -> Expr:
        return self.function(u, p)


_ONE, _TWO = Integer(1), Integer(2)


def _power(exponent: Expr) -> Callable[[Expr, Expr], Expr]:
    return lambda u, p: u**exponent


_ENTRIES = (
    Entry("identity", lambda u, p: u, 1),
    Entry("square", _power(_TWO), 2),
    Entry("cube", _power(Integer(3)), 3),
    Entry("fourth", _power(Integer(4)), 3),
    Entry("fifth", _power(Integer(5)), 4),
    Entry("reciprocal", _power(Integer(-1)), 2),
    Entry("reciprocal_square", _power(Integer(-2)), 3),
    Entry("sqrt", _power(Rational(1, 2)), 2),
    Entry("reciprocal_sqrt", _power(Rational(-1, 2)), 3),
    Entry("exp", lambda u, p: sympy.exp(u), 2),
    Entry("log", lambda u, p: sympy.log(u), 2),
    Entry("sin", lambda u, p: sympy.sin(u), 2),
    Entry("cos", lambda u, p: sympy.cos(u), 2, search=False),
    Entry("tan", lambda u, p: sympy.tan(u), 3),
    Entry("tanh", lambda u, p: sympy.tanh(u), 3),
    Entry("sigmoid", lambda u, p: _ONE / (_ONE + sympy.exp(-u)), 4, search=False),
    Entry("arctan", lambda u, p: sympy.atan(u), 3),
    Entry("arcsin", lambda u, p: sympy.asin(u), 3),
    Entry("arccos", lambda u, p: sympy.acos(u), 3, search=False),
    Entry("arctanh", lambda u, p: sympy.atanh(u), 4),
    Entry("sinh", lambda u, p: sympy.sinh(u), 3),
    Entry("cosh", lambda u, p: sympy.cosh(u), 3),
    Entry("gaussian", lambda u, p: sympy.exp(-(u**2)), 3),
    Entry("lorentzian", lambda u, p: _ONE / (_ONE + u**2), 4),
    Entry("abs", lambda u, p: sympy.Abs(u), 3),
    Entry("sign", lambda u, p: sympy.sign(u), 4),
    Entry("erf", lambda u, p: sympy.erf(u), 4),
    Entry("softplus", lambda u, p: sympy.log(_ONE + sympy.exp(u)), 5),
    Entry("saturation", lambda u, p: u / (_ONE + u), 3, search=False),
    Entry("entropy", lambda u, p: u * sympy.log(u), 4),
    Entry("power", lambda u, p: u**p, 3),
    Entry("lorentz", lambda u, p: _ONE / sympy.sqrt(_ONE - u**2), 5),
    Entry("hyperbola", lambda u, p: sympy.sqrt(_ONE + u**2), 4),
    Entry("semicircle", lambda u, p: sympy.sqrt(_ONE - u**2), 4),
)

LIBRARY: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}

if set(LIBRARY) != set(PRIMITIVES) or len(LIBRARY) != len(_ENTRIES):
    raise AssertionError(
        "kanlib.primitives.PRIMITIVES and kanlib.symbolic.library.LIBRARY must have the same names; they differ "
        f"in {sorted(set(LIBRARY) ^ set(PRIMITIVES))}: add the missing side."
    )


def search_names() -> tuple[str, ...]:
    """Names of the primitives the search tries; no two are the same curve up to a, b, c, d.

    Examples
    --------
    >>> "sin" in search_names(), "cos" in search_names()
    (True, False)
    """
    return tuple(name for name, entry in LIBRARY.items() if entry.search)


# One is the other with another phase, or upside down; which one is printed is chance.
_TWINS = {"sin": "cos", "cos": "sin", "asin": "acos", "acos": "asin", "tan": "cot"}


@cache
def functions_of(name: str) -> frozenset[str]:
    """Names of the SymPy functions a primitive is written with, and of their twins (sin and cos); none for powers.

    Examples
    --------
    >>> sorted(functions_of("sin")), sorted(functions_of("softplus")), sorted(functions_of("square"))
    (['cos', 'sin'], ['exp', 'log'], [])
    """
    u = sympy.Dummy("u", real=True)
    written = {part.func.__name__ for part in LIBRARY[name](u).atoms(sympy.Function)}
    return frozenset(written | {_TWINS[function] for function in written if function in _TWINS})


def allowed_functions(primitives: Iterable[str]) -> frozenset[str]:
    """Names of the SymPy functions that the given primitives bring; arithmetic and powers are always there.

    Who has the logarithm has the area functions too, which are logarithms of roots.

    Examples
    --------
    >>> sorted(allowed_functions(("square", "gaussian", "sin")))
    ['cos', 'exp', 'sin']
    """
    functions = frozenset().union(*(functions_of(name) for name in primitives))
    return functions | {"asinh", "acosh"} if "log" in functions else functions
