"""Sums of a few terms with natural constants: one, two or three atoms or products of atoms.

The best pairs are found in closed form from inner products, the best third term of the best pairs by orthogonal
projection (orthogonal matching pursuit, Pati et al. 1993).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import Add, Expr, Function, Pow, Symbol

from ..description import NODE_COST, constants_cost
from .atoms import Atoms
from .curve import CONSTANTS, Curve, Form, combination

__all__ = ["loosened", "sums_of_atoms"]

Array = NDArray[np.float64]
Indices = NDArray[np.signedinteger[Any]]

_TOP = 260  # columns of which all pairs are tried
_BEAM = 40  # pairs to which a third term is sought
_ALONE = 4
_SHORT = 9  # nodes of terms that are tried with coefficients 1 and -1


def sums_of_atoms(curve: Curve, atoms: Atoms, singles: int, *, most: int = 20) -> tuple[list[Form], list[Form]]:
    """The shortest sums c1*f1 + c2*f2 + c3*f3 + d by n/2 log(nmse) and their nodes, linear constants solved for.

    Parameters
    ----------
    atoms : the terms, on the curve's points.
    singles : the first so many terms are paired with all, the best 260 with each other.
    most : how many sums.

    Returns
    -------
    sums, single terms : of each the cheapest first; single terms are what constants inside may bring to a fit.
    """
    root = np.sqrt(curve.weight)
    columns = atoms.values - (curve.weight @ atoms.values) / curve.weight.sum()
    columns = columns * root[:, None]
    columns = columns / np.linalg.norm(columns, axis=0)
    z = (curve.y - float(curve.weight @ curve.y) / float(curve.weight.sum())) * root
    z = z / np.linalg.norm(z)
    match = columns.T @ z

    one_constant = constants_cost(1, curve.rows)

    def score(error: Array, nodes: Array) -> Array:
        return curve.cost(error) + NODE_COST * nodes

    one = [(k,) for k in np.argsort(score(1 - match**2, atoms.nodes))[:_BEAM].tolist()]
    top = np.argsort(-np.abs(match))[:_TOP]
    pairs = _best_pairs(columns, match, np.arange(singles), np.arange(len(match)), score, atoms.nodes)
    pairs += _best_pairs(columns, match, top, top, score, atoms.nodes)
    pairs = list(dict.fromkeys(pairs))
    triples = []
    for i, j in pairs[:_BEAM]:
        q = np.linalg.qr(columns[:, [i, j]])[0]
        left = z - q @ (q.T @ z)
        size = 1 - np.sum((q.T @ columns) ** 2, axis=0)
        fine = size > 1e-6
        gain = np.where(fine, (columns.T @ left) ** 2 / np.where(fine, size, 1.0), 0.0)
        error = float(left @ left) - gain
        for k in np.argsort(score(error, atoms.nodes))[:2].tolist():
            triples.append(tuple(sorted((i, j, k))))
    ranked: list[tuple[float, int, tuple[tuple[int, ...], tuple[int, ...]]]] = []
    for terms in dict.fromkeys([*one, *pairs, *triples]):
        design = columns[:, list(terms)]
        residual = z - design @ np.linalg.lstsq(design, z, rcond=None)[0]
        nodes = float(atoms.nodes[list(terms)].sum()) + 3 * len(terms) + 2
        cost = float(score(np.array(residual @ residual), np.array(nodes))) + one_constant * (len(terms) + 1)
        ranked.append((cost, len(ranked), (terms, ())))
    for cost, i, j, signs, offset in _unit_pairs(curve, atoms, singles, most):
        ranked.append((cost, len(ranked), ((i, j), (*signs, offset))))
    ranked.sort()
    alone = [item for item in ranked if len(item[2][0]) == 1][:_ALONE]
    best, singly = ([_sum(curve, atoms, *item[2]) for item in part] for part in (ranked[:most], alone))
    return best, singly


def _unit_pairs(
    curve: Curve, atoms: Atoms, singles: int, most: int
) -> list[tuple[float, int, int, tuple[int, int], bool]]:
    """The cheapest f1 + f2, f1 - f2 and f2 - f1, alone and with a constant: (cost, i, j, signs, constant)."""
    found = []
    short = np.flatnonzero(atoms.nodes <= _SHORT)
    singles = int(np.sum(short < singles))
    root = np.sqrt(curve.weight)
    along = (root / np.linalg.norm(root))[:, None]
    for offset in (False, True):
        f, y = atoms.values[:, short] * root[:, None], curve.y * root
        if offset:
            f, y = f - along @ (along.T @ f), y - along[:, 0] * float(along[:, 0] @ y)
        with np.errstate(all="ignore"):
            own, match, gram = np.sum(f**2, axis=0), f.T @ y, f[:, :singles].T @ f
            size = float(y @ y) + own[:singles, None] + own[None, :]
            nodes = atoms.nodes[short[:singles], None] + atoms.nodes[None, short] + 1 + 2 * offset
        for s, t in ((1, 1), (1, -1), (-1, 1)):
            with np.errstate(all="ignore"):
                rss = size + 2 * s * t * gram - 2 * s * match[:singles, None] - 2 * t * match[None, :]
                nmse = np.maximum(rss, 1e-13 * size) / curve.spread
                cost = curve.cost(np.where(np.isfinite(nmse), nmse, np.inf)) + NODE_COST * (nodes + (s < 0))
            cost = cost + offset * constants_cost(1, curve.rows)
            flat = np.argpartition(cost, min(most, cost.size - 1), axis=None)[:most]
            for k in flat.tolist():
                i, j = (int(v) for v in np.unravel_index(k, cost.shape))
                if i != j and (i < j or j >= singles or s != t):
                    found.append((float(cost[i, j]), int(short[i]), int(short[j]), (s, t), offset))
    return sorted(found)[:most]


def _best_pairs(
    columns: Array, match: Array, first: Indices, second: Indices, score: Callable[[Array, Array], Array], nodes: Array
) -> list[tuple[int, ...]]:
    """The cheapest pairs of a first and a second column."""
    gram = columns[:, first].T @ columns[:, second]
    one, two = match[first][:, None], match[second][None, :]
    rest = 1 - gram**2
    fine = (rest > 1e-7) & (first[:, None] != second[None, :])
    gain = np.where(fine, (one**2 + two**2 - 2 * gram * one * two) / np.where(fine, rest, 1.0), 0.0)
    cost = score(1 - gain, nodes[first][:, None] + nodes[second][None, :])
    flat = np.argpartition(cost.ravel(), min(3 * _BEAM, cost.size - 1))[: 3 * _BEAM]
    flat = flat[np.argsort(cost.ravel()[flat])]
    rows, places = np.unravel_index(flat, cost.shape)
    found = [tuple(sorted((int(first[i]), int(second[j])))) for i, j in zip(rows, places, strict=True)]
    return list(dict.fromkeys(found))


def _sum(curve: Curve, atoms: Atoms, terms: tuple[int, ...], unit: tuple[int, ...]) -> Form:
    """The form of a sum; ``unit``: its two signs and whether a constant stands beside, () for free coefficients."""
    exprs = [atoms.expr(k) for k in terms]
    root = np.sqrt(curve.weight)
    if unit:
        total = atoms.values[:, list(terms)] @ np.array(unit[:2])
        structure = Add(*[sign * e for sign, e in zip(unit[:2], exprs, strict=True)])
        if not unit[2]:
            return structure, {}
        rest = float(curve.weight @ (curve.y - total)) / float(curve.weight.sum())
        return structure + CONSTANTS[0], {CONSTANTS[0]: rest}
    design = np.column_stack([atoms.values[:, list(terms)], np.ones(len(curve.x))]) * root[:, None]
    scale = np.linalg.norm(design, axis=0)
    weights = np.linalg.lstsq(design / scale, curve.y * root, rcond=None)[0] / scale
    return combination([*exprs, sympy.S.One], weights)


def loosened(form: Form) -> Form:
    """Natural constants inside functions set free: sin(x) becomes sin(c2*x + c3), log(1 + x) becomes log(c2 + x).

    Examples
    --------
    >>> x = Symbol("x", real=True)
    >>> loosened((sympy.exp(-x), {}))[0], loosened((sympy.log(1 + x), {}))[0], loosened((1 / (2 + x), {}))[0]
    (exp(_c1*x), log(_c1 + x), 1/(_c1 + x))
    """
    structure, values = form[0], dict(form[1])
    unused = iter(c for c in CONSTANTS if c not in values)

    def free(value: Expr) -> Symbol:
        constant = next(unused)
        values[constant] = float(value)
        return constant

    def freed(argument: Expr) -> Expr:
        if isinstance(argument, Add):
            number, rest = argument.as_coeff_Add()
            return free(number) + rest if number != 0 else free(sympy.S.One) * rest
        coefficient, rest = argument.as_coeff_Mul()
        return free(coefficient) * rest

    def visit(part: Expr) -> Expr:
        if not part.args:
            return part
        if isinstance(part, (Function, sympy.exp)):
            argument = visit(part.args[0])
            if not part.args[0].atoms(Function):
                argument = freed(argument)
                if isinstance(part, (sympy.sin, sympy.cos)):
                    argument = argument + free(sympy.S.Zero)
            return part.func(argument)
        if isinstance(part, Pow) and isinstance(part.base, Add) and not part.base.atoms(Function):
            return freed(part.base) ** part.exp
        return part.func(*[visit(argument) for argument in part.args])

    return visit(structure), values
