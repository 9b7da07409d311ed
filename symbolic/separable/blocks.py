"""Laws that fall apart into blocks of inputs under a link: T(y) = f(x1, x2) + g(x3, x4, x5).

A sum of polynomials, one a block, is one linear least-squares problem, and inputs that share no block have no term in
common: which inputs belong together shows in the coefficients of a polynomial in all of them (the functional ANOVA of
Hooker, J. Comput. Graph. Stat. 16 (2007) 709, with polynomials). Each block is then the same problem with fewer inputs,
and what the other blocks leave of T(y) is its target. A product is a sum under the logarithm.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Expr, Float, Symbol

from ..reduction.polynomials import highest_degree, stand_in_rows
from .blocked import Blocks, fit_blocks
from .choices import first_choices
from .links import LINKS, Linked, linked

__all__ = ["EXACT", "NEAR", "Solve", "Split", "block_forms", "splits"]

Array = NDArray[np.float64]
Solve = Callable[[Array, Array, Array, Sequence[Symbol], float], list[Expr]]
"""(Z, target, weight, symbols, floor) -> closed forms of a block, the likeliest first."""

_DEGREES = (1.0, 0.6, 0.35)  # of the highest that the rows can bear
NEAR, EXACT = 1.35, 1e-7
"""Times the floor, and relative error: as good as anything."""

_NATS = 5.0  # by which blocks that are finer may be behind
_SPLITS = 2  # that are read
_FORMS = 6  # of all blocks together, of one split


@dataclass(frozen=True)
class Split:
    """T(y) as a sum of functions of blocks of inputs.

    Attributes
    ----------
    blocks : indices of the inputs of each, which are all inputs once.
    on : T(y) on the rows, what its errors count, and the inverse of T.
    error : on left-out rows, relative to the spread of the target, in its units.
    values : (n, blocks) what each block contributes to T(y).
    constant : the rest of it.
    """

    blocks: Blocks
    on: Linked
    error: float
    values: Array
    constant: float

    @property
    def product(self) -> bool:
        """Whether y is a product of functions of the blocks."""
        return self.on.link.name == "log y"


def block_forms(
    Z: Array,
    target: Array,
    weight: Array,
    symbols: Sequence[Symbol],
    solve: Solve,
    floor: float = 0.0,
    expired: Callable[[], bool] = lambda: False,
) -> Iterator[Expr]:
    """Forms of inputs that fall apart into blocks, at least one of them of two inputs or more.

    Parameters
    ----------
    Z : (n, k). target, weight : (n,) the law to describe and what its squared errors count.
    solve : finds closed forms of one block, with their additive constant; in a product up to a factor.
    floor : error relative to the spread that cannot be improved on.

    Examples
    --------
    >>> Z = np.random.default_rng(0).uniform(1, 2, (400, 3))
    >>> x, y, z = sympy.symbols("x y z", real=True)
    >>> def solve(Z, target, weight, symbols, floor):
    ...     return [x * y if len(symbols) == 2 else sympy.exp(z)]
    >>> form = next(block_forms(Z, Z[:, 0] * Z[:, 1] + np.exp(Z[:, 2]), np.ones(400), (x, y, z), solve))
    >>> form.as_coeff_Add()[1]
    x*y + exp(z)
    """
    rows = stand_in_rows(len(Z))  # beyond the box of the rows they were fitted to, polynomials are wild
    Z, target, weight = Z[rows], target[rows], weight[rows]
    for split in splits(Z, target, weight, floor, expired)[:_SPLITS]:
        options: list[list[Expr]] = []
        for block, (own, importance, error) in zip(split.blocks, _targets(split), strict=True):
            if expired():
                return
            options.append(solve(Z[:, block], own, importance, [symbols[i] for i in block], error))
            if not options[-1]:
                break
        if not options[-1]:
            continue
        for index in first_choices([len(forms) for forms in options], _FORMS):
            chosen = [forms[i] for forms, i in zip(options, index, strict=True)]
            if split.product:
                yield split.on.link.inverse(Float(split.constant)) * sympy.Mul(*chosen)
            else:
                yield split.on.link.inverse(sympy.Add(Float(split.constant), *chosen))


def _targets(split: Split) -> Iterator[tuple[Array, Array, float]]:
    """What the other blocks leave to each one, what its squared errors count, and its own error, relative.

    The factors of a product are read as they are, not by their logarithms.
    """
    left = split.on.t - split.constant - split.values.sum(axis=1)
    for values in split.values.T:
        own, root = values + left, split.on.root
        if split.product:
            own = np.exp(own)
            root = root / own
        spread = math.sqrt(float(np.mean((root * (own - np.average(own, weights=root**2))) ** 2)))
        yield own, root**2, min(split.error / max(spread, 1e-300), 1.0)


def splits(
    Z: Array, target: Array, weight: Array, floor: float = 0.0, expired: Callable[[], bool] = lambda: False
) -> list[Split]:
    """The blocks that describe the target about as well as anything does: the finest first, a plain sum before a link.

    Parameters
    ----------
    Z : (n, k), k of 3 or more. target, weight : (n,). Some 1,500 rows are enough, and more cost time.
    floor : error relative to the spread of the target that cannot be improved on.

    Examples
    --------
    >>> Z = np.random.default_rng(0).uniform(1, 2, (400, 4))
    >>> y = Z[:, 0] / (Z[:, 2] + Z[:, 3]) + Z[:, 1]
    >>> [(split.blocks, split.on.link.name) for split in splits(Z, y, np.ones(400))]
    [(((0, 2, 3), (1,)), 'y')]
    """
    found: list[Split] = []
    for link in LINKS:
        on = linked(target, weight, link)
        for blocks in [] if on is None or expired() else _partitions(Z, on):
            split = None if on is None or expired() else _split(Z, on, blocks)
            if split is not None:
                found.append(split)
    good = [split for split in found if split.error <= max(NEAR * floor, EXACT)]
    best = min((split.error for split in good), default=0.0)
    clear = [split for split in good if len(Z) * math.log(max(split.error, EXACT) / max(best, EXACT)) < _NATS]
    # a sum of single inputs is not for here, and larger blocks say nothing that it does not
    single = {split.on.link.name for split in clear if len(split.blocks) == Z.shape[1]}
    kept = [split for split in clear if split.on.link.name not in single]
    return sorted(kept, key=lambda split: (-len(split.blocks), split.on.link.name != "y", split.error))


def _partitions(Z: Array, on: Linked) -> list[Blocks]:
    """Blocks of inputs that interact more with each other than with the rest, from single inputs to two blocks."""
    k = Z.shape[1]
    everything = (tuple(range(k)),)
    degree = highest_degree(everything, len(Z))
    fit = fit_blocks(Z, on.t, on.root, everything, degree) if degree > 1 else None  # a plane has no interactions
    if fit is None:
        return []
    strength = np.zeros((k, k))
    for powers, coefficient in zip(fit.powers, fit.coefficients, strict=True):
        together = np.flatnonzero(powers)
        strength[np.ix_(together, together)] += coefficient**2
    blocks = [{i} for i in range(k)]
    found: list[Blocks] = []
    while len(blocks) > 1:
        found.append(tuple(sorted(tuple(sorted(block)) for block in blocks)))
        pairs = itertools.combinations(range(len(blocks)), 2)
        one, other = max(pairs, key=lambda pair: strength[np.ix_(list(blocks[pair[0]]), list(blocks[pair[1]]))].max())
        blocks[one] |= blocks.pop(other)
    return found


def _split(Z: Array, on: Linked, blocks: Blocks) -> Split | None:
    """The best sum of polynomials of these blocks by the errors of left-out rows."""
    highest = highest_degree(blocks, len(Z))
    best = None
    for degree in sorted({max(2, round(share * highest)) for share in _DEGREES}, reverse=True):
        fit = fit_blocks(Z, on.t, on.root, blocks, degree)
        if fit is not None and (best is None or fit.error < best.error):
            best = fit
    if best is None:
        return None
    values = best.parts(Z)
    means = values.mean(axis=0)
    return Split(blocks, on, best.error, values - means, best.constant + float(means.sum()))
