"""Where the small networks of the ladder start from: one way for each shape.

Good starts are what makes small networks reliable. A sum starts from least squares; a link from the additive fit of y
and of its logarithm; products from alternating least squares, y being linear in the factors of one input while the
others are held; a link of products from products that follow log y, 1/y and y; and any shape from smooth random curves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from kanlib.gauss_newton import gauss_newton
from kanlib.grids import refine
from kanlib.layer import KANLayer
from kanlib.network import KAN
from kanlib.splines import greville, uniform_grid

from .sample import Sample

__all__ = ["additive_starts", "general_starts", "link_starts", "linked_starts", "network", "product_starts"]

_ALTERNATED = 12  # random starts of a product that are alternated, on a coarse grid
_RANDOM_LINKED = 4


def network(widths: list[int | tuple[int, list[int]]], sample: Sample, size: int) -> KAN:
    """A network without a base function, its first grid on the range of the data and all curves zero."""
    model = KAN(widths, grid_size=size, base=None, init="zero_spline", dtype=torch.float64)
    rows = torch.cat([sample.X, sample.X_held])
    low, high = rows.amin(0), rows.amax(0)
    flat = high <= low
    low, high = torch.where(flat, low - 1, low), torch.where(flat, high + 1, high)
    with torch.no_grad():
        model.layers[0].grid.copy_(uniform_grid(low, high, size, dtype=torch.float64))
    return model


def put(layer: KANLayer, j: int, i: int, curve: Callable[[Tensor], Tensor]) -> None:
    """Set edge (i, j) to a curve given on the unit interval of its grid (by values at the Greville points)."""
    with torch.no_grad():
        layer.coefficients[j, i] = curve(greville(layer.grid_size, layer.degree))


def parabola(constant: float, slope: float, bend: float) -> Callable[[Tensor], Tensor]:
    return lambda u: constant + slope * u + bend * u * u


def additive_fit(sample: Sample, size: int, target: Tensor) -> KAN:
    model = network([sample.n_inputs, 1], sample, size)
    gauss_newton(model, sample.X, target, sample_weight=sample.weight, roughness=1e-6)
    return model


def additive_starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
    yield network([sample.n_inputs, 1], sample, size)


def link_starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
    """The additive fit of y, of its logarithm where y has one sign, then random slopes."""
    targets = [sample.t]
    y = sample.t * sample.scale + sample.shift
    if bool((y > 0).all()) or bool((y < 0).all()):
        targets.append(y.abs().log())
    for target in targets:
        model = network([sample.n_inputs, 1, 1], sample, size)
        with torch.no_grad():
            first = additive_fit(sample, size, (target - target.mean()) / target.std().clamp_min(1e-300))
            model.layers[0].coefficients.copy_(first.layers[0].coefficients)
        yield model
    for _ in range(4):
        model = network([sample.n_inputs, 1, 1], sample, size)
        slopes = torch.randn(sample.n_inputs, generator=rng, dtype=torch.float64)
        for i, slope in enumerate(slopes.tolist()):
            put(model.layers[0], 0, i, parabola(0.0, slope, 0.0))
        yield model


def product_starts(k: int) -> Callable[[Sample, int, torch.Generator], Iterator[KAN]]:
    def starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
        """Random factors, alternated; Gauss-Newton is spent on the best of them only."""
        coarse = min(size, 4)
        tried = []
        for number in range(_ALTERNATED):
            model = random_product(sample, coarse, k, rng)
            tried.append((alternate(model, sample, k, sweeps=12), number, model))
        for _, _, model in sorted(tried, key=lambda entry: entry[:2])[:2]:
            yield refine(model, [size, coarse])

    return starts


def linked_starts(k: int) -> Callable[[Sample, int, torch.Generator], Iterator[KAN]]:
    def starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
        """A sum of k products alternated to log y and 1/y, where y has one sign, and to y; then random factors.

        The link is a straight line: training solves for it exactly, given what enters it.
        """
        y = sample.t * sample.scale + sample.shift
        targets = [y]
        if bool((y > 0).all()) or bool((y < 0).all()):
            targets = [y.abs().log(), 1 / y, y]
        for target in targets:
            if bool(torch.isfinite(target).all()) and float(target.std()) > 0:
                yield _linked(sample, size, k, _alternated_to(target, sample, size, k, rng))
        for _ in range(_RANDOM_LINKED):
            yield _linked(sample, size, k, random_product(sample, size, k, rng).layers[0])

    return starts


def _linked(sample: Sample, size: int, k: int, factors: KANLayer) -> KAN:
    """A link, a straight line, of a sum of k products."""
    model = _sum_of_products(sample, size, k, 1)
    model.layers[0].set_weights(factors.weights())
    put(model.layers[2], 0, 0, parabola(0.0, 1.0, 0.0))
    return model


def _sum_of_products(sample: Sample, size: int, k: int, *rest: int) -> KAN:
    """k products of one factor an input, added up; more layers of ``rest`` nodes behind."""
    n = sample.n_inputs
    model = network([n, (0, [n] * k), 1, *rest], sample, size)
    with torch.no_grad():
        model.layers[0].mask.copy_(torch.eye(n, dtype=torch.bool).repeat(k, 1))
    for term in range(k):
        model.layers[1].fix_edge(term, 0, "identity")
    return model


def _alternated_to(target: Tensor, sample: Sample, size: int, k: int, rng: torch.Generator) -> KANLayer:
    """The factors of k products that come closest to a function of y, of some random starts."""
    scale, shift = float(target.std()), float(target.mean())
    own = replace(sample, t=(target - shift) / scale, scale=scale, shift=shift)
    tried = []
    for number in range(_RANDOM_LINKED):
        model = random_product(own, size, k, rng)
        tried.append((alternate(model, own, k, sweeps=12), number, model))
    return min(tried, key=lambda entry: entry[:2])[2].layers[0]


def random_product(sample: Sample, size: int, k: int, rng: torch.Generator) -> KAN:
    model, n = _sum_of_products(sample, size, k), sample.n_inputs
    for node in range(k * n):
        a, b = torch.randn(2, generator=rng, dtype=torch.float64).tolist()
        put(model.layers[0], node, node % n, parabola(1 - 0.25 * a, 0.5 * a, 0.2 * b))
    return model


def alternate(model: KAN, sample: Sample, k: int, sweeps: int) -> float:
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


def general_starts(hidden: int, tries: int = 3) -> Callable[[Sample, int, torch.Generator], Iterator[KAN]]:
    def starts(sample: Sample, size: int, rng: torch.Generator) -> Iterator[KAN]:
        for _ in range(tries):
            model = network([sample.n_inputs, hidden, 1], sample, size)
            for j in range(hidden):
                for i in range(sample.n_inputs):
                    a, b = torch.randn(2, generator=rng, dtype=torch.float64).tolist()
                    put(model.layers[0], j, i, parabola(0.25 * b, a - b, b))
            yield model

    return starts
