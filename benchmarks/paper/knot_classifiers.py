"""Signature as a class: KANs beside logistic regression, gradient boosting and MLPs, on the same rows.

No setting was chosen by the test rows: scikit-learn's models have its own (the MLP two layers of 100), the KANs the
paper's grid of 3 cells and hidden widths of 1 (the paper's [17, 1, 14]) and 5, with a roughness of 1e-4, which did best
on a quarter of the training rows of seed 0. So did [20, 20] with a decay of 1e-3 for the MLPs that are trained by other
methods (of [10, 10] and [20, 20], 1e-4 to 1e-2). A KAN with one hidden node depends on its first weights, so KANs and
these MLPs are started several times, and the start with the smallest loss on the training rows counts.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kanlib import KANClassifier
from kanlib.attribution import input_scores

from .mlp_classes import MLP_METHODS, Perceptron

__all__ = ["MODELS", "MODEL_SECONDS", "RIVALS", "Fitted", "fit_model", "shares"]

Array = NDArray[Any]

MODEL_SECONDS = 10.0  # for each start of an MLP of `RIVALS`


@dataclass(frozen=True)
class Fitted:
    """A model that was fitted, its parameters (None where they are not numbers, as of trees), and the seconds."""

    model: Any
    parameters: int | None
    seconds: float

    def accuracy(self, X: Array, y: Array) -> float:
        """Share of the rows whose class is right."""
        return float(np.mean(self.model.predict(X) == y))


def fit_model(name: str, X: Array, y: Array, seed: int, starts: int = 3) -> Fitted:
    """Fit a model of `MODELS` or `RIVALS` by name."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = {**MODELS, **RIVALS}[name](X, y, seed, starts)
    return Fitted(model, _parameters(model), time.perf_counter() - start)


def shares(fitted: Fitted, X: Array) -> Array:
    """Attribution scores of a KAN's inputs (KAN 2.0, arXiv 2408.10205) on rows, as shares of their sum.

    All zero where the network has none: its hidden node may have an offset in which the spread is lost to rounding.
    """
    kan = fitted.model
    scores = input_scores(kan.network_, torch.from_numpy((X - kan.x_mean_) / kan.x_scale_)).numpy()
    return scores / max(scores.sum(), np.finfo(np.float64).tiny)


def _kan(width: int) -> Callable[[Array, Array, int, int], Any]:
    def fit(X: Array, y: Array, seed: int, starts: int) -> KANClassifier:
        tries = [
            KANClassifier(width, grid_size=3, roughness=1e-4, max_steps=400, random_state=1000 * seed + start).fit(X, y)
            for start in range(starts)
        ]
        return min(tries, key=lambda kan: kan.fit_result_.train_loss)

    return fit


def _perceptron(method: str) -> Callable[[Array, Array, int, int], Any]:
    return lambda X, y, seed, starts: Perceptron(method, seed=seed, starts=starts, seconds=MODEL_SECONDS).fit(X, y)


def _fitted(make: Callable[[int], Any]) -> Callable[[Array, Array, int, int], Any]:
    return lambda X, y, seed, starts: make(seed).fit(X, y)


MODELS: dict[str, Callable[[Array, Array, int, int], Any]] = {
    "KAN, 1 hidden node": _kan(1),
    "KAN, 5 hidden nodes": _kan(5),
    "gradient boosting": _fitted(lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    "MLP, Adam": _fitted(lambda seed: make_pipeline(StandardScaler(), MLPClassifier((100, 100), random_state=seed))),
    "logistic regression": _fitted(lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))),
    "most frequent class": _fitted(lambda seed: DummyClassifier()),
}
# What a quick run does without.
RIVALS: dict[str, Callable[[Array, Array, int, int], Any]] = {
    name: _perceptron(method) for name, method in MLP_METHODS.items()
}


def _parameters(model: Any) -> int | None:
    if isinstance(model, KANClassifier):
        return sum(parameter.numel() for parameter in model.network_.parameters() if parameter.requires_grad)
    if isinstance(model, Perceptron):
        return model.parameters
    last = model[-1] if hasattr(model, "steps") else model
    if isinstance(last, MLPClassifier):
        return sum(part.size for part in (*last.coefs_, *last.intercepts_))
    return last.coef_.size + last.intercept_.size if isinstance(last, LogisticRegression) else None
