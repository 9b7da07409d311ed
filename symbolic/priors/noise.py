"""The errors of y where they are known: a weight for every row, or the standard deviation itself.

Weights say how large errors are beside each other, and the search works as without, on weighted residuals. A standard
deviation says more: how small the residuals of the true law can be. Then the sum of squared residuals in units of it
follows the chi-squared law (Pearson 1900), and a formula with significantly more is refused however good it looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from kanlib.errors import InputError
from kanlib.plain import short

from ..constants import EXACT_FIT, covariance_matrix
from ..description import constants_cost, description_length
from ..formula import Formula
from ..noise import NoiseModel
from ..tape import compile_tape

__all__ = ["RowNoise", "given_noise", "weighted_rows"]

Array = NDArray[np.float64]

_SIGNIFICANCE = 1e-4  # of the chi-squared test
_SMALLEST = 1e-150  # of a standard deviation


@dataclass(frozen=True, eq=False)
class RowNoise(NoiseModel):
    """The size of the error of each row, in the place of a noise model that the data choose.

    Attributes
    ----------
    size : (n,) standard deviations, up to one common factor unless ``absolute``; inf in rows that do not count.
    absolute : whether they are the standard deviations themselves.
    """

    size: Array
    absolute: bool

    __eq__ = object.__eq__  # a model is itself: NoiseModel would compare the names
    __hash__ = object.__hash__

    def on(self, rows: Any) -> RowNoise:
        """The same on some of the rows, chosen as an array is indexed."""
        return replace(self, size=self.size[rows])

    def weight(self, y: Array) -> Array:
        """Inverse error variances (n,)."""
        self._check(y)
        return 1.0 / self.size**2

    def length(self, residuals: Array, y: Array, n_constants: int, structure: float) -> float:
        """Description length, comparable with that of other noise models.

        With known variance the likelihood has no variance to estimate: chi^2/2 + sum log(size) stands where other
        models have n/2 log(rss/n) + n/2.
        """
        self._check(y)
        seen = np.isfinite(self.size)
        size, r, target = self.size[seen], residuals[seen], y[seen]
        logarithms = float(np.sum(np.log(size)))
        if not self.absolute:
            rss = float(np.sum((r / size) ** 2))
            return description_length(rss, len(r), n_constants, target / size, structure) + logarithms
        n = len(r)
        return 0.5 * (self.chi_squared(residuals) - n) + logarithms + constants_cost(n_constants, n) + structure

    def chi_squared(self, residuals: Array) -> float:
        """The sum of squared residuals in units of their standard deviation."""
        seen = np.isfinite(self.size)
        return float(np.sum((residuals[seen] / self.size[seen]) ** 2))

    def refuses(self, residuals: Array, n_constants: int = 0) -> str | None:
        """Why residuals of this size are no accident of the known noise; None where they may be.

        Parameters
        ----------
        residuals : (n,) on all rows.
        n_constants : how many constants were fitted to these rows.

        Examples
        --------
        >>> errors = given_noise(0.1, 50)
        >>> residuals = np.random.default_rng(0).normal(0.0, 0.1, 50)
        >>> errors.refuses(residuals) is None
        True
        >>> errors.refuses(2 * residuals)
        'its residuals are too large for the known noise: chi^2/dof = 3.39 on 50 degrees of freedom, p = 7e-15'
        """
        n = int(np.sum(np.isfinite(self.size)))
        dof = n - n_constants
        if not self.absolute or dof <= 0:
            return None
        total = self.chi_squared(residuals)
        p = float(chi2.sf(total, dof)) if math.isfinite(total) else 0.0
        if p >= _SIGNIFICANCE:
            return None
        return (
            f"its residuals are too large for the known noise: chi^2/dof = {total / dof:.3g} on {dof} degrees of "
            f"freedom, p = {p:.0e}"
        )

    def known_errors(self, formula: Formula, X: Array) -> Formula:
        """A formula fitted with these weights to X (n, d), with the standard errors the known noise gives it.

        A fit takes the size of the noise from its residuals; where that is known it must not: the covariance is
        (J^T J)^-1 for the Jacobian J in units of the noise.
        """
        free = formula.fitted
        if not self.absolute or not free:
            return formula
        self._check(X)
        bound = compile_tape(formula.form, formula.symbols, free).bind(X)
        bound.value(np.array([formula.values[symbol] for symbol in free]))
        covariance, _ = covariance_matrix((bound.jacobian_rows() / self.size).T, 1.0)
        return replace(formula, covariance=covariance)

    def _check(self, y: Array) -> None:
        if len(y) != len(self.size):
            raise InputError(
                f"The noise is known for {len(self.size)} rows, and {len(y)} arrived; choose the same rows: .on(rows)."
            )


def given_noise(std: ArrayLike, y: ArrayLike | int) -> RowNoise:
    """The noise model of known standard deviations.

    Parameters
    ----------
    std : one number, or one a row.
    y : (n,) target, whose own rounding is the least an error can be; or n alone.

    Raises
    ------
    InputError
        Not positive finite numbers, or not as many as rows.

    Examples
    --------
    >>> given_noise(0.5, 3).weight(np.zeros(3)).tolist()
    [4.0, 4.0, 4.0]
    """
    n = y if isinstance(y, int) else len(np.asarray(y))
    size = _numbers("noise", std)
    if size.shape not in ((), (1,), (n,)) or not np.all(np.isfinite(size)) or not np.all(size > 0):
        shown = f"{float(size):g}" if size.shape == () else f"an array of shape {size.shape}"
        raise InputError(
            f"noise is {shown}; expected the standard deviation of y's error, one positive number or {n}, one a row. "
            "Leave it out where it is not known, or where y is exact."
        )
    largest = 0.0 if isinstance(y, int) else float(np.max(np.abs(np.asarray(y, dtype=np.float64)), initial=0.0))
    scale = largest and largest * float(np.sqrt(np.mean(np.square(np.asarray(y, dtype=np.float64) / largest))))
    size = np.maximum(np.broadcast_to(size, (n,)), EXACT_FIT * scale)
    if not np.all((size > _SMALLEST) & (size < 1 / _SMALLEST)):
        raise InputError(
            f"noise goes from {size.min():g} to {size.max():g}; expected numbers from {_SMALLEST:g} to "
            f"{1 / _SMALLEST:g}, whose squares are floats: give y in another unit."
        )
    return RowNoise("known errors", 0.0, size, True)


def weighted_rows(sample_weight: ArrayLike, n: int) -> RowNoise:
    """The noise model of row weights: inverse error variances up to one factor; rows of weight zero do not count.

    Raises
    ------
    InputError
        Not n finite numbers, negative ones, or fewer than five that are positive.

    Examples
    --------
    >>> weighted_rows([4.0, 1, 1, 1, 1], 5).size.tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0]
    """
    weight = _numbers("sample_weight", sample_weight)
    if weight.shape != (n,) or not np.all(np.isfinite(weight)) or np.any(weight < 0) or np.sum(weight > 0) < 5:
        zero = int(np.sum(weight == 0))
        raise InputError(
            f"sample_weight has shape {weight.shape} and {zero} weights that are zero; expected {n} finite numbers "
            "that are not negative, at least five of them positive: one a row, 1/variance of its error up to a factor."
        )
    with np.errstate(divide="ignore"):
        return RowNoise("errors by row weight", 0.0, 1.0 / np.sqrt(weight), False)


def _numbers(what: str, values: ArrayLike) -> Array:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} is {short(repr(values))}; expected numbers, each below 1.8e308.") from None
