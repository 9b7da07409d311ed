"""What a picture needs to know of a network, taken out of it once: its live edges, their curves, scores and names.

An edge is live if it is not masked, can be reached from an input, and reaches an output. Everything else (masked
edges, dead nodes, unused inputs) computes at most a constant and is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from kanlib.data import as_inputs
from kanlib.errors import InputError
from kanlib.network import KAN

from .primitives import edge_formula
from .source import open_source
from .text import math_name

Array = np.ndarray[Any, Any]

_WAVES = ("sin", "cos", "tan")
_PER_PERIOD = 16  # points, below which a wave is drawn as another one


class EdgeKey(NamedTuple):
    """Where an edge is: layer l, input node i, output node j (of the layer's outputs, before products)."""

    layer: int
    i: int
    j: int


@dataclass(frozen=True)
class Edge:
    """One live edge as it is drawn.

    `share` is the score relative to the layer's largest (0 to 1); `formula` is LaTeX source, or None for a spline.
    `x` covers the range of the data, or the middle of it where a wave has too many periods to be drawn.
    """

    key: EdgeKey
    x: Array
    y: Array
    grid: tuple[float, float]
    score: float
    share: float
    formula: str | None
    primitive: str | None


@dataclass(frozen=True)
class Sketch:
    """A network reduced to what is drawn. `nodes[l]` and `subnodes[l]` are the live ones of every node layer."""

    edges: tuple[Edge, ...]
    nodes: tuple[tuple[int, ...], ...]
    arities: tuple[tuple[tuple[int, ...], ...], ...]  # per layer, per node: the subnodes it combines
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    unused: tuple[str, ...]
    data: tuple[Array, ...] | None  # values arriving at the nodes of every layer, if X was given


def node_subnodes(model: KAN) -> list[list[tuple[int, ...]]]:
    """For every layer of nodes: which subnodes (outputs of the layer before) each node combines."""
    result = []
    for width in model.widths:
        groups: list[tuple[int, ...]] = [(s,) for s in range(width.sums)]
        start = width.sums
        for arity in width.products:
            groups.append(tuple(range(start, start + arity)))
            start += arity
        result.append(groups)
    return result


def live_edges(model: KAN) -> list[Array]:
    """Boolean arrays (out, in), one a layer: the edges that carry something from an input to an output."""
    groups = node_subnodes(model)
    masks = [layer.mask.detach().cpu().numpy().astype(bool) for layer in model.layers]
    reached: Array = np.ones(masks[0].shape[1], dtype=bool)
    forward = []
    for mask, combine in zip(masks, groups[1:], strict=True):
        forward.append(mask & reached)
        arrived: Array = np.asarray(forward[-1].any(axis=1))
        reached = np.array([arrived[list(group)].any() for group in combine], dtype=bool)
    needed: Array = np.ones(len(groups[-1]), dtype=bool)
    live: list[Array] = []
    for carried, combine in zip(reversed(forward), reversed(groups[1:]), strict=True):
        wanted = np.zeros(carried.shape[0], dtype=bool)
        for node, group in enumerate(combine):
            wanted[list(group)] = needed[node]
        live.insert(0, carried & wanted[:, None])
        needed = np.asarray(live[0].any(axis=0))
    return live


def sketch(
    model: Any,
    X: Any = None,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    formulas: Mapping[tuple[int, int, int], str] | bool | None = None,
    scores: Sequence[Any] | None = None,
    n_points: int = 160,
) -> Sketch:
    """Take out of `model` everything a picture of it shows; arguments as in `plot_network`.

    Raises
    ------
    InputError
        If names, scores or X do not fit the network.
    """
    source = open_source(model, X)
    model, X = source.network, source.X
    inputs, outputs = _names(model, X, input_names or source.input_names, output_names or source.output_names)
    used = [inputs[k] for k in model.input_index.tolist()]
    values = None if X is None else _activations(model, X)
    curves = [_curves(layer, None if values is None else values[l], n_points) for l, layer in enumerate(model.layers)]
    index = model.input_index.tolist()
    shift, scale = (0.0, 1.0) if source.units is None else (source.units[0][index], source.units[1][index])
    live = live_edges(model)
    strengths = _scores(model, X, scores, curves, live)
    edges = []
    for l, layer in enumerate(model.layers):
        fixed = layer.fixed_edges()
        constants = layer.edge_constants.detach().cpu().double().numpy()
        top = max((float(strengths[l][j, i]) for j, i in np.argwhere(live[l])), default=0.0)
        x, y = curves[l]
        grid = layer.grid.detach().cpu().double().numpy()
        if l == 0:
            x, grid = x * scale + shift, (grid.T * scale + shift).T
        for j, i in sorted(np.argwhere(live[l]).tolist(), key=lambda ji: (ji[1], ji[0])):
            key = EdgeKey(l, i, j)
            name = fixed.get((i, j))
            formula = None
            if isinstance(formulas, Mapping) and key in formulas:
                formula = formulas[key]
            elif name is not None and formulas is not False:
                variable = math_name(used[i]) if l == 0 else "u"
                formula = edge_formula(name, constants[j, i].tolist(), variable)
            score = float(strengths[l][j, i])
            share = min(1.0, score / top) if top > 0.0 else 1.0
            bounds = (-np.inf, np.inf) if layer.repeats else (float(grid[i, 0]), float(grid[i, -1]))
            edges.append(Edge(key, x[:, i], y[:, j, i], bounds, score, share, formula, name))
    kept_inputs = set(np.flatnonzero(live[0].any(axis=0)).tolist())
    nodes: list[tuple[int, ...]] = [tuple(sorted(kept_inputs))]
    for l in range(1, len(model.layers)):
        nodes.append(tuple(np.flatnonzero(live[l].any(axis=0)).tolist()))
    nodes.append(tuple(range(model.out_features)))
    drawn = {int(model.input_index[i]) for i in kept_inputs}
    return Sketch(
        edges=tuple(edges),
        nodes=tuple(nodes),
        arities=tuple(tuple(groups) for groups in node_subnodes(model)),
        input_names=tuple(used),
        output_names=outputs,
        unused=tuple(name for k, name in enumerate(inputs) if k not in drawn),
        data=None if values is None else (values[0] * scale + shift, *values[1:]),
    )


def _names(
    model: KAN, X: Any, input_names: Sequence[str] | None, output_names: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    n = model.in_features
    if input_names is None:
        input_names = model.input_names
    if input_names is None and len(getattr(X, "columns", ())) == n:
        input_names = [str(column) for column in X.columns]
    if input_names is None:
        input_names = [f"x{k + 1}" for k in range(n)] if n > 1 else ["x"]
    if output_names is None:
        output_names = [f"y{k + 1}" for k in range(model.out_features)] if model.out_features > 1 else ["y"]
    for what, names, count in (("input_names", input_names, n), ("output_names", output_names, model.out_features)):
        if isinstance(names, str) or len(names) != count:
            got = f"the string {names!r}" if isinstance(names, str) else f"{len(names)} names"
            raise InputError(f"{what} is {got}; expected a sequence of {count}, one for each column of the network.")
    return [str(name) for name in input_names], tuple(str(name) for name in output_names)


def _activations(model: KAN, X: Any) -> list[Array]:
    dtype, device = model.layers[0].coefficients.dtype, model.layers[0].coefficients.device
    x = as_inputs(X, model.in_features, dtype=dtype, device=device, names=model.input_names)
    with torch.no_grad():
        return [a.detach().cpu().double().numpy() for a in model.activations(x)]


def _curves(layer: Any, data: Array | None, n_points: int) -> tuple[Array, Array]:
    """x (n, in) over the range of the data or else the grid, and the edges' values there (n, out, in).

    Of an input in which an edge turns more often than so many points can follow, the middle of that range.
    """
    grid = layer.grid.detach().cpu().double().numpy()
    low, high = grid[:, 0], grid[:, -1]
    if data is not None:
        reached_low, reached_high = data.min(axis=0), data.max(axis=0)
        spread = reached_high - reached_low > 1e-9 * (np.abs(reached_high) + np.abs(reached_low)) + 1e-300
        low, high = np.where(spread, reached_low, low), np.where(spread, reached_high, high)
    cut = 0.5 * (1.0 - np.minimum(1.0, n_points / (_PER_PERIOD * np.maximum(_periods(layer, high - low), 1e-9))))
    low, high = low + cut * (high - low), high - cut * (high - low)
    t = np.linspace(0.0, 1.0, n_points)[:, None]
    x = low + (high - low) * t
    with torch.no_grad():
        y = layer.edges(torch.as_tensor(x, dtype=layer.coefficients.dtype, device=layer.coefficients.device))
    return x, y.detach().cpu().double().numpy()


def _periods(layer: Any, width: Array) -> Array:
    """Of the fastest wave on the edges of each input, how many there are in a range of that width; shape (in,)."""
    most = np.zeros(layer.in_features)
    for (i, j), name in layer.fixed_edges().items():
        if name in _WAVES and bool(layer.mask[j, i]):
            most[i] = max(most[i], abs(layer.edge_constants[j, i, 0].item()) * width[i] / (2 * np.pi))
    return most


def _scores(
    model: KAN, X: Any, scores: Sequence[Any] | None, curves: list[tuple[Array, Array]], live: list[Array]
) -> list[Array]:
    if scores is not None:
        given = [np.asarray(s.detach().cpu() if isinstance(s, torch.Tensor) else s, dtype=float) for s in scores]
        if [s.shape for s in given] != [m.shape for m in live]:
            raise InputError(
                f"scores has the shapes {[s.shape for s in given]}; expected {[m.shape for m in live]}: "
                "one (out, in) array for each layer, as kanlib.attribution.edge_scores returns them."
            )
        return [np.nan_to_num(np.abs(s)) for s in given]
    if X is not None:
        from kanlib.attribution import edge_scores

        return [np.nan_to_num(s.detach().cpu().double().numpy()) for s in edge_scores(model, X)]
    result = []
    for _, y in curves:
        finite = np.where(np.isfinite(y), y, np.nan)
        filled = np.where(np.isnan(finite).all(axis=0), 0.0, finite)
        result.append(np.nan_to_num(np.nanstd(filled, axis=0)))
    return result
