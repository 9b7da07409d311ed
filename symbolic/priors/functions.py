"""Which functions a law may hold, and which it must: the primitives of the search, and a look at the formula.

Leaving a primitive out of the search is not enough: two others may make it, and a formula can be rewritten. So the
finished formula is looked at too, for the functions that can be told by their name and for powers by their exponent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Pow

from kanlib.errors import InputError
from kanlib.primitives import PRIMITIVES

from ..edges import search_set
from ..library import LIBRARY, allowed_functions, functions_of
from ..printing import print_text

__all__ = ["FunctionConstraints", "function_constraints"]


def _heads() -> dict[str, frozenset[str]]:
    """Primitive -> the functions it may stand as in a formula, for those that are one function and nothing else."""
    alone = {name: entry(_U) for name, entry in LIBRARY.items()}
    return {name: functions_of(name) for name, f in alone.items() if isinstance(f, sympy.Function) and f.args == (_U,)}


_U = sympy.Dummy("u", real=True)
_HEADS = _heads()
_HALF = sympy.Rational(1, 2)
_EXPONENTS: dict[str, Callable[[Expr], bool]] = {
    "square": lambda p: p == 2,
    "cube": lambda p: p == 3,
    "fourth": lambda p: p == 4,
    "fifth": lambda p: p == 5,
    "reciprocal": lambda p: p == -1,
    "reciprocal_square": lambda p: p == -2,
    "sqrt": lambda p: p in (_HALF, -_HALF),
    "reciprocal_sqrt": lambda p: p == -_HALF,
    "power": lambda p: not p.is_Integer and p not in (_HALF, -_HALF),
}


@dataclass(frozen=True)
class FunctionConstraints:
    """The functions of a law.

    Attributes
    ----------
    primitives : what the search may put on an edge.
    forbidden, required : primitives that a formula must not, or must, hold.
    """

    primitives: tuple[str, ...]
    forbidden: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    def refuses(self, expr: Expr) -> str | None:
        """The function that should not be there, or that is missing; None where all is right.

        Examples
        --------
        >>> x = sympy.Symbol("x", real=True)
        >>> function_constraints(required=["exp"]).refuses(2 * x)
        'it holds no exp, which is required'
        >>> function_constraints(forbidden=["sin"]).refuses(sympy.cos(x))
        'it holds cos(x), and sin is forbidden'
        """
        for name in self.forbidden:
            part = _part(expr, name)
            if part is not None:
                return f"it holds {print_text(part, 4)}, and {name} is forbidden"
        for name in self.required:
            if _part(expr, name) is None:
                return f"it holds no {name}, which is required"
        return None

    def hopeless(self, expr: Expr) -> bool:
        """Whether a form holds a forbidden function that no constants can take out; powers may become others yet."""
        return any(_part(expr, name) is not None for name in self.forbidden if name in _HEADS)


def function_constraints(
    primitives: Sequence[str] | None = None, *, forbidden: Sequence[str] = (), required: Sequence[str] = ()
) -> FunctionConstraints:
    """Read which functions are allowed.

    Parameters
    ----------
    primitives : those of the search; all by default.
    forbidden : primitives that are not searched for, nor are those that hold one, as gaussian and softplus hold exp.
        Formulas that hold one are refused too, where it is a function of its own or a plain power; sin and cos are one
        function here, with two phases.
    required : functions or plain powers that a formula must hold.

    Raises
    ------
    InputError
        A name that is not known, a function that is required and that what is forbidden refuses, or that is in no
        primitive of the search, or nothing left to search with.

    Examples
    --------
    >>> function_constraints(["sin", "exp", "log"], forbidden=["log"]).primitives
    ('sin', 'exp')
    """
    given = {"primitives": primitives, "forbidden": forbidden, "required": required}
    for what, names in given.items():
        if isinstance(names, str) or not (isinstance(names, Iterable) or (what == "primitives" and names is None)):
            raise InputError(f"{what} is {names!r}; expected a list of names, such as ['sin'].")
    chosen = None if primitives is None else list(primitives)
    forbidden, required = tuple(dict.fromkeys(map(str, forbidden))), tuple(dict.fromkeys(map(str, required)))
    for what, names, known in (("forbidden", forbidden, PRIMITIVES), ("required", required, {**_HEADS, **_EXPONENTS})):
        for name in names:
            if name not in known:
                raise InputError(f"{what} has {name!r}; expected names among {', '.join(sorted(known))}.")
    for name in required:
        # by what the formula is refused for, not by names: a forbidden sqrt refuses u**(-1/2) as well
        twins = [other for other in forbidden if name == other or _part(LIBRARY[name](_U), other) is not None]
        if twins:
            raise InputError(f"{name!r} is required and {twins[0]!r} forbidden; take one of them out.")
    # search_set writes cos as sin: the twin goes with what is forbidden
    banned = {*forbidden, *(search_set([name])[0] for name in forbidden if name in _HEADS)}
    banned |= {other for other in LIBRARY for name in forbidden if _part(LIBRARY[other](_U), name) is not None}
    allowed = tuple(name for name in search_set(chosen) if name not in banned)
    if not allowed:
        raise InputError("every primitive is forbidden; leave at least one to search with, such as 'identity'.")
    for name in required:
        if name in _HEADS and not _HEADS[name] & allowed_functions(allowed):
            raise InputError(f"{name!r} is required and no primitive of the search holds it; add it to primitives.")
    return FunctionConstraints(allowed, forbidden, required)


def _part(expr: Expr, name: str) -> Expr | None:
    """The first part of a formula that is this primitive; None for none, or for one without a name of its own."""
    for part in sympy.preorder_traversal(expr):
        if name in _HEADS and part.free_symbols and part.func.__name__ in _HEADS[name]:
            return part
        if name in _EXPONENTS and isinstance(part, Pow) and part.base.free_symbols and _EXPONENTS[name](part.exp):
            return part
    return None
