"""Short closed forms of one variable, beyond what one primitive can say: compositions, products, quotients and sums.

Four ways propose forms, the cheap ones first: polynomials and rational functions of y and of simple changes of y, sums
of dictionary terms with natural constants, one function between a change of x and a change of y, and sums of waves. All
are screened on a few hundred points; what looks best is refitted, with every constant free, and compared by description
length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sympy import Symbol

from kanlib.errors import InputError

from ..library import allowed_functions, search_names
from .atoms import natural_atoms, products
from .curve import Curve, Form, screening_curve
from .families import Coordinate, coordinates
from .modulated import products_of_waves
from .natural import natural_forms
from .pool import FormPool, UnivariateFit
from .ratios import polynomial_forms, rational_forms
from .sums import loosened, sums_of_atoms
from .targets import Target, targets
from .warps import fit_warps
from .waves import sums_of_exponentials, sums_of_waves

__all__ = ["UnivariateFit", "univariate_candidates"]

Array = NDArray[np.float64]

_ROWS, _NOISY_ROWS = 250, 500  # rows that judge proposals
_NEAR, _FAR = 14, 60  # evaluations for forms that are refined already, and for those that are not
_ALGEBRAIC = ("y", "y**2", "exp(y)", "log(y)", "sqrt(y)")


def univariate_candidates(
    x: ArrayLike,
    y: ArrayLike,
    symbol: Symbol,
    *,
    sample_weight: ArrayLike | None = None,
    primitives: Sequence[str] | None = None,
    most: int = 12,
    expired: Callable[[], bool] = lambda: False,
) -> list[UnivariateFit]:
    """Short closed forms of y(x), refitted on all rows.

    Parameters
    ----------
    x, y : (n,) float.
    symbol : the variable of the expressions.
    sample_weight : (n,) non-negative, optional.
    primitives : names of the functions to use, all of the search set by default; arithmetic and powers are always
        there.
    most : how many forms to return.
    expired : says when to stop; what was found until then is returned.

    Returns
    -------
    list of UnivariateFit
        Distinct forms, shortest description first; empty when y is constant, or there are fewer than 6 rows or
        5 different x.

    Raises
    ------
    InputError
        Shapes that do not belong together, or values that are not finite.

    Examples
    --------
    >>> x = np.linspace(0.2, 3.0, 100)
    >>> fits = univariate_candidates(x, x**3 / np.expm1(x), Symbol("x", real=True))
    >>> fits[0].expr
    x**3/(exp(x) - 1)
    """
    xs, ys, weight = _checked(x, y, sample_weight)
    seen = np.ones(len(xs), dtype=bool) if weight is None else weight > 0
    if seen.sum() < 6 or len(np.unique(xs[seen])) < 5 or np.ptp(ys[seen]) == 0:
        return []
    if not seen.all():
        xs, ys, weight = xs[seen], ys[seen], None if weight is None else weight[seen]
    functions = allowed_functions(search_names() if primitives is None else primitives)
    curve = screening_curve(xs, ys, weight)
    rows = _spread_rows(xs, _NOISY_ROWS if curve.noise > 0 else _ROWS)
    few = FormPool(symbol, xs[rows], ys[rows], None if weight is None else weight[rows], most=most, expired=expired)
    # Trial forms overflow and leave their domain; what comes of it is looked at, warnings would say nothing new.
    with np.errstate(all="ignore"):
        for propose, evaluations in _proposals(curve, symbol, functions):
            try:
                few.add(propose(), evaluations=evaluations)
            except (np.linalg.LinAlgError, OverflowError):
                continue  # numbers too large or too small for these forms; the others may still work
            if few.solved or expired():
                break
    few.tidy()
    if len(rows) == len(xs):
        return few.best()
    whole = FormPool(symbol, xs, ys, weight, most=most)
    whole.add(few.kept(), evaluations=_FAR)
    return whole.best()


def _checked(x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Array, Array, Array | None]:
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if xs.ndim != 1 or xs.shape != ys.shape or (weight is not None and weight.shape != xs.shape):
        shapes = [xs.shape, ys.shape, None if weight is None else weight.shape]
        raise InputError(f"univariate_candidates got x, y, sample_weight {shapes}; expected three of one shape (n,).")
    if not (np.all(np.isfinite(xs)) and np.all(np.isfinite(ys)) and (weight is None or np.all(np.isfinite(weight)))):
        raise InputError("univariate_candidates got values that are not finite; drop those rows first.")
    return xs, ys, weight


def _spread_rows(x: Array, most: int) -> NDArray[np.int64]:
    """Rows evenly spread over the order of x."""
    order = np.argsort(x, kind="stable")
    return np.sort(order[np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).round().astype(np.int64))])


def _proposals(
    curve: Curve, symbol: Symbol, functions: frozenset[str]
) -> Iterator[tuple[Callable[[], list[Form]], int]]:
    """Ways to propose forms, the cheap ones first, and how many evaluations each form is worth."""
    changes = targets(curve, symbol, functions)
    inputs = coordinates(curve.x, symbol, functions)
    if not inputs:
        return  # x is of no use, not even as it is
    by_name = {target.name: target for target in changes}
    for name in _ALGEBRAIC:
        if name in by_name:
            yield partial(polynomial_forms, curve, by_name[name], inputs[0], symbol), _NEAR
            yield partial(rational_forms, curve, by_name[name], symbol), _NEAR
    for inner in inputs[1:]:
        degree = 12 if inner.expr == 1 / symbol else 4
        yield partial(polynomial_forms, curve, by_name["y"], inner, symbol, degree=degree), _NEAR
    atoms = natural_atoms(curve.x, symbol, functions)
    terms = products(atoms)
    yield partial(natural_forms, curve, changes, terms, symbol, most=16), _NEAR
    sums = cache(lambda: sums_of_atoms(curve, terms, len(atoms.nodes)))
    yield lambda: sums()[0], _NEAR
    wavy = "sin" in functions and _turns(curve) >= 4
    if wavy:
        yield partial(sums_of_waves, curve, symbol), _FAR
    yield partial(_warped, curve, changes, inputs, symbol, functions), _NEAR
    if "sin" in functions:
        yield partial(products_of_waves, curve, symbol), _FAR
    yield lambda: [loosened(form) for form in (*sums()[0][:6], *sums()[1])], _FAR
    if "exp" in functions:
        yield partial(sums_of_exponentials, curve, symbol), _FAR
    if "sin" in functions and not wavy:
        yield partial(sums_of_waves, curve, symbol), _FAR


def _warped(
    curve: Curve, changes: list[Target], inputs: list[Coordinate], symbol: Symbol, functions: frozenset[str]
) -> list[Form]:
    warps = fit_warps(curve, changes, inputs, symbol, functions, most=24)
    return [form for form in (warp.build() for warp in warps) if form is not None]


def _turns(curve: Curve) -> int:
    """How often the curve turns, wiggles below a hundredth of its range aside."""
    steps = np.diff(curve.y)
    steps = steps[np.abs(steps) > 1e-4 * np.ptp(curve.y)]
    return int(np.sum(steps[1:] * steps[:-1] < 0))
