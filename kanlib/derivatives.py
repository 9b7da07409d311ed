"""Values, gradients and second derivatives of a KAN with respect to its inputs, in one forward pass.

For residual losses: the left side of a differential equation at many points, which is then trained like any other
output. Each layer is passed its inputs h and their derivatives along the coordinates, and passes on those of
y_o = sum_i f_oi(h_i):

    dy_o/dx_k       = sum_i f'_oi dh_i/dx_k
    d2y_o/dx_k dx_l = sum_i f''_oi dh_i/dx_k dh_i/dx_l + f'_oi d2h_i/dx_k dx_l

with f' and f'' of the splines in closed form, so no graph of a backward pass is differentiated again. Where only the
Laplacian is wanted, only the sum over k = l is carried along (the forward Laplacian of Li et al., Nature Machine
Intelligence 6 (2024) 209). Everything stays in torch's graph: a loss of derivatives has gradients in the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .layer import KANLayer
from .network import KAN, Width
from .primitives import PRIMITIVES

__all__ = ["Derivatives", "gradient", "hessian", "laplacian"]


class Derivatives(NamedTuple):
    """What is known of the outputs at every point, d the number of original columns.

    Attributes
    ----------
    value : (..., out).
    gradient : (..., out, d).
    second : (..., out, d, d) the Hessian, or (..., out) the Laplacian, whichever was asked for; None from `gradient`.
    """

    value: Tensor
    gradient: Tensor
    second: Tensor | None


def gradient(model: KAN, x: Tensor) -> Derivatives:
    """Value and gradient.

    Parameters
    ----------
    model : KAN
    x : Tensor, shape (..., in_features), the model's dtype

    Raises
    ------
    InputError, InputTypeError
        As from the model itself.

    Examples
    --------
    >>> model = KAN([2, 1], base=None)
    >>> found = gradient(model, torch.zeros(7, 2))
    >>> found.value.shape, found.gradient.shape, found.second
    (torch.Size([7, 1]), torch.Size([7, 1, 2]), None)
    """
    return _through(model, x, order=1, trace=False)


def hessian(model: KAN, x: Tensor) -> Derivatives:
    """Value, gradient and all second derivatives; parameters and errors as for `gradient`.

    Examples
    --------
    >>> model = KAN([2, (1, 1), 1])
    >>> hessian(model, torch.zeros(7, 2)).second.shape
    torch.Size([7, 1, 2, 2])
    """
    return _through(model, x, order=2, trace=False)


def laplacian(model: KAN, x: Tensor) -> Derivatives:
    """Value, gradient and the sum of the unmixed second derivatives; parameters and errors as for `gradient`.

    Examples
    --------
    The residual of Poisson's equation u_xx + u_yy = 1, as a loss:

    >>> model = KAN([2, 3, 1], dtype=torch.float64)
    >>> points = torch.rand(100, 2, dtype=torch.float64)
    >>> loss = (laplacian(model, points).second - 1).square().mean()
    >>> loss.backward()
    >>> model.layers[0].coefficients.grad.shape
    torch.Size([3, 2, 8])
    """
    return _through(model, x, order=2, trace=True)


def _through(model: KAN, x: Tensor, *, order: int, trace: bool) -> Derivatives:
    value = model.select(x)
    d = x.shape[-1]
    # derivatives of the inputs of the first layer: rows of the unit matrix
    first = torch.eye(d, dtype=value.dtype, device=value.device)[model.input_index]
    found = Derivatives(
        value,
        first.expand(*value.shape, d),
        None if order < 2 else value.new_zeros(value.shape if trace else (*value.shape, d, d)),
    )
    for layer, width in zip(model.layers, model.widths[1:], strict=True):
        found = _combined(_through_layer(layer, found), width)
    return found


def _through_layer(layer: KANLayer, h: Derivatives) -> Derivatives:
    """Of the node sums, from those of the layer's inputs."""
    order = 1 if h.second is None else 2
    slopes = _edge_derivatives(layer, h.value, order)
    value = layer(h.value)
    along = torch.einsum("...oi,...ik->...ok", slopes[0], h.gradient)
    if h.second is None:
        return Derivatives(value, along, None)
    if h.second.ndim == h.value.ndim:
        bent = torch.einsum("...oi,...i->...o", slopes[1], h.gradient.square().sum(-1))
        return Derivatives(value, along, bent + torch.einsum("...oi,...i->...o", slopes[0], h.second))
    bent = torch.einsum("...oi,...ik,...il->...okl", slopes[1], h.gradient, h.gradient)
    return Derivatives(value, along, bent + torch.einsum("...oi,...ikl->...okl", slopes[0], h.second))


def _edge_derivatives(layer: KANLayer, x: Tensor, order: int) -> list[Tensor]:
    """First and, for order 2, second derivatives of every edge, each (..., out, in); masked edges have zeros."""
    weights = layer.weights()
    found = [torch.einsum("...if,oif->...oi", layer.feature_derivatives(x, k), weights) for k in range(1, order + 1)]
    fixed = [(edge, name) for edge, name in layer.fixed_edges().items() if bool(layer.mask[edge[1], edge[0]])]
    if not fixed:
        return found
    columns = [list(each.flatten(-2).unbind(-1)) for each in found]
    for (i, j), name in fixed:
        a, b, c, _, p = layer.edge_constants[j, i]
        place = j * layer.in_features + i
        for k, slope in enumerate(_primitive_derivatives(name, a * x[..., i] + b, p, order)):
            columns[k][place] = c * a ** (k + 1) * slope
    return [torch.stack(each, dim=-1).unflatten(-1, layer.mask.shape) for each in columns]


def _primitive_derivatives(name: str, u: Tensor, p: Tensor, order: int) -> list[Tensor]:
    """f'(u; p) and, for order 2, f''(u; p), in the graph where there is one."""
    kept = torch.is_grad_enabled()
    with torch.inference_mode(False), torch.enable_grad():
        if u.is_inference():
            u, p = u.clone(), p.clone()
        point = u if u.requires_grad else u.detach().requires_grad_()
        found = [PRIMITIVES[name](point, p)]
        for _ in range(order):
            slope = None
            if found[-1].requires_grad:  # not the slope of a straight line
                (slope,) = torch.autograd.grad(found[-1].sum(), point, create_graph=True, allow_unused=True)
            found.append(torch.zeros_like(u) if slope is None else slope)
    return found[1:] if kept else [each.detach() for each in found[1:]]


def _combined(found: Derivatives, width: Width) -> Derivatives:
    """Through sums and multiplication nodes, by the product rule, without division: a factor may be zero."""
    if not width.products:
        return found
    sizes = [width.sums, *width.products]
    values = found.value.split(sizes, dim=-1)
    slopes = found.gradient.split(sizes, dim=-2)
    trace = found.second is not None and found.second.ndim == found.value.ndim
    seconds = [None] * len(sizes) if found.second is None else found.second.split(sizes, dim=-1 if trace else -3)
    parts: list[tuple[Tensor, Tensor, Tensor | None]] = [(values[0], slopes[0], seconds[0])]
    for value, slope, second in zip(values[1:], slopes[1:], seconds[1:], strict=True):
        product = _factor(value, slope, second, 0, trace)
        for k in range(1, value.shape[-1]):
            product = _times(product, _factor(value, slope, second, k, trace), trace)
        parts.append((product.value, product.gradient, product.second))
    joined = torch.cat([part[0] for part in parts], dim=-1), torch.cat([part[1] for part in parts], dim=-2)
    last = [part[2] for part in parts if part[2] is not None]
    return Derivatives(*joined, torch.cat(last, dim=-1 if trace else -3) if last else None)


def _factor(value: Tensor, slope: Tensor, second: Tensor | None, k: int, trace: bool) -> Derivatives:
    """One of the subnodes that a node multiplies, its axis kept."""
    part = slice(k, k + 1)
    if second is not None:
        second = second[..., part] if trace else second[..., part, :, :]
    return Derivatives(value[..., part], slope[..., part, :], second)


def _times(u: Derivatives, v: Derivatives, trace: bool) -> Derivatives:
    value = u.value * v.value
    slope = u.gradient * v.value.unsqueeze(-1) + v.gradient * u.value.unsqueeze(-1)
    if u.second is None or v.second is None:
        return Derivatives(value, slope, None)
    if trace:
        mixed = 2 * (u.gradient * v.gradient).sum(-1)
        return Derivatives(value, slope, u.second * v.value + v.second * u.value + mixed)
    outer = u.gradient.unsqueeze(-1) * v.gradient.unsqueeze(-2)
    wide = [each.value[..., None, None] for each in (u, v)]
    return Derivatives(value, slope, u.second * wide[1] + v.second * wide[0] + outer + outer.transpose(-1, -2))
