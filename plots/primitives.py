"""An edge that is fixed to a primitive, c * f(a * x + b) + d, as a short line of LaTeX: its name with its constants.

Only for labels in pictures: numbers have three digits. Exact formulas come from `kanlib.symbolic`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .text import number

_POWERS = {"identity": 1, "square": 2, "cube": 3, "fourth": 4, "fifth": 5}

# {u} is the argument in brackets if it needs them, {v} the bare argument.
_FORMS = {
    "reciprocal": "1/{u}",
    "reciprocal_square": "1/{u}^{{2}}",
    "sqrt": r"\sqrt{{{v}}}",
    "reciprocal_sqrt": r"1/\sqrt{{{v}}}",
    "exp": "e^{{{v}}}",
    "gaussian": "e^{{-{u}^{{2}}}}",
    "lorentzian": "1/(1+{u}^{{2}})",
    "abs": "|{v}|",
    "sign": r"\mathrm{{sign}}({v})",
    "erf": r"\mathrm{{erf}}({v})",
    "softplus": r"\log(1+e^{{{v}}})",
    "saturation": "{u}/(1+{v})",
    "entropy": r"{u}\,\log {u}",
    "lorentz": r"1/\sqrt{{1-{u}^{{2}}}}",
    "hyperbola": r"\sqrt{{1+{u}^{{2}}}}",
    "semicircle": r"\sqrt{{1-{u}^{{2}}}}",
}
_FUNCTIONS = {"log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arcsin", "arccos"}


def _linear(a: float, b: float, variable: str) -> tuple[str, bool]:
    """a * x + b, and whether it is a single symbol (which needs no brackets)."""
    if _same(b, 0.0, abs(a)):
        term = _times(a, variable)
        return term, term == variable
    return f"{_times(a, variable)} {_plus(b)}", False


def _same(value: float, target: float, scale: float = 1.0) -> bool:
    return abs(value - target) <= 1e-6 * max(scale, abs(target), 1e-300)


def _times(c: float, body: str) -> str:
    if _same(c, 1.0) or _same(c, -1.0):
        return body if c > 0 else f"-{body}"
    return rf"{number(c)}\,{body}"


def _plus(d: float) -> str:
    return f"+ {number(d)}" if d >= 0 else f"- {number(-d)}"


def edge_formula(name: str, constants: Sequence[float], variable: str = "x") -> str:
    r"""LaTeX source of c * f(a * x + b) + d; `constants` are (a, b, c, d, p), p only used by ``power``.

    Examples
    --------
    >>> edge_formula("sin", (3.14159265, 0.0, 1.0, 0.0, 1.0), "x")
    '\\sin(\\pi\\,x)'
    >>> edge_formula("square", (2.0, 0.0, 1.0, -0.5, 1.0), "x")
    '4\\,x^{2} - 0.5'
    """
    a, b, c, d, p = (float(value) for value in constants)
    power = _POWERS.get(name)
    if power == 1:
        return _linear(c * a, c * b + d, variable)[0]
    if power is not None and _same(b, 0.0, abs(a)):
        body, c = f"{variable}^{{{power}}}", c * a**power
    elif name == "reciprocal" and _same(b, 0.0, abs(a)) and a != 0.0:
        body, c = f"1/{variable}", c / a
    else:
        argument, single = _linear(a, b, variable)
        bracketed = argument if single else f"({argument})"
        if power is not None:
            body = f"{bracketed}^{{{power}}}"
        elif name == "power":
            body = f"{bracketed}^{{{number(p)}}}"
        elif name in _FORMS:
            body = _FORMS[name].format(u=bracketed, v=argument)
        elif name in _FUNCTIONS:
            body = rf"\{name}({argument})"
        else:
            body = rf"\mathrm{{{name.replace('_', ' ')}}}({argument})"
    if body.startswith("1/") and not _same(abs(c), 1.0):
        body = number(c) + body[1:]
    else:
        body = _times(c, body)
    return body if _same(d, 0.0, abs(c)) else f"{body} {_plus(d)}"


def short_formula(name: str) -> str:
    """The primitive alone, for where the full formula has no room."""
    power = _POWERS.get(name)
    if power is not None:
        return "u" if power == 1 else f"u^{{{power}}}"
    if name == "power":
        return "u^{p}"
    if name in _FORMS and len(_FORMS[name]) <= 24:
        return _FORMS[name].format(u="u", v="u")
    return rf"\{name}" if name in _FUNCTIONS else rf"\mathrm{{{name.replace('_', ' ')}}}"
