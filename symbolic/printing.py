"""How a formula is written: text SymPy parses back, LaTeX, Python source, and numbers with honest digits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import sympy
from sympy import Add, Expr, Float, Mul, Pow, Symbol
from sympy.printing.latex import LatexPrinter
from sympy.printing.numpy import NumPyPrinter
from sympy.printing.str import StrPrinter

__all__ = [
    "count_nodes",
    "format_value",
    "latex_name",
    "print_latex",
    "print_python",
    "print_text",
    "round_to_error",
]


def count_nodes(expr: Expr) -> int:
    """Number of nodes as people count them: leaves, operators, functions; x/y and x - y are 3, sqrt(x) is 2.

    SymPy's own tree writes x/y as x*y**(-1) and -x as (-1)*x, which this undoes.

    Examples
    --------
    >>> x, y = sympy.symbols("x y")
    >>> [count_nodes(e) for e in (x, x / y, x - y, sympy.sqrt(x), 2 * sympy.sin(x + 1), x**2, sympy.exp(-x))]
    [1, 3, 3, 2, 6, 3, 3]
    """
    if not expr.args:
        if isinstance(expr, sympy.Rational) and expr.q != 1:
            return 3  # a fraction is a division
        return 1
    if isinstance(expr, Add):
        # A leading minus costs a node, a minus between terms is the operator itself.
        terms = [_unsigned(term) for term in expr.args]
        return sum(count_nodes(term) for term, _ in terms) + len(terms) - 1 + all(minus for _, minus in terms)
    if isinstance(expr, Mul):
        body, minus = _unsigned(expr)
        if minus:
            return 1 + count_nodes(body)
        factors = expr.args
        total = len(factors) - 1
        over = 0
        for factor in factors:
            if isinstance(factor, sympy.Rational) and factor.q != 1:
                total += 1 if factor.p == 1 else 3
                over += factor.p == 1
            elif isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp.is_negative:
                total += count_nodes(1 / factor)
                over += 1
            else:
                total += count_nodes(factor)
        return total + 2 * (over == len(factors))  # 1/(a*b): the 1 and its division
    if isinstance(expr, Pow):
        base, exponent = expr.args
        if exponent == sympy.S.Half:
            return 1 + count_nodes(base)
        if exponent.is_Rational and exponent.is_negative:
            return 2 + count_nodes(1 / expr)
        return 1 + count_nodes(base) + count_nodes(exponent)
    return 1 + sum(count_nodes(argument) for argument in expr.args)


def _unsigned(expr: Expr) -> tuple[Expr, bool]:
    """(expr without a leading minus, whether there was one)."""
    if expr.is_Number:
        return (-expr, True) if expr.is_negative else (expr, False)
    coefficient, rest = expr.as_coeff_Mul()
    if coefficient.is_negative:
        return (rest if coefficient == -1 else Mul(-coefficient, rest, evaluate=False)), True
    return expr, False


def format_value(value: float, standard_error: float | None = None) -> str:
    """A number with the digits its standard error supports: two of the error, and the value to the same place.

    Examples
    --------
    >>> format_value(212.6837, 6.947), format_value(0.0641213, 0.008281)
    ('212.7 ± 6.9', '0.0641 ± 0.0083')
    >>> format_value(2.5, 3e-17), format_value(5.5015643e-6, 7.2669e-8), format_value(1.5)
    ('2.5 ± 3e-17', '(5.502 ± 0.073)e-06', '1.5')
    """
    if standard_error is None or math.isnan(standard_error):
        return f"{value:.6g}"
    if math.isinf(standard_error):
        return f"{value:.6g} (not determined)"
    if standard_error <= 1e-13 * abs(value):
        return f"{value:.14g} ± {standard_error:.1g}"
    place = _place(standard_error)
    largest = max(abs(value), standard_error)
    exponent = math.floor(math.log10(largest))
    if not -4 <= exponent < 6 or place > 0:
        factor = 10.0**-exponent if abs(exponent) < 300 else 1.0
        digits = max(0, exponent - place)
        return f"({value * factor:.{digits}f} ± {standard_error * factor:.{digits}f})e{exponent:+03d}"
    return f"{value:.{-place}f} ± {standard_error:.{-place}f}"


def _place(standard_error: float) -> int:
    """Power of ten of the second digit of a standard error (9.96 counts as 10)."""
    return int(f"{standard_error:.1e}".split("e")[1]) - 1


def round_to_error(value: float, standard_error: float | None, digits: int = 4) -> float:
    """The value cut to the digits its standard error supports, to ``digits`` without a usable error."""
    if standard_error is None or not math.isfinite(standard_error) or standard_error <= 1e-13 * abs(value):
        return float(f"{value:.{12 if standard_error is not None and math.isfinite(standard_error) else digits}g}")
    place = _place(standard_error)
    if standard_error > abs(value):
        return float(f"{value:.2g}")
    return round(value, -place) if abs(place) < 300 else value


class _TextPrinter(StrPrinter):  # type: ignore[misc]
    """SymPy's text with the shortest decimals that give back the same float."""

    def __init__(self, digits: int | None = None) -> None:
        super().__init__()
        self._digits = digits

    def _print_Float(self, expr: Float) -> str:
        return _decimal(float(expr), self._digits)


def _decimal(value: float, digits: int | None) -> str:
    text = repr(value) if digits is None else f"{value:.{digits}g}"
    return text[:-2] if digits is not None and text.endswith(".0") else text


def print_text(expr: Expr, digits: int | None = None) -> str:
    """Text that ``sympy.parse_expr`` reads back; ``digits=None`` keeps every float exactly.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> print_text(0.1 * x + sympy.pi / 3), print_text(0.123456 * x, digits=3)
    ('0.1*x + pi/3', '0.123*x')
    """
    return str(_TextPrinter(digits).doprint(expr))


class _LatexPrinter(LatexPrinter):  # type: ignore[misc]
    def __init__(self, digits: int, symbol_names: Mapping[Symbol, str]) -> None:
        super().__init__({"symbol_names": dict(symbol_names)})
        self._digits = digits

    def _print_Float(self, expr: Float) -> str:
        mantissa, _, exponent = f"{float(expr):.{self._digits}g}".partition("e")
        return mantissa if not exponent else rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def print_latex(expr: Expr, digits: int, symbol_names: Mapping[Symbol, str]) -> str:
    """LaTeX of an expression, floats rounded to ``digits`` significant digits.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> print_latex(1.23456e-7 * sympy.sqrt(x), 3, {})
    '1.23 \\\\cdot 10^{-7} \\\\sqrt{x}'
    """
    return str(_LatexPrinter(digits, symbol_names).doprint(expr))


def latex_name(symbol: str, name: str) -> str:
    """LaTeX for a column: SymPy's own for words and greek letters, upright text for anything else.

    Examples
    --------
    >>> latex_name("beta_", "beta"), latex_name("mass_kg", "mass [kg]"), latex_name("g_m_s_2", "g [m/s^2]")
    ('\\\\beta', '\\\\mathrm{mass\\\\ [kg]}', '\\\\mathrm{g\\\\ [m/s^2]}')
    """
    if re.fullmatch(r"\w+", name):
        return str(sympy.latex(Symbol(symbol.strip("_"))))
    pieces = re.split(r"(?<=\w)\^(-?\d+)(?!\d|\^)", name)  # text and exponents of units, by turns
    for index, piece in enumerate(pieces):
        plain = re.sub(r"([_%#$&{}])", r"\\\1", re.sub(r"[\\^~]", " ", piece))
        pieces[index] = (f"^{piece}" if len(piece) == 1 else f"^{{{piece}}}") if index % 2 else plain
    return r"\mathrm{" + "".join(pieces).strip().replace(" ", r"\ ") + "}"


class _NumPyPrinter(NumPyPrinter):  # type: ignore[misc]
    def _print_Float(self, expr: Float) -> str:
        return repr(float(expr))

    def _print_erf(self, expr: Any) -> str:
        return f"np.vectorize(math.erf)({self._print(expr.args[0])})"


_RECIPROCALS = (
    (sympy.cot, sympy.tan),
    (sympy.sec, sympy.cos),
    (sympy.csc, sympy.sin),
    (sympy.coth, sympy.tanh),
)


def print_python(expr: Expr, arguments: Sequence[Symbol], function_name: str, docstring: str) -> str:
    """Source text of a NumPy function that computes an expression.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> print(print_python(sympy.sqrt(x) + 1.5, (x,), "f", "A root."))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def f(x):
        \"\"\"A root.\"\"\"
        x = np.asarray(x, dtype=float)
        return np.sqrt(x) + 1.5
    <BLANKLINE>
    """
    for function, inverse in _RECIPROCALS:
        expr = expr.replace(function, lambda u, inverse=inverse: 1 / inverse(u))
    body = str(_NumPyPrinter({"fully_qualified_modules": True}).doprint(expr)).replace("numpy.", "np.")
    imports = "import math\n\nimport numpy as np" if "math." in body else "import numpy as np"
    converted = "".join(f"    {argument} = np.asarray({argument}, dtype=float)\n" for argument in arguments)
    safe = docstring.replace("\\", "\\\\").replace('"""', "'''")
    return (
        f"{imports}\n\n\ndef {function_name}({', '.join(map(str, arguments))}):\n"
        f'    """{safe}"""\n{converted}    return {body}\n'
    )
