"""The ladder of shapes: small networks, each trained from several starts, that a law is looked for in.

A small network whose shape is the law's own fits to many digits in well under a second; any other shape stalls
decades above it. That gap, seen on held-out rows, is what tells structure apart, so the ladder grows from small
shapes to large ones instead of cutting a large one down:

1. additive            y = sum_i f_i(x_i)                     KAN [n, 1]
2. link of a sum       y = g(sum_i f_i(x_i))                  KAN [n, 1, 1]
3. sum of products     y = sum_k c_k prod_i f_ki(x_i)         KAN [n, (0, [n] * K), 1]
4. general             y = sum_j g_j(sum_i f_ij(x_i))         KAN [n, m, 1]

Every shape is an ordinary KAN in float64 without a base function, its grid as fine as the number of rows can bear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from kanlib.gauss_newton import SolverResult, gauss_newton
from kanlib.grids import refine
from kanlib.network import KAN

from .sample import Sample
from .shape_starts import additive_starts, general_starts, link_starts, linked_starts, product_starts

__all__ = [
    *("ROUGHNESS", "Shape", "Trained", "bears", "fit_sample", "held_error", "ladder"),
    *("linked_products", "links", "products", "train"),
]

ROUGHNESS = 1e-10  # keeps cells without data from oscillating; far below any effect on a supported curve
_MEETING = 1e-2  # relative error below which two starts that agree have found the shape's minimum
_PROMISING = 1e-4  # relative error at which a start has found its shape


@dataclass(frozen=True)
class Shape:
    """One rung: how to build the network at a grid size, and how to start it."""

    name: str
    template: str
    n_edges: int
    starts: Callable[[Sample, int, torch.Generator], Iterator[KAN]]
    rows_per_constant: float = 3.0


@dataclass(frozen=True)
class Trained:
    """A trained rung; its error is relative to the spread of y."""

    shape: Shape
    model: KAN
    grid_size: int
    held_error: float

    @property
    def n_edges(self) -> int:
        """Number of edges that are not masked."""
        return sum(int(layer.mask.sum()) for layer in self.model.layers)


def ladder(n_inputs: int, *, largest_sum: int = 3, hidden: int = 5) -> list[Shape]:
    """The shapes worth trying for so many inputs, smallest first.

    Examples
    --------
    >>> [shape.name for shape in ladder(1)]
    ['additive']
    >>> [shape.name for shape in ladder(2)][:3]
    ['additive', 'link of a sum', 'product']
    """
    n = n_inputs
    shapes = [Shape("additive", "sum_i f_i(x_i)", n, additive_starts, rows_per_constant=1.5)]
    if n == 1:
        return shapes
    shapes.append(Shape("link of a sum", "g(sum_i f_i(x_i))", n + 1, link_starts))
    shapes += [products(n, k) for k in range(1, largest_sum + 1)]
    shapes.append(links(n, hidden, "general"))
    return shapes


def products(n: int, k: int) -> Shape:
    """A sum of k products of n factors."""
    return Shape(_products_name(k), "sum_k prod_i f_ki(x_i)", k * n, product_starts(k))


def linked_products(n: int, k: int) -> Shape:
    """A link of `products`."""
    return Shape(f"link of {_products_name(k)}", "g(sum_k prod_i f_ki(x_i))", k * n + 1, linked_starts(k))


def links(n: int, m: int, name: str = "", *, tries: int = 3) -> Shape:
    """A sum of m links of sums, from some random starts."""
    return Shape(name or f"{m} links", "sum_j g_j(sum_i f_ij(x_i))", m * (n + 1), general_starts(m, tries))


def _products_name(k: int) -> str:
    return "product" if k == 1 else f"sum of {k} products"


def train(
    shape: Shape, sample: Sample, rng: torch.Generator, expired: Callable[[], bool] = lambda: False
) -> Trained | None:
    """Train ``shape`` coarse from each start, then the best start fine; None where the rows cannot bear it."""
    coarse, fine = (_grid_size(shape, sample.n_distinct, cap) for cap in (8, 24))
    if coarse == 0:
        return None
    best: tuple[float, KAN] | None = None

    def late(step: int, loss: float) -> bool:
        return expired()

    for model in shape.starts(sample, coarse, rng):
        result = fit_sample(model, sample, callback=late)
        if result.status == "diverged":
            continue
        # Two starts that meet in one small minimum have found the shape's own.
        again = best is not None and abs(result.loss - best[0]) < 0.01 * best[0] < 0.01 * _MEETING**2
        if best is None or result.loss < best[0]:
            best = (result.loss, model)
        if again or expired() or best[0] < _PROMISING**2:
            break
    if best is None:
        return None
    model = best[1]
    choices = [Trained(shape, model, coarse, held_error(model, sample))]
    if fine > coarse and not expired():
        finer = refine(model, fine)
        fit_sample(finer, sample, callback=late)
        choices.append(Trained(shape, finer, fine, held_error(finer, sample)))
    return min(choices, key=lambda trained: trained.held_error)


def fit_sample(
    model: KAN, sample: Sample, max_steps: int = 60, callback: Callable[[int, float], bool | None] | None = None
) -> SolverResult:
    """Train a network of the search on its sample, in place."""
    return gauss_newton(
        model,
        sample.X,
        sample.t,
        sample_weight=sample.weight,
        roughness=ROUGHNESS,
        max_steps=max_steps,
        tolerance=1e-3,
        callback=callback,
    )


@torch.no_grad()
def held_error(model: KAN, sample: Sample) -> float:
    """Root mean squared error on the held-out rows, relative to the spread of y.

    Rows with a hidden value beyond those of the training rows are passed over (unless they are the most): there a
    spline is a straight line, and one such row would hide by how many decades a shape is right on all others.
    Without rows that were set aside it is the error of the fit, per degree of freedom that is left.
    """
    inputs = model.activations(sample.X_held)
    squares = (inputs[-1][:, 0] - sample.t_held).square()
    if sample.weight_held is not None:
        squares = squares * sample.weight_held
    inside = torch.ones_like(squares, dtype=torch.bool)
    for layer, x in zip(model.layers[1:], inputs[1:-1], strict=True):
        used = layer.spline_mask().any(dim=0)
        beyond = (x < layer.grid[:, 0]) | (x > layer.grid[:, -1])
        inside &= ~(beyond & used).any(dim=1)
    if 2 * int(inside.sum()) > len(squares):
        squares = squares[inside]
    error = float(squares.mean().sqrt()) * sample.units
    if not sample.set_aside:
        error *= math.sqrt(sample.n_rows / max(sample.n_rows - _n_constants(model), 1))
    return error if math.isfinite(error) else math.inf


def _n_constants(model: KAN) -> int:
    """Constants that fitting spent; the curves of one node share their level."""
    return 1 + sum(int(layer.spline_mask().sum()) * (layer.coefficients.shape[-1] - 1) for layer in model.layers)


def bears(shape: Shape, sample: Sample) -> bool:
    """Whether there are enough different rows for the shape on its coarsest grid."""
    return _grid_size(shape, sample.n_distinct, 1) > 0


def _grid_size(shape: Shape, n_distinct: int, cap: int) -> int:
    """The finest grid, up to ``cap`` cells, at which every constant still has enough rows; 0 if none has."""
    affordable = n_distinct / shape.rows_per_constant / shape.n_edges - 3
    return max(0, min(cap, math.floor(affordable)))
