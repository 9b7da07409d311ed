"""Pruning: drop the edges that hardly matter, and give back the smaller network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .attribution import Attribution, attribute
from .compact import compact, show_widths
from .data import as_inputs
from .errors import InputError
from .network import combine
from .problem import predict

if TYPE_CHECKING:
    from .layer import KANLayer
    from .network import KAN

__all__ = ["DroppedEdge", "PruneReport", "PruneResult", "drop_edges", "prune"]


@dataclass(frozen=True)
class DroppedEdge:
    """An edge that is gone: from input ``i`` of layer ``layer`` to its (sub)node ``j``, with the score it had."""

    layer: int
    i: int
    j: int
    score: float


@dataclass(frozen=True, eq=False)
class PruneReport:
    """What pruning did; ``print`` it.

    Attributes
    ----------
    threshold : float
    widths_before, widths_after : str
    edges_before, edges_after : int
        Live edges.
    dropped : tuple of DroppedEdge
        Weakest first; numbers refer to the network before.
    inputs_kept, inputs_dropped : tuple of str
        Names of the columns (x0, x1, ... without names) that were in use before.
    change : float
        Root mean square change of the outputs on X, in units of each output's spread (the largest of them).
    scores : Attribution
        Of the network before.
    """

    threshold: float
    widths_before: str
    widths_after: str
    edges_before: int
    edges_after: int
    dropped: tuple[DroppedEdge, ...]
    inputs_kept: tuple[str, ...]
    inputs_dropped: tuple[str, ...]
    change: float
    scores: Attribution

    def __str__(self) -> str:
        lines = [
            f"Pruned {self.widths_before} to {self.widths_after}: {self.edges_after} of {self.edges_before} edges are "
            f"left (threshold {self.threshold:g}).",
            f"Inputs kept: {', '.join(self.inputs_kept)}."
            + (f" Dropped: {', '.join(self.inputs_dropped)}." if self.inputs_dropped else ""),
            f"The outputs changed by {self.change:.2g} of their spread (root mean square on X).",
        ]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class PruneResult:
    """The smaller network and the report.

    Attributes
    ----------
    model : KAN
        Takes the same columns as before; ``model.used_inputs`` says which of them matter.
    report : PruneReport
    """

    model: KAN
    report: PruneReport


def prune(model: KAN, X: Any, *, threshold: float = 0.01, input_threshold: float | None = None) -> PruneResult:
    """Drop the edges whose score is at most ``threshold``, with the nodes and inputs that become idle.

    The mean of a dropped edge on X goes into the bias of its node, so the output keeps its level. The model that is
    passed stays as it is; fit the smaller one again to let the rest of the edges take over.

    Parameters
    ----------
    model : KAN
    X : tensor, array or data frame, shape (n, in_features)
        Data that show how far each curve matters (see :mod:`kanlib.attribution`).
    threshold : float
        Scores are shares of the outputs' spread: 0.01 drops what moves no output by more than about a hundredth of it.
        Zero drops only what is constant.
    input_threshold : float, optional
        Drop all edges of inputs whose score is at most this, too.

    Returns
    -------
    PruneResult
        ``.model``, the smaller network, and ``.report``, which prints as text.

    Raises
    ------
    InputError
        If X is wrong, a threshold is negative, or nothing would be left.

    Examples
    --------
    >>> from kanlib import KAN
    >>> model = KAN([3, 1], input_names=["a", "b", "c"])
    >>> for i, size in enumerate([1.0, 0.5, 0.001]):
    ...     model.layers[0].fix_edge(i, 0, "identity", (1, 0, size, 0, 1))
    >>> rng = torch.Generator().manual_seed(0)
    >>> result = prune(model, torch.rand(100, 3, generator=rng))
    >>> print(result.report)
    Pruned [3, 1] to [2, 1]: 2 of 3 edges are left (threshold 0.01).
    Inputs kept: a, b. Dropped: c.
    The outputs changed by 0.00091 of their spread (root mean square on X).
    >>> result.model.used_inputs
    (0, 1)
    """
    for name, value in (("threshold", threshold), ("input_threshold", input_threshold or 0.0)):
        if not 0.0 <= value < float("inf"):
            raise InputError(f"{name} is {value}; expected a finite number of zero or more, such as 0.01.")
    scores = attribute(model, X)
    keep = [score > threshold for score in scores.edges]
    if input_threshold is not None:
        keep[0] = keep[0] & (scores.nodes[0] > input_threshold)
    masked = drop_edges(model, X, keep)
    try:
        small = compact(masked)
    except InputError as error:
        strongest = ", ".join(f"{float(score.max()):.3g}" for score in scores.edges)
        raise InputError(
            f"threshold {threshold:g} leaves no path from an input to an output; the strongest edges of the layers "
            f"score {strongest}. Choose a threshold below these, or fit the network first."
        ) from error
    return PruneResult(small, _report(model, masked, small, X, threshold, scores))


def drop_edges(model: KAN, X: Any, keep: Sequence[Tensor]) -> KAN:
    """A copy of the network with edges masked, and their means on X added to the biases.

    Parameters
    ----------
    model : KAN
    X : tensor, array or data frame, shape (n, in_features)
    keep : sequence of Tensor of bool
        One (out_features, in_features) tensor a layer.

    Returns
    -------
    KAN
        Of the same shape; :func:`kanlib.compact.compact` makes it smaller.
    """
    masked = copy.deepcopy(model)
    place = model.layers[0].grid
    x = as_inputs(X, model.in_features, dtype=place.dtype, device=place.device, names=model.input_names)
    with torch.no_grad():
        value = masked.select(x)
        for layer, width, kept in zip(masked.layers, masked.widths[1:], keep, strict=True):
            dropped = layer.mask & ~kept
            # The mean on what the layer gets now, after the layers before it have lost edges.
            layer.bias.add_(torch.where(dropped, _edge_means(layer, value), 0.0).sum(dim=1))
            layer.mask &= kept
            value = combine(layer(value), width)
    return masked


def _edge_means(layer: KANLayer, x: Tensor) -> Tensor:
    """The mean of every edge's curve over the rows of x, shape (out_features, in_features)."""
    means = torch.einsum("if,oif->oi", layer.features(x).mean(dim=0), layer.weights())
    for i, j in layer.fixed_edges():
        means[j, i] = layer.edge(x[:, i], i, j).mean()
    return means


def _report(model: KAN, masked: KAN, small: KAN, X: Any, threshold: float, scores: Attribution) -> PruneReport:
    place = model.layers[0].grid
    x = as_inputs(X, model.in_features, dtype=place.dtype, device=place.device, names=model.input_names)
    before, after = predict(model, x).double(), predict(small, x).double()
    spread = before.std(dim=0, unbiased=False)
    change = (after - before).square().mean(dim=0).sqrt() / torch.where(spread > 0, spread, 1.0)
    dropped = [
        DroppedEdge(depth, i, j, float(scores.edges[depth][j, i]))
        for depth, (old, new) in enumerate(zip(model.layers, masked.layers, strict=True))
        for j, i in (old.mask & ~new.mask).nonzero().tolist()
    ]
    names = model.input_names or tuple(f"x{column}" for column in range(model.in_features))
    return PruneReport(
        threshold=threshold,
        widths_before=show_widths(model.widths),
        widths_after=show_widths(small.widths),
        edges_before=sum(int(layer.mask.sum()) for layer in model.layers),
        edges_after=sum(int(layer.mask.sum()) for layer in small.layers),
        dropped=tuple(sorted(dropped, key=lambda edge: edge.score)),
        inputs_kept=tuple(names[column] for column in small.used_inputs),
        inputs_dropped=tuple(names[column] for column in model.used_inputs if column not in small.used_inputs),
        change=float(change.max()),
        scores=scores,
    )
