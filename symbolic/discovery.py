"""What a search for a law ends in: a verdict, the formula if there is one, the network that shows it, and the front."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from kanlib.errors import InputError
from kanlib.network import KAN

from .formula import Formula
from .validity.records import Validity

if TYPE_CHECKING:
    from .stability import Stability

__all__ = ["Discovery", "FrontPoint", "Progress", "pareto_front"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FrontPoint:
    """One formula of the front.

    Attributes
    ----------
    complexity : int
        Number of nodes of the expression.
    rmse : float
        Root mean squared error on rows the formula was not fitted to, in units of y.
    formula : Formula
    template : str
        The shape it was found in, such as ``"g(sum_i f_i(x_i))"``.
    accepted : bool
        Whether it passed every test of the verdict.
    length : float
        Description length in nats, by which formulas that passed are compared; NaN where it was not worked out.
    """

    complexity: int
    rmse: float
    formula: Formula
    template: str
    accepted: bool = False
    length: float = math.nan


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes
    ----------
    seconds : float
        Since its start.
    stage : str
        What it is about to do.
    best : Formula or None
        The shortest formula that passed the tests so far, else the one nearest to the held-out rows.
    done, known : int
        Tasks that have given something, and tasks there are (0 while coordinates are looked for).
    """

    seconds: float
    stage: str
    best: Formula | None
    done: int
    known: int


@dataclass(frozen=True)
class Discovery:
    """The outcome of `kanlib.symbolic.discover`.

    Attributes
    ----------
    status : "found" or "none"
        "none" means that no formula is supported by the data; then ``formula`` is None and ``reasons`` say why.
    message : str
        One sentence.
    reasons : tuple of str
        The tests that were failed, or what speaks for the formula.
    formula : Formula or None
    front : tuple of FrontPoint
        Formulas no other beats in both length and error, shortest first; the chosen one is always among them.
    network : KAN or None
        float64, in the units of the data. Where a formula was found: the network that computes it, every edge fixed to
        a primitive (see `kanlib.symbolic.compile_formula`; splines of the columns where a part of it has no network).
        Where none was found: the network of the columns that predicts held-out rows best.
    r2, rmse : float
        Of the formula, or of the network where there is none; on rows held out of the fit. A network is not fitted
        anew for every row left out: where rows are that few, its error is that of the fit, per degree of freedom.
        With weights, or known errors of the rows, those count in the r2 of a formula; rmse counts all rows alike.
    held_out : str
        How these rows were held out.
    noise_floor : float
        The smallest error that a network, the polynomial stand-in of the search or the formula reached on held-out
        rows (as for rmse), in units of y.
    seconds : float
    seed : int
    notes : tuple of str
        What was done and why, in order.
    names, target_name, ranges
        Columns, target, and the range of the data in every column (n_columns, 2).
    validity : Validity or None
        How far beyond the data the formula is finite; None without a formula, or where time did not allow it.
    stability : Stability or None
        How often the form is chosen again on resampled rows; None without a formula or where the fit is exact.
    rivals : tuple of FrontPoint
        Other forms that came nearest to the chosen one by description length, shortest first.
    """

    status: Literal["found", "none"]
    message: str
    reasons: tuple[str, ...]
    formula: Formula | None
    front: tuple[FrontPoint, ...]
    network: KAN | None
    r2: float
    rmse: float
    held_out: str
    noise_floor: float
    seconds: float
    seed: int
    notes: tuple[str, ...]
    names: tuple[str, ...]
    target_name: str
    ranges: Array
    validity: Validity | None = None
    stability: Stability | None = None
    rivals: tuple[FrontPoint, ...] = ()

    def front_table(self) -> Any:
        """The front as a pandas data frame: complexity, rmse, length, formula, template, accepted; shortest first.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        try:
            pandas: Any = importlib.import_module("pandas")  # without stubs; and only who asks for a table needs it
        except ImportError as error:
            raise InputError(
                "front_table needs pandas, which is not installed; install it (pip install pandas), or read .front."
            ) from error
        columns = ["complexity", "rmse", "length", "formula", "template", "accepted"]
        rows = [[p.complexity, p.rmse, p.length, str(p.formula), p.template, p.accepted] for p in self.front]
        return pandas.DataFrame(rows, columns=columns)

    def __str__(self) -> str:
        if self.formula is None:
            return f"no formula found for {self.target_name}: {self.message}"
        return self.formula.summary()

    def __repr__(self) -> str:
        law = "" if self.formula is None else f", {self.target_name} = {self.formula.text()}"
        return f"Discovery({self.status}{law}, r2={self.r2:.6g}, rmse={self.rmse:.3g}, {self.seconds:.1f} s)"

    def _repr_latex_(self) -> str | None:
        return None if self.formula is None else self.formula._repr_latex_()


def pareto_front(points: list[FrontPoint], keep: FrontPoint | None = None) -> tuple[FrontPoint, ...]:
    """The points that no other beats in both complexity and error, shortest first; ``keep`` in any case."""
    front: list[FrontPoint] = []
    best = np.inf
    for point in sorted(points, key=lambda p: (p.complexity, p.rmse)):
        if point is keep or (np.isfinite(point.rmse) and point.rmse < best):
            front.append(point)
            best = min(best, point.rmse)
    return tuple(front)
