"""Equations between a network's value and its derivatives as a least-squares problem.

The Jacobian is assembled, not differentiated out: the residual of a row depends on that row's jets only, so one
backward pass gives the sensitivities s to the value, gradient and second derivative of each node sum
y_o = sum_if c_oif B_f(h_i), and the derivative with respect to c_oif is

    s_value B_f + (sum_k s_k dh_i/dx_k + s_2 lap h_i) B_f' + s_2 |grad h_i|^2 B_f''

(for the Hessian the same with sums over pairs of coordinates).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from .derivatives import Derivatives, Jet, Passage, as_derivatives, through
from .descent import diagonal_scale
from .errors import InputError
from .jacobian import LayerPlan, plan

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["Condition", "Residuals"]

Second = Literal["none", "laplacian", "hessian"]


@dataclass(frozen=True)
class Condition:
    """An equation that is to hold at some points.

    Parameters
    ----------
    points : Tensor, shape (n, in_features)
    equation : callable
        Takes the `Derivatives` u at the points (``u.value`` (n, out), ``u.gradient`` (n, out, in), ``u.second``) and
        the points, returns (n,) or (n, m) numbers that should be zero. Row by row: a row of the result may depend on
        that row only.
    second : {"none", "laplacian", "hessian"}
        What ``u.second`` holds. Ask for no more than the equation uses.
    weight : float
        Of the mean of the squares.
    """

    points: Tensor
    equation: Callable[[Derivatives, Tensor], Tensor]
    second: Second = "none"
    weight: float = 1.0

    def residuals(self, model: KAN) -> tuple[Tensor, list[Passage]]:
        """The residuals (n, m), their squares adding up to the weighted mean, and the jets they are made of."""
        order = 1 if self.second == "none" else 2
        passed = through(model, self.points, order=order, trace=self.second == "laplacian")
        found = self.equation(as_derivatives(passed[-1].nodes), self.points)
        found = found[:, None] if found.ndim == 1 else found
        return found * math.sqrt(self.weight / len(self.points)), passed


@dataclass
class _State:
    constants: list[Tensor]
    residual: Tensor  # weighted, all conditions
    objective: float

    @property
    def loss(self) -> float:
        return self.objective


class Residuals:
    """The least-squares problem, for `kanlib.descent.descend`."""

    def __init__(self, model: KAN, conditions: Sequence[Condition]) -> None:
        self.model, self.conditions, self.plans = model, conditions, plan(model)

    def put(self, constants: Sequence[Tensor]) -> None:
        for p, values in zip(self.plans, constants, strict=True):
            p.unpack(values)

    def at(self, constants: list[Tensor]) -> _State | None:
        self.put(constants)
        with torch.no_grad():
            residual = torch.cat([c.residuals(self.model)[0].reshape(-1) for c in self.conditions])
        objective = float(residual.square().sum())
        return _State(constants, residual, objective) if math.isfinite(objective) else None

    def prepare(self, state: _State) -> None:
        self.put(state.constants)

    def settle(self, state: _State) -> _State:
        return state

    def trial(self, state: _State, move: Tensor) -> _State | None:
        parts = move.split([len(values) for values in state.constants])
        return self.at([values + part for values, part in zip(state.constants, parts, strict=True)])

    def normal_equations(self, state: _State) -> tuple[Tensor, Tensor, Tensor]:
        size = sum(len(values) for values in state.constants)
        normal, gradient = state.residual.new_zeros(size, size), state.residual.new_zeros(size)
        for condition in self.conditions:
            with torch.enable_grad():
                residual, passed = condition.residuals(self.model)
                totals = residual.sum(0).unbind()
            if not residual.requires_grad:
                raise InputError("An equation does not depend on u; expected one of its value and its derivatives.")
            jets = [tensor for layer in passed for tensor in layer.sums if tensor is not None]
            for m, total in enumerate(totals):
                found = torch.autograd.grad(total, jets, retain_graph=m + 1 < len(totals), allow_unused=True)
                left = iter(found)
                with torch.no_grad():
                    blocks = []
                    for p, layer in zip(self.plans, passed, strict=True):
                        sensitivity = [None if tensor is None else next(left) for tensor in layer.sums]
                        blocks.append(_block(p, layer.inputs, sensitivity))
                    rows = torch.cat(blocks, dim=1)
                    normal.addmm_(rows.T, rows)
                    gradient.addmv_(rows.T, residual[:, m], alpha=-1)
        return normal, gradient, diagonal_scale(normal)


def _block(p: LayerPlan, h: Jet, sensitivity: Sequence[Tensor | None]) -> Tensor:
    """Derivatives of the residuals with respect to the constants of one layer, shape (n, n_constants)."""
    value, first, second = sensitivity
    o, i = p.out_index, p.in_index
    zero = h.value.new_zeros(())
    on_value = zero if value is None else value[:, o]
    on_slope = zero if first is None else (first[..., o] * h.first[..., i]).sum(-2)
    on_bend = zero
    if second is not None and h.second is not None:
        if h.traced:
            on_slope = on_slope + second[:, o] * h.second[:, i]
            on_bend = second[:, o] * h.first.square().sum(-2)[:, i]
        else:
            on_slope = on_slope + (second[..., o] * h.second[..., i]).sum((-3, -2))
            pairs = (h.first.unsqueeze(-2) * h.first.unsqueeze(-3))[..., i]
            on_bend = (second[..., o] * pairs).sum((-3, -2))
    layer, n = p.layer, len(h.value)
    columns = h.value.new_zeros(n, len(i), layer.weights().shape[-1])
    for order, factor in enumerate((on_value, on_slope, on_bend)):
        if factor.ndim:
            features = layer.features(h.value) if order == 0 else layer.feature_derivatives(h.value, order)
            columns += factor[..., None] * features[:, i]
    bias = h.value.new_zeros(n, len(p.bias_nodes)) if value is None else value[:, p.bias_nodes]
    return torch.cat([columns.flatten(1), bias], dim=1)
