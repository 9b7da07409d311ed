"""KANs as scikit-learn estimators.

Inputs (and a regressor's targets) are standardised for the network and brought back for predictions:

    network_((X - x_mean_) / x_scale_) * y_scale_ + y_mean_

holds for :class:`KANRegressor`, and the same without the ``y_`` parts gives the logits of :class:`KANClassifier`.
Scores and pictures of ``network_`` are thus in units of standard deviations; ``standardize=False`` keeps the units of
the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .data import as_weights
from .errors import InputError
from .fit import fit
from .fit_result import FitResult
from .network import KAN
from .problem import predict

__all__ = ["KANClassifier", "KANRegressor"]

Array = npt.NDArray[Any]

# Up to so many rows a network is trained in float64, which costs little there.
SMALL = 20_000


class _KANEstimator(BaseEstimator):
    """What the regressor and the classifier share: the network, its training, and the scale of the inputs."""

    network_: KAN
    fit_result_: FitResult
    x_mean_: Array
    x_scale_: Array

    def __init__(
        self,
        hidden_widths: int | Sequence[Any] = (5,),
        *,
        grid_size: int = 5,
        degree: int = 3,
        basis: str = "bspline",
        method: str = "auto",
        max_steps: int | None = None,
        starts: int = 1,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        l1: float = 0.0,
        entropy: float = 0.0,
        roughness: float = 1e-6,
        grid_schedule: Sequence[int] | None = None,
        validation_fraction: float | None = None,
        patience: int | None = None,
        standardize: bool = True,
        random_state: Any = None,
        device: str | None = None,
        progress: bool = False,
    ) -> None:
        self.hidden_widths = hidden_widths
        self.grid_size = grid_size
        self.degree = degree
        self.basis = basis
        self.method = method
        self.max_steps = max_steps
        self.starts = starts
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.l1 = l1
        self.entropy = entropy
        self.roughness = roughness
        self.grid_schedule = grid_schedule
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.standardize = standardize
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def _train(self, X: Array, y: Array, n_outputs: int, loss: str, weight: Array | None) -> None:
        """Build ``network_`` and fit it to standardised inputs."""
        self.x_mean_, self.x_scale_ = _scale(X, weight) if self.standardize else _no_scale(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        names = getattr(self, "feature_names_in_", None)
        hidden = (self.hidden_widths,) if isinstance(self.hidden_widths, (int, np.integer)) else self.hidden_widths
        model = KAN(
            [X.shape[1], *hidden, n_outputs],
            grid_size=self.grid_size,
            degree=self.degree,
            basis=self.basis,
            input_names=None if names is None else [str(name) for name in names],
            generator=torch.Generator().manual_seed(seed),
            device=self.device,
            dtype=torch.float64 if len(X) <= SMALL else torch.float32,
        )
        if len(model.layers) == 1:  # A fit keeps what its rows do not determine; here there is nothing to keep yet.
            model.layers[0].set_weights(torch.zeros_like(model.layers[0].weights()))
        # A column that never varies has taught nothing: another value of it later must not matter.
        model.layers[0].mask[:, torch.from_numpy(np.ptp(X, axis=0) == 0)] = False
        self.fit_result_ = fit(
            model,
            (X - self.x_mean_) / self.x_scale_,
            y,
            method=self.method,
            loss=loss,
            steps=self.max_steps,
            starts=self.starts,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            l1=self.l1,
            entropy=self.entropy,
            roughness=self.roughness,
            grid_schedule=self.grid_schedule,
            sample_weight=weight,
            validation=self.validation_fraction,
            patience=self.patience,
            seed=seed,
            progress=self.progress,
        )
        self.network_ = model
        self.n_iter_ = self.fit_result_.n_steps

    def _output(self, X: Any) -> Array:
        """The network's raw output, shape (n, outputs)."""
        check_is_fitted(self)
        table = validate_data(self, X, reset=False, dtype=np.float64)
        place = self.network_.layers[0].grid
        x = torch.from_numpy((table - self.x_mean_) / self.x_scale_).to(place)
        return predict(self.network_, x).double().cpu().numpy()


class KANRegressor(RegressorMixin, _KANEstimator):
    """A KAN for regression, with one or several targets.

    Parameters
    ----------
    hidden_widths : int or sequence
        Nodes of the hidden layers; an entry is a number, or (sums, products) as for :class:`kanlib.KAN`. The first and
        last width follow from the data. A number stands for one hidden layer; empty for an additive model.
    grid_size, degree : int
        Cells and degree of the splines; every edge has grid_size + degree functions.
    basis : str
        A name of :data:`kanlib.bases.BASES`, B-splines by default.
    method, starts, learning_rate, batch_size, l1, entropy, roughness, grid_schedule, patience, progress
        As for :func:`kanlib.fit`. The roughness is against the squared error of the standardised target.
    max_steps : int, optional
        ``steps`` of :func:`kanlib.fit`.
    validation_fraction : float, optional
        Share of the rows set aside to choose the best state.
    standardize : bool
        Bring inputs and targets to mean zero and spread one for the network.
    random_state : int, RandomState or None
    device : str, optional

    Attributes
    ----------
    network_ : KAN
        In standardised units: ``network_((X - x_mean_) / x_scale_) * y_scale_ + y_mean_`` is the prediction.
    fit_result_ : FitResult
    x_mean_, x_scale_, y_mean_, y_scale_ : ndarray
    n_features_in_, feature_names_in_
        Column names go down to ``network_.input_names``.
    n_iter_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from kanlib import KANRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> y = np.sin(3 * X[:, 0]) + X[:, 1] ** 2
    >>> KANRegressor(random_state=0).fit(X, y).score(X, y) > 0.999
    True
    """

    y_mean_: Array
    y_scale_: Array

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KANRegressor:
        """Fit to X (n, d) and y (n,) or (n, m), both finite; rows may be weighted."""
        _check_names(X)
        table, target = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        target = target.astype(np.float64)
        weight = _weights(sample_weight, len(table))
        flat = target.ndim == 1
        columns = target[:, None] if flat else target
        table, columns, weight = _distinct_rows(table, columns, weight)
        self.y_mean_, self.y_scale_ = _scale(columns, weight) if self.standardize else _no_scale(columns)
        self._train(table, (columns - self.y_mean_) / self.y_scale_, columns.shape[1], "mse", weight)
        self._flat_target = flat
        return self

    def predict(self, X: Any) -> Array:
        """Predictions, shape (n,) or (n, m) as y was."""
        result = self._output(X) * self.y_scale_ + self.y_mean_
        return result[:, 0] if self._flat_target else result


class KANClassifier(ClassifierMixin, _KANEstimator):
    """A KAN for classification: one output (logit) a class, trained by cross-entropy.

    Parameters and attributes are those of :class:`KANRegressor`, without the scale of the target. Several ``starts``
    are for the squared error only, and refused.

    Attributes
    ----------
    classes_ : ndarray
    network_ : KAN
        ``network_((X - x_mean_) / x_scale_)`` are the logits, in the order of ``classes_``.

    Examples
    --------
    >>> import numpy as np
    >>> from kanlib import KANClassifier
    >>> X = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> y = np.where((X**2).sum(axis=1) < 0.5, "inside", "outside")
    >>> model = KANClassifier(hidden_widths=(), random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    classes_: Array

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KANClassifier:
        """Fit to X (n, d), finite, and the classes y (n,), at least two of them."""
        _check_names(X)
        table, target = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(target)
        weight = _weights(sample_weight, len(table))
        self.classes_, codes = np.unique(target, return_inverse=True)
        if len(self.classes_) < 2:
            only = self.classes_.tolist()[0]
            raise InputError(f"y has one class only ({only!r}); expected at least two. Add rows of another class.")
        table, columns, weight = _distinct_rows(table, codes[:, None], weight)
        self._train(table, columns[:, 0].astype(np.int64), len(self.classes_), "cross_entropy", weight)
        return self

    def decision_function(self, X: Any) -> Array:
        """Logits (n, classes); for two classes the difference (n,), positive for the second."""
        logits = self._output(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> Array:
        """Probabilities, shape (n, classes), in the order of ``classes_``."""
        return torch.softmax(torch.from_numpy(self._output(X)), dim=1).numpy()

    def predict(self, X: Any) -> Array:
        """The most probable class of each row, shape (n,)."""
        best = self._output(X).argmax(axis=1)
        return self.classes_[best]


def _weights(sample_weight: Any, n_rows: int) -> Array | None:
    """Weights as they are, once they are known to be sound (fit scales them)."""
    if sample_weight is None:
        return None
    as_weights(sample_weight, n_rows, dtype=torch.float64)
    return np.asarray(sample_weight, dtype=np.float64)


def _check_names(X: Any) -> None:
    """Two columns of one name cannot be told apart in a formula or a picture."""
    names = [str(name) for name in getattr(X, "columns", ())]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"X has several columns named {', '.join(twice)}; expected distinct names. Rename them.")


def _distinct_rows(table: Array, target: Array, weight: Array | None) -> tuple[Array, Array, Array | None]:
    """Every distinct row once, in sorted order, with the weight of its copies; None where all weigh the same.

    A network is not convex: rounding alone can lead two runs to different minima. So that the order of the rows does
    not matter, and a row with weight two is the same as the row twice, both have to be the same numbers.
    """
    if len(table) > SMALL:
        return table, target, weight
    both, place = np.unique(np.column_stack([table, target]), axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), weights=weight, minlength=len(both)).astype(np.float64)
    both, total = both[total > 0], total[total > 0]
    equal = bool((total == total[0]).all())
    return both[:, : table.shape[1]], both[:, table.shape[1] :], None if equal else total


def _scale(table: Array, weight: Array | None) -> tuple[Array, Array]:
    """Mean and standard deviation of the columns; a constant column keeps its unit."""
    # In units of the largest value, whose squares neither overflow nor vanish.
    unit = np.maximum(np.abs(table).max(axis=0), np.finfo(np.float64).tiny)
    mean = np.average(table / unit, axis=0, weights=weight)
    scale = np.sqrt(np.average((table / unit - mean) ** 2, axis=0, weights=weight))
    # Rounding leaves a tiny spread in a constant column, and dividing by it would make noise of it.
    return mean * unit, np.where(scale > 1e-12 * np.abs(mean), scale * unit, 1.0)


def _no_scale(table: Array) -> tuple[Array, Array]:
    return np.zeros(table.shape[1]), np.ones(table.shape[1])
