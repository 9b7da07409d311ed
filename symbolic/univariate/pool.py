"""Forms of one variable on their way to a fit: constants refitted and dropped, the shortest descriptions kept.

Whatever proposes a form gives an expression with Float constants near their places. Here the constants are named,
refitted against y, set to 0, 1 or -1 where the data do not mind, and the form is measured by its description length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Float, Integer, Symbol

from kanlib.errors import FormulaError

from ..constants import Refit, refit
from ..description import description_length, structure_cost
from .curve import Form

__all__ = ["FormPool", "UnivariateFit"]

Array = NDArray[np.float64]

_EXACT = ((4, 1e-10), (7, 1e-13))  # constants, and the relative error that is no accident with so few
_SIMPLE = (Integer(0), Integer(1), Integer(-1))
_QUARTERS = (sympy.pi / 2, -sympy.pi / 2, sympy.pi, -sympy.pi)  # of a turn: these turn sines into cosines
_HOPELESS = 40.0  # nats behind the best that no dropped constant brings back


@dataclass(frozen=True)
class UnivariateFit:
    """A closed form of one variable.

    Attributes
    ----------
    expr : the form; fitted constants are Floats, exact numbers are structure.
    rss : weighted sum of squared residuals after a joint refit of all its constants on all rows.
    length : description length in nats (`symbolic.description`); shorter is better.
    """

    expr: Expr
    rss: float
    length: float


@dataclass(frozen=True)
class _Form:
    structure: Expr
    values: dict[Symbol, float]
    fit: Refit
    length: float


class FormPool:
    """Distinct forms with their lengths on a set of rows.

    Parameters
    ----------
    symbol : the variable.
    x, y, weight : (n,) rows that judge; weight None for equal weights.
    most : how many forms are kept.
    """

    def __init__(
        self,
        symbol: Symbol,
        x: Array,
        y: Array,
        weight: Array | None,
        *,
        most: int,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        self.symbol, self.table, self.y, self.weight = symbol, x[:, None], y, weight
        self.most, self.expired = most, expired
        self.forms: dict[Expr, _Form] = {}
        total = np.ones_like(y) if weight is None else weight
        centred = y - float(total @ y) / float(total.sum())
        self.spread = float(total @ centred**2)

    @property
    def solved(self) -> bool:
        """Whether a form with few constants fits to rounding."""
        return any(
            len(form.values) <= few and form.fit.rss <= error**2 * self.spread
            for form in self.forms.values()
            for few, error in _EXACT
        )

    def add(self, forms: Iterable[Form], *, evaluations: int) -> None:
        """Refit proposed forms and keep the short ones."""
        for structure, values in forms:
            if self.expired():
                break
            if structure.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I):
                continue
            form = self._refitted(structure, values, evaluations)
            if form is not None:
                self._keep(form)
        self._trim(3 * self.most)

    def tidy(self) -> None:
        """Finish the fits of the best forms, and drop constants of theirs that the data do not ask for."""
        for form in self._ranked()[: self.most]:
            finished = None if form.fit.converged else self._refitted(form.structure, form.values, 60)
            if finished is not None:
                self._keep(finished)
        ranked = self._ranked()[: self.most]
        for form in ranked:
            if self.expired() or form.length > ranked[0].length + _HOPELESS:
                break
            shorter = self._dropped(form)
            if shorter is not form:
                del self.forms[form.structure]
                self._keep(shorter)

    def kept(self) -> list[Form]:
        """The kept forms with their constants, shortest description first."""
        return [(form.structure, form.values) for form in self._ranked()[: self.most]]

    def best(self) -> list[UnivariateFit]:
        """The kept forms, shortest description first; of several with one length, which are one curve, the first."""
        fits: dict[float, UnivariateFit] = {}
        for form in self._ranked():
            length = round(form.length, 6)
            if length in fits:
                continue
            expr = self._simplified(form.structure).xreplace({c: Float(v) for c, v in form.values.items()})
            if not expr.has(sympy.nan, sympy.zoo, sympy.oo):
                fits[length] = UnivariateFit(expr, form.fit.rss, form.length)
            if len(fits) == self.most:
                break
        return list(fits.values())

    def _simplified(self, expr: Expr) -> Expr:
        """What SymPy does by itself when it knows the sign of the variable: sqrt(x**3) becomes x**(3/2)."""
        low, high = self.table.min(), self.table.max()
        roots = [part for part in expr.atoms(sympy.Pow) if part.exp.is_Rational and not part.exp.is_Integer]
        if low > 0 and (expr.has(sympy.Abs) or any(isinstance(r.base, (sympy.Pow, sympy.Mul)) for r in roots)):
            positive = sympy.Dummy(positive=True)
            return expr.xreplace({self.symbol: positive}).xreplace({positive: self.symbol})
        if high <= 0 or low >= 0:
            return expr.xreplace({sympy.Abs(self.symbol): self.symbol if low >= 0 else -self.symbol})
        return expr

    def _ranked(self) -> list[_Form]:
        return sorted(self.forms.values(), key=lambda form: form.length)

    def _trim(self, most: int) -> None:
        self.forms = {form.structure: form for form in self._ranked()[:most]}

    def _keep(self, form: _Form) -> None:
        known = self.forms.get(form.structure)
        if known is None or form.length < known.length:
            self.forms[form.structure] = form

    def _refitted(self, structure: Expr, values: dict[Symbol, float], evaluations: int) -> _Form | None:
        if self.symbol not in structure.free_symbols or len(values) + 1 >= len(self.y):
            return None
        if not all(map(math.isfinite, values.values())):
            return None
        try:
            with np.errstate(all="ignore"):
                fit = self._refit(structure, values, evaluations)
        except (FormulaError, OverflowError, np.linalg.LinAlgError):
            return None
        if not math.isfinite(fit.rss) or not fit.rss < self.spread:
            return None
        values = dict(zip(values, map(float, fit.values), strict=True))
        length = description_length(fit.rss, len(self.y), len(values), self.y, structure_cost(structure))
        return _Form(structure, values, fit, length)

    def _refit(self, structure: Expr, values: dict[Symbol, float], evaluations: int) -> Refit:
        start = list(values.values())
        return refit(
            structure,
            tuple(values),
            (self.symbol,),
            self.table,
            self.y,
            start,
            self.weight,
            max_evaluations=evaluations,
        )

    def _dropped(self, form: _Form) -> _Form:
        """One constant after the other at 0, 1 or -1, the least surprising first, while the description shortens.

        A phase may also become a quarter or half turn.
        """
        for _ in range(len(form.values)):
            options = []
            phases = _phases(form.structure)
            for index, (symbol, value) in enumerate(form.values.items()):
                error = float(form.fit.standard_errors[index])
                for exact in (*_SIMPLE, *(_QUARTERS if symbol in phases else ())):
                    distance = abs(value - float(exact))
                    surprise = distance / error if error > 0 else math.inf
                    if surprise < 4 or distance < 1e-7:
                        options.append((surprise, symbol, exact))
            options.sort(key=lambda option: option[0])
            for _, symbol, exact in options[:4]:
                smaller = form.structure.xreplace({symbol: exact})
                if smaller.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I) or self.symbol not in smaller.free_symbols:
                    continue
                values = {s: v for s, v in form.values.items() if s in smaller.free_symbols}
                trial = self._refitted(smaller, values, 30)
                if trial is not None and trial.length < form.length:
                    form = trial
                    break
            else:
                break
        return form


def _phases(structure: Expr) -> set[Expr]:
    """Constants that are added inside a sine or cosine."""
    angles = [wave.args[0] for wave in structure.atoms(sympy.sin, sympy.cos)]
    return {part for angle in angles if isinstance(angle, sympy.Add) for part in angle.args}
