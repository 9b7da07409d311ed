"""The smallest network that follows a table: which shape, how fine a grid, which degree.

For who wants the network itself: an accurate stand-in that is small enough to be read. The shapes of the ladder
(`kanlib.symbolic.shapes`) are trained from their own starts, with more products and with a link where these gain, the
kinds of shapes in turns and small ones first, each on finer and finer grids as long as held-out rows gain, cubic first
and quintic where that is better. The winner is the smallest network within a quarter of the lowest held-out error,
trained once more with the held-out rows. Networks see 4,000 rows of each kind at the most.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from numpy.typing import ArrayLike

from kanlib.errors import InputError
from kanlib.gauss_newton import gauss_newton
from kanlib.grids import elevate, refine, update_layer_grid
from kanlib.jacobian import plan
from kanlib.layer import KANLayer
from kanlib.methods import positive_int
from kanlib.network import KAN
from kanlib.threads import one_thread

from .problem import FEW_ROWS, hold_out, sample_of, table
from .rows import spread_rows
from .sample import Sample
from .shape_starts import general_starts, linked_starts, product_starts
from .shapes import Shape, ladder
from .trim import in_units_of_y

__all__ = ["FoundShape", "TriedShape", "find_shape", "n_constants"]

COARSE = 5
GROWTH = 1.5  # from one grid to the next
WORTH = 0.8  # a finer grid, or one product more, must lower the held-out error by this factor
HOPELESS = 4.0  # times the lowest error on a coarse grid, above which a shape is not tried on finer ones
GENEROUS = 1.25  # a smaller network within this factor of the lowest error is preferred
CLOSE = 1e-7  # relative error below which a shape that gains at the splines' rate is taken for the law's own
EXACT = 1e-11  # relative error below which only rounding is left, that of normal equations
MOST_PRODUCTS = 10
MOST_LINKED = 6
LINK_STARTS = 8  # of several links: they have local minima
ROWS_PER_CONSTANT = 1.5
FEW, FEW_PER_CONSTANT = 500, 5  # rows that tell starts apart
MOST_HELD = 4000  # as many as are trained on


@dataclass(frozen=True)
class TriedShape:
    """A network that was trained: its template, grid, degree, number of constants and held-out RMSE (units of y)."""

    template: str
    grid_size: int
    degree: int
    n_constants: int
    held_rmse: float


@dataclass(frozen=True)
class FoundShape:
    """The network, what it is, and what else was tried.

    Attributes
    ----------
    network : KAN, float64, from the original columns to y.
    template : such as "sum of 3 products, sum_k prod_i f_ki(x_i)".
    best : the tried shape it is.
    tried : all of them, in order.
    """

    network: KAN
    template: str
    best: TriedShape
    tried: tuple[TriedShape, ...]


@dataclass(frozen=True)
class _Grown:
    shape: Shape
    model: KAN
    error: float

    @property
    def n_constants(self) -> int:
        return n_constants(self.model)


def find_shape(
    X: ArrayLike,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    max_constants: int | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
) -> FoundShape:
    """Find a small network that follows y = f(X) as closely as its rows allow.

    Parameters
    ----------
    X : array or data frame, shape (n, d)
        At least 40 rows of finite numbers. Constant columns are left aside.
    y : array-like, shape (n,)
    names : of the columns; from the data frame or x1, x2, ... by default.
    max_constants : int, optional
        Of the network. The rows set a limit of their own: 1.5 of them a constant.
    time_limit : float
        Seconds; the best network so far is returned some steps later.
    seed : int
        Of the split and the starts.

    Returns
    -------
    FoundShape

    Raises
    ------
    InputError
        As from `kanlib.symbolic.discover`; and where not even the smallest shape is allowed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (400, 2))
    >>> found = find_shape(X, X[:, 0] * np.exp(X[:, 1]))
    >>> found.template, found.best.held_rmse < 1e-5
    ('product, sum_k prod_i f_ki(x_i)', True)
    >>> found.network(torch.from_numpy(X)).shape
    torch.Size([400, 1])
    """
    problem = table(X, y, names, None)
    if not isinstance(time_limit, Real) or isinstance(time_limit, bool) or not time_limit > 0:
        raise InputError(f"time_limit is {time_limit!r}; expected a positive number of seconds.")
    if not isinstance(seed, Integral) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}; expected a whole number from 0 to 2^63 - 1.")
    most = None if max_constants is None else positive_int("max_constants", max_constants)
    held = hold_out(len(problem.y), np.random.default_rng(seed))
    if held is None:
        raise InputError(f"the table has {len(problem.y)} rows; expected at least {FEW_ROWS}, a fifth to judge by.")
    sample = sample_of(problem.X[:, list(problem.varying)], problem.y, held)
    allowed = int(sample.n_distinct / ROWS_PER_CONSTANT)
    finder = _Finder(sample, min(allowed, most or allowed), time.monotonic() + float(time_limit), seed)
    with one_thread():
        best = finder.best()
        network = problem.on_all_columns(in_units_of_y(_on_all_rows(best.model, sample), sample.scale, sample.shift))
    tried = tuple(finder.tried)
    mine = _tried(best, sample)
    return FoundShape(network, mine.template, mine, tried)


class _Finder:
    """The search; ``grown`` are the networks worth keeping, ``tried`` all that were trained."""

    def __init__(self, sample: Sample, most: int, deadline: float, seed: int) -> None:
        self.sample, self.most, self.deadline = sample, most, deadline
        self.rng = torch.Generator().manual_seed(seed)
        self.grown: list[_Grown] = []
        self.tried: list[TriedShape] = []
        self.at_spline_rate = False
        self.coarsest = math.inf  # the lowest error on a coarse grid

    def best(self) -> _Grown:
        families = _families(self.sample.n_inputs)
        lowest, idle = [math.inf] * len(families), [0] * len(families)
        for number, shape in _in_turns(families):
            if self.late() or self.settled():
                break
            if idle[number] == 2:
                continue
            error = self.grow(shape)
            idle[number] = 0 if error < WORTH * lowest[number] else idle[number] + 1
            lowest[number] = min(lowest[number], error)
        if not self.grown:
            least = self.sample.n_inputs * (1 + 3)
            raise InputError(
                f"max_constants and the rows allow {self.most} constants; expected at least {least}, those of the "
                "smallest shape on one cell."
            )
        usual = max(GENEROUS * self.lowest(), EXACT)
        return min((each for each in self.grown if each.error <= usual), key=lambda each: each.n_constants)

    def settled(self) -> bool:
        """Whether no other shape has much to add: exact, or as accurate as splines of this many constants are."""
        return self.lowest() < EXACT or self.at_spline_rate

    def grow(self, shape: Shape) -> float:
        """Train a shape on finer and finer grids, of either degree first; its lowest held-out error."""
        start = self.coarse(shape)
        if start is None:
            return math.inf
        smooth = self.step(start, None, 5)
        chains = [start] if smooth is None else [start, smooth]
        path = [min(chains, key=lambda each: each.error)]
        if path[0].error > HOPELESS * self.coarsest:  # on the same grid: what is missing is not a finer one
            return path[0].error
        self.coarsest = min(self.coarsest, path[0].error)
        while chains and not self.late():
            finer = [self.step(each, self.next_grid(each.model), None) for each in chains]
            gained = [
                new for old, new in zip(chains, finer, strict=True) if new is not None and new.error < WORTH * old.error
            ]
            # both degrees get one finer grid, then the better goes on
            chains = sorted(gained, key=lambda each: each.error)[:1]
            path += chains
            if path[-1].error < EXACT:
                break
        # A shape that does not hold the law stalls; one that does gains with every grid what splines of its degree do.
        rates = [
            new.error < old.error * (_grid(old.model) / _grid(new.model)) ** new.model.layers[0].degree
            for old, new in pairwise(path)
        ]
        self.at_spline_rate |= any(
            one and two and end.error < CLOSE for one, two, end in zip(rates, rates[1:], path[2:], strict=False)
        )
        return min(each.error for each in path)

    def next_grid(self, model: KAN) -> int:
        """Half as many cells again, or as many as the constants allow."""
        grid, edges = _grid(model), sum(p.out_index.numel() for p in plan(model))
        return min(math.ceil(GROWTH * grid), grid + (self.most - n_constants(model)) // edges)

    def coarse(self, shape: Shape) -> _Grown | None:
        """The best of the shape's starts on a coarse grid; None where its constants are not allowed."""
        size = min(COARSE, self.most // shape.n_edges - 3)
        if size < 1:
            return None
        best: _Grown | None = None
        some = _some_rows(self.sample, max(FEW, FEW_PER_CONSTANT * shape.n_edges * (size + 3)))
        for model in shape.starts(some, size, self.rng):
            # new rows may lie a little beyond these, where splines go on as straight lines
            update_layer_grid(model.layers[0], torch.cat([self.sample.X, self.sample.X_held]), margin=0.01)
            found = self.trained(shape, model, some)
            if found is not None and (best is None or found.error < best.error):
                best = found
            if best is not None and (self.late() or best.error < EXACT):
                break
        if best is not None and some is not self.sample:
            best = self.trained(shape, best.model) or best
        return self.kept(best)

    def step(self, grown: _Grown, grid_size: int | None, degree: int | None) -> _Grown | None:
        """The network with another grid or degree, trained on; None where it would have too many constants."""
        model = grown.model if degree is None else elevate(grown.model, degree)
        if grid_size is not None:
            if grid_size <= _grid(model):
                return None
            model = refine(model, [grid_size if _has_splines(layer) else layer.grid_size for layer in model.layers])
        if n_constants(model) > self.most or self.late():
            return None
        return self.kept(self.trained(grown.shape, model))

    def trained(self, shape: Shape, model: KAN, rows: Sample | None = None) -> _Grown | None:
        status = _fit(model, self.sample if rows is None else rows)
        with torch.no_grad():
            error = float((model(self.sample.X_held)[:, 0] - self.sample.t_held).square().mean().sqrt())
        return None if status == "diverged" or not math.isfinite(error) else _Grown(shape, model, error)

    def kept(self, grown: _Grown | None) -> _Grown | None:
        """The network, written down; None where it has too many constants."""
        if grown is None or grown.n_constants > self.most:
            return None
        self.grown.append(grown)
        self.tried.append(_tried(grown, self.sample))
        return grown

    def lowest(self) -> float:
        return min((each.error for each in self.grown), default=math.inf)

    def late(self) -> bool:
        """Whether nothing new should begin; there has to be something to return."""
        return bool(self.grown) and time.monotonic() > self.deadline


def n_constants(model: KAN) -> int:
    """Constants of a network that its output depends on: an edge fixed to the identity has one, its factor."""
    return sum(p.n_constants - 2 * sum(name == "identity" for _, _, name, _ in p.fixed) for p in plan(model))


def _families(n: int) -> list[list[Shape]]:
    """Shapes of one kind each, from small to large."""
    sums = [shape for shape in ladder(n) if shape.name in ("additive", "link of a sum")]
    if n == 1:
        return [sums]
    return [
        sums,
        [_products(n, k) for k in range(1, MOST_PRODUCTS + 1)],
        [
            Shape(f"link of {_sum(k)}", "g(sum_k prod_i f_ki(x_i))", k * n + 1, linked_starts(k))
            for k in range(1, MOST_LINKED + 1)
        ],
        [
            Shape(f"{m} links", "sum_j g_j(sum_i f_ij(x_i))", m * (n + 1), general_starts(m, LINK_STARTS))
            for m in (2, 3, 5, 8)
        ],
    ]


def _in_turns(families: Sequence[Sequence[Shape]]) -> Iterator[tuple[int, Shape]]:
    """All shapes with the numbers of their families, by how many edges they have: one kind must not use up the time."""
    return heapq.merge(
        *([(number, shape) for shape in family] for number, family in enumerate(families)),
        key=lambda entry: entry[1].n_edges,
    )


def _some_rows(sample: Sample, most: int) -> Sample:
    """The sample with so many training rows at the most: starts on a coarse grid need no more to be told apart."""
    if sample.n_rows <= most:
        return sample
    rows = spread_rows(sample.n_rows, most)
    weight = None if sample.weight is None else sample.weight[rows]
    return replace(sample, X=sample.X[rows], t=sample.t[rows], weight=weight)


def _products(n: int, k: int) -> Shape:
    return Shape(_sum(k), "sum_k prod_i f_ki(x_i)", k * n, product_starts(k))


def _sum(k: int) -> str:
    return "product" if k == 1 else f"sum of {k} products"


def _fit(model: KAN, sample: Sample) -> str:
    return gauss_newton(model, sample.X, sample.t, max_steps=60, tolerance=1e-3, margin=0.1).status


def _on_all_rows(model: KAN, sample: Sample) -> KAN:
    some = spread_rows(len(sample.X_held), MOST_HELD)
    rows = replace(sample, X=torch.cat([sample.X, sample.X_held[some]]), t=torch.cat([sample.t, sample.t_held[some]]))
    _fit(model, rows)
    return model


def _has_splines(layer: KANLayer) -> bool:
    return bool(layer.spline_mask().any())


def _grid(model: KAN) -> int:
    return max(layer.grid_size for layer in model.layers if _has_splines(layer))


def _tried(grown: _Grown, sample: Sample) -> TriedShape:
    template = f"{grown.shape.name}, {grown.shape.template}"
    spread = sample.scale
    return TriedShape(
        template, _grid(grown.model), grown.model.layers[0].degree, grown.n_constants, grown.error * spread
    )
