"""Operon on one curve: genetic programming where the one-dimensional solver has no form of its own (optional).

Operon (Burlacu, Kronberger, Kommenda 2020, GECCO; ``pip install 'kanlib[operon]'``) builds formulas of any depth, and
is at its best with one variable. It gets the few points that `screening_curve` leaves of the rows, and a fixed number
of formulas rather than seconds, so that the same seed gives the same forms. What it proposes is refitted and judged
like any other form.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sympy import Expr, Symbol

from kanlib.errors import FormulaError, InputError

from ..library import search_names
from ..parsing import parse_formula
from .curve import screening_curve

__all__ = ["has_operon", "operon_candidates"]

_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}  # kanlib -> Operon, where they differ
_SAME = ("abs", "cosh", "exp", "log", "sin", "sinh", "sqrt", "square", "tan", "tanh")
_ALWAYS = "add,sub,mul,div,constant,variable"
_DIGITS = 12
_INPUT = Symbol("x1", real=True)  # Operon's name of the first column


def has_operon() -> bool:
    """Whether pyoperon is installed."""
    return importlib.util.find_spec("pyoperon") is not None


def operon_candidates(
    x: ArrayLike,
    y: ArrayLike,
    symbol: Symbol,
    *,
    sample_weight: ArrayLike | None = None,
    primitives: Sequence[str] | None = None,
    evaluations: int = 100_000,
    seconds: float = 10.0,
    seed: int = 0,
) -> list[Expr]:
    """Formulas on Operon's front of error and length, the most accurate first.

    Parameters
    ----------
    x, y : (n,) float.
    symbol : the variable of the expressions.
    sample_weight : (n,) non-negative, optional; it counts where a spline through all of them replaces noisy rows.
    primitives : names of the functions to use, those Operon has; all of the search set by default. Arithmetic is always
        there.
    evaluations : formulas that are tried, 2 to 4 s for 100,000 on one core.
    seconds : a limit for a slow machine, beyond which results depend on its speed.
    seed : of the draws.

    Raises
    ------
    InputError
        pyoperon is not installed.

    Examples
    --------
    >>> x = np.linspace(0.5, 3, 100)
    >>> forms = operon_candidates(x, np.sin(x) / x, Symbol("x", real=True), evaluations=3000) if has_operon() else []
    >>> all(form.free_symbols <= {Symbol("x", real=True)} for form in forms)
    True
    """
    if not has_operon():
        raise InputError("Operon was asked for, but pyoperon is not installed; run pip install 'kanlib[operon]'.")
    from pyoperon.sklearn import SymbolicRegressor  # about a second: only who asks for it pays

    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    target = np.asarray(y, dtype=np.float64)
    middle, size = float(target.mean()), float(target.std())
    if not size > 0:
        return []
    curve = screening_curve(np.asarray(x, dtype=np.float64), target, weight)
    names = search_names() if primitives is None else primitives
    model = SymbolicRegressor(
        allowed_symbols=",".join([_ALWAYS, *(_NAMES.get(n, n) for n in names if n in _NAMES or n in _SAME)]),
        objectives=["mse", "length"],
        optimizer_iterations=10,
        population_size=500,
        max_length=25,
        generations=1_000_000,
        max_evaluations=evaluations,
        max_time=max(1, round(seconds)),
        n_threads=1,
        random_state=seed,
    )
    model.fit(curve.x[:, None], (curve.y - middle) / size)
    forms: list[Expr] = []
    for point in sorted(model.pareto_front_, key=lambda point: float(point["mean_squared_error"])):
        text = model.get_model_string(point["tree"], _DIGITS, [_INPUT.name]).replace("^", "**")
        try:
            form = middle + size * parse_formula(text, (_INPUT,))
        except FormulaError:
            continue  # nan, inf or a formula without a value
        if form.free_symbols:
            forms.append(form.xreplace({_INPUT: symbol}))
    return forms
