"""Every live edge of a network on axes of its own, with numbers, the data's distribution, and where the grid ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from kanlib.errors import InputError

from . import style as look
from .curves import Array, Edge, Sketch, sketch
from .source import open_source
from .text import label, mathtext, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kanlib.network import KAN

CELL = (2.3, 1.9)  # inches of one edge's axes with its labels
RUG = 60  # up to this many rows every value is a tick, above a histogram


def plot_edges(
    model: KAN | Any,
    X: Any = None,
    *,
    layer: int | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    formulas: Mapping[tuple[int, int, int], str] | bool | None = None,
    scores: Sequence[Any] | None = None,
    columns: int | None = None,
) -> Figure:
    """Draw every live edge as a plot: its curve against its input, in the units of both.

    The bottom of each axes shows where the data are (a tick a row, or a histogram); grey ground lies outside the
    grid, where the curve is extrapolated. Titles name layer, input node and output node; an edge that is fixed to a
    primitive is orange and carries its formula.

    Parameters
    ----------
    model : KAN, Discovery, or an estimator of kanlib
        The first layer of an estimator is drawn in the units of the data, not standardised.
    X : array, tensor or data frame, shape (n, in_features), optional
        Data. Without it curves are drawn over the grid, with no distribution.
    layer : int, optional
        Only the edges of this layer (negative: from the end). By default all.
    input_names, output_names, formulas, scores
        As in `plot_network`.
    columns : int, optional
        Axes in a row; by default up to five, fewer where that leaves a fuller last row.

    Returns
    -------
    Figure
        In Jupyter it is shown as the value of the cell; elsewhere save it with ``savefig``.

    Raises
    ------
    InputError
        If the layer does not exist, or names, scores or X do not fit the network.

    Examples
    --------
    >>> from kanlib import KAN
    >>> from kanlib.plots import plot_edges
    >>> figure = plot_edges(KAN([2, 3, 1]), layer=0)
    >>> len(figure.axes)
    6
    """
    n_layers = len(open_source(model).network.layers)
    if layer is not None and not -n_layers <= layer < n_layers:
        raise InputError(f"layer is {layer}; the network has the layers 0 to {n_layers - 1}. Pass one of them or None.")
    drawn = sketch(
        model, X, input_names=input_names, output_names=output_names, formulas=formulas, scores=scores, n_points=240
    )
    chosen = None if layer is None else layer % n_layers
    edges = [edge for edge in drawn.edges if chosen is None or edge.key.layer == chosen]
    columns = columns or _columns(len(edges))
    rows = max(1, math.ceil(len(edges) / columns))
    figure = look.new_figure(max(columns, 2) * CELL[0], rows * CELL[1])
    with look.style():
        if not edges:
            figure.text(0.5, 0.5, "no live edges", ha="center", va="center", color=look.MUTED)
        for index, edge in enumerate(edges):
            ax = figure.add_subplot(rows, columns, index + 1)
            _draw_edge(ax, edge, drawn, None if drawn.data is None else drawn.data[edge.key.layer][:, edge.key.i])
    return figure


def _columns(n: int) -> int:
    """Between three and five axes a row, whichever leaves the fullest last row."""
    if n <= 4:
        return max(1, n)
    return max((5, 4, 3), key=lambda c: (n % c == 0, -(math.ceil(n / c) * c - n), c))


def _node_name(drawn: Sketch, key: Any, *, end: bool) -> str:
    """What the axes call the node an edge starts from or ends in."""
    l = key.layer + 1 if end else key.layer
    if l == 0:
        return label(drawn.input_names[key.i], 24)
    if end and l == len(drawn.nodes) - 1:
        node = next(n for n, group in enumerate(drawn.arities[l]) if key.j in group)
        return label(drawn.output_names[node], 24)
    return f"node {l},{key.j if end else key.i}"


def _draw_edge(ax: Axes, edge: Edge, drawn: Sketch, data: Array | None) -> None:
    key = edge.key
    symbolic = edge.primitive is not None
    ax.set_gid(f"kanlib-edge-{key.layer}-{key.i}-{key.j}")
    ax.plot(edge.x, edge.y, color=look.SYMBOLIC if symbolic else look.SPLINE, linewidth=1.6, gid="kanlib-curve")
    low, high = float(edge.x[0]), float(edge.x[-1])
    pad = 0.04 * (high - low)
    ax.set_xlim(low - pad, high + pad)
    finite = edge.y[np.isfinite(edge.y)]
    bottom, top = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    spread = top - bottom
    if spread <= 1e-9 * max(abs(top), abs(bottom)):
        spread = max(abs(top), 1e-12)
        bottom, top = bottom - spread / 2, top + spread / 2
        spread = top - bottom
    ax.set_ylim(bottom - 0.24 * spread, top + 0.08 * spread)
    for x0, x1 in ((low - pad, edge.grid[0]), (edge.grid[1], high + pad)):
        if not symbolic and x1 - x0 > 1.01 * pad:
            ax.axvspan(x0, x1, facecolor="#e4e8ec", edgecolor="none", zorder=0, gid="kanlib-outside")
    if data is not None:
        _draw_distribution(ax, data)
    start, end = _node_name(drawn, key, end=False), _node_name(drawn, key, end=True)
    ax.set_title(f"({key.layer}, {key.i} → {key.j})", fontsize=8.0, color=look.MUTED, pad=4.0)
    ax.set_xlabel(_shorten(start), fontsize=8.5, labelpad=2.0, parse_math=False)
    ax.set_ylabel(f"→ {_shorten(end, 1.1)}", fontsize=8.5, labelpad=2.0, parse_math=False)
    formula = None if edge.formula is None else mathtext(edge.formula)
    if formula is not None:
        points = 9.0 * min(1.0, 1.55 / max(size(formula, 9.0)[0], 1e-9))
        if points >= 5.0:
            ax.set_title(formula, loc="right", fontsize=points, color=look.SYMBOLIC, pad=4.0)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.tick_params(labelsize=7.0)


def _shorten(text: str, width: float = 1.7) -> str:
    while len(text) > 3 and size(text, 8.5)[0] > width:
        text = text[:-2].rstrip() + "…"
    return text


def _draw_distribution(ax: Axes, data: Array) -> None:
    """Where the data are, on the lowest part of the axes: a tick a row, or the histogram of many."""
    base = ax.get_xaxis_transform()
    if len(data) <= RUG:
        ax.vlines(data, 0.0, 0.07, transform=base, color=look.MUTED, linewidth=0.7, alpha=0.8, gid="kanlib-rug")
        return
    low, high = float(data.min()), float(data.max())
    if high <= low:
        return
    counts, breaks = np.histogram(data, bins=min(40, max(10, int(len(data) ** 0.5))), range=(low, high))
    heights = 0.15 * counts / max(int(counts.max()), 1)
    ax.stairs(
        heights, breaks, transform=base, fill=True, facecolor="#b9c3cc", edgecolor="none", zorder=0.5, gid="kanlib-rug"
    )
