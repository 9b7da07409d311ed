"""`discover` as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kanlib.errors import DataWarning
from kanlib.network import KAN

from .discover import discover
from .discovery import Discovery, FrontPoint
from .formula import Formula

__all__ = ["FormulaRegressor"]


class FormulaRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression by a law: `kanlib.symbolic.discover` with the interface of scikit-learn.

    Predictions come from the formula where one was found. Where the data support none they come from the network if it
    predicts held-out rows better than the mean of y, else from the mean; ``predicts_with_`` says which.

    Parameters
    ----------
    time_limit : float
        Seconds for one fit.
    primitives : sequence of str, optional
        Names of the primitives to use; all by default.
    forbidden, required : sequence of str
        Functions that the law must not hold, or must.
    random_state : int, RandomState or None
        Of the split and of the starts.
    progress : bool
        Whether to show a progress bar on standard error.

    Attributes
    ----------
    discovery_ : Discovery
        Everything the search found, and why.
    formula_ : Formula or None
    front_ : tuple of FrontPoint
    network_ : KAN or None
    predicts_with_ : "formula" or "network" or "mean"
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn; a data frame's column names are those of the formula.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 2, (60, 1))
    >>> model = FormulaRegressor().fit(X, 3 / X[:, 0])
    >>> model.predicts_with_, str(model.formula_)
    ('formula', '3/x1')
    >>> model.predict([[1.5]])
    array([2.])
    """

    discovery_: Discovery
    formula_: Formula | None
    front_: tuple[FrontPoint, ...]
    network_: KAN | None

    def __init__(
        self,
        *,
        time_limit: float = 60.0,
        primitives: Sequence[str] | None = None,
        forbidden: Sequence[str] = (),
        required: Sequence[str] = (),
        random_state: Any = 0,
        progress: bool = False,
    ) -> None:
        self.time_limit = time_limit
        self.primitives = primitives
        self.forbidden = forbidden
        self.required = required
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> FormulaRegressor:
        """Search for the law y = f(X).

        Parameters
        ----------
        X : array or data frame, shape (n, d)
        y : array-like, shape (n,)
        sample_weight : array-like, shape (n,), optional
            Inverse variances of the errors of y, up to a factor.

        Raises
        ------
        ValueError
            Data that cannot be searched; see `discover`.
        """
        target_name = getattr(y, "name", None)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        names = getattr(self, "feature_names_in_", None)
        target = "y" if target_name is None else str(target_name)
        if names is not None and target in names:
            target = f"{target} (target)"
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.discovery_ = discover(
            X,
            y,
            names=None if names is None else list(names),
            target_name=target,
            time_limit=self.time_limit,
            seed=seed,
            primitives=self.primitives,
            forbidden=self.forbidden,
            required=self.required,
            sample_weight=sample_weight,
            progress=self.progress,
        )
        self.formula_ = self.discovery_.formula
        self.front_ = self.discovery_.front
        self.network_ = self.discovery_.network
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.mean_ = float(np.average(np.asarray(y, dtype=np.float64), weights=weight))
        if self.formula_ is not None:
            self.predicts_with_ = "formula"
        else:
            # A network that unseen rows refute would do harm where the mean does none.
            useful = self.network_ is not None and self.discovery_.r2 > 0
            self.predicts_with_ = "network" if useful else "mean"
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Values of the formula; of the network, or the mean, where there is none (see ``predicts_with_``).

        Rows outside the formula's domain get its value at the nearest point of the training data's range, with a
        `DataWarning`; NaN where even that is outside.
        """
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        if self.formula_ is None:
            if self.predicts_with_ == "mean" or self.network_ is None:
                return np.full(len(table), self.mean_)
            with torch.no_grad():
                return np.asarray(self.network_(torch.from_numpy(table))[:, 0].numpy())
        values = self.formula_.predict(table)
        outside = ~np.isfinite(values)
        if np.any(outside):
            warnings.warn(
                f"{int(outside.sum())} of {len(values)} rows lie outside the domain of {self.formula_.text()}; they "
                "get its value at the nearest point of the training data's range. Check those rows: the law says "
                "nothing about them.",
                DataWarning,
                stacklevel=2,
            )
            values[outside] = self.formula_.predict(np.clip(table[outside], *self.discovery_.ranges.T))
        return values
