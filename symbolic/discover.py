"""From a table to a law: the entry."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from numbers import Real

from numpy.typing import ArrayLike
from sympy import Expr

from kanlib.checks import check_seed
from kanlib.errors import InputError, InputTypeError
from kanlib.threads import one_thread

from .conclusion import conclude
from .discovery import Discovery, Progress
from .physical import match_physical
from .priors.noise import weighted_rows
from .priors.prior import prior
from .problem import Problem, table
from .search import Search
from .univariate.operon import has_operon

__all__ = ["discover"]


def discover(
    X: ArrayLike,
    y: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    target_name: str | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
    primitives: Sequence[str] | None = None,
    progress: bool = False,
    callback: Callable[[Progress], bool | None] | None = None,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    forbidden: Sequence[str] = (),
    required: Sequence[str] = (),
    units: Mapping[str, str] | Sequence[str] | None = None,
    output_unit: str | None = None,
    dimensionless_constants: bool = False,
    monotone: Mapping[str, str] | None = None,
    convex: Mapping[str, str] | None = None,
    bounds: tuple[float | None, float | None] | None = None,
    start: str | Expr | None = None,
    start_role: str = "law",
    sample_weight: ArrayLike | None = None,
    noise: ArrayLike | None = None,
    physical: bool | Sequence[str] = False,
    operon: bool = False,
) -> Discovery:
    """Find the law y = f(X), or say that the data support none.

    A polynomial stand-in shows which combinations of columns the law reads (x - y, x/y, x^2 + y^2, ...). Of these
    coordinates closed forms are proposed, and where they do not do, small networks of growing shape are trained, whose
    edges are recognised as primitives. All constants are refitted to y together, cut and recognised, and every formula
    is judged on rows it has not seen, against the best stand-in or network and by its residuals. Forty rows or more are
    split 80:20; with fewer every row is left out once, and only networks are read.

    What is known of the law already refuses formulas, with the reason, and never bends a fit.

    Parameters
    ----------
    X : array or data frame, shape (n, d)
        At least 5 rows of finite numbers. Constant columns are left aside, with a note.
    y : array-like, shape (n,)
    names, target_name : column names; from the data frame or x1, x2, ... and y by default.
    time_limit : float
        Seconds; the search ends with the best it has, about a second later at the most, and a note says what was
        not done.
    seed : int
        Of the split and of the starts: the same seed gives the same result, with an executor or without.
    primitives : sequence of str, optional
        Names of the primitives to use, see `kanlib.primitives.PRIMITIVES`; all by default.
    progress : bool
        Whether to show a progress bar on standard error, with the best formula so far.
    callback : callable, optional
        Called with a `Progress` before each stage and after each formula; True ends the search.
    executor : concurrent.futures.Executor, optional
        Runs the tasks of the search side by side: a ``ProcessPoolExecutor`` (with the "spawn" context, and the call
        under ``if __name__ == "__main__":``), ``dask.distributed.Client(...).get_executor()``, or an
        ``MPIPoolExecutor``. It is left open. Threads gain nothing.
    checkpoint : path, optional
        A JSON file that keeps what is found as it is found. A second call with the same table and settings (the time
        limit may differ) goes on from there.
    forbidden, required : sequences of str
        Primitives that the law must not hold, or must, such as ``forbidden=["sin"]``; sin and cos are one here.
    units : mapping column -> unit, or one unit a column
        Such as ``{"m": "kg", "v": "m/s"}`` (needs pint). Formulas whose units do not agree are refused, and the
        dimensionless groups of the columns are tried as coordinates.
    output_unit : str
        The unit of y; needed with ``units``.
    dimensionless_constants : bool
        Whether fitted constants are pure numbers; by default they may carry any unit.
    monotone, convex : mapping column -> word
        Such as ``monotone={"t": "decreasing"}``, ``convex={"t": "convex"}`` ("increasing", "concave"), within the box
        of the data.
    bounds : (low, high)
        Between which the law stays within the box of the data; None where there is no bound.
    start : str or SymPy expression
        A part of the law, such as ``"a*exp(-b*t) + c"``; what is no column is a constant, fitted from many starts.
    start_role : str
        What ``start`` is: "law" (all of it: the search begins there, and ends if it passes the tests), or "factor"
        (y = start * F, with F to be found). For y = start + F, take the term off y yourself.
    sample_weight : array-like, shape (n,)
        Inverse variances of the errors of y, up to a factor; rows of weight 0 are left aside, with a note.
    noise : number, or array-like of shape (n,)
        The standard deviation of the error of y, where it is known: a formula whose residuals are too large for it by
        the chi-squared test is refused, and standard errors are those it gives.
    physical : bool, or sequence of str
        Whether to name constants of nature among the constants of the law in the notes: all that are known, or some,
        such as ``["G", "c"]``. Without ``units`` the columns must be in SI units.
    operon : bool
        Whether Operon (needs pyoperon: ``pip install 'kanlib[operon]'``) is asked last where the law comes down to a
        curve of one coordinate; two to four seconds for each such coordinate.

    Returns
    -------
    Discovery

    Raises
    ------
    InputError, InputTypeError
        Data that cannot be searched: NaN, text, fewer than 5 rows, a constant y, duplicate names, ...; a checkpoint
        of another search, or a damaged one.
    FormulaError
        A ``start`` that is no formula of the columns.
    StorageError
        The checkpoint cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 3, (200, 2))
    >>> found = discover(X, X[:, 0] * np.exp(-X[:, 1]), names=["a", "t"])
    >>> found.status, str(found.formula)
    ('found', 'a*exp(-t)')
    """
    seed = check_seed(seed)
    if not isinstance(time_limit, Real) or math.isnan(time_limit):
        raise InputError(f"time_limit is {time_limit!r}; expected a number of seconds.")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InputTypeError(
            f"executor is {type(executor).__name__}; expected a concurrent.futures.Executor, or None to search in "
            "this process."
        )
    if callback is not None and not callable(callback):
        raise InputTypeError(f"callback is {type(callback).__name__}; expected a function of a Progress, or None.")
    if not isinstance(physical, bool):
        match_physical(1.0, 0.1, physical)  # refuses names that are not known before the search takes its time
    if operon and not has_operon():
        raise InputError("operon is True, but pyoperon is not installed; run pip install 'kanlib[operon]'.")
    problem = table(X, y, names, target_name)
    if sample_weight is not None and noise is None:
        problem, sample_weight = _counting(problem, sample_weight)
    known = prior(
        problem.X,
        problem.y,
        problem.names,
        primitives=primitives,
        forbidden=forbidden,
        required=required,
        units=units,
        output_unit=output_unit,
        dimensionless_constants=dimensionless_constants,
        monotone=monotone,
        convex=convex,
        bounds=bounds,
        start=start,
        start_role=start_role,
        sample_weight=sample_weight,
        noise=noise,
    )
    if known.noise is not None:
        problem = problem.weighted(known.noise.weight(problem.y))
    search = Search(
        problem,
        seed,
        float(time_limit),
        known,
        progress,
        operon=operon,
        executor=executor,
        checkpoint=checkpoint,
        callback=callback,
    )
    with one_thread(), search.bar:
        search.run()
        return conclude(search, physical)


def _counting(problem: Problem, sample_weight: ArrayLike) -> tuple[Problem, ArrayLike]:
    """The rows that count, and their weights."""
    n = len(problem.y)
    weight = 1.0 / weighted_rows(sample_weight, n).size ** 2
    counts = weight > 0
    if counts.all():
        return problem, weight
    rest = table(problem.X[counts], problem.y[counts], problem.names, problem.target_name)
    note = f"{int(n - counts.sum())} of {n} rows have weight 0 and were left aside"
    return replace(rest, notes=(*rest.notes, note)), weight[counts]
