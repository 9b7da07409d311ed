"""The law seen in some coordinates: rows for networks and for formulas, and the way back to the columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
from .phases import without_phases
from .problem import sample_of
from .reduction.coordinates import Coordinates
from .rows import spread_rows
from .sample import Sample
from .simplify import signed

__all__ = ["View"]

Array = NDArray[np.float64]

_MOVED = 12  # candidates of a network that are refitted in the columns
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
    Z, factor, root : coordinates, factor and the square roots of the weights of these rows.
    """

    coordinates: Coordinates
    columns: tuple[Symbol, ...]
    inputs: tuple[Symbol, ...]
    sample: Sample | None
    X: Array
    y: Array
    Z: Array
    factor: Array
    root: Array

    @classmethod
    def of(
        cls,
        coordinates: Coordinates,
        columns: tuple[Symbol, ...],
        X: Array,
        y: Array,
        held: NDArray[np.bool_] | None,
        root: Array | None = None,
    ) -> View | None:
        """The view of a table; None where the coordinates are not finite on all of its rows."""
        moved = coordinates.on(columns, X)
        if moved is None:
            return None
        inputs = tuple(Dummy(f"z{i + 1}", real=True) for i in range(moved.k))
        factor = None if moved.factor == 1 else moved.factor_values
        sample = sample_of(moved.values, y, held, factor, root) if moved.k else None
        rows = slice(None) if held is None else ~held
        own = np.ones(len(y)) if root is None else root
        parts = (X, y, moved.values, moved.factor_values, own)
        return cls(moved, columns, inputs, sample, *(part[rows] for part in parts))

    @property
    def name(self) -> str:
        return self.coordinates.text()

    @property
    def weight(self) -> Array:
        """(n,) what the squared error of F counts in each row, 1 on average."""
        weight = (self.factor / float(np.abs(self.factor).max()) * self.root) ** 2  # a factor's square may be no number
        return weight / float(np.mean(weight))

    def network_forms(
        self, network: KAN, primitives: Sequence[str], expired: Callable[[], bool], most: int
    ) -> list[Candidate]:
        """Primitives for the edges of a network of the coordinates, in the columns; shortest description first."""
        found = joint_candidates(
            network,
            self.Z,
            self.y / self.factor,
            self.inputs,
            primitives=tuple(primitives),
            most=most,
            sample_weight=self.weight,
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
        found = [self._refitted(each) for each in dict.fromkeys((form, without_phases(form)))]
        return min((each for each in found if each is not None), key=lambda each: each.length, default=None)

    def _refitted(self, form: Expr) -> Candidate | None:
        try:
            expr = canonical(signed(self.coordinates.in_columns(form, self.inputs), self.columns, self.X))
            structure, values = parametrize(expr, self.columns)
            if len(values) > max(_MOST_CONSTANTS, 3 * self.coordinates.k):
                return None
            rows = spread_rows(len(self.y), _ROWS)
            X, y, root = self.X[rows], self.y[rows], self.root[rows]
            start = list(values.values())
            fit = refit(structure, tuple(values), self.columns, X, y, start, root**2, max_evaluations=60)
        except (FormulaError, OverflowError, ZeroDivisionError):
            return None
        if not math.isfinite(fit.rss):
            return None
        fitted = dict(zip(values, map(float, fit.values), strict=True))
        length = description_length(fit.rss, len(y), fit.rank, y * root, structure_cost(structure))
        return Candidate(structure, fitted, fit.rmse, length)
