"""Text of a formula to a SymPy expression, without running any of it.

``sympy.sympify`` and ``parse_expr`` hand their text to Python's ``eval``: whoever writes the text runs code. Here
Python's own grammar (`ast`) reads it, and a walk over the tree (`kanlib.symbolic.parsing_syntax`) builds the expression
out of what a formula may hold: numbers, columns, + - * / **, and the functions kanlib evaluates. Anything else is an
error.
"""

from __future__ import annotations

import ast
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import sympy
from sympy import Expr, Float, Symbol
from sympy.core.parameters import distribute

from kanlib.errors import FormulaError, InputTypeError
from kanlib.plain import short

from .deadline import within
from .parsing_syntax import CONSTANTS, FUNCTIONS, Builder, Value

__all__ = ["free_names", "parse_formula", "parse_structure"]

_MAX_LENGTH = 10_000
_SECONDS = 10.0  # the last guard, behind those of `parsing_syntax`


def parse_formula(
    text: str, symbols: Mapping[str, Symbol] | Iterable[Symbol], values: Mapping[Symbol, Expr | float] | None = None
) -> Expr:
    """The expression a text stands for, read as mathematics and never run as code.

    Whole numbers stay exact, and so do their quotients (``1/3``); decimals become floats. What `str` of a
    `Formula` gives comes back as it was.

    Parameters
    ----------
    text : at most 10,000 characters of ``+ - * / **``, parentheses, numbers, the names in ``symbols``, pi, E, and
        the functions exp log sqrt sin cos tan cot sec csc asin acos atan sinh cosh tanh coth asinh acosh atanh Abs
        sign erf (``ln`` and ``abs`` too).
    symbols : the columns: name -> symbol, or symbols that go by their own names. A column named like a constant
        wins over it.
    values : symbol -> number, for symbols that stand for one in the text; they win over columns. Every step is worked
        out in numbers before it is built, so two harmless texts cannot make one that is not, such as a**b with
        9 and 10**9.

    Raises
    ------
    FormulaError
        The text is no formula, holds something else, a part of it has no finite real value, or a power is out of
        all proportion.
    InputTypeError
        ``text`` is no string, or ``symbols`` holds something else than symbols.

    Examples
    --------
    >>> x, y = sympy.symbols("x y", real=True)
    >>> parse_formula("2*x**2 + exp(-y/3) - 0.5", (x, y))
    2*x**2 - 0.5 + exp(-y/3)
    >>> parse_formula("x^2", (x, y))
    Traceback (most recent call last):
    kanlib.errors.FormulaError: The formula has 'x^2'; expected + - * / **: a power is written x**2.
    """
    columns: dict[str, Symbol | Value] = {**_columns(symbols)}
    for symbol, number in (values or {}).items():
        expr = Float(number) if isinstance(number, float) else number
        columns[unicodedata.normalize("NFKC", symbol.name)] = Value(expr, float(expr))
    text, tree = _tree(text)
    result = within(_SECONDS, _attempt, tree, text, columns)
    if result is None:
        raise FormulaError(f"{short(text)!r} took longer than {_SECONDS:g} s to build; write its numbers as decimals.")
    if isinstance(result, FormulaError):
        raise result
    return result


def parse_structure(text: str, symbols: Iterable[Symbol], values: Mapping[Symbol, Expr | float]) -> Expr:
    """A formula's text with its constants as symbols, as `print_text` of `Formula.structure` gives it.

    Their numbers are tried first: SymPy would work out a**b with 9 and 10**9 as soon as it is given them.

    Parameters
    ----------
    text, symbols : as for `parse_formula`.
    values : symbol -> number of the constants.

    Raises
    ------
    FormulaError, InputTypeError
        As `parse_formula`, of the text with the numbers in it.

    Examples
    --------
    >>> x, a = sympy.symbols("x a", real=True)
    >>> parse_structure("a*x**2", (x,), {a: 2.5})
    a*x**2
    """
    parse_formula(text, symbols, values)
    return parse_formula(text, (*symbols, *values))


def free_names(text: str) -> tuple[str, ...]:
    """The names in a text that stand for numbers, in their order: neither functions nor pi and E.

    Raises
    ------
    FormulaError, InputTypeError
        As `parse_formula`, where the text is no formula at all; what it holds is not looked at.

    Examples
    --------
    >>> free_names("a*exp(-b*t) + a*pi")
    ('a', 'b', 't')
    """
    nodes = list(ast.walk(_tree(text)[1]))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = [node for node in nodes if isinstance(node, ast.Name) and id(node) not in called]
    names.sort(key=lambda name: name.col_offset)
    return tuple(dict.fromkeys(name.id for name in names if name.id not in FUNCTIONS and name.id not in CONSTANTS))


def _tree(text: str) -> tuple[str, ast.expr]:
    """A text on one line, and its syntax tree."""
    if not isinstance(text, str):
        raise InputTypeError(f"parse_formula got {type(text).__name__}; expected the formula as a string.")
    if len(text) > _MAX_LENGTH:
        raise FormulaError(
            f"The formula has {len(text)} characters; expected at most {_MAX_LENGTH}: is it a formula at all?"
        )
    text = " ".join(text.split())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on code such as 2(x), which is refused later
            return text, ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise FormulaError(
            f"{short(text)!r} is no formula ({reason}); expected Python's notation, such as 2*x**2 + exp(-y)."
        ) from None
    except (RecursionError, MemoryError):
        raise FormulaError(f"{short(text)!r} is nested too deeply; write it in parts.") from None


def _columns(symbols: Mapping[str, Symbol] | Iterable[Symbol]) -> dict[str, Symbol]:
    """Names as Python's grammar spells them (NFKC) to symbols."""
    try:
        if not isinstance(symbols, Mapping):
            columns: Iterable[Any] = symbols
            symbols = {symbol.name: symbol for symbol in columns}
        if not all(isinstance(symbol, Symbol) for symbol in symbols.values()):
            raise TypeError
        return {unicodedata.normalize("NFKC", name): symbol for name, symbol in symbols.items()}
    except (TypeError, AttributeError):
        raise InputTypeError(
            f"parse_formula got symbols {short(repr(symbols))}; expected SymPy symbols, or name -> symbol."
        ) from None


def _attempt(tree: ast.expr, text: str, columns: Mapping[str, Symbol | Value]) -> Expr | FormulaError:
    """The expression or the error: `within` tells nothing of what is raised inside it."""
    try:
        # SymPy would multiply 2*(x + 1) out; a formula comes back as it was written.
        with distribute(False):
            expr = Builder(text, columns).build(tree).expr
        for number in expr.atoms(sympy.Number):
            if number.is_finite is not True or abs(number) > sys.float_info.max:
                shown = short(str(number)) if number.is_Float or not number.is_finite else "a number of many digits"
                raise FormulaError(f"{short(text)!r} holds {shown}; expected finite numbers.")
        imaginary = any(
            part.is_extended_real is False for part in expr.atoms(sympy.Function, sympy.Pow) if part.is_number
        )
        if imaginary or expr.has(sympy.zoo, sympy.I, sympy.AccumBounds):  # bounds: atan(1/(x - x))
            raise FormulaError(f"{short(text)!r} is not a real number anywhere; expected a formula over the reals.")
        return expr
    except FormulaError as error:
        return error
    except RecursionError:
        return FormulaError(f"{short(text)!r} is nested too deeply; write it in parts.")
    except Exception as error:  # of SymPy, which has many kinds for numbers it cannot hold
        return FormulaError(f"{short(text)!r} cannot be built ({error}); write its numbers as decimals.")
