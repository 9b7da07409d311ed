"""Prior knowledge: what a scientist knows of a law before it is found, as one record that a search consults.

Units, functions that must or must not appear, the shape, the errors of y, a part of the law. Each has a file of its
own; here they are read together, and a formula is held against all of them. Prior knowledge refuses with a reason, it
never bends a fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from kanlib.errors import InputError

from ..formula import Formula
from ..joint import Candidate
from ..names import safe_symbols
from ..noise import NoiseModel, noise_models
from ..reduction.coordinates import Coordinates
from .functions import FunctionConstraints, function_constraints
from .noise import RowNoise, given_noise, weighted_rows
from .partial_law import PartialLaw, check_role, partial_law
from .shapes import ShapeConstraints, shape_constraints
from .units import UnitConstraints, unit_constraints

__all__ = ["Prior", "prior"]

Array = NDArray[np.float64]

_NOT_FINAL = 1e4  # times the tolerances of a shape, while constants may change: a percent of the spread


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a law; make one with `prior`.

    Attributes
    ----------
    symbols : one for each column of the table.
    functions : primitives of the search, and functions a formula must or must not hold.
    shape : monotone, convex, bounded.
    units : None where none were given.
    start : the part of the law that is known; None where none is.
    noise : the errors of y by row; None where nothing is known of them.
    constant_columns : (symbol, value) of columns that are the same in every row.
    notes : what the user should know.
    """

    symbols: tuple[Symbol, ...]
    functions: FunctionConstraints
    shape: ShapeConstraints
    units: UnitConstraints | None = None
    start: PartialLaw | None = None
    noise: RowNoise | None = None
    constant_columns: tuple[tuple[Symbol, float], ...] = ()

    @property
    def primitives(self) -> tuple[str, ...]:
        """The primitives to search with."""
        return self.functions.primitives

    @property
    def demands(self) -> bool:
        """Whether there is anything a formula has to agree with, beside the errors of y."""
        functions = self.functions.forbidden or self.functions.required
        return bool(functions) or self.units is not None or bool(self.shape)

    @property
    def notes(self) -> tuple[str, ...]:
        return () if self.units is None else self.units.notes

    @property
    def fingerprint(self) -> str:
        """The same text for the same knowledge: of a search that goes on from a checkpoint, say."""
        known = (self.symbols, self.functions, self.shape, self.units, self.start, self.constant_columns)
        digest = hashlib.sha256(repr(known).encode())
        if self.noise is not None:
            digest.update(repr((self.noise.absolute, self.noise.size.tolist())).encode())
        return digest.hexdigest()

    def on(self, rows: Any) -> Prior:
        """The same knowledge about some of the rows, chosen as an array is indexed."""
        return self if self.noise is None else replace(self, noise=self.noise.on(rows))

    def noise_models(self, y: Array) -> tuple[NoiseModel, ...]:
        """The one that was given, or those the data may choose from."""
        return noise_models(y) if self.noise is None else (self.noise,)

    def refuses(self, formula: Formula, X: Array, y: Array | None = None) -> str | None:
        """Why a formula contradicts what is known; None where it does not.

        Parameters
        ----------
        formula : of the columns of X.
        X : (n, d) all rows.
        y : (n,) for the test of the residuals against known errors; left out without.
        """
        expr = formula.expr
        reason = self.functions.refuses(expr)
        if reason is None and self.units is not None:
            reason = self.units.refuses(formula)
            reason = None if reason is None else f"its units do not agree: {reason.removesuffix('.')}"
        if reason is None:
            reason = self.shape.refuses(expr, formula.symbols, X)
        if reason is None and self.noise is not None and y is not None:
            reason = self.noise.refuses(y - formula.predict(X), len(formula.fitted))
        return reason

    def hopeless(self, candidate: Candidate, X: Array) -> bool:
        """Whether a candidate will be refused whatever becomes of its constants: not worth finishing."""
        if self.functions.hopeless(candidate.structure):
            return True
        numbers = {symbol: sympy.Float(value) for symbol, value in candidate.values.items()}
        expr = candidate.structure.xreplace(numbers)
        return self.shape.refuses(expr, self.symbols, X, slack=_NOT_FINAL) is not None

    def coordinates(
        self, X: Array, symbols: Sequence[Symbol] | None = None, y: Array | None = None, *, seed: int = 0
    ) -> list[Coordinates]:
        """Coordinates to look for the law in, most telling first: a known factor, dimensionless groups.

        Parameters
        ----------
        X : (n, k) table; symbols : of its columns, all by default. Constant columns may be left aside.
        y : (n,) target, which a known factor with constants is fitted to.
        seed : of that fit.
        """
        kept = self.symbols if symbols is None else tuple(symbols)
        found: list[Coordinates] = []
        if self.start is not None and y is not None:
            known = self._without_constant_columns(kept)
            found += known.coordinates(kept, X, y, weight=self._weight(y), seed=seed)
        if self.units is not None:
            found += self.units.coordinates(X, kept)
        return found

    def start_candidates(
        self, X: Array, y: Array, *, n_starts: int = 30, seed: int = 0, expired: Callable[[], bool] = lambda: False
    ) -> list[Candidate]:
        """The known law with its constants fitted, best first; empty where none is known, or no start is finite.

        X (n, d) has all columns; y is (n,).
        """
        if self.start is None or self.start.role != "law":
            return []
        return self.start.candidates(
            self.symbols, X, y, weight=self._weight(y), n_starts=n_starts, seed=seed, expired=expired
        )

    def _weight(self, y: Array) -> Array | None:
        return None if self.noise is None else self.noise.weight(y)

    def _without_constant_columns(self, kept: Sequence[Symbol]) -> PartialLaw:
        assert self.start is not None
        numbers = {symbol: sympy.Float(value) for symbol, value in self.constant_columns if symbol not in kept}
        return PartialLaw(self.start.expr.xreplace(numbers), self.start.constants, self.start.role)


def prior(
    X: Array,
    y: Array,
    names: Sequence[str],
    *,
    primitives: Sequence[str] | None = None,
    forbidden: Sequence[str] = (),
    required: Sequence[str] = (),
    units: Mapping[str, str] | Sequence[str] | None = None,
    output_unit: str | None = None,
    dimensionless_constants: bool = False,
    monotone: Mapping[str, str] | None = None,
    convex: Mapping[str, str] | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    start: str | Expr | None = None,
    start_role: str = "law",
    sample_weight: ArrayLike | None = None,
    noise: ArrayLike | None = None,
) -> Prior:
    """Read what a user knows of the law behind a table.

    Parameters
    ----------
    X, y, names : a checked table, (n, d) and (n,), and its column names.
    primitives, forbidden, required : see `kanlib.symbolic.priors.functions`.
    units, output_unit, dimensionless_constants : see `kanlib.symbolic.priors.units`.
    monotone, convex, bounds : see `kanlib.symbolic.priors.shapes`; column -> "increasing" or "decreasing", column
        -> "convex" or "concave", (low, high) of y.
    start : a part of the law, as text or SymPy expression in the column names; every other symbol in it is a constant
        to be fitted. A name that no formula can carry ("mass [kg]") is written as its symbol (mass_kg).
    start_role : what it is: "law" (all of it) or "factor" (y = start * F).
    sample_weight : (n,) inverse error variances up to a factor.
    noise : the standard deviation of the error of y, one number or one a row.

    Raises
    ------
    InputError, InputTypeError, FormulaError
        With what arrived, what was expected, and what to do.

    Examples
    --------
    >>> X = np.linspace(0.0, 4.0, 30)[:, None]
    >>> y = 2.0 + 5.0 * np.exp(-3.0 * X[:, 0])
    >>> known = prior(X, y, ["t"], start="a*exp(-b*t) + c", monotone={"t": "decreasing"}, bounds=(0, None))
    >>> best = known.start_candidates(X, y)[0]
    >>> {str(s): round(v, 9) for s, v in best.values.items()}
    {'a': 5.0, 'b': 3.0, 'c': 2.0}
    >>> known.refuses(Formula(sympy.sin(known.symbols[0]), {}, known.symbols), X)
    'it is not decreasing in t: its slope is 1 at t = 0'
    """
    check_role(start_role)
    symbols, _ = safe_symbols(names)
    still = tuple(j for j in range(len(names)) if np.ptp(X[:, j]) == 0.0)
    if units is None and (output_unit is not None or dimensionless_constants):
        given = "output_unit" if output_unit is not None else "dimensionless_constants"
        raise InputError(f"{given} was given without units; give units too, one for each column: {{'t': 's', ...}}.")
    if sample_weight is not None and noise is not None:
        raise InputError(
            "sample_weight and noise were both given, and both say how much a row counts; give noise alone where the "
            "errors are known, sample_weight alone where they are known up to a factor."
        )
    measured = None
    if units is not None:
        measured = unit_constraints(
            names, symbols, units, output_unit, dimensionless_constants=dimensionless_constants, constant=still
        )
    errors = None if noise is None else given_noise(noise, y)
    return Prior(
        symbols,
        function_constraints(primitives, forbidden=forbidden, required=required),
        shape_constraints(names, monotone=monotone, convex=convex, bounds=bounds, y=y),
        measured,
        None if start is None else partial_law(start, start_role, names, symbols),
        errors if sample_weight is None else weighted_rows(sample_weight, len(y)),
        tuple((symbols[j], float(X[0, j])) for j in still),
    )
