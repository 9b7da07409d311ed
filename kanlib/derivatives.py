"""Values, gradients and second derivatives of a KAN with respect to its inputs, in one forward pass.

For residual losses: the left side of a differential equation at many points, which is then trained like any other
output. Each layer is passed its inputs h and their derivatives along the coordinates, and passes on those of
y_o = sum_i f_oi(h_i):

    dy_o/dx_k       = sum_i f'_oi dh_i/dx_k
    d2y_o/dx_k dx_l = sum_i f''_oi dh_i/dx_k dh_i/dx_l + f'_oi d2h_i/dx_k dx_l

with f' and f'' of the splines in closed form, so no graph of a backward pass is differentiated again. Where only the
Laplacian is wanted, only the sum over k = l is carried along (the forward Laplacian of Li et al., Nature Machine
Intelligence 6 (2024) 209). Everything stays in torch's graph: a loss of derivatives has gradients in the weights.

Curves go on as straight lines outside their grids, and splines of degree 1 bend nowhere: there only the base function
has a second derivative. So give the network the range of the points (``grid_range``, or `kanlib.update_grid`).
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from .layer import KANLayer
from .network import KAN, Width

__all__ = ["Derivatives", "Jet", "Passage", "as_derivatives", "gradient", "hessian", "laplacian", "through"]


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
    return as_derivatives(through(model, x, order=1)[-1].nodes)


def hessian(model: KAN, x: Tensor) -> Derivatives:
    """Value, gradient and all second derivatives; parameters and errors as for `gradient`.

    Examples
    --------
    >>> model = KAN([2, (1, 1), 1])
    >>> hessian(model, torch.zeros(7, 2)).second.shape
    torch.Size([7, 1, 2, 2])
    """
    return as_derivatives(through(model, x, order=2)[-1].nodes)


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
    return as_derivatives(through(model, x, order=2, trace=True)[-1].nodes)


class Jet(NamedTuple):
    """Of the nodes of one layer, as `Derivatives` with the nodes last: (..., s), (..., d, s), and (..., d, d, s)."""

    value: Tensor
    first: Tensor
    second: Tensor | None

    @property
    def traced(self) -> bool:
        """Whether ``second`` is the Laplacian (..., s)."""
        return self.second is not None and self.second.ndim == self.value.ndim


class Passage(NamedTuple):
    """What went into a layer, what its sums were (the factors of products one by one), and the nodes made of them."""

    inputs: Jet
    sums: Jet
    nodes: Jet


def through(model: KAN, x: Tensor, *, order: int, trace: bool = False) -> list[Passage]:
    """The jets of all layers; ``trace`` for the Laplacian in place of the Hessian."""
    value = model.select(x)
    d = x.shape[-1]
    # the derivatives of the inputs that the first layer sees are columns of the unit matrix
    first = torch.eye(d, dtype=value.dtype, device=value.device)[:, model.input_index]
    shape = (*value.shape[:-1], *(() if trace else (d, d)), value.shape[-1])
    jet = Jet(value, first.expand(*value.shape[:-1], *first.shape), value.new_zeros(shape) if order == 2 else None)
    passed = []
    for layer, width in zip(model.layers, model.widths[1:], strict=True):
        sums = _through_layer(layer, jet)
        passed.append(Passage(jet, sums, jet := _combined(sums, width)))
    return passed


def as_derivatives(jet: Jet) -> Derivatives:
    """The jet of the outputs, with the outputs before the coordinates."""
    second = jet.second if jet.second is None or jet.traced else jet.second.movedim(-1, -3)
    return Derivatives(jet.value, jet.first.movedim(-1, -2), second)


def _through_layer(layer: KANLayer, h: Jet) -> Jet:
    """Of the node sums, from those of the layer's inputs."""
    value, slope = layer(h.value), layer.edges(h.value, derivative=1)
    first = torch.einsum("...oi,...ki->...ko", slope, h.first)
    if h.second is None:
        return Jet(value, first, None)
    bend = layer.edges(h.value, derivative=2)
    if h.traced:
        second = torch.einsum("...oi,...i->...o", bend, h.first.square().sum(-2))
        return Jet(value, first, second + torch.einsum("...oi,...i->...o", slope, h.second))
    second = torch.einsum("...oi,...ki,...li->...klo", bend, h.first, h.first)
    return Jet(value, first, second + torch.einsum("...oi,...kli->...klo", slope, h.second))


def _combined(jet: Jet, width: Width) -> Jet:
    """Through sums and multiplication nodes, by the product rule, without division: a factor may be zero."""
    if not width.products:
        return jet
    nodes, start = [_part(jet, 0, width.sums)], width.sums
    for arity in width.products:
        factors = [_part(jet, k, k + 1) for k in range(start, start + arity)]
        nodes.append(reduce(_times, factors))
        start += arity
    seconds = [node.second for node in nodes if node.second is not None]
    return Jet(
        torch.cat([node.value for node in nodes], dim=-1),
        torch.cat([node.first for node in nodes], dim=-1),
        torch.cat(seconds, dim=-1) if seconds else None,
    )


def _part(jet: Jet, start: int, stop: int) -> Jet:
    """Some of the nodes."""
    second = None if jet.second is None else jet.second[..., start:stop]
    return Jet(jet.value[..., start:stop], jet.first[..., start:stop], second)


def _times(u: Jet, v: Jet) -> Jet:
    value = u.value * v.value
    first = u.first * v.value.unsqueeze(-2) + v.first * u.value.unsqueeze(-2)
    if u.second is None or v.second is None:
        return Jet(value, first, None)
    if u.traced:
        mixed = 2 * (u.first * v.first).sum(-2)
        return Jet(value, first, u.second * v.value + v.second * u.value + mixed)
    one, other = (each.value.unsqueeze(-2).unsqueeze(-2) for each in (u, v))
    outer = u.first.unsqueeze(-2) * v.first.unsqueeze(-3)
    return Jet(value, first, u.second * other + v.second * one + outer + outer.transpose(-2, -3))
