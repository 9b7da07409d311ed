"""One term with natural constants behind a change of y: T(y) = c*f(x) + d, with c and d free, 1, -1 or 0.

A form without fitted constants is so short that noise can hardly hide it: x**3/(exp(x) - 1) is x**3/y = exp(x) - 1.
Sums of products over the points give the errors of all targets, terms and choices of c and d at once.
"""

from __future__ import annotations

import numpy as np
import sympy
from numpy.typing import NDArray

from ..description import NODE_COST, constants_cost
from .atoms import Atoms
from .curve import CONSTANTS, Curve, Form
from .targets import Target

__all__ = ["natural_forms"]

Array = NDArray[np.float64]

_CHOICES: tuple[tuple[float | None, float | None], ...] = (
    (None, None),
    (None, 0.0),
    (None, 1.0),
    (None, -1.0),
    (1.0, None),
    (-1.0, None),
    (1.0, 0.0),
    (-1.0, 0.0),
    (1.0, 1.0),
    (1.0, -1.0),
    (-1.0, 1.0),
)  # (c, d); None is fitted
_NODES = 10  # longer terms are left to sums


def natural_forms(curve: Curve, targets: list[Target], atoms: Atoms, symbol: sympy.Symbol, *, most: int) -> list[Form]:
    """The shortest descriptions among T(y) = c*f(x) + d, cheapest first.

    Parameters
    ----------
    targets : those with one nuisance function and no rate of their own are used.
    atoms : the terms f, on the curve's points.
    """
    usable = [target for target in targets if target.nuisance.shape[1] == 1 and target.rate == 0.0]
    short = np.flatnonzero(atoms.nodes <= _NODES)
    atoms = Atoms(atoms.values[:, short], tuple(atoms.factors[k] for k in short.tolist()), atoms.nodes[short])
    scale = np.sqrt(np.mean(atoms.values**2, axis=0))
    f = atoms.values / scale
    w = np.stack([target.root_weight**2 for target in usable])
    t = np.stack([target.values for target in usable])
    s_w, s_t, s_tt = w.sum(1)[:, None], (w * t).sum(1)[:, None], (w * t * t).sum(1)[:, None]
    s_f, s_ff, s_tf = w @ f, w @ f**2, (w * t) @ f
    price = np.array([target.price for target in usable])[:, None]
    one = constants_cost(1, curve.rows)
    costs = []
    for c_choice, d_choice in _CHOICES:
        with np.errstate(all="ignore"):
            if c_choice is None and d_choice is None:
                rest = s_ff - s_f**2 / s_w
                c = np.where(rest > 1e-11 * s_ff, (s_tf - s_t * s_f / s_w) / rest, np.nan)
            elif c_choice is None:
                c = (s_tf - (d_choice or 0.0) * s_f) / s_ff
            else:
                c = np.broadcast_to(c_choice * scale, s_f.shape)
            d = (s_t - c * s_f) / s_w if d_choice is None else np.full(s_f.shape, d_choice)
            rss = s_tt + c * c * s_ff + d * d * s_w - 2 * c * s_tf - 2 * d * s_t + 2 * c * d * s_f
            # the sums cancel; what is left of them is rounding
            nmse = np.maximum(rss, 1e-13 * s_tt) / curve.spread
        nodes = atoms.nodes + 2 * (c_choice is None) + (c_choice == -1.0) + 2 * (d_choice != 0.0)
        free = (c_choice is None) + (d_choice is None)
        cost = curve.cost(np.where(np.isfinite(nmse), nmse, np.inf)) + free * one + price + NODE_COST * nodes
        costs.append(cost)
    stacked = np.stack(costs)
    order = np.argpartition(stacked, min(8 * most, stacked.size - 1), axis=None)[: 8 * most]
    order = order[np.argsort(stacked.ravel()[order], kind="stable")]
    forms: list[Form] = []
    seen: set[tuple[int, int]] = set()
    for flat in order.tolist():
        choice, row, column = (int(k) for k in np.unravel_index(flat, stacked.shape))
        if (row, column) in seen or len(forms) == most:
            continue
        seen.add((row, column))
        forms.append(_form(usable[row], atoms, column, _CHOICES[choice], symbol))
    return forms


def _form(
    target: Target, atoms: Atoms, column: int, choice: tuple[float | None, float | None], symbol: sympy.Symbol
) -> Form:
    """The form with its free constants solved for in long precision of least squares."""
    names = iter(CONSTANTS)
    values = {}
    left = target.values - (choice[1] or 0.0)
    design, unknown = [], []
    expr = sympy.S.Zero
    for part, fixed, term in (
        (atoms.values[:, column], choice[0], atoms.expr(column)),
        (np.ones(len(left)), choice[1], sympy.S.One),
    ):
        if fixed is None:
            name = next(names)
            design.append(part)
            unknown.append(name)
            expr += name * term
        else:
            expr += int(fixed) * term
    if choice[0] is not None:
        left = left - choice[0] * atoms.values[:, column]
    if unknown:
        matrix = np.stack(design, axis=1) * target.root_weight[:, None]
        size = np.linalg.norm(matrix, axis=0)
        solution = np.linalg.lstsq(matrix / size, left * target.root_weight, rcond=None)[0] / size
        values = dict(zip(unknown, map(float, solution), strict=True))
    return target.form(expr, values, symbol)
