"""The table of primitives, torch side: named functions an edge of a network can be fixed to.

An edge fixed to primitive f computes c * f(a*x + b) + d; its five constants are [a, b, c, d, p], where p is
the exponent of "power" and unused otherwise. The SymPy side of the table (`kanlib.symbolic.library`) is
derived from this one by name, so a saved network loads without SymPy.

All functions can be differentiated twice. Outside its domain a primitive gives NaN or an infinity, never a
number that looks right; `Domain.contains` tells beforehand whether a whole interval is safe. (Beyond the
range of the floats exp, sinh, cosh and powers overflow to infinity as usual.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

INF = math.inf


@dataclass(frozen=True)
class Domain:
    """The interval from low to high on which a primitive is finite, less its poles.

    Parameters
    ----------
    low, high : float
        Ends of the interval; an end belongs to it unless open_low / open_high.
    pole : float, optional
        A point without a value.
    period : float, optional
        Distance at which the pole repeats.
    """

    low: float = -INF
    high: float = INF
    open_low: bool = False
    open_high: bool = False
    pole: float | None = None
    period: float | None = None

    def contains(self, u_min: float, u_max: float) -> bool:
        """Whether the closed interval from u_min to u_max lies in the domain.

        Examples
        --------
        >>> Domain(pole=0.0).contains(0.5, 2.0), Domain(pole=0.0).contains(-1.0, 2.0)
        (True, False)
        """
        if not (math.isfinite(u_min) and math.isfinite(u_max) and u_min <= u_max):
            return False
        if u_min < self.low or (self.open_low and u_min <= self.low):
            return False
        if u_max > self.high or (self.open_high and u_max >= self.high):
            return False
        if self.pole is None:
            return True
        if self.period is None:
            return not u_min <= self.pole <= u_max
        return math.ceil((u_min - self.pole) / self.period) * self.period + self.pole > u_max


@dataclass(frozen=True)
class Primitive:
    """A named function of one variable u, or of u and an exponent p.

    Examples
    --------
    >>> PRIMITIVES["square"](torch.tensor([3.0]))
    tensor([9.])
    >>> PRIMITIVES["power"](torch.tensor([4.0]), torch.tensor([0.5]))
    tensor([2.])
    """

    name: str
    function: Callable[..., Tensor]
    domain: Domain = Domain()
    has_exponent: bool = False

    def __call__(self, u: Tensor, p: Tensor | None = None) -> Tensor:
        """Values at u; p (broadcast against u) is used by "power" only."""
        return self.function(u, p) if self.has_exponent else self.function(u)


def _power(u: Tensor, p: Tensor) -> Tensor:
    """u^p for u > 0; NaN for negative u even where p is whole, as there is no derivative in p."""
    return torch.where(u >= 0, u, math.nan) ** p


_POSITIVE = Domain(low=0.0, open_low=True)
_NOT_ZERO = Domain(pole=0.0)

_TABLE = (
    Primitive("identity", lambda u: u),
    Primitive("square", lambda u: u * u),
    Primitive("cube", lambda u: u * u * u),
    Primitive("fourth", lambda u: u**4),
    Primitive("fifth", lambda u: u**5),
    Primitive("reciprocal", lambda u: 1 / u, _NOT_ZERO),
    Primitive("reciprocal_square", lambda u: 1 / (u * u), _NOT_ZERO),
    Primitive("sqrt", torch.sqrt, Domain(low=0.0)),
    Primitive("reciprocal_sqrt", torch.rsqrt, _POSITIVE),
    Primitive("exp", torch.exp),
    Primitive("log", torch.log, _POSITIVE),
    Primitive("sin", torch.sin),
    Primitive("cos", torch.cos),
    Primitive("tan", torch.tan, Domain(pole=math.pi / 2, period=math.pi)),
    Primitive("tanh", torch.tanh),
    Primitive("sigmoid", torch.sigmoid),
    Primitive("arctan", torch.arctan),
    Primitive("arcsin", torch.arcsin, Domain(-1.0, 1.0)),
    Primitive("arccos", torch.arccos, Domain(-1.0, 1.0)),
    Primitive("arctanh", torch.arctanh, Domain(-1.0, 1.0, open_low=True, open_high=True)),
    Primitive("sinh", torch.sinh),
    Primitive("cosh", torch.cosh),
    Primitive("gaussian", lambda u: torch.exp(-u * u)),
    Primitive("lorentzian", lambda u: 1 / (1 + u * u)),
    Primitive("abs", torch.abs),
    Primitive("sign", torch.sign),
    Primitive("erf", torch.erf),
    Primitive("softplus", lambda u: torch.logaddexp(u, torch.zeros_like(u))),  # F.softplus is cut off at 20
    Primitive("saturation", lambda u: u / (1 + u), Domain(pole=-1.0)),
    Primitive("entropy", lambda u: u * torch.log(u), _POSITIVE),
    Primitive("power", _power, _POSITIVE, has_exponent=True),
    Primitive("lorentz", lambda u: torch.rsqrt((1 - u) * (1 + u)), Domain(-1.0, 1.0, open_low=True, open_high=True)),
    Primitive("hyperbola", lambda u: torch.sqrt(1 + u * u)),
    Primitive("semicircle", lambda u: torch.sqrt((1 - u) * (1 + u)), Domain(-1.0, 1.0)),
)

PRIMITIVES: dict[str, Primitive] = {primitive.name: primitive for primitive in _TABLE}


def evaluate_primitives(names: Sequence[str], u: Tensor, p: Tensor) -> Tensor:
    """Column e of the result is primitive names[e] of column e of u; one call for each run of equal names.

    Parameters
    ----------
    names : sequence of str, one for each column
    u : Tensor, shape (..., columns)
    p : Tensor, shape (columns,)

    Examples
    --------
    >>> evaluate_primitives(["square", "power"], torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.5]))
    tensor([9., 2.])
    """
    parts, start = [], 0
    for name, run in groupby(names):
        columns = slice(start, start + len(list(run)))
        parts.append(PRIMITIVES[name](u[..., columns], p[columns]))
        start = columns.stop
    return torch.cat(parts, dim=-1)


def primitive_derivatives(names: Sequence[str], u: Tensor, p: Tensor, order: int) -> Tensor:
    """As `evaluate_primitives`, the derivative of that order with respect to u; in torch's graph where there is one.

    Examples
    --------
    >>> primitive_derivatives(["square", "sin"], torch.tensor([3.0, 0.0]), torch.ones(2), 1)
    tensor([6., 1.])
    """
    kept = torch.is_grad_enabled() and (u.requires_grad or p.requires_grad)
    with torch.inference_mode(False), torch.enable_grad():
        if u.is_inference():
            u, p = u.clone(), p.clone()
        point = u if u.requires_grad else u.detach().requires_grad_()
        values = evaluate_primitives(names, point, p)
        for _ in range(order):
            slopes = None
            if values.requires_grad:  # unlike the slope of straight lines
                (slopes,) = torch.autograd.grad(values.sum(), point, create_graph=True, allow_unused=True)
            values = torch.zeros_like(point) if slopes is None else slopes
    return values if kept else values.detach()
