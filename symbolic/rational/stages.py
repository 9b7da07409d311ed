"""The order in which forms of several inputs are looked for: power laws, exact ratios, then ratios under noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sympy import Expr, Symbol

from ..description import rounding_floor
from .descent import Table, eliminate, exchange, predicted
from .exact import Degrees, degree_pairs, exact_ratio, orthonormal_basis
from .forward import laurent_terms, sparse_ratios
from .fractions import fraction_forms
from .monomials import monomial_forms
from .noisy import dense_ratios
from .terms import LINKS, Link, Ratio, n_terms, ratio_forms

__all__ = ["Problem", "stages"]

Array = NDArray[np.float64]
Form = tuple[Expr, dict[Symbol, float]]

_SCREEN_ROWS = 600
_FIRST_ROWS = 400
_DECIDING_ROWS = 1500  # rows on which terms are dropped
_NOISY_TERMS = 45
_MOST_STARTS, _MOST_SUMS, _MOST_FORMS = 12, 5, 6
_MOST_FRACTIONS = 3
_CLOSE = 8.0  # nats within which a longer ratio may still be the right one
_SPARE = 3  # terms beyond the shortest description on few rows that more rows may need


@dataclass(frozen=True)
class Problem:
    """The table as R sees it: target = y / factor, with the weights that this asks for."""

    Z: Array
    target: Array
    weight: Array
    lost: float  # what rows with factor 0 add to rss, whatever R is
    size: float  # weighted sum of squares of y
    scale: Array  # powers of two that bring the columns to unit size: undone without rounding
    n: int

    def rows(self, most: int) -> Problem:
        """The same with at most so many rows, spread at random."""
        if len(self.target) <= most:
            return self
        chosen = np.random.default_rng(0).permutation(len(self.target))[:most]
        return replace(self, Z=self.Z[chosen], target=self.target[chosen], weight=self.weight[chosen])

    @property
    def scaled(self) -> Array:
        return np.asarray(self.Z / self.scale)


def stages(data: Problem, symbols: tuple[Symbol, ...], expired: Callable[[], bool]) -> Iterator[Iterator[Form]]:
    """Groups of structures with starting values, the cheap groups first."""
    few = data.rows(_SCREEN_ROWS)
    pairs = degree_pairs(data.Z.shape[1], len(few.target))
    yield monomial_forms(data.Z, data.target, data.weight, symbols)
    if pairs and not expired():
        yield _exact_forms(data, few, pairs, symbols)
    if pairs and not expired():
        yield _noisy_forms(data, few, pairs, symbols, expired)


def _exact_forms(data: Problem, few: Problem, pairs: list[Degrees], symbols: tuple[Symbol, ...]) -> Iterator[Form]:
    basis = orthonormal_basis(few.scaled, max(max(pair) for pair in pairs))
    exact = []
    for link in LINKS:
        sign = _sign(link, few.target)
        if sign != 0.0 and not (link.one_sign and (sign * few.target < 0).any()):
            u = link.forward(sign * few.target)
            ratio = exact_ratio(few.scaled, u, sign, link, pairs, basis)
            if ratio is not None:
                exact.append(ratio)
    for ratio in sorted(exact, key=lambda each: each.n_constants)[:3]:
        yield from ratio_forms(ratio, symbols, data.scale, 1e-7)


def _noisy_forms(
    data: Problem, few: Problem, pairs: list[Degrees], symbols: tuple[Symbol, ...], expired: Callable[[], bool]
) -> Iterator[Form]:
    k, first = few.Z.shape[1], data.rows(_FIRST_ROWS)
    pairs = [(a, b) for a, b in pairs if n_terms(k, a) + n_terms(k, b) <= _NOISY_TERMS and a + b > 0]
    if not pairs:
        return
    signed = [(link, _sign(link, few.target)) for link in LINKS]
    links = [(link, sign) for link, sign in signed if sign != 0.0]
    dense = dense_ratios(_table(first), links, pairs, _MOST_STARTS, expired)
    # The same with negative powers: 1/z is a column of its own.
    terms = laurent_terms(data.Z)
    inverted = np.asarray(terms[:, k:].any(axis=0), dtype=np.bool_)
    smooth = predicted(dense[0], few.scaled) if dense else few.target
    sums = sparse_ratios(_table(few, inverted), smooth, links, terms, _MOST_SUMS, expired)
    found = [*_eliminated(data, dense, None, expired), *_eliminated(data, sums, inverted, expired)]
    columns, scale = (*symbols, *[1 / symbol for symbol in symbols]), np.concatenate([data.scale, 1.0 / data.scale])
    for rank, (_, ratio) in enumerate(sorted(found, key=lambda pair: pair[0])[: 3 * _MOST_FORMS]):
        own = ratio.numerator.shape[1]
        for index, form in enumerate(ratio_forms(ratio, columns[:own], scale[:own], 0.3)):
            # Long division may make a longer ratio the shorter text.
            if index > 0 or rank < _MOST_FORMS:
                yield form
    yield from fraction_forms(_table(first), symbols, data.scale, _MOST_FRACTIONS, expired)


def _eliminated(
    data: Problem, ratios: list[Ratio], inverted: NDArray[np.bool_] | None, expired: Callable[[], bool]
) -> list[tuple[float, Ratio]]:
    """The shortest forms of every ratio after its terms have been dropped: first on few rows, then on more of them."""
    found: list[tuple[float, Ratio]] = []
    few, many = (_table(data.rows(rows), inverted) for rows in (_SCREEN_ROWS, _DECIDING_ROWS))
    floors = [rounding_floor(table.y * table.root, len(table.y)) for table in (few, many)]
    paths = []
    for ratio in ratios:
        if expired():
            break
        path = eliminate(few, ratio, floors[0])
        if path:
            shortest = min(range(len(path)), key=lambda index: path[index][0])
            # more rows may need terms that few rows do not
            paths.append((path[shortest][0], path[max(0, shortest - _SPARE)][1], ratio))
    for _, ratio, family in sorted(paths, key=lambda pair: pair[0])[:_MOST_FORMS]:
        if expired():
            break
        path = sorted(exchange(many, ratio, family, floors[1]), key=lambda pair: pair[0])
        found += [pair for pair in path[:4] if pair[0] < path[0][0] + _CLOSE]
    return found


def _table(data: Problem, inverted: NDArray[np.bool_] | None = None) -> Table:
    """Scaled columns, followed by their inverses where these are asked for (and ones where not)."""
    columns = data.scaled
    if inverted is not None:
        columns = np.hstack([columns, 1.0 / np.where(inverted, columns, 1.0)])
    return Table(columns, data.target, np.sqrt(data.weight))


def _sign(link: Link, target: Array) -> float:
    """The sign of y under a link, 0 where the link cannot be."""
    if link.name == "log":
        return 1.0 if float(np.ptp(target)) < 30.0 and float(np.abs(target).max()) < 300.0 else 0.0
    if not link.one_sign:
        return 1.0
    # by mass, not by count: where y is small, noise gives it any sign
    positive = float(np.sum(np.maximum(target, 0.0)) / max(float(np.sum(np.abs(target))), 1e-300))
    return 1.0 if positive > 0.95 else -1.0 if positive < 0.05 else 0.0
