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
from functools import cached_property

import torch
from torch import Tensor

from kanlib.gauss_newton import SolverResult, gauss_newton
from kanlib.grids import refine
from kanlib.layer import KANLayer
from kanlib.network import KAN
from kanlib.splines import uniform_grid

__all__ = ["ROUGHNESS", "Sample", "Shape", "Trained", "bears", "fit_sample", "held_error", "ladder", "train"]

ROUGHNESS = 1e-10  # keeps cells without data from oscillating; far below any effect on a supported curve
_ALTERNATED = 12  # random starts of a product that are alternated, on a coarse grid
_MEETING = 1e-2  # relative error below which two starts that agree have found the shape's minimum
_PROMISING = 1e-4  # relative error at which a start has found its shape


@dataclass(frozen=True)
class Sample:
    """Rows to train on and rows to judge by; the target standardised by the training rows (scale * t + shift).

    Where ``set_aside`` is false the rows were too few to spare any, and both are the same. With weights (mean 1 on the
    training rows) a squared error of t counts that many times; ``units`` turns such an error into one relative to y.
    """

    X: Tensor
    t: Tensor
    X_held: Tensor
    t_held: Tensor
    scale: float
    shift: float
    set_aside: bool = True
    weight: Tensor | None = None
    weight_held: Tensor | None = None
    units: float = 1.0

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    @cached_property
    def n_distinct(self) -> int:
        """Rows with different inputs: replicates tell about the noise, not about the curve."""
        return int(torch.unique(self.X, dim=0).shape[0])

    @property
    def n_inputs(self) -> int:
        return self.X.shape[1]


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
    shapes = [Shape("additive", "sum_i f_i(x_i)", n, _additive_starts, rows_per_constant=1.5)]
    if n == 1:
        return shapes
    shapes.append(Shape("link of a sum", "g(sum_i f_i(x_i))", n + 1, _link_starts))
    for k in range(1, largest_sum + 1):
        name = "product" if k == 1 else f"sum of {k} products"
        shapes.append(Shape(name, "sum_k prod_i f_ki(x_i)", k * n, _product_starts(k)))
    shapes.append(Shape("general", "sum_j g_j(sum_i f_ij(x_i))", hidden * (n + 1), _general_starts(hidden)))
    return shapes


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


def _network(widths: list[int | tuple[int, list[int]]], sample: Sample, size: int) -> KAN:
    """A network without a base function, its first grid on the range of the data and all curves zero."""
    model = KAN(widths, grid_size=size, base=None, init="zero_spline", dtype=torch.float64)
    rows = torch.cat([sample.X, sample.X_held])
    low, high = rows.amin(0), rows.amax(0)
    flat = high <= low
    low, high = torch.where(flat, low - 1, low), torch.where(flat, high + 1, high)
    with torch.no_grad():
        model.layers[0].grid.copy_(uniform_grid(low, high, size, dtype=torch.float64))
    return model


def _put(layer: KANLayer, j: int, i: int, curve: Callable[[Tensor], Tensor]) -> None:
    """Set edge (i, j) to a curve given on the unit interval of its grid (by values at the Greville points)."""
    n_basis = layer.coefficients.shape[-1]
    greville = (torch.arange(n_basis, dtype=torch.float64) - (layer.degree - 1) / 2) / layer.grid_size
    with torch.no_grad():
        layer.coefficients[j, i] = curve(greville)


def _parabola(constant: float, slope: float, bend: float) -> Callable[[Tensor], Tensor]:
    return lambda u: constant + slope * u + bend * u * u


def _additive_fit(sample: Sample, size: int, target: Tensor) -> KAN:
    model = _network([sample.n_inputs, 1], sample, size)
    gauss_newton(model, sample.X, target, sample_weight=sample.weight, roughness=1e-6)
    return model


def _additive_starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
    yield _network([sample.n_inputs, 1], sample, size)


def _link_starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
    """The additive fit of y, of its logarithm where y has one sign, then random slopes."""
    targets = [sample.t]
    y = sample.t * sample.scale + sample.shift
    if bool((y > 0).all()) or bool((y < 0).all()):
        targets.append(y.abs().log())
    for target in targets:
        model = _network([sample.n_inputs, 1, 1], sample, size)
        with torch.no_grad():
            first = _additive_fit(sample, size, (target - target.mean()) / target.std().clamp_min(1e-300))
            model.layers[0].coefficients.copy_(first.layers[0].coefficients)
        yield model
    for _ in range(4):
        model = _network([sample.n_inputs, 1, 1], sample, size)
        slopes = torch.randn(sample.n_inputs, generator=rng, dtype=torch.float64)
        for i, slope in enumerate(slopes.tolist()):
            _put(model.layers[0], 0, i, _parabola(0.0, slope, 0.0))
        yield model


def _product_starts(k: int) -> Callable[[Sample, int, torch.Generator], Iterator[KAN]]:
    def starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
        """Random factors, alternated; Gauss-Newton is spent on the best of them only."""
        coarse = min(size, 4)
        tried = []
        for number in range(_ALTERNATED):
            model = _random_product(sample, coarse, k, rng)
            tried.append((_alternate(model, sample, k, sweeps=12), number, model))
        for _, _, model in sorted(tried, key=lambda entry: entry[:2])[:2]:
            yield refine(model, [size, coarse])

    return starts


def _random_product(sample: Sample, size: int, k: int, rng: torch.Generator) -> KAN:
    n = sample.n_inputs
    model = _network([n, (0, [n] * k), 1], sample, size)
    first, last = model.layers
    with torch.no_grad():
        first.mask.copy_(torch.eye(n, dtype=torch.bool).repeat(k, 1))
    for term in range(k):
        last.fix_edge(term, 0, "identity")
        for i in range(n):
            a, b = torch.randn(2, generator=rng, dtype=torch.float64).tolist()
            _put(first, term * n + i, i, _parabola(1 - 0.25 * a, 0.5 * a, 0.2 * b))
    return model


def _alternate(model: KAN, sample: Sample, k: int, sweeps: int) -> float:
    """Alternating least squares: y is linear in the factors of one input while the others are held.

    Returns the root mean squared error relative to the spread of y.
    """
    n, layer = sample.n_inputs, model.layers[0]
    with torch.no_grad():
        phi = layer.features(sample.X)  # (rows, n, F)
        weights = torch.stack([layer.weights()[t * n + i, i] for t in range(k) for i in range(n)]).reshape(k, n, -1)
        factors = torch.einsum("bif,tif->tib", phi, weights)
        target = sample.t + sample.shift / sample.scale
        root = torch.ones_like(target) if sample.weight is None else sample.weight.sqrt()
        for _ in range(sweeps):
            for i in range(n):
                others = factors[:, [j for j in range(n) if j != i]].prod(dim=1)  # (k, rows)
                design = (others[:, :, None] * phi[None, :, i]).permute(1, 0, 2).flatten(1) * root[:, None]
                norms = design.norm(dim=0).clamp_min(1e-150)
                ridge = 1e-5 * torch.eye(design.shape[1], dtype=design.dtype)
                right = torch.cat([target * root, design.new_zeros(design.shape[1])])
                q, r = torch.linalg.qr(torch.cat([design / norms, ridge]))
                solved = torch.linalg.solve_triangular(r, (q.T @ right)[:, None], upper=True)[:, 0] / norms
                weights[:, i] = solved.reshape(k, -1)
                factors[:, i] = torch.einsum("bf,tf->tb", phi[:, i], weights[:, i])
                # Factors share one scale; keep them of equal size so that none runs away.
                size = factors[:, i].square().mean(dim=1).sqrt().clamp_min(1e-12)
                if i + 1 < n:
                    weights[:, i] /= size[:, None]
                    factors[:, i] /= size[:, None]
        full = layer.weights().clone()
        for t in range(k):
            for i in range(n):
                full[t * n + i, i] = weights[t, i]
        layer.set_weights(full)
        return float(((factors.prod(dim=1).sum(dim=0) - target) * root).square().mean().sqrt())


def _general_starts(hidden: int) -> Callable[[Sample, int, torch.Generator], Iterator[KAN]]:
    def starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
        for _ in range(3):
            model = _network([sample.n_inputs, hidden, 1], sample, size)
            for j in range(hidden):
                for i in range(sample.n_inputs):
                    a, b = torch.randn(2, generator=rng, dtype=torch.float64).tolist()
                    _put(model.layers[0], j, i, _parabola(0.25 * b, a - b, b))
            yield model

    return starts
