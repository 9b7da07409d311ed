"""Data against a law: the curve through the points, or predicted against measured, with the residuals below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mpl_toolkits.axes_grid1 import make_axes_locatable

from kanlib.data import as_tensor
from kanlib.errors import InputError, InputTypeError
from kanlib.network import KAN

from . import style as look
from .curves import Array, live_edges
from .text import label, mathtext, size, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Predict = Callable[[Array], Array]


def plot_fit(
    law: Any,
    X: Any,
    y: Any,
    *,
    ax: Axes | None = None,
    names: Sequence[str] | None = None,
    target_name: str | None = None,
    residuals: bool = True,
) -> Axes:
    """Draw how well a law describes data.

    A law of one column is drawn as a curve through the points, with the 95% confidence band of its fitted constants
    where their covariance is known; axes become logarithmic when positive data span about two decades. A law of
    several columns is drawn as predicted against measured values, with the line of equality.

    Parameters
    ----------
    law : Formula, Discovery, KAN, or an estimator with ``predict``
        A Discovery is drawn by its formula, or by its network where it found none.
    X : array, tensor or data frame, shape (n, d)
        All columns the law was made for.
    y : array, shape (n,)
        Measured values.
    ax : Axes, optional
        Where to draw; its lower part becomes the residuals. By default a new figure.
    names, target_name : optional
        Names of the columns and of y; by default those of the law or the data frame. Drawn as written.
    residuals : bool
        Whether to draw measured minus predicted on axes below.

    Returns
    -------
    Axes
        The upper axes.

    Raises
    ------
    InputError
        If X and y do not fit each other or the law, or no row has a finite prediction.
    InputTypeError
        If the law cannot predict.

    Examples
    --------
    >>> import numpy as np, sympy
    >>> from kanlib.symbolic import Formula
    >>> from kanlib.plots import plot_fit
    >>> s = sympy.Symbol("s", real=True)
    >>> x = np.linspace(0.0, 2.0, 20)[:, None]
    >>> plot_fit(Formula(s**2, {}, (s,)), x, x[:, 0] ** 2).get_ylabel()
    'y'
    """
    law, predict, used = _open(law)
    columns = getattr(X, "columns", None)
    x = as_tensor(X, "X").cpu().double().numpy()
    measured = as_tensor(y, "y").cpu().double().numpy().reshape(-1)
    if x.ndim != 2 or len(x) != len(measured) or not len(x):
        raise InputError(
            f"X has shape {x.shape} and y has {len(measured)} values; expected one row of X for each value of y."
        )
    if names is None:
        names = getattr(law, "names", None) or getattr(law, "input_names", None) or columns
    if names is None or len(names) != x.shape[1]:
        names = [f"x{k + 1}" for k in range(x.shape[1])] if x.shape[1] > 1 else ["x"]
    target = label(target_name or getattr(law, "target", None) or "y", 32)
    predicted = _checked(predict(x), len(x))
    known = np.isfinite(predicted) & np.isfinite(measured)
    if not known.any():
        raise InputError("the law has no finite value at any row of X; expected data from its domain.")
    used = tuple(range(x.shape[1])) if used is None else used
    color = look.SYMBOLIC if hasattr(law, "latex") else look.SPLINE
    own = ax is None
    with look.axes(ax, 5.2, 4.2 if residuals else 3.4) as ax:
        if own:
            look.figure_of(ax).set_layout_engine("tight")
        if len(used) == 1:
            ax.set_xlabel(label(names[used[0]], 48), parse_math=False)
            ax.set_ylabel(target, parse_math=False)
            across = x[:, used[0]]
            _draw_curve(ax, law, predict, x, used[0], measured, color)
        else:
            ax.set_xlabel(f"predicted {target}", parse_math=False)
            ax.set_ylabel(f"measured {target}", parse_math=False)
            across = predicted
            _draw_identity(ax, predicted[known], measured[known], color)
        marks = _marker(len(x))
        ax.plot(across[known], measured[known], linestyle="none", zorder=3, gid="kanlib-data", **marks)
        ax.set_title(_quality(measured[known], predicted[known]), fontsize=8.0, color=look.MUTED)
        ax.spines[["top", "right"]].set_visible(False)
        if residuals:
            _draw_residuals(ax, across[known], (measured - predicted)[known], marks, color)
    return ax


def _open(law: Any) -> tuple[Any, Predict, tuple[int, ...] | None]:
    """The object that predicts, its prediction as a function of an array, and the columns it reads (if it says)."""
    law = getattr(law, "discovery_", law)
    if hasattr(law, "formula") and hasattr(law, "network"):
        law = law.formula if law.formula is not None else law.network
    if isinstance(law, KAN):
        model = law
        if model.out_features != 1:
            raise InputError(
                f"the network has {model.out_features} outputs; plot_fit draws one quantity. Pass a network with one."
            )
        weight = model.layers[0].coefficients

        def run(x: Array) -> Array:
            with torch.no_grad():
                return model(torch.as_tensor(x, dtype=weight.dtype, device=weight.device)).cpu().double().numpy()

        reads = np.flatnonzero(live_edges(model)[0].any(axis=0))
        return model, run, tuple(model.used_inputs[i] for i in reads)
    if callable(getattr(law, "predict", None)):
        return law, law.predict, getattr(law, "used", None)
    raise InputTypeError(
        f"plot_fit got a {type(law).__name__}; expected a Formula, a Discovery with a formula or a network, a KAN, "
        "or an estimator with predict."
    )


def _checked(values: Any, n: int) -> Array:
    result = np.asarray(values, dtype=float).reshape(-1)
    if len(result) != n:
        raise InputError(f"the law predicts {len(result)} values for {n} rows; expected one for each.")
    return result


def _marker(n: int) -> dict[str, Any]:
    if n <= 200:
        edge = {"markeredgecolor": look.PAPER, "markeredgewidth": 0.6}
        return {"marker": "o", "markersize": 5.0, "color": look.DATA, **edge}
    return {
        "marker": "o",
        "markersize": 2.4 if n <= 2000 else 1.6,
        "color": look.DATA,
        "markeredgewidth": 0.0,
        "alpha": 0.6 if n <= 2000 else 0.35,
        "rasterized": n > 2000,  # thousands of vector points would make a file of many megabytes
    }


def _draw_curve(ax: Axes, law: Any, predict: Predict, x: Array, column: int, y: Array, color: str) -> None:
    values = x[:, column]
    low, high = float(values.min()), float(values.max())
    pad = 0.03 * (high - low)
    both = look.wide_range(low, high) and look.wide_range(float(y.min()), float(y.max()))
    if both or look.wide_range(low, high, 3.0):
        ax.set_xscale("log")
        dense = np.geomspace(low / 1.1, high * 1.1, 400)
    else:
        start = 0.0 if 0.0 <= low < 0.15 * high else low - pad
        dense = np.linspace(max(start, 0.0) if low >= 0.0 else start, high + pad, 400)
    if both:
        ax.set_yscale("log")
    table = np.tile(np.nanmedian(x, axis=0), (len(dense), 1))
    table[:, column] = dense
    curve = _checked(predict(table), len(dense))
    shown = np.isfinite(curve) & (curve > 0.0 if ax.get_yscale() == "log" else True)
    band = _band(law, table)
    if band is not None:
        ax.fill_between(
            dense, curve - band, curve + band, where=shown, color=color, alpha=0.15, linewidth=0.0, gid="kanlib-band"
        )
    text = None
    if hasattr(law, "latex"):
        text = mathtext(tidy(law.latex()))
        if text is None or size(text, 10.0)[0] > 2.8:
            text = None
    ax.plot(dense, np.where(shown, curve, np.nan), color=color, linewidth=1.7, zorder=2, gid="kanlib-law")
    if ax.get_yscale() != "log":
        # A pole just outside the data must not flatten them.
        spread = float(np.ptp(y)) or max(abs(float(y[0])), 1.0)
        bottom, top = ax.get_ylim()
        ax.set_ylim(max(bottom, float(y.min()) - 0.35 * spread), min(top, float(y.max()) + 0.35 * spread))
    if text is not None:
        _write_formula(ax, text, [(dense[shown], curve[shown]), (values, y)], color)


def _write_formula(ax: Axes, text: str, taken: list[tuple[Array, Array]], color: str) -> None:
    """Write the formula into the corner with the fewest points of the curve and the data."""
    points = np.concatenate([np.stack(pair, axis=1) for pair in taken])
    places = ax.transAxes.inverted().transform(ax.transData.transform(points))
    box = ax.get_window_extent()
    dpi = look.figure_of(ax).dpi
    width, height = size(text, 11.0)
    # With room to spare, as the residuals take a part of the height later.
    w, h = (1.2 * width + 0.3) * dpi / max(box.width, 1.0), (1.6 * height + 0.3) * dpi / max(box.height, 1.0)
    corners = [("left", "top"), ("right", "bottom"), ("right", "top"), ("left", "bottom")]

    def crowd(corner: tuple[str, str]) -> int:
        x = places[:, 0] if corner[0] == "left" else 1.0 - places[:, 0]
        y = places[:, 1] if corner[1] == "bottom" else 1.0 - places[:, 1]
        return int(((x < w) & (y < h)).sum())

    ha, va = min(corners, key=crowd)
    ax.text(
        0.03 if ha == "left" else 0.97,
        0.05 if va == "bottom" else 0.95,
        text,
        transform=ax.transAxes,
        ha=ha,
        va=va,
        fontsize=11.0,
        color=color,
        math_fontfamily="stix",
        gid="kanlib-formula",
    )


def _band(law: Any, table: Array) -> Array | None:
    """Half the width of the pointwise 95% confidence band from the covariance of the fitted constants."""
    covariance, dof = getattr(law, "covariance", None), getattr(law, "dof", None)
    if covariance is None or not covariance.size or not dof or not np.isfinite(covariance).all():
        return None
    import sympy
    from scipy.stats import t as student

    from kanlib.symbolic.tape import evaluate

    numbers = {s: sympy.Float(v) if isinstance(v, float) else v for s, v in law.values.items()}
    fitted = [s for s, v in law.values.items() if isinstance(v, float)]
    gradient = [evaluate(sympy.diff(law.structure, s).xreplace(numbers), law.symbols, table) for s in fitted]
    slopes = np.stack([np.broadcast_to(g, len(table)) for g in gradient], axis=1)
    variance = np.einsum("ni,ij,nj->n", slopes, covariance, slopes)
    return np.asarray(student.ppf(0.975, dof) * np.sqrt(np.where(variance > 0.0, variance, 0.0)))


def _draw_identity(ax: Axes, predicted: Array, measured: Array, color: str) -> None:
    low = float(min(predicted.min(), measured.min()))
    high = float(max(predicted.max(), measured.max()))
    if look.wide_range(low, high, 2.0) and np.quantile(measured, 0.5) < low + 0.1 * (high - low):
        ax.set_xscale("log")
        ax.set_yscale("log")
        low, high = low / 1.2, high * 1.2
    else:
        pad = 0.04 * (high - low) or 1.0
        low, high = low - pad, high + pad
    ax.plot([low, high], [low, high], color=color, linewidth=1.3, zorder=2, gid="kanlib-law")
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)


def _quality(measured: Array, predicted: Array) -> str:
    """R² and RMSE over the rows shown, for the line above the picture."""
    rmse = math.sqrt(float(np.mean((measured - predicted) ** 2)))
    total = float(np.mean((measured - measured.mean()) ** 2))
    if total <= 0.0:
        return f"RMSE {rmse:.3g}, {len(measured)} rows"
    lost = rmse * rmse / total
    r2 = "R² 1" if lost < 1e-15 else f"R² {1.0 - lost:.4f}" if lost > 5e-5 else f"1 − R² = {lost:.1e}"
    return f"{r2}, RMSE {rmse:.3g}, {len(measured)} rows".replace("-", "−")


def _draw_residuals(ax: Axes, across: Array, residual: Array, marks: dict[str, Any], color: str) -> None:
    below = make_axes_locatable(ax).append_axes("bottom", "28%", pad=0.12, sharex=ax)
    below.set_facecolor(look.PAPER)
    below.axhline(0.0, color=color, linewidth=1.0, zorder=2)
    marks = {**marks, "markeredgewidth": 0.0}
    below.plot(across, residual, linestyle="none", zorder=3, gid="kanlib-residuals", **marks)
    below.set_xlabel(ax.get_xlabel(), parse_math=False)
    below.set_ylabel("residual")
    top = float(np.abs(residual).max())
    below.set_ylim(-1.25 * top if top else -1.0, 1.25 * top if top else 1.0)
    below.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    below.yaxis.get_offset_text().set_fontsize(7.0)
    below.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("")
    ax.tick_params(axis="x", which="both", labelbottom=False)
