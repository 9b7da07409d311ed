r"""Penalties that keep a network small and its curves calm.

The size of an edge is the standard deviation of its curve over the batch, so a curve that is only shifted by a constant
weighs the same. It comes from the covariance of the edge's features, :math:`w^T C w`, and never from a tensor of
batch x out x in.

* L1: the sum of the sizes (Liu et al. 2024, arXiv 2404.19756, section 2.5, with the deviation for the mean magnitude).
* Entropy: :math:`-\sum p \log p` with p the share of an edge in its layer (the same section); it wants few strong
  edges.
* Roughness: the integral of the squared second derivative of every spline, its grid mapped to [0, 1] so that the
  weight means the same in any units. It is quadratic in the coefficients, so it is the one penalty the Gauss-Newton
  solver takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .bases import get_basis
from .errors import InputError

if TYPE_CHECKING:
    from .layer import KANLayer
    from .network import KAN

__all__ = ["Penalties", "edge_deviation", "entropy", "l1", "roughness"]


def edge_deviation(layer: KANLayer, x: Tensor) -> Tensor:
    """Standard deviation of every edge's curve over a batch, shape (out_features, in_features).

    Parameters
    ----------
    layer : KANLayer
    x : Tensor, shape (batch, in_features)
        The inputs of this layer.

    Returns
    -------
    Tensor, shape (out_features, in_features)
        Differentiable, also at a deviation of zero. Masked edges have zero.
    """
    features = layer.features(x)
    centred = features - features.mean(dim=0)
    covariance = torch.einsum("bif,big->ifg", centred, centred) / len(x)
    weights = layer.weights()
    variance = torch.einsum("oif,ifg,oig->oi", weights, covariance, weights).clamp_min(0.0)
    fixed = [(i, j) for i, j in layer.fixed_edges() if bool(layer.mask[j, i])]
    if fixed:
        out_index = torch.tensor([j for _, j in fixed], device=x.device)
        in_index = torch.tensor([i for i, _ in fixed], device=x.device)
        spread = torch.stack([layer.edge(x[:, i], i, j).var(unbiased=False) for i, j in fixed])
        variance = variance.index_put((out_index, in_index), spread)
    # The root has no slope at zero; a floor far below any curve that matters gives it one.
    floor = 1e-9 if variance.dtype == torch.float64 else 1e-5
    return ((variance + floor**2).sqrt() - floor) * layer.mask


def l1(deviations: Sequence[Tensor]) -> Tensor:
    """The sum of the sizes of all edges; ``deviations`` holds one (out, in) tensor a layer."""
    return torch.stack([deviation.sum() for deviation in deviations]).sum()


def entropy(deviations: Sequence[Tensor]) -> Tensor:
    """The entropy of the edges' shares in their layer, summed over the layers.

    Examples
    --------
    >>> float(entropy([torch.tensor([[1.0, 1.0]])]))  # two equal edges: log 2
    0.693147...
    >>> float(entropy([torch.tensor([[1.0, 0.0]])]))
    0.0
    """
    total = []
    for deviation in deviations:
        share = deviation / deviation.sum().clamp_min(torch.finfo(deviation.dtype).tiny)
        total.append(-torch.xlogy(share, share.clamp_min(torch.finfo(share.dtype).tiny)).sum())
    return torch.stack(total).sum()


def roughness(model: KAN) -> Tensor:
    """The integral of the squared second derivative of every live spline over its grid as [0, 1], over all edges."""
    total = []
    for layer in model.layers:
        start, end = layer.grid[:, :1], layer.grid[:, -1:]
        unit = (layer.grid - start) / (end - start)
        matrix = get_basis(layer.basis).roughness(unit, layer.degree, uniform=layer.knots == "uniform")
        each = torch.einsum("oia,iab,oib->oi", layer.coefficients, matrix, layer.coefficients)
        total.append((each * layer.spline_mask()).sum())
    return torch.stack(total).sum()


@dataclass(frozen=True)
class Penalties:
    """The weights of the penalties; zero turns one off.

    Attributes
    ----------
    l1, entropy, roughness : float
    """

    l1: float = 0.0
    entropy: float = 0.0
    roughness: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l1", "entropy", "roughness"):
            value = getattr(self, name)
            if not (0.0 <= value < float("inf")):
                raise InputError(f"{name} is {value}; expected a finite weight of zero or more.")

    @property
    def on_edges(self) -> bool:
        """Whether a penalty needs the sizes of the edges."""
        return bool(self.l1 or self.entropy)

    def __bool__(self) -> bool:
        return self.on_edges or bool(self.roughness)

    def __call__(self, model: KAN, activations: Sequence[Tensor] | None = None) -> Tensor:
        """The weighted sum; ``activations`` (the inputs of the layers) are needed where :attr:`on_edges`."""
        total = model.layers[0].coefficients.new_zeros(())
        if self.on_edges:
            assert activations is not None
            deviations = [edge_deviation(layer, x) for layer, x in zip(model.layers, activations, strict=False)]
            if self.l1:
                total = total + self.l1 * l1(deviations)
            if self.entropy:
                total = total + self.entropy * entropy(deviations)
        if self.roughness:
            total = total + self.roughness * roughness(model)
        return total
