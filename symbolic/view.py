"""The law seen in some coordinates: rows for networks, closed forms that fit them, and the way back to the columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

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
from .library import allowed_functions
from .phases import without_phases
from .problem import sample_of
from .rational.candidates import rational_candidates
from .reduction.coordinates import Coordinates
from .reduction.reducing import reduce_coordinates
from .rows import spread_rows
from .separable.additive import additive_forms
from .separable.bivariate import bivariate_forms
from .separable.blocks import EXACT, NEAR, Solve, block_forms
from .shapes import Sample
from .simplify import signed
from .univariate.candidates import univariate_candidates
from .univariate.operon import operon_candidates

__all__ = ["View"]

Array = NDArray[np.float64]

_EACH = 3  # closed forms of a block
_FEW_CONSTANTS = 3
_BLOCK_VIEWS = 2  # coordinates of a block that are read, beside its inputs
_SAYS_NOTHING = 0.5  # error relative to the spread, from which a sum of curves is none worth reading
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

    def closed_forms(
        self,
        primitives: Sequence[str],
        floor: float,
        expired: Callable[[], bool],
        done: Sequence[Sequence[Candidate]] = (),
        operon: bool = False,
    ) -> Iterator[list[Candidate]]:
        """Stage by stage, each with its shortest description first: ratios of polynomials, then what is more work.

        Parameters
        ----------
        floor : error relative to the spread of y that nothing improves on.
        done : the stages that are known; those after them are given.
        operon : whether Operon is asked for curves of one coordinate too.
        """
        found = {candidate.structure for stage in done for candidate in stage}
        functions = allowed_functions(primitives)
        for forms in islice(self._stages(primitives, floor, expired, operon), len(done), None):
            stage: list[Candidate] = []
            for form in forms:
                if stage and expired():
                    break
                known = all(part.func.__name__ in functions for part in form.atoms(sympy.Function))
                candidate = self.candidate(form) if known else None
                if candidate is not None and candidate.structure not in found:
                    found.add(candidate.structure)
                    stage.append(candidate)
            yield sorted(stage, key=lambda candidate: candidate.length)

    def _stages(
        self, primitives: Sequence[str], floor: float, expired: Callable[[], bool], operon: bool
    ) -> Iterator[Iterator[Expr]]:
        """Each does no work before it is asked for its first form."""
        k = self.coordinates.k
        if self.sample is None:
            size = float(np.abs(self.factor).max())
            scaled = self.factor / size * self.root
            yield iter([sympy.Float(float(scaled @ (self.y * self.root)) / float(scaled @ scaled) / size)])
            # noise makes a gentle curve of the factor a multiple of it: asin(a/b) one of a/b
            factor = self.coordinates.factor
            curves = self._curves(self.factor, factor, self.y, self.root**2, primitives, expired)
            yield (curve / factor for curve in curves)
            return
        weight = self._weight
        target = self.y / self.factor
        relative = min(floor / self.sample.units, _SAYS_NOTHING)
        sums = (self.Z, target, weight, self.inputs, primitives, relative, expired)
        if k > _MANY:
            yield additive_forms(*sums)  # so many coordinates are a sum, or nothing that can be read
        yield self._ratios(expired)
        if k == 1:
            for z, expr in self._directions():
                yield self._curves(z, expr, target, weight, primitives, expired)
            if operon:
                yield self._operon(target, weight, primitives, expired)
        if 2 <= k <= _MANY:
            yield additive_forms(*sums)
            # a fast wave of one coordinate, which no polynomial follows, is seen without the others only
            for z, symbol in zip(self.Z.T, self.inputs, strict=True) if relative == _SAYS_NOTHING else ():
                yield self._curves(z, symbol, target, weight, primitives, expired)
        if k == 2:
            yield bivariate_forms(*sums)
        if 3 <= k <= _MANY:
            yield block_forms(self.Z, target, weight, self.inputs, _solver(primitives, expired), relative, expired)

    @property
    def _weight(self) -> Array:
        """(n,) what the squared error of F counts in each row, 1 on average."""
        weight = (self.factor / float(np.abs(self.factor).max()) * self.root) ** 2  # a factor's square may be no number
        return weight / float(np.mean(weight))

    def _ratios(self, expired: Callable[[], bool]) -> Iterator[Expr]:
        fits = rational_candidates(
            self.Z, self.y, self.inputs, factor=self.factor, sample_weight=self.root**2, expired=expired
        )
        yield from (fit.expr for fit in fits)

    def _curves(
        self,
        z: Array,
        expr: Expr,
        target: Array,
        weight: Array,
        primitives: Sequence[str],
        expired: Callable[[], bool],
    ) -> Iterator[Expr]:
        """Closed forms of one coordinate, or of ``expr``, what z holds of it."""
        symbol = Dummy("z", real=True)
        fits = univariate_candidates(z, target, symbol, sample_weight=weight, primitives=primitives, expired=expired)
        yield from (fit.expr.xreplace({symbol: expr}) for fit in fits)

    def _operon(
        self, target: Array, weight: Array, primitives: Sequence[str], expired: Callable[[], bool]
    ) -> Iterator[Expr]:
        """Operon's forms of the one coordinate."""
        if not expired():
            z = self.inputs[0]
            yield from operon_candidates(self.Z[:, 0], target, z, sample_weight=weight, primitives=primitives)

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
        found = joint_candidates(
            network,
            self.Z,
            self.y / self.factor,
            self.inputs,
            primitives=tuple(primitives),
            most=most,
            sample_weight=self._weight,
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


def _solver(primitives: Sequence[str], expired: Callable[[], bool]) -> Solve:
    """How a block of coordinates is read: as a law of its own, found by the same steps."""

    def solve(Z: Array, target: Array, weight: Array, symbols: Sequence[Symbol], floor: float) -> list[Expr]:
        root = np.sqrt(weight / weight.mean())
        steps = reduce_coordinates(Z, target, symbols, expired, root)
        ways = [step.coordinates for step in steps[1:][-_BLOCK_VIEWS:][::-1]]
        spread = math.sqrt(float(np.average((target - np.average(target, weights=weight)) ** 2, weights=weight)))
        enough = NEAR * max(floor, EXACT) * spread

        def brief(found: list[Candidate]) -> bool:
            """Whether nothing shorter is to be expected."""
            return bool(found) and found[0].rmse <= enough and len(found[0].values) <= _FEW_CONSTANTS

        found: list[Candidate] = []
        for coordinates in [*ways, steps[0].coordinates]:
            view = View.of(coordinates, tuple(symbols), Z, target, None, root)
            for stage in () if view is None or expired() else view.closed_forms(primitives, floor, expired):
                known = {candidate.structure for candidate in found}  # by another view
                new = [candidate for candidate in stage if candidate.structure not in known]
                found = sorted([*found, *new], key=lambda candidate: candidate.length)
                if brief(found) or expired():
                    break
            if brief(found):
                break
        return [form.structure.xreplace({s: sympy.Float(v) for s, v in form.values.items()}) for form in found[:_EACH]]

    return solve
