"""Closed forms of a law in some coordinates, stage by stage, the quick ones first; blocks of them by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Dummy, Expr, Symbol

from .joint import Candidate
from .library import allowed_functions
from .rational.candidates import rational_candidates
from .reduction.reducing import reduce_coordinates
from .separable.additive import additive_forms
from .separable.bivariate import bivariate_forms
from .separable.blocks import EXACT, NEAR, block_forms
from .separable.plane_waves import plane_wave_forms
from .univariate.candidates import univariate_candidates
from .univariate.operon import operon_candidates
from .view import View

__all__ = ["closed_forms"]

Array = NDArray[np.float64]

_MANY = 6  # coordinates, beyond which a law is a sum or nothing that can be read
_SAYS_NOTHING = 0.5  # error relative to the spread of F, from which a sum of curves is none worth reading
_BLOCK_VIEWS = 2  # coordinates of a block that are read, beside its inputs
_EACH, _FEW_CONSTANTS = 3, 3  # forms of a block that are kept; fitted constants of one that ends its reading


def closed_forms(
    view: View,
    primitives: Sequence[str],
    floor: float,
    expired: Callable[[], bool],
    done: Sequence[Sequence[Candidate]] = (),
    operon: bool = False,
) -> Iterator[list[Candidate]]:
    """Stage by stage, each with its shortest description first: ratios of polynomials, then what is more work.

    Parameters
    ----------
    view : the coordinates and their rows.
    primitives : names of the functions to use.
    floor : error relative to the spread of y that nothing improves on.
    expired : says when to stop; what was found of a stage until then is given.
    done : the stages that are known; those after them are given.
    operon : whether Operon is asked for curves of one coordinate too.

    Examples
    --------
    >>> from kanlib.symbolic.reduction.coordinates import start
    >>> x = Symbol("x", real=True)
    >>> X = np.linspace(1, 2, 60)[:, None]
    >>> view = View.of(start((x,), X), (x,), X, 3 / X[:, 0], None)
    >>> str(next(closed_forms(view, ["reciprocal"], 0.0, lambda: False))[0].structure)
    'c1/x'
    """
    found = {candidate.structure for stage in done for candidate in stage}
    functions = allowed_functions(primitives)
    for forms in islice(_Proposals(view, primitives, floor, expired, operon).stages(), len(done), None):
        stage: list[Candidate] = []
        for form in forms:
            if stage and expired():
                break
            allowed = all(part.func.__name__ in functions for part in form.atoms(sympy.Function))
            candidate = view.candidate(form) if allowed else None
            if candidate is not None and candidate.structure not in found:
                found.add(candidate.structure)
                stage.append(candidate)
        yield sorted(stage, key=lambda candidate: candidate.length)


@dataclass(frozen=True)
class _Proposals:
    """Forms of F in the coordinates of a view, with y = factor * F."""

    view: View
    primitives: Sequence[str]
    floor: float
    expired: Callable[[], bool]
    operon: bool

    def stages(self) -> Iterator[Iterator[Expr]]:
        """None does any work before it is asked for its first form."""
        view, k = self.view, self.view.coordinates.k
        if view.sample is None:
            yield self._multiple()
            # noise makes a gentle curve of the factor a multiple of it: asin(a/b) one of a/b
            factor = view.coordinates.factor
            yield (form / factor for form in self._curves(view.factor, factor, view.y, view.root**2))
            return
        relative = self.floor / view.sample.units
        blind = relative >= _SAYS_NOTHING
        limit = min(relative, _SAYS_NOTHING)
        sums = (view.Z, self.target, view.weight, view.inputs, self.primitives, limit, self.expired)
        if k > _MANY:
            yield additive_forms(*sums)
        yield self._ratios()
        if k == 1:
            for z, expr in self._directions():
                yield self._curves(z, expr, self.target, view.weight)
            if self.operon:
                yield self._operon()
        if 2 <= k <= _MANY:
            yield additive_forms(*sums)
        if blind and 2 <= k <= _MANY:
            # a fast wave of one coordinate, which no polynomial follows, is seen without the others only
            for z, symbol in zip(view.Z.T, view.inputs, strict=True):
                yield self._curves(z, symbol, self.target, view.weight)
            yield plane_wave_forms(view.Z, self.target, view.weight, view.inputs, self.expired)
        if k == 2:
            yield bivariate_forms(*sums)
        if 3 <= k <= _MANY:
            yield block_forms(view.Z, self.target, view.weight, view.inputs, self._block, limit, self.expired)

    @cached_property
    def target(self) -> Array:
        """(n,) F on the rows."""
        return self.view.y / self.view.factor

    def _multiple(self) -> Iterator[Expr]:
        """y as a multiple of the factor, where no coordinates are left."""
        view = self.view
        size = float(np.abs(view.factor).max())
        scaled = view.factor / size * view.root
        yield sympy.Float(float(scaled @ (view.y * view.root)) / float(scaled @ scaled) / size)

    def _ratios(self) -> Iterator[Expr]:
        view, weight = self.view, self.view.root**2
        fits = rational_candidates(
            view.Z, view.y, view.inputs, factor=view.factor, sample_weight=weight, expired=self.expired
        )
        yield from (fit.expr for fit in fits)

    def _curves(self, z: Array, expr: Expr, target: Array, weight: Array) -> Iterator[Expr]:
        """Closed forms of ``expr``, whose values are z."""
        symbol = Dummy("z", real=True)
        fits = univariate_candidates(
            z, target, symbol, sample_weight=weight, primitives=self.primitives, expired=self.expired
        )
        yield from (fit.expr.xreplace({symbol: expr}) for fit in fits)

    def _operon(self) -> Iterator[Expr]:
        """Operon's forms of the one coordinate."""
        view = self.view
        if not self.expired():
            z, symbol = view.Z[:, 0], view.inputs[0]
            yield from operon_candidates(z, self.target, symbol, sample_weight=view.weight, primitives=self.primitives)

    def _directions(self) -> Iterator[tuple[Array, Expr]]:
        """The coordinate, and its inverse where it has one: a/b is as good a coordinate as b/a."""
        view = self.view
        z, symbol = view.Z[:, 0], view.inputs[0]
        yield z, symbol
        if not view.coordinates.expressions[0].is_Symbol and (z.min() > 0 or z.max() < 0):
            yield 1 / z, 1 / symbol

    def _block(self, Z: Array, target: Array, weight: Array, symbols: Sequence[Symbol], floor: float) -> list[Expr]:
        """Forms of a block of coordinates, read as a law of its own by the same steps; the shortest first."""
        root = np.sqrt(weight / weight.mean())
        steps = reduce_coordinates(Z, target, symbols, self.expired, root)
        ways = [step.coordinates for step in steps[1:][-_BLOCK_VIEWS:][::-1]]
        centred = target - np.average(target, weights=weight)
        enough = NEAR * max(floor, EXACT) * math.sqrt(float(np.average(centred**2, weights=weight)))
        found: dict[Expr, Candidate] = {}
        views = (View.of(each, tuple(symbols), Z, target, None, root) for each in [*ways, steps[0].coordinates])
        stages = (closed_forms(view, self.primitives, floor, self.expired) for view in views if view is not None)
        for stage in chain.from_iterable(stages):
            for candidate in stage:
                found.setdefault(candidate.structure, candidate)  # two views may give the same
            best = min(found.values(), key=lambda candidate: candidate.length, default=None)
            short = best is not None and best.rmse <= enough and len(best.values) <= _FEW_CONSTANTS
            if short or self.expired():
                break
        ranked = sorted(found.values(), key=lambda candidate: candidate.length)[:_EACH]
        return [form.structure.xreplace({s: sympy.Float(v) for s, v in form.values.items()}) for form in ranked]
