"""The Jacobian of a KAN with respect to its constants, built from its edges.

Every adjustable constant of a KAN sits on one edge, so its derivative is a product of two things that are
already there: the sensitivity of the outputs to the node the edge ends in, and one column that belongs to the
edge alone (a basis function for a spline coefficient, ``c f'(a x + b) x`` for the constant ``a`` of an edge fixed
to a primitive). Sensitivities are passed backwards once per layer; no row of the Jacobian is ever obtained by a
backward pass of its own. The cost is that of writing the matrix down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .bases import get_basis
from .primitives import PRIMITIVES

if TYPE_CHECKING:
    from .layer import KANLayer
    from .network import KAN, Width

__all__ = ["LayerPlan", "Trace", "jacobian", "n_constants", "plan", "sensitivities", "trace"]

# Order of the five constants of a fixed edge, c * f(a * x + b; p) + d. The offset d is not adjustable here: the
# node's bias does the same work, and two columns for one constant would make the Jacobian singular.
A, B, C, D, P = range(5)


@dataclass(frozen=True)
class LayerPlan:
    """The adjustable constants of one layer, in the order in which they are packed.

    First the coefficients of the live spline edges (edge by edge, ``F`` features each), then the constants
    ``a, b, c`` (and ``p``) of the fixed edges, then the biases of the nodes that need one: a node with a learned
    edge does not where the basis already holds the constant (B-splines sum to one).

    Attributes
    ----------
    out_index, in_index : Tensor of int64, shape (n_spline_edges,)
    fixed : tuple of (j, i, name, columns)
        ``columns`` are the positions among the five constants that are adjustable.
    bias_nodes : Tensor of int64
    owner : Tensor of int64, shape (n_constants,)
        The (sub)node each constant's edge ends in.
    linear : Tensor of bool, shape (n_constants,)
        Whether the layer's value is linear in the constant.
    """

    layer: KANLayer
    out_index: Tensor
    in_index: Tensor
    fixed: tuple[tuple[int, int, str, tuple[int, ...]], ...]
    bias_nodes: Tensor
    owner: Tensor
    linear: Tensor

    @property
    def n_constants(self) -> int:
        return int(self.owner.numel())

    def pack(self) -> Tensor:
        """The current values of the constants, shape (n_constants,)."""
        layer = self.layer
        parts = [layer.weights()[self.out_index, self.in_index].reshape(-1)]
        parts += [layer.edge_constants[j, i, list(columns)] for j, i, _, columns in self.fixed]
        parts.append(layer.bias[self.bias_nodes])
        return torch.cat(parts).detach().clone()

    def unpack(self, values: Tensor) -> None:
        """Write ``values`` back into the layer's own tensors."""
        layer = self.layer
        weights = layer.weights().detach().clone()
        n_features = weights.shape[-1]
        end = self.out_index.numel() * n_features
        if end:
            weights[self.out_index, self.in_index] = values[:end].reshape(-1, n_features)
            layer.set_weights(weights)
        with torch.no_grad():
            for j, i, _, columns in self.fixed:
                layer.edge_constants[j, i, list(columns)] = values[end : end + len(columns)]
                end += len(columns)
            layer.bias[self.bias_nodes] = values[end:]

    def columns(self, x: Tensor, features: Tensor) -> Tensor:
        """The derivative of its own node with respect to each constant, shape (batch, n_constants)."""
        n = x.shape[0]
        parts = [features[:, self.in_index].reshape(n, -1)]
        for j, i, name, columns in self.fixed:
            constants = self.layer.edge_constants[j, i].detach()
            parts.append(_fixed_columns(name, constants, x[:, i], columns))
        parts.append(x.new_ones(n, self.bias_nodes.numel()))
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def input_slopes(self, x: Tensor) -> Tensor:
        """The derivative of each node with respect to each input, shape (batch, out, in)."""
        return self.layer.edges(x, derivative=1)


@dataclass(frozen=True)
class Trace:
    """One pass through the network: what went into each layer, and its features there."""

    inputs: tuple[Tensor, ...]
    features: tuple[Tensor, ...]
    subnodes: tuple[Tensor, ...]
    output: Tensor


def plan(model: KAN) -> tuple[LayerPlan, ...]:
    """List the adjustable constants of every layer of ``model``."""
    return tuple(_plan_layer(layer) for layer in model.layers)


def n_constants(model: KAN) -> int:
    """How many constants the output depends on: of an edge fixed to the identity only the factor.

    Examples
    --------
    >>> from kanlib import KAN
    >>> model = KAN([2, 1], grid_size=4, degree=3, base=None)
    >>> n_constants(model)
    14
    >>> model.layers[0].fix_edge(0, 0, "identity")
    >>> n_constants(model)
    8
    """
    return sum(p.n_constants - 2 * sum(name == "identity" for _, _, name, _ in p.fixed) for p in plan(model))


def trace(
    model: KAN,
    x: Tensor,
    first_features: Tensor | None = None,
    at_last: Callable[[KANLayer, Tensor], Tensor] | None = None,
) -> Trace:
    """Run ``model`` on ``x`` (batch, in) and keep what the Jacobian needs.

    ``first_features`` are the features of the first layer, which never change while constants are adjusted.
    ``at_last`` is called with the last layer and what enters it, may adjust the layer, and returns its features.
    """
    from .network import combine

    inputs, features, subnodes = [], [], []
    value = x[:, model.input_index]
    for depth, (layer, width) in enumerate(zip(model.layers, model.widths[1:], strict=True)):
        if at_last is not None and depth == len(model.layers) - 1:
            phi = at_last(layer, value)
        elif depth == 0 and first_features is not None:
            phi = first_features
        else:
            phi = layer.features(value)
        inputs.append(value)
        features.append(phi)
        subnodes.append(layer_values(layer, value, phi))
        value = combine(subnodes[-1], width)
    return Trace(tuple(inputs), tuple(features), tuple(subnodes), value)


def layer_values(layer: KANLayer, x: Tensor, features: Tensor) -> Tensor:
    """The layer's value from its features, shape (batch, out)."""
    value = features.flatten(1) @ layer.weights().detach().flatten(1).T + layer.bias.detach()
    fixed = layer.fixed_edges()
    if fixed:
        value = value.clone()
        for (i, j), name in fixed.items():
            if bool(layer.mask[j, i]):
                a, b, c, d, p = layer.edge_constants[j, i].detach()
                value[:, j] += c * PRIMITIVES[name](a * x[:, i] + b, p) + d
    return value


def sensitivities(model: KAN, plans: tuple[LayerPlan, ...], passed: Trace) -> list[Tensor]:
    """The derivative of every output with respect to every (sub)node of each layer.

    Returns
    -------
    list of Tensor, one per layer, each (n_outputs, batch, subnodes of that layer)
    """
    batch, n_outputs = passed.output.shape
    value = torch.eye(n_outputs, dtype=passed.output.dtype, device=passed.output.device)
    value = value[:, None, :].expand(n_outputs, batch, n_outputs)
    found: list[Tensor] = []
    for depth in reversed(range(len(plans))):
        value = combine_sensitivity(value, passed.subnodes[depth], model.widths[depth + 1])
        found.append(value)
        if depth:
            value = torch.einsum("mbo,boi->mbi", value, plans[depth].input_slopes(passed.inputs[depth]))
    return found[::-1]


def jacobian(model: KAN, plans: tuple[LayerPlan, ...], passed: Trace) -> list[Tensor]:
    """The Jacobian of every output with respect to every constant, one block per layer.

    Returns
    -------
    list of Tensor, each (n_outputs, batch, n_constants of that layer)
    """
    found = sensitivities(model, plans, passed)
    return [
        sensitivity[:, :, p.owner] * p.columns(x, features)
        for sensitivity, p, x, features in zip(found, plans, passed.inputs, passed.features, strict=True)
    ]


def combine_sensitivity(sensitivity: Tensor, subnodes: Tensor, width: Width) -> Tensor:
    """Pass a sensitivity through sum and multiplication nodes: (m, batch, nodes) -> (m, batch, subnodes)."""
    if not width.products:
        return sensitivity
    parts = [sensitivity[..., : width.sums]]
    start = width.sums
    for node, arity in enumerate(width.products):
        factors = subnodes[:, start : start + arity]
        # The product of the other factors, without division: a factor may be zero.
        others = torch.stack(
            [factors[:, [k for k in range(arity) if k != own]].prod(dim=1) for own in range(arity)], dim=1
        )
        parts.append(sensitivity[..., width.sums + node, None] * others)
        start += arity
    return torch.cat(parts, dim=-1)


def _plan_layer(layer: KANLayer) -> LayerPlan:
    device = layer.mask.device
    spline = layer.mask & (layer.primitive_index < 0)
    out_index, in_index = spline.nonzero(as_tuple=True)
    fixed = tuple(
        (j, i, name, (A, B, C, P) if PRIMITIVES[name].has_exponent else (A, B, C))
        for (i, j), name in layer.fixed_edges().items()
        if bool(layer.mask[j, i])
    )
    hold = get_basis(layer.basis).constant(layer.coefficients.shape[-1]) is not None
    bias_nodes = (~(spline.any(dim=1) & hold)).nonzero()[:, 0]
    n_features = layer.weights().shape[-1]
    owner = torch.cat(
        [
            out_index.repeat_interleave(n_features),
            torch.tensor([j for j, _, _, columns in fixed for _ in columns], dtype=torch.int64, device=device),
            bias_nodes,
        ]
    )
    linear = torch.cat(
        [
            torch.ones(out_index.numel() * n_features, dtype=torch.bool, device=device),
            torch.tensor([k == C for *_, columns in fixed for k in columns], dtype=torch.bool, device=device),
            torch.ones(bias_nodes.numel(), dtype=torch.bool, device=device),
        ]
    )
    return LayerPlan(layer, out_index, in_index, fixed, bias_nodes, owner, linear)


def _fixed_columns(name: str, constants: Tensor, x: Tensor, columns: tuple[int, ...]) -> Tensor:
    a, b, c, _, p = constants
    value, slope, exponent_slope = _value_slope(name, a * x + b, p)
    every = {A: c * slope * x, B: c * slope, C: value, P: c * exponent_slope}
    return torch.stack([every[k] for k in columns], dim=1)


def _value_slope(name: str, u: Tensor, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """f(u; p), its derivative in u, and its derivative in p."""
    with torch.enable_grad():
        u = u.detach().requires_grad_()
        q = p.detach().expand_as(u).clone().requires_grad_()
        value = PRIMITIVES[name](u, q)
        grads = torch.autograd.grad(value.sum(), (u, q), allow_unused=True)
    zero = torch.zeros_like(u)
    return value.detach(), zero if grads[0] is None else grads[0], zero if grads[1] is None else grads[1]
