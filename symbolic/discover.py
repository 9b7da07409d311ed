"""From a table to a law: the entry."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from numbers import Integral, Real

from numpy.typing import ArrayLike

from kanlib.errors import InputError, InputTypeError
from kanlib.threads import one_thread

from .conclusion import conclude
from .discovery import Discovery, Progress
from .edges import search_set
from .problem import table
from .search import Search

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
) -> Discovery:
    """Find the law y = f(X), or say that the data support none.

    Small networks of growing shape are trained; where one explains the held-out rows, its edges are recognised as
    primitives, all constants are refitted to y together, cut and recognised, and the formula is judged on rows it has
    not seen, against the best network and by its residuals. Forty rows or more are split 80:20; with fewer every row
    is left out once.

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

    Returns
    -------
    Discovery

    Raises
    ------
    InputError, InputTypeError
        Data that cannot be searched: NaN, text, fewer than 5 rows, a constant y, duplicate names, ...; a checkpoint
        of another search, or a damaged one.
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
    if not isinstance(seed, Integral) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}; expected a whole number from 0 to 2^63 - 1.")
    if not isinstance(time_limit, Real) or math.isnan(time_limit):
        raise InputError(f"time_limit is {time_limit!r}; expected a number of seconds.")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InputTypeError(
            f"executor is {type(executor).__name__}; expected a concurrent.futures.Executor, or None to search in "
            "this process."
        )
    if callback is not None and not callable(callback):
        raise InputTypeError(f"callback is {type(callback).__name__}; expected a function of a Progress, or None.")
    search = Search(
        table(X, y, names, target_name),
        int(seed),
        float(time_limit),
        search_set(primitives),
        progress,
        executor=executor,
        checkpoint=checkpoint,
        callback=callback,
    )
    with one_thread(), search.bar:
        search.run()
        return conclude(search)
