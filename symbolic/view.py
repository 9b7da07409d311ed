"""The law seen in some coordinates: rows for networks, closed forms that fit them, and the way back to the columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Dummy, Expr, Symbol

from kanlib.errors import FormulaError
from kanlib.network import KAN

from .compose import canonical, parametrize
from .constants import refit
from .description import description_length, structure_cost
from .joint import Candidate, joint_candidates
from .library import LIBRARY
from .problem import sample_of
from .rational.candidates import rational_candidates
from .reduction.coordinates import Coordinates
from .separable.additive import additive_forms
from .separable.bivariate import bivariate_forms
from .shapes import Sample
from .simplify import signed
from .univariate.candidates import univariate_candidates

__all__ = ["View"]

Array = NDArray[np.float64]

_MOVED = 12  # candidates of a network that are refitted in the columns
_MANY = 6
_MOST_CONSTANTS = 14  # with more it is a fit like any other, not a law
_ROWS = 600  # that order candidates; the best are refitted to all rows anyway


@dataclass(frozen=True)
class View:
    """y = factor * F(z_1, ..., z_k) on all rows.

    Attributes
    ----------
    coordinates : on all rows.
    columns : the symbols of the table's columns.
    inputs : one symbol a coordinate.
    sample : rows for networks of the coordinates; None without coordinates.
    X, y : the rows formulas are fitted to.
    Z, factor : coordinates and factor on these rows.
    """

    coordinates: Coordinates
    columns: tuple[Symbol, ...]
    inputs: tuple[Symbol, ...]
    sample: Sample | None
    X: Array
    y: Array
    Z: Array
    factor: Array

    @classmethod
    def of(
        cls, coordinates: Coordinates, columns: tuple[Symbol, ...], X: Array, y: Array, held: NDArray[np.bool_] | None
    ) -> View | None:
        """The view of a table; None where the coordinates are not finite on all of its rows."""
        moved = coordinates.on(columns, X)
        if moved is None:
            return None
        inputs = tuple(Dummy(f"z{i + 1}", real=True) for i in range(moved.k))
        factor = None if moved.factor == 1 else moved.factor_values
        sample = sample_of(moved.values, y, held, factor) if moved.k else None
        rows = slice(None) if held is None else ~held
        return cls(moved, columns, inputs, sample, X[rows], y[rows], moved.values[rows], moved.factor_values[rows])

    @property
    def name(self) -> str:
        return self.coordinates.text()

    def closed_forms(
        self, primitives: Sequence[str], floor: float, expired: Callable[[], bool]
    ) -> Iterator[list[Candidate]]:
        """Stage by stage, each with its shortest description first: ratios of polynomials, then what is more work.

        Parameters
        ----------
        floor : error relative to the spread of y that nothing improves on.
        """
        found: set[Expr] = set()
        for forms in self._stages(primitives, floor, expired):
            stage = []
            for form in forms:
                candidate = self.candidate(form) if _allowed(form, primitives) else None
                if candidate is not None and candidate.structure not in found:
                    found.add(candidate.structure)
                    stage.append(candidate)
            yield sorted(stage, key=lambda candidate: candidate.length)

    def _stages(self, primitives: Sequence[str], floor: float, expired: Callable[[], bool]) -> Iterator[Iterable[Expr]]:
        k = self.coordinates.k
        if not k:
            yield [sympy.Float(float(self.factor @ self.y) / float(self.factor @ self.factor))]
            return
        weight = self.factor**2 / float(np.mean(self.factor**2))
        target = self.y / self.factor
        if k > _MANY:
            # so many coordinates are a sum, or nothing that can be read
            yield additive_forms(self.Z, target, weight, self.inputs, primitives, floor, expired)
        yield [
            fit.expr for fit in rational_candidates(self.Z, self.y, self.inputs, factor=self.factor, expired=expired)
        ]
        if k == 1:
            for z, expr in self._directions():
                curves = univariate_candidates(
                    z, target, self.inputs[0], sample_weight=weight, primitives=primitives, expired=expired
                )
                yield [fit.expr.xreplace({self.inputs[0]: expr}) for fit in curves]
        if 2 <= k <= _MANY:
            yield additive_forms(self.Z, target, weight, self.inputs, primitives, floor, expired)
        if k == 2:
            yield bivariate_forms(self.Z, target, weight, self.inputs, primitives, floor, expired)

    def _directions(self) -> Iterator[tuple[Array, Expr]]:
        """The coordinate, and its inverse where it has one: a/b is as good a coordinate as b/a."""
        z, symbol = self.Z[:, 0], self.inputs[0]
        yield z, symbol
        if not self.coordinates.expressions[0].is_Symbol and (z.min() > 0 or z.max() < 0):
            yield 1 / z, 1 / symbol

    def network_forms(
        self, network: KAN, primitives: Sequence[str], expired: Callable[[], bool], most: int
    ) -> list[Candidate]:
        """Primitives for the edges of a network of the coordinates, in the columns; shortest description first."""
        weighted = self.coordinates.factor != 1
        found = joint_candidates(
            network,
            self.Z,
            self.y / self.factor if weighted else self.y,
            self.inputs,
            primitives=tuple(primitives),
            most=most,
            sample_weight=self.factor**2 if weighted else None,
            expired=expired,
        )
        moved: dict[Expr, Candidate] = {}
        for each in found[:_MOVED]:
            numbers = {s: sympy.Float(v) for s, v in each.values.items()}
            candidate = self.candidate(each.structure.xreplace(numbers))
            if candidate is not None:
                moved.setdefault(candidate.structure, candidate)
        return sorted(moved.values(), key=lambda candidate: candidate.length)

    def candidate(self, form: Expr) -> Candidate | None:
        """F as a candidate for y in the columns, its constants refitted; None where that fails."""
        try:
            expr = canonical(signed(self.coordinates.in_columns(form, self.inputs), self.columns, self.X))
            structure, values = parametrize(expr, self.columns)
            if len(values) > max(_MOST_CONSTANTS, 3 * self.coordinates.k):
                return None
            rows = np.unique(np.linspace(0, len(self.y) - 1, min(len(self.y), _ROWS)).round().astype(int))
            X, y = self.X[rows], self.y[rows]
            fit = refit(structure, tuple(values), self.columns, X, y, list(values.values()), max_evaluations=60)
        except (FormulaError, OverflowError, ZeroDivisionError):
            return None
        if not math.isfinite(fit.rss):
            return None
        fitted = dict(zip(values, map(float, fit.values), strict=True))
        length = description_length(fit.rss, len(y), fit.rank, y, structure_cost(structure))
        return Candidate(structure, fitted, fit.rmse, length)


def _allowed(form: Expr, primitives: Sequence[str]) -> bool:
    """Whether all functions of a form are among the primitives (arithmetic and powers always are)."""
    u = Dummy("u", real=True)
    known = {part.func for name in primitives for part in LIBRARY[name](u, sympy.S.One).atoms(sympy.Function)}
    twins = {sympy.cos: sympy.sin, sympy.acos: sympy.asin, sympy.asinh: sympy.log, sympy.acosh: sympy.log}
    return all(part.func in known or twins.get(part.func) in known for part in form.atoms(sympy.Function))
