"""What has to hold for an expression to have a real, finite value: a condition for each denominator, root, logarithm.

Each one is a margin, an expression that must keep its sign, together with the words for the part it comes from. That a
margin vanishes somewhere does not mean the formula ends there: sin(x)/x does not at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Pow, preorder_traversal

from ..printing import print_text

__all__ = ["Condition", "conditions"]

# function -> (kind, condition on its argument u; a part is fine where it is positive, or not zero at a pole)
_FUNCTIONS: dict[str, tuple[str, Any]] = {
    "log": ("domain", lambda u: u),
    "asin": ("domain", lambda u: 1 - u**2),
    "acos": ("domain", lambda u: 1 - u**2),
    "atanh": ("domain", lambda u: 1 - u**2),
    "acosh": ("domain", lambda u: u - 1),
    "tan": ("pole", sympy.cos),
    "sec": ("pole", sympy.cos),
    "cot": ("pole", sympy.sin),
    "csc": ("pole", sympy.sin),
    "coth": ("pole", lambda u: u),
}


@dataclass(frozen=True)
class Condition:
    """A part of a formula that must not be zero (kind "pole") or negative ("domain").

    Attributes
    ----------
    kind : str
    margin : the expression that must keep its sign.
    text : the part in words, such as "denominator x - 1".
    """

    kind: str
    margin: Expr
    text: str


def conditions(expr: Expr) -> tuple[Condition, ...]:
    """What has to hold for an expression to have a real, finite value.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> [condition.text for condition in conditions(sympy.log(x) / (x - y) ** 2)]
    ['denominator x - y', 'logarithm of x']
    """
    found: dict[tuple[str, Expr], Condition] = {}
    for part in preorder_traversal(expr):
        if not getattr(part, "free_symbols", None):
            continue
        made = _of_power(part) if isinstance(part, Pow) else None
        name = type(part).__name__
        if name in _FUNCTIONS:
            kind, margin = _FUNCTIONS[name]
            inside = print_text(part.args[0], 4)
            words = f"logarithm of {inside}" if name == "log" else f"{name}({inside})"
            made = Condition(kind, margin(part.args[0]), words)
        if made is not None and made.margin.free_symbols:
            found.setdefault((made.kind, made.margin), made)
    return tuple(found.values())


def _of_power(part: Expr) -> Condition | None:
    base, exponent = part.args
    text = print_text(base, 4)
    if exponent.free_symbols:
        return Condition("domain", base, f"base {text} of a variable power")
    if exponent.is_negative:
        root = "" if exponent.is_integer else "root of "
        return Condition("pole", base, f"denominator {root}{text}")
    if exponent.is_integer or float(exponent).is_integer():
        return None
    return Condition("domain", base, f"square root of {text}" if exponent == sympy.S.Half else f"power of {text}")
