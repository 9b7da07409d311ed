"""From curves to candidates: which primitive on which edge, decided by a joint refit of all constants against y.

An edge judged alone says little: several primitives fit one curve about as well, and a small error on one edge can
be mended by another. So every edge keeps a short list, weighted by what the edge matters for y; assignments of one
primitive per edge are tried in the order of their summed cost, and each is refitted to the data as a whole.
"""

from __future__ import annotations

import copy
import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sympy import Expr, Symbol
from torch import Tensor

from kanlib.errors import FormulaError
from kanlib.jacobian import plan, sensitivities, trace
from kanlib.network import KAN

from .compose import network_expression
from .constants import refit
from .description import description_length, structure_cost
from .edges import EdgeFit, fit_edges
from .rows import spread_rows

__all__ = ["Candidate", "EdgeChoice", "assignments", "edge_choices", "joint_candidates"]

Array = NDArray[np.float64]

_CURVE_POINTS = 200
_REFIT_ROWS = 400


@dataclass(frozen=True)
class EdgeChoice:
    """The primitives worth trying on the edge from input ``i`` to output ``j`` of a layer, best first."""

    layer: int
    i: int
    j: int
    fits: tuple[tuple[float, EdgeFit], ...]  # (cost, fit)


@dataclass(frozen=True)
class Candidate:
    """One assignment after its joint refit: a structure, its constants, and how long its description is."""

    structure: Expr
    values: dict[Symbol, float]
    rmse: float
    length: float


def edge_choices(
    model: KAN, X: Tensor, *, primitives: tuple[str, ...] | None = None, sample_weight: Array | None = None
) -> list[EdgeChoice]:
    """Short lists of primitives for every live spline edge of ``model`` (float64) on the data ``X``."""
    plans = plan(model)
    with torch.no_grad():
        passed = trace(model, X)
        sensitivity = sensitivities(model, plans, passed)
    found: list[EdgeChoice] = []
    for depth, p in enumerate(plans):
        pairs = list(zip(p.out_index.tolist(), p.in_index.tolist(), strict=True))
        if not pairs:
            continue
        inputs = passed.inputs[depth]
        xs, ys, effects = [], [], []
        with torch.no_grad():
            values = p.layer.edges(inputs)
            quantiles = torch.linspace(0, 1, min(_CURVE_POINTS, max(20, len(inputs))), dtype=inputs.dtype)
            for j, i in pairs:
                x = torch.quantile(inputs[:, i], quantiles)
                xs.append(x)
                ys.append(p.layer.edge(x, i, j))
                varying = values[:, j, i] - values[:, j, i].mean()
                squares = (sensitivity[depth][:, :, j] * varying).square().mean(dim=0).numpy()
                effects.append(math.sqrt(float(np.average(squares, weights=sample_weight))))
        fits = fit_edges(torch.stack(xs), torch.stack(ys), primitives)
        for (j, i), effect, edge_fits in zip(pairs, effects, fits, strict=True):
            found.append(EdgeChoice(depth, i, j, tuple((effect, fit) for fit in edge_fits)))
    return found


def priced(choices: list[EdgeChoice], network_error: float) -> list[EdgeChoice]:
    """Turn effects into costs: an error on y far below the network's own says nothing, an edge's size matters."""
    result = []
    for choice in choices:
        fits = [
            (0.5 * math.log(fit.nmse * effect**2 + 0.1 * network_error**2 + 1e-300) + 0.35 * fit.complexity, fit)
            for effect, fit in choice.fits
        ]
        result.append(EdgeChoice(choice.layer, choice.i, choice.j, tuple(sorted(fits, key=lambda f: f[0]))))
    return result


def assignments(choices: Sequence[EdgeChoice]) -> Iterator[tuple[int, ...]]:
    """Index tuples, one index into every edge's short list, in the order of their summed cost (lazily, by a heap)."""
    costs = [[cost for cost, _ in choice.fits] for choice in choices]
    if any(not row for row in costs):
        return
    first = (0,) * len(costs)
    heap = [(sum(row[0] for row in costs), first)]
    seen = {first}
    while heap:
        total, index = heapq.heappop(heap)
        yield index
        for edge, position in enumerate(index):
            if position + 1 < len(costs[edge]):
                following = (*index[:edge], position + 1, *index[edge + 1 :])
                if following not in seen:
                    seen.add(following)
                    step = costs[edge][position + 1] - costs[edge][position]
                    heapq.heappush(heap, (total + step, following))


def joint_candidates(
    model: KAN,
    X: Array,
    y: Array,
    symbols: tuple[Symbol, ...],
    *,
    primitives: tuple[str, ...] | None = None,
    output: int = 0,
    most: int = 40,
    sample_weight: Array | None = None,
    expired: Callable[[], bool] = lambda: False,
) -> list[Candidate]:
    """Refit the cheapest assignments of primitives to the edges of ``model`` against y (rows weighted, if asked for).

    Returns
    -------
    list of Candidate
        Shortest description first; at most one per structure.
    """
    network = copy.deepcopy(model).to(torch.float64)
    table = torch.as_tensor(X, dtype=torch.float64)
    with torch.no_grad():
        error = math.sqrt(float(np.average((network(table)[:, output].numpy() - y) ** 2, weights=sample_weight)))
    choices = priced(edge_choices(network, table, primitives=primitives, sample_weight=sample_weight), error)
    rows = spread_rows(len(y), _REFIT_ROWS)
    X_few, y_few, spread = X[rows], y[rows], float(np.std(y))
    weight = None if sample_weight is None else sample_weight[rows] / sample_weight[rows].mean()
    scaled = y_few if weight is None else y_few * np.sqrt(weight)
    found: dict[Expr, Candidate] = {}
    for tried, index in enumerate(assignments(choices)):
        if tried >= most or expired():
            break
        _assign(network, choices, index)
        try:
            structure, values = network_expression(network, symbols, output)
        except (FormulaError, OverflowError):
            continue
        if structure in found or len(values) >= len(y_few):
            continue
        fit = refit(structure, tuple(values), symbols, X_few, y_few, list(values.values()), weight, max_evaluations=60)
        if not math.isfinite(fit.rss):
            continue
        constants = dict(zip(values, map(float, fit.values), strict=True))
        length = description_length(fit.rss, len(y_few), fit.rank, scaled, structure_cost(structure))
        found[structure] = Candidate(structure, constants, fit.rmse, length)
        if fit.rmse <= 1e-10 * spread:
            break
    return sorted(found.values(), key=lambda candidate: candidate.length)


def _assign(network: KAN, choices: Sequence[EdgeChoice], index: tuple[int, ...]) -> None:
    for choice, position in zip(choices, index, strict=True):
        fit = choice.fits[position][1]
        network.layers[choice.layer].fix_edge(choice.i, choice.j, fit.name, fit.constants)
