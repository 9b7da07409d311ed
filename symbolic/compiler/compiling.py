"""From a formula to the network that computes it: `compile_formula` is the inverse of `network_expression`.

The expression becomes a graph of sums and products (`kanlib.symbolic.compiler.graph`), the graph is laid out in layers
(`kanlib.symbolic.compiler.layout`), and the grids are laid over the values that arrive, or over the domains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from sympy import Expr, Symbol

from kanlib.errors import FormulaError, InputError, InputTypeError
from kanlib.layer import KANLayer
from kanlib.network import KAN
from kanlib.primitives import PRIMITIVES

from ..columns import formula_table
from ..formula import Formula
from ..tape import evaluate
from .graph import Graph
from .layout import Layout

__all__ = ["compile_formula"]

Array = NDArray[np.float64]


def compile_formula(formula: Formula | Expr, symbols: Sequence[Symbol] | None = None, X: Any = None) -> KAN:
    """The network that computes a formula: every edge fixed to a primitive, nothing approximated.

    It is an ordinary float64 KAN: to be drawn, saved, trained further (its constants are parameters), or to have
    edges freed. `kanlib.symbolic.compose.network_expression` gives the formula back.

    Parameters
    ----------
    formula : Formula, or a SymPy expression
        Sums, products, powers and the functions exp, log, sin, cos, tan, cot, sec, csc, asin, acos, atan, sinh, cosh,
        tanh, coth, sech, csch, asinh, acosh, atanh, Abs, sign, erf.
    symbols : one symbol per column, read or not
        By default the formula's own; for an expression, its symbols sorted by name.
    X : array (n, columns), optional
        Data. They show which parts are positive, as x**y needs to know, and fit the grids to the values that arrive.

    Returns
    -------
    KAN
        It takes all columns, and ``used_inputs`` says which it reads. Values agree with the formula to rounding, and
        are NaN where it has no real value: x**2.5 is NaN for negative x, x**7 is not. asinh is good to twelve
        digits up to 1e5, and beyond where X shows that its argument has one sign.

    Raises
    ------
    FormulaError
        A part has no network (another function, a complex number, x**y where x may be negative); the message names it.
    InputError
        X does not have one column for each symbol, or a symbol comes twice.

    Examples
    --------
    >>> from kanlib.compact import show_widths
    >>> x, y = sympy.symbols("x y", real=True)
    >>> model = compile_formula(x * sympy.exp(-(y**2)) + 1, (x, y))
    >>> show_widths(model.widths), model.layers[0].fixed_edges()
    ('[2, (0, [2]), 1]', {(0, 0): 'identity', (1, 1): 'gaussian'})
    >>> model(torch.tensor([[2.0, 0.0]], dtype=torch.float64)).tolist()
    [[3.0]]
    """
    try:
        return _compiled(formula, symbols, X)
    except RecursionError:
        raise FormulaError("The formula is nested too deeply for a network; compile its parts.") from None


def _compiled(formula: Formula | Expr, symbols: Sequence[Symbol] | None, X: Any) -> KAN:
    expr, columns, names = _read(formula, symbols)
    used = sorted(columns.index(symbol) for symbol in expr.free_symbols)
    table = None if X is None else _table(formula, X, len(columns))
    if table is not None and not np.isfinite(table[:, used]).all():
        raise InputError("X has values that are not finite in columns the formula reads; remove these rows first.")

    def values(part: Expr) -> Array | None:
        if table is None or not len(table):
            return None
        try:
            return evaluate(part, columns, table)
        except FormulaError:
            return None  # numbers are only known for what the tape knows

    graph = Graph({columns[number]: number for number in used}, values)
    layout = Layout(graph)
    layout.finish(graph.sum_of(expr))
    model = layout.network(used, names)
    if table is not None and len(table) and used:
        _fit_grids(model, torch.from_numpy(table))
    else:
        _grids_in_domain(model)
    return model


def _read(formula: Formula | Expr, symbols: Sequence[Symbol] | None) -> tuple[Expr, list[Symbol], list[str]]:
    """Expression, symbols of the columns, and names of the columns."""
    if isinstance(formula, Formula):
        expr, columns, names = formula.expr, list(formula.symbols), list(formula.names)
        if symbols is not None and list(symbols) != columns:
            raise InputError(f"compile_formula got symbols for a Formula; it has its own, {columns}: leave them out.")
    else:
        if isinstance(formula, str):
            raise InputTypeError("compile_formula got a string; read it with kanlib.symbolic.parse_formula first.")
        try:
            expr = sympy.sympify(formula, strict=True)
        except sympy.SympifyError:
            expr = None
        if not isinstance(expr, Expr):
            raise InputTypeError(f"compile_formula got {type(formula).__name__}; expected a Formula or an expression.")
        columns = sorted(expr.free_symbols, key=str) if symbols is None else list(symbols)
        names = [symbol.name for symbol in columns]
    if len(set(names)) < len(names):
        raise InputError(f"The symbols {columns} repeat a name; expected different ones: rename them.")
    unknown = sorted(str(symbol) for symbol in expr.free_symbols - set(columns))
    if unknown:
        raise FormulaError(
            f"The formula reads {', '.join(unknown)}; the columns are {', '.join(map(str, columns)) or 'none'}. List "
            "it in symbols; symbols of one name and other assumptions (real=True) are different."
        )
    if not columns:
        raise FormulaError(f"{expr} reads no column; a network needs one: pass symbols.")
    return expr, columns, names


def _table(formula: Formula | Expr, X: Any, n_columns: int) -> Array:
    if isinstance(formula, Formula):
        return formula_table(X, formula.names, formula.used)
    try:
        table = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"X holds values that are not real numbers ({error}); expected floats.") from None
    if table.ndim != 2 or table.shape[1] != n_columns:
        raise InputError(f"X has shape {table.shape}; expected (n, {n_columns}), one column for each symbol.")
    return table


@torch.no_grad()
def _fit_grids(model: KAN, table: torch.Tensor) -> None:
    """Grids over the values that arrive at them on data; no curve changes, as all are fixed."""
    for layer, values in zip(model.layers, model.activations(table)[:-1], strict=True):
        for i in range(layer.in_features):
            column = values[:, i][values[:, i].isfinite()]
            if len(column) and column.max() > column.min():
                _set_grid(layer, i, float(column.min()), float(column.max()))


def _grids_in_domain(model: KAN) -> None:
    """Without data: grids where all primitives have values, near 0."""
    for layer in model.layers:
        bounds = [(-math.inf, math.inf)] * layer.in_features
        for (i, j), name in layer.fixed_edges().items():
            a, b = layer.edge_constants[j, i, :2].tolist()
            domain = PRIMITIVES[name].domain
            ends = sorted(((domain.low - b) / a, (domain.high - b) / a)) if a else (-math.inf, math.inf)
            bounds[i] = (max(bounds[i][0], ends[0]), min(bounds[i][1], ends[1]))
        for i, (low, high) in enumerate(bounds):
            if not math.isfinite(low):
                low = min(-1.0, high - 2.0)
            if not math.isfinite(high):
                high = max(1.0, low + 2.0)
            if math.isfinite(high - low) and low < high:
                _set_grid(layer, i, low, high)


@torch.no_grad()
def _set_grid(layer: KANLayer, i: int, low: float, high: float) -> None:
    grid = torch.linspace(low, high, layer.grid_size + 1, dtype=layer.grid.dtype)
    if bool((grid.diff() > 0).all()) and high - low < torch.finfo(layer.grid.dtype).max ** 0.25:
        layer.grid[i] = grid
