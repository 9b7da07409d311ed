"""Where Gauss-Newton steps should start from: the additive fit, unless the network already knows better."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .bases import get_basis
from .gauss_newton import gauss_newton

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["additive_start"]


@torch.no_grad()
def additive_start(model: KAN, X: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> bool:
    """Give the first hidden node the additive fit of y, where that helps; in place.

    From random weights [n, 1, 1] rarely finds y = g(sum f_i(x_i)): variable projection fits g to whatever sum it is
    given, and locks it in. The additive fit of y, a linear problem, is that sum up to a monotone g. It is taken only
    where it lowers the squared error that is left after the last layer is fitted: a trained network stays as it is.

    Parameters
    ----------
    model : KAN
        With two layers or more; others are left alone, as are networks whose first node is masked or fixed in part.
    X : Tensor, shape (n, in_features)
    y : Tensor, shape (n,) or (n, out_features)
        Of several outputs the direction in which they vary most.
    sample_weight : Tensor, shape (n,), optional

    Returns
    -------
    bool
        Whether the start was taken.

    Examples
    --------
    >>> from kanlib import KAN
    >>> X = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1
    >>> model = KAN([2, 1, 1], dtype=torch.float64)
    >>> additive_start(model, X, torch.exp(X.sum(1)))
    True
    """
    first = model.layers[0]
    if len(model.layers) < 2 or not model.widths[1].sums or not bool(first.spline_mask()[0].all()):
        return False
    root = torch.ones_like(X[:, :1]) if sample_weight is None else sample_weight[:, None].sqrt()
    weights = first.weights()
    constant = get_basis(first.basis).constant(first.coefficients.shape[-1]) is None
    weights[0], bias = _additive_fit(first.features(model.select(X)), _direction(y, root), root, constant)
    if not bool(torch.isfinite(weights).all()):
        return False
    trial = copy.deepcopy(model)
    trial.layers[0].set_weights(weights)
    trial.layers[0].bias[0] = bias
    losses = [
        gauss_newton(network, X, y, sample_weight=sample_weight, max_steps=0).loss
        for network in (trial, copy.deepcopy(model))
    ]
    if not losses[0] < losses[1]:
        return False
    for mine, new in zip(model.parameters(), trial.parameters(), strict=True):
        mine.copy_(new)
    for number, layer in enumerate(trial.layers):
        model.layers[number].grid.copy_(layer.grid)
    return True


def _direction(y: Tensor, root: Tensor) -> Tensor:
    """The targets as one column of unit spread: the first principal component of several outputs; shape (n, 1)."""
    y = y[:, None] if y.ndim == 1 else y
    share = root.square() / root.square().sum()
    centred = y - (share * y).sum(0)
    _, _, axes = torch.linalg.svd(share.sqrt() * centred, full_matrices=False)
    column = centred @ axes[:1].T
    return column / (share * column.square()).sum().sqrt().clamp_min(1e-150)


def _additive_fit(features: Tensor, target: Tensor, root: Tensor, constant: bool) -> tuple[Tensor, Tensor]:
    """Least squares with a faint ridge: weights (in, F), and a constant where asked for, else zero."""
    design = features.flatten(1)
    if constant:
        design = torch.cat([design, torch.ones_like(target)], dim=1)
    design = design * root
    norms = design.norm(dim=0).clamp_min(1e-150)
    ridge = 1e-5 * torch.eye(design.shape[1], dtype=design.dtype, device=design.device)
    right = torch.cat([target * root, target.new_zeros(design.shape[1], 1)])
    q, r = torch.linalg.qr(torch.cat([design / norms, ridge]))  # lstsq does not give the same bits every time
    solved = torch.linalg.solve_triangular(r, q.T @ right, upper=True)[:, 0] / norms
    n_weights = features[0].numel()
    return solved[:n_weights].reshape(features.shape[1:]), solved[n_weights:].sum()
