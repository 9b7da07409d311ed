"""The search for the smallest network that follows a table: which shape, how fine a grid, which degree.

The shapes of `kanlib.symbolic.shapes` are trained from their own starts, with more products and with a link where these
gain, the kinds of shapes in turns and small ones first, each on finer and finer grids as long as held-out rows gain, of
the degree, 3 or 5, that does better on the first two. The winner is the smallest network within a quarter of the lowest
held-out error. Networks see 4,000 rows at the most, held-out ones apart.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from kanlib.errors import InputError
from kanlib.gauss_newton import gauss_newton
from kanlib.grids import elevate, refine, update_layer_grid
from kanlib.jacobian import n_constants, plan
from kanlib.layer import KANLayer
from kanlib.network import KAN

from .rows import spread_rows
from .sample import Sample
from .shapes import Shape, ladder, linked_products, links, products

__all__ = ["ROWS_PER_CONSTANT", "Grown", "ShapeSearch", "TriedShape"]

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
class Grown:
    """A trained network of a shape, its held-out error relative to the spread of y."""

    shape: Shape
    model: KAN
    error: float

    @property
    def n_constants(self) -> int:
        return n_constants(self.model)


class ShapeSearch:
    """The search; ``grown`` are the networks worth keeping, ``tried`` all that were trained."""

    def __init__(self, sample: Sample, most: int, deadline: float, seed: int) -> None:
        self.sample, self.most, self.deadline = sample, most, deadline
        self.rng = torch.Generator().manual_seed(seed)
        self.grown: list[Grown] = []
        self.tried: list[TriedShape] = []
        self.at_spline_rate = False
        self.coarsest = math.inf  # the lowest error on a coarse grid

    def best(self) -> Grown:
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

    def coarse(self, shape: Shape) -> Grown | None:
        """The best of the shape's starts on a coarse grid; None where its constants are not allowed."""
        size = min(COARSE, self.most // shape.n_edges - 3)
        if size < 1:
            return None
        best: Grown | None = None
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

    def step(self, grown: Grown, grid_size: int | None, degree: int | None) -> Grown | None:
        """The network with another grid or degree, trained on; None where it would have too many constants."""
        model = grown.model if degree is None else elevate(grown.model, degree)
        if grid_size is not None:
            if grid_size <= _grid(model):
                return None
            model = refine(model, [grid_size if _has_splines(layer) else layer.grid_size for layer in model.layers])
        if n_constants(model) > self.most or self.late():
            return None
        return self.kept(self.trained(grown.shape, model))

    def trained(self, shape: Shape, model: KAN, rows: Sample | None = None) -> Grown | None:
        status = _fit(model, self.sample if rows is None else rows)
        with torch.no_grad():
            error = float((model(self.sample.X_held)[:, 0] - self.sample.t_held).square().mean().sqrt())
        return None if status == "diverged" or not math.isfinite(error) else Grown(shape, model, error)

    def kept(self, grown: Grown | None) -> Grown | None:
        """The network, written down; None where it has too many constants."""
        if grown is None or grown.n_constants > self.most:
            return None
        self.grown.append(grown)
        self.tried.append(self.record(grown))
        return grown

    def record(self, grown: Grown) -> TriedShape:
        """What a network is, its error in units of y."""
        shape, model = grown.shape, grown.model
        error = grown.error * self.sample.scale
        template = f"{shape.name}, {shape.template}"
        return TriedShape(template, _grid(model), model.layers[0].degree, n_constants(model), error)

    def on_all_rows(self, model: KAN) -> KAN:
        """The network trained once more, in place, with the held-out rows too."""
        sample = self.sample
        some = spread_rows(len(sample.X_held), MOST_HELD)
        X, t = torch.cat([sample.X, sample.X_held[some]]), torch.cat([sample.t, sample.t_held[some]])
        _fit(model, replace(sample, X=X, t=t))
        return model

    def lowest(self) -> float:
        return min((each.error for each in self.grown), default=math.inf)

    def late(self) -> bool:
        """Whether nothing new should begin; there has to be something to return."""
        return bool(self.grown) and time.monotonic() > self.deadline


def _families(n: int) -> list[list[Shape]]:
    """Shapes of one kind each, from small to large."""
    sums = [shape for shape in ladder(n) if shape.name in ("additive", "link of a sum")]
    if n == 1:
        return [sums]
    return [
        sums,
        [products(n, k) for k in range(1, MOST_PRODUCTS + 1)],
        [linked_products(n, k) for k in range(1, MOST_LINKED + 1)],
        [links(n, m, tries=LINK_STARTS) for m in (2, 3, 5, 8)],
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
    return replace(sample, X=sample.X[rows], t=sample.t[rows])


def _fit(model: KAN, sample: Sample) -> str:
    return gauss_newton(model, sample.X, sample.t, max_steps=60, tolerance=1e-3, margin=0.1).status


def _has_splines(layer: KANLayer) -> bool:
    return bool(layer.spline_mask().any())


def _grid(model: KAN) -> int:
    return max(layer.grid_size for layer in model.layers if _has_splines(layer))
