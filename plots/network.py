"""A picture of a whole network: its nodes in columns from left to right, every live edge with its curve on its wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba

from . import style as look
from .curves import Array, Edge, EdgeKey, Sketch, sketch
from .layout import Placement, place
from .primitives import short_formula
from .text import label, labels, mathtext, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kanlib.network import KAN

NAME_POINTS = 10.0
FORMULA_POINTS = 9.5
LABEL_WIDTH = 1.9  # inches a formula may take before it is shortened


def plot_network(
    model: KAN | Any,
    X: Any = None,
    *,
    ax: Axes | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    formulas: Mapping[tuple[int, int, int], str] | bool | None = None,
    scores: Sequence[Any] | None = None,
) -> Axes:
    """Draw a network as columns of nodes, inputs at the left, with the curve of every live edge on its wire.

    Masked edges, nodes without a way from an input to an output, and unused inputs are not drawn (unused inputs are
    listed below the picture). The darker and heavier an edge, the more it matters, relative to the most important
    edge of its layer. Blue curves are splines, orange ones are fixed to a primitive, with their formula below. A node
    that adds several edges carries a plus, a node that multiplies carries a cross and is square. Each curve fills
    its box: heights of different boxes are not comparable, see `plot_edges` for axes with numbers.

    Parameters
    ----------
    model : KAN, Discovery, or an estimator of kanlib
    X : array, tensor or data frame, shape (n, in_features), optional
        Data. Curves are then drawn over the range that reaches them, and importance is
        `kanlib.attribution.edge_scores`. Without data: the grid's range, and the spread of the curve.
    ax : Axes, optional
        Where to draw. By default on a new figure whose size follows from the network; in Jupyter it is shown once,
        in a script it belongs to the caller (``plot_network(model).figure.savefig("network.pdf")``).
    input_names, output_names : sequence of str, optional
        Drawn as written, long ones shortened. By default the network's own names, then those of a data frame X.
    formulas : mapping of (layer, i, j) to str, or False, optional
        LaTeX to write below the box of an edge from input node i to output node j. By default, and for edges not
        in the mapping, the primitive an edge is fixed to with its constants; False: no formulas.
    scores : sequence of arrays (out, in), optional
        Importance of every edge, one array a layer, instead of the computed one.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If names, scores or X do not fit the network.
    InputTypeError
        If there is no network in `model`.

    Examples
    --------
    >>> from kanlib import KAN
    >>> from kanlib.plots import plot_network
    >>> ax = plot_network(KAN([2, 1, 1]), input_names=["mass", "speed"], output_names=["energy"])
    >>> sorted(text.get_text() for text in ax.texts)
    ['energy', 'mass', 'speed']
    """
    drawn = sketch(model, X, input_names=input_names, output_names=output_names, formulas=formulas, scores=scores)
    captions = _captions(drawn)
    left, right = labels(drawn.input_names), labels(drawn.output_names)
    margins = tuple(
        max((size(text, NAME_POINTS)[0] for text in texts), default=0.0) + 0.34
        for texts in ([left[i] for i in drawn.nodes[0]], right)
    )
    plan = place(
        [edge.key for edge in drawn.edges],
        drawn.nodes,
        drawn.arities,
        {key: size(text, FORMULA_POINTS) for key, text in captions.items()},
        (margins[0], margins[1]),
    )
    footer = "not used: " + ", ".join(labels(drawn.unused, 20)) if drawn.unused else ""
    foot = 0.34 if footer else 0.08
    total = (plan.width, plan.height + 0.16 + foot)
    own = ax is None
    with look.axes(ax, *total) as ax:
        if own:
            look.figure_of(ax).set_layout_engine("none")
            ax.set_position((0.0, 0.0, 1.0, 1.0))
        scale = _scale(ax, total)
        ax.set_axis_off()
        ax.set_aspect("equal", adjustable="box")
        ax.set_xlim(0.0, total[0])
        ax.set_ylim(-foot, plan.height + 0.16)
        _draw_wires(ax, drawn, plan, scale)
        _draw_boxes(ax, drawn.edges, plan, scale)
        _draw_nodes(ax, drawn, plan, scale)
        _draw_text(ax, drawn, plan, captions, (left, right), scale)
        if footer:
            text = _fit(footer, 8.0, plan.width - 0.2)
            ax.text(
                0.1, -foot + 0.1, text, fontsize=8.0 * scale, color=look.MUTED, parse_math=False, gid="kanlib-unused"
            )
    return ax


def _captions(drawn: Sketch) -> dict[EdgeKey, str]:
    """The formulas below boxes, as mathtext that can be set and is not too wide."""
    result = {}
    for edge in drawn.edges:
        if edge.formula is None:
            continue
        text = mathtext(edge.formula)
        if text is not None and size(text, FORMULA_POINTS)[0] > LABEL_WIDTH and edge.primitive is not None:
            text = mathtext(short_formula(edge.primitive))
        if text is None or size(text, FORMULA_POINTS)[0] > 2 * LABEL_WIDTH:
            text = _fit(label(edge.formula, 60), FORMULA_POINTS, LABEL_WIDTH)
        result[edge.key] = text
    return result


def _fit(text: str, points: float, width: float) -> str:
    """Shorten a plain text until it is at most `width` inches wide."""
    if size(text, points)[0] <= width:
        return text
    while len(text) > 2 and size(text + "…", points)[0] > width:
        text = text[:-1]
    return text.rstrip(" ,") + "…"


def _scale(ax: Axes, total: tuple[float, float]) -> float:
    """Points of text and lines relative to the natural size: an axes given by the caller may be smaller."""
    box = ax.get_window_extent()
    dpi = look.figure_of(ax).dpi
    return float(np.clip(min(box.width / dpi / total[0], box.height / dpi / total[1]), 0.05, 1.6))


def _strength(share: float) -> float:
    """Opacity from the relative score: monotone, and never so faint that an edge vanishes."""
    return 0.14 + 0.86 * min(1.0, max(0.0, share)) ** 0.5


def _draw_wires(ax: Axes, drawn: Sketch, plan: Placement, scale: float) -> None:
    order = sorted(drawn.edges, key=lambda edge: edge.share)
    segments: list[Array] = []
    colors, widths = [], []
    for edge in order:
        for piece in plan.wires[edge.key]:
            segments.append(piece)
            colors.append(to_rgba(look.INK, 0.85 * _strength(edge.share)))
            widths.append((0.5 + 0.8 * edge.share) * scale)
    for piece, _ in plan.joints:
        segments.append(piece)
        colors.append(to_rgba(look.INK))
        widths.append(1.2 * scale)
    ax.add_collection(
        LineCollection(segments, colors=colors, linewidths=widths, zorder=1, capstyle="round", gid="kanlib-wires"),
        autolim=False,
    )


def _draw_boxes(ax: Axes, edges: Sequence[Edge], plan: Placement, scale: float) -> None:
    frames, curves, frame_colors, curve_colors, widths = [], [], [], [], []
    spreads: dict[int, float] = {}
    for edge in edges:
        finite = edge.y[np.isfinite(edge.y)]
        spread = float(np.ptp(finite)) if finite.size else 0.0
        spreads[edge.key.layer] = max(spread, spreads.get(edge.key.layer, 0.0))
    for edge in edges:
        x0, y0, w, h = plan.boxes[edge.key]
        frames.append([(x0, y0), (x0 + w, y0), (x0 + w, y0 + h), (x0, y0 + h)])
        strength = _strength(edge.share)
        hue = look.SPLINE if edge.primitive is None else look.SYMBOLIC
        frame_colors.append(to_rgba(look.INK, 0.55 * strength))
        curve_colors.append(to_rgba(hue, strength))
        widths.append((1.0 + 0.7 * edge.share) * scale * min(1.0, 0.55 + 0.6 * w))
        t = np.linspace(0.09, 0.91, len(edge.x))
        curves.append(np.stack([x0 + w * t, y0 + h * _unit_height(edge.y, spreads[edge.key.layer])], axis=1))
    ax.add_collection(
        PolyCollection(
            frames,
            facecolors=look.PAPER,
            edgecolors=frame_colors,
            linewidths=0.6 * scale,
            zorder=2,
            gid="kanlib-boxes",
        ),
        autolim=False,
    )
    ax.add_collection(
        LineCollection(curves, colors=curve_colors, linewidths=widths, zorder=3, gid="kanlib-curves"), autolim=False
    )


def _unit_height(y: Array, layer_spread: float) -> Array:
    """The curve scaled into its box (0 to 1, NaN where it has no value); poles are cut off, rounding is not drawn."""
    finite = y[np.isfinite(y)]
    if not finite.size:
        return np.full(y.shape, np.nan)
    low, high = float(finite.min()), float(finite.max())
    q_low, q_high = (float(q) for q in np.quantile(finite, [0.03, 0.97]))
    if high - low > 8.0 * (q_high - q_low) > 0.0:
        low, high = max(low, q_low - 0.5 * (q_high - q_low)), min(high, q_high + 0.5 * (q_high - q_low))
    if high - low <= 1e-7 * max(layer_spread, abs(high), abs(low)):
        return np.where(np.isfinite(y), 0.5, np.nan)
    inside = np.where((y >= low) & (y <= high), y, np.nan)
    return np.asarray(0.1 + 0.8 * (inside - low) / (high - low))


def _draw_nodes(ax: Axes, drawn: Sketch, plan: Placement, scale: float) -> None:
    """Dots; rings with a plus where edges are added; squares with a cross where values are multiplied."""
    angles = np.linspace(0.0, 2.0 * np.pi, 49)[:-1]
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    square = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    dots, sums, products, signs = [], [], [], []
    arriving: dict[tuple[int, int], int] = {}
    for edge in drawn.edges:
        spot = (edge.key.layer + 1, edge.key.j)
        arriving[spot] = arriving.get(spot, 0) + 1
    r = plan.radius

    def add_sum(center: tuple[float, float], count: int) -> None:
        c = np.array(center)
        if count < 2:
            dots.append(c + 0.6 * r * circle)
            return
        sums.append(c + r * circle)
        signs.extend([c + 0.55 * r * np.array([(-1, 0), (1, 0)]), c + 0.55 * r * np.array([(0, -1), (0, 1)])])

    for l, nodes in enumerate(drawn.nodes):
        for n in nodes:
            center = np.array(plan.nodes[l][n])
            group = drawn.arities[l][n]
            if l == 0:
                dots.append(center + 0.6 * r * circle)
            elif len(group) == 1:
                add_sum(plan.nodes[l][n], arriving.get((l, group[0]), 0))
            else:
                products.append(center + 1.1 * r * square)
                d = 0.55 * r
                signs.extend([center + d * np.array([(-1, -1), (1, 1)]), center + d * np.array([(-1, 1), (1, -1)])])
                for s in group:
                    add_sum(plan.subnodes[l][s], arriving.get((l, s), 0))
    for shapes, face, name in (
        (dots, look.INK, "kanlib-dots"),
        (sums, look.PAPER, "kanlib-sums"),
        (products, look.PAPER, "kanlib-products"),
    ):
        ax.add_collection(
            PolyCollection(shapes, facecolors=face, edgecolors=look.INK, linewidths=1.0 * scale, zorder=4, gid=name),
            autolim=False,
        )
    ax.add_collection(
        LineCollection(signs, colors=look.INK, linewidths=1.0 * scale, zorder=5, gid="kanlib-signs"), autolim=False
    )


def _draw_text(
    ax: Axes,
    drawn: Sketch,
    plan: Placement,
    captions: Mapping[EdgeKey, str],
    names: tuple[Sequence[str], Sequence[str]],
    scale: float,
) -> None:
    for l, side, gap in ((0, names[0], -0.13), (len(drawn.nodes) - 1, names[1], 0.11 + plan.radius)):
        for n in drawn.nodes[l]:
            x, y = plan.nodes[l][n]
            ax.text(
                x + gap,
                y,
                side[n],
                ha="right" if l == 0 else "left",
                va="center_baseline",
                fontsize=NAME_POINTS * scale,
                color=look.INK,
                parse_math=False,
                gid="kanlib-name",
                zorder=6,
            )
    for edge in drawn.edges:
        if edge.key in captions:
            x0, y0, w, _ = plan.boxes[edge.key]
            text = captions[edge.key]
            ax.text(
                x0 + w / 2,
                y0 - 0.04,
                text,
                ha="center",
                va="top",
                fontsize=FORMULA_POINTS * scale,
                math_fontfamily="stix",
                color=to_rgba(look.SYMBOLIC, max(0.75, _strength(edge.share))),
                parse_math=text.startswith("$"),
                gid="kanlib-formula",
                zorder=6,
            )
