r"""How much of a network's output each edge, node and input is answerable for.

Scores start at one for every output and go backwards. An edge takes from its node the share of its standard
deviation :math:`E_{ji}` in that of the node's sum :math:`N_j`,

.. math:: B_{ji} = A_j \, E_{ji} / N_j, \qquad A_i = \sum_j B_{ji},

after Liu et al. 2024, "KAN 2.0" (arXiv 2408.10205): to first order, how much the output changes, in units of its own
spread, when the edge is replaced by its mean. Only deviations enter, so a curve that is shifted by a constant (and a
bias that takes the constant back) leaves every score as it is.

A multiplication node asks the same question of its factors: the factor :math:`s_a` of :math:`p = \prod_b s_b` takes
the share of the deviation of :math:`(s_a - \bar s_a) \prod_{b \neq a} s_b`, which is what the product loses when the
factor is replaced by its mean, in that of :math:`p`. A factor that is constant takes nothing, whatever its size.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .data import as_inputs
from .errors import InputError

if TYPE_CHECKING:
    from .layer import KANLayer
    from .network import KAN, Width

__all__ = ["Attribution", "attribute", "edge_scores", "input_scores", "node_scores"]

# Numbers held at a time: rows are taken in chunks.
CHUNK = 4_000_000
# A value that varies less than this, relative to its size, is constant up to rounding in float64.
CONSTANT = 1e-13


@dataclass(frozen=True, eq=False)
class Attribution:
    """The scores of all parts of a network, in float64.

    Attributes
    ----------
    edges : tuple of Tensor, each (out_features, in_features) of its layer
    nodes : tuple of Tensor, each (widths[l].size,)
        Scores of what goes into layer l: first the used inputs, then the nodes of each hidden layer.
    inputs : Tensor, shape (in_features,)
        Scores of the original columns; zero for those the network does not use.
    """

    edges: tuple[Tensor, ...]
    nodes: tuple[Tensor, ...]
    inputs: Tensor


def attribute(model: KAN, X: Any) -> Attribution:
    """All scores of a network on data, from one pass forwards and one backwards.

    Parameters
    ----------
    model : KAN
        Fixed edges count like any other; masked edges have a score of zero.
    X : tensor, array or data frame, shape (n, in_features)
        The data whose spread counts; no pass through the network is needed before.

    Returns
    -------
    Attribution

    Raises
    ------
    InputError
        If X has a wrong shape, fewer than two rows, or values that are not finite, or the network's are not.

    Examples
    --------
    >>> from kanlib import KAN
    >>> model = KAN([2, 1])
    >>> model.layers[0].fix_edge(0, 0, "identity", (1, 0, 3, 0, 1))
    >>> model.layers[0].fix_edge(1, 0, "identity", (0, 0, 1, 7, 1))  # a constant
    >>> attribute(model, [[0.0, 1.0], [1.0, 0.0]]).inputs.tolist()
    [1.0, 0.0]
    """
    place = model.layers[0].grid
    # The spread of a nearly constant curve is what is left after cancellation: that takes float64.
    x = as_inputs(X, model.in_features, dtype=place.dtype, device=place.device, names=model.input_names).double()
    if len(x) < 2:
        raise InputError(f"X has {len(x)} row; scores compare spreads and need two at least. Pass more rows.")
    exact = copy.deepcopy(model).double()
    scores = torch.ones(model.out_features, dtype=torch.float64, device=place.device)
    edges: list[Tensor] = []
    nodes: list[Tensor] = []
    with torch.no_grad():
        values = exact.activations(x)
        if not bool(torch.isfinite(values[-1]).all()):
            raise InputError("The network is not finite on X; check the domains of its fixed edges, or fit it again.")
        for depth in reversed(range(len(exact.layers))):
            layer, width = exact.layers[depth], exact.widths[depth + 1]
            sums = layer(values[depth])
            of_sums = _sum_scores(scores, sums, width)
            shares = _ratio(edge_spread(layer, values[depth]), _spread(sums)[:, None])
            edges.append(of_sums[:, None] * shares)
            scores = edges[-1].sum(dim=0)
            nodes.append(scores)
    inputs = torch.zeros(model.in_features, dtype=torch.float64, device=place.device)
    inputs[model.input_index] = scores
    return Attribution(tuple(edges[::-1]), tuple(nodes[::-1]), inputs)


def edge_scores(model: KAN, X: Any) -> list[Tensor]:
    """Scores of the edges, one (out_features, in_features) tensor a layer; see :func:`attribute`.

    Examples
    --------
    >>> from kanlib import KAN
    >>> [tuple(score.shape) for score in edge_scores(KAN([3, 2, 1]), torch.rand(10, 3))]
    [(2, 3), (1, 2)]
    """
    return list(attribute(model, X).edges)


def node_scores(model: KAN, X: Any) -> list[Tensor]:
    """Scores of what goes into each layer, one (widths[l].size,) tensor a layer; see :func:`attribute`."""
    return list(attribute(model, X).nodes)


def input_scores(model: KAN, X: Any) -> Tensor:
    """Scores of the original columns, shape (in_features,); see :func:`attribute`."""
    return attribute(model, X).inputs


def edge_spread(layer: KANLayer, x: Tensor) -> Tensor:
    """Standard deviation of every edge's curve on the rows of x, shape (out_features, in_features), without gradient.

    From the triangular factor R of the centred features: the deviation of a curve with weights w is |R w|, which keeps
    the digits that a covariance loses, and never holds rows x out x in numbers.
    """
    weights = layer.weights()
    n_features = weights.shape[-1]
    parts = x.split(max(1, CHUNK // (n_features * layer.in_features)))
    mean = torch.stack([layer.features(part).sum(dim=0) for part in parts]).sum(dim=0) / len(x)
    factor = x.new_zeros(layer.in_features, 0, n_features)
    for part in parts:
        centred = (layer.features(part) - mean).transpose(0, 1)
        factor = torch.linalg.qr(torch.cat([factor, centred], dim=1), mode="r").R
    spread = torch.einsum("irf,oif->oir", factor, weights).norm(dim=-1) / len(x) ** 0.5
    for i, j in layer.fixed_edges():
        spread[j, i] = _spread(layer.edge(x[:, i], i, j)[:, None])[0]
    return spread


def _sum_scores(scores: Tensor, sums: Tensor, width: Width) -> Tensor:
    """From the scores of the nodes to those of the sums in front of them."""
    result = [scores[: width.sums]]
    start = width.sums
    for node, arity in enumerate(width.products):
        factors = sums[:, start : start + arity]
        lost = torch.stack(
            [
                (factors[:, own] - factors[:, own].mean())
                * factors[:, [k for k in range(arity) if k != own]].prod(dim=1)
                for own in range(arity)
            ],
            dim=1,
        )
        product = _spread(factors.prod(dim=1, keepdim=True))
        result.append(scores[width.sums + node] * _ratio(_spread(lost), product))
        start += arity
    return torch.cat(result)


def _spread(values: Tensor) -> Tensor:
    """Standard deviation of each column; exactly zero where a column varies by rounding only."""
    spread = values.std(dim=0, unbiased=False)
    return torch.where(spread > CONSTANT * values.abs().amax(dim=0), spread, 0.0)


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, zero where the whole does not vary: nothing depends on its parts then."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, 1.0), 0.0)
