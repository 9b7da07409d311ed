"""The contract every primitive inherits: values, derivatives, and an honest domain."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from kanlib.primitives import PRIMITIVES, Domain, Primitive

EXPONENT = 1.7

# An oracle with 30 digits, written without looking at torch.
ORACLE: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    "identity": lambda u: u,
    "square": lambda u: u**2,
    "cube": lambda u: u**3,
    "fourth": lambda u: u**4,
    "fifth": lambda u: u**5,
    "reciprocal": lambda u: 1 / u,
    "reciprocal_square": lambda u: u**-2,
    "sqrt": mpmath.sqrt,
    "reciprocal_sqrt": lambda u: 1 / mpmath.sqrt(u),
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
    "arctan": mpmath.atan,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctanh": mpmath.atanh,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "gaussian": lambda u: mpmath.exp(-(u**2)),
    "lorentzian": lambda u: 1 / (1 + u**2),
    "abs": abs,
    "sign": mpmath.sign,
    "erf": mpmath.erf,
    "softplus": lambda u: mpmath.log(1 + mpmath.exp(u)),
    "saturation": lambda u: u / (1 + u),
    "entropy": lambda u: u * mpmath.log(u),
    "power": lambda u: u ** mpmath.mpf(EXPONENT),
    "lorentz": lambda u: 1 / mpmath.sqrt(1 - u**2),
    "hyperbola": lambda u: mpmath.sqrt(1 + u**2),
    "semicircle": lambda u: mpmath.sqrt(1 - u**2),
}


def points(primitive: Primitive) -> torch.Tensor:
    """Points well inside the domain, off 0 where abs and sign have no derivative."""
    domain = primitive.domain
    low, high = max(domain.low, -2.9), min(domain.high, 3.1)
    u = torch.linspace(low, high, 27, dtype=torch.float64)[1:-1]
    for special in (0.0, domain.pole):
        if special is not None:
            u = u[(u - special).abs() > 0.05]
    return u


def evaluate(primitive: Primitive, u: torch.Tensor) -> torch.Tensor:
    return primitive(u, torch.full_like(u, EXPONENT))


@pytest.mark.parametrize("primitive", PRIMITIVES.values(), ids=PRIMITIVES)
class TestContract:
    def test_values(self, primitive: Primitive) -> None:
        u = points(primitive)
        with mpmath.workdps(30):
            exact = [float(ORACLE[primitive.name](mpmath.mpf(v))) for v in u.tolist()]
        torch.testing.assert_close(evaluate(primitive, u), torch.tensor(exact, dtype=u.dtype), rtol=1e-13, atol=1e-15)

    def test_float32_stays_float32(self, primitive: Primitive) -> None:
        u = points(primitive)
        rough = evaluate(primitive, u.float())
        assert rough.dtype == torch.float32
        torch.testing.assert_close(rough.double(), evaluate(primitive, u), rtol=2e-4, atol=1e-5)

    def test_gradients_of_first_and_second_order(self, primitive: Primitive) -> None:
        u = points(primitive)[::4].requires_grad_()
        p = torch.full_like(u, EXPONENT).requires_grad_()
        inputs = (u, p) if primitive.has_exponent else (u,)
        assert gradcheck(primitive.function, inputs)
        if primitive.name != "sign":  # its derivative is the constant zero
            assert gradgradcheck(primitive.function, inputs)

    def test_domain(self, primitive: Primitive) -> None:
        domain = primitive.domain
        u = points(primitive)
        assert all(domain.contains(v, v) for v in u.tolist())
        assert evaluate(primitive, u).isfinite().all()
        outside = [math.nan, math.inf, -math.inf]
        if math.isfinite(domain.low):
            outside += [domain.low - 0.01, domain.low - 1.5] + [domain.low] * domain.open_low
            assert domain.open_low or evaluate(primitive, torch.tensor([domain.low])).isfinite()
        if math.isfinite(domain.high):
            outside += [domain.high + 0.01, domain.high + 1.5] + [domain.high] * domain.open_high
            assert domain.open_high or evaluate(primitive, torch.tensor([domain.high])).isfinite()
        if domain.pole is not None:
            outside.append(domain.pole)
            assert not domain.contains(domain.pole - 0.1, domain.pole + 0.1)
            assert not domain.contains(domain.pole, domain.pole + 0.1)
            assert domain.contains(domain.pole + 0.1, domain.pole + 0.2)
        assert not any(domain.contains(v, v) for v in outside)
        finite = [v for v in outside if math.isfinite(v)]
        values = evaluate(primitive, torch.tensor(finite, dtype=torch.float64))
        for v, value in zip(finite, values.tolist(), strict=True):
            # The poles of tan are no floats, and 0 ** 1.7 is 0 though 0 ** -1.7 is not: flagged, yet finite.
            assert not math.isfinite(value) or (primitive.name, v) in {("tan", math.pi / 2), ("power", 0.0)}

    def test_nan_stays_nan(self, primitive: Primitive) -> None:
        assert evaluate(primitive, torch.tensor([math.nan])).isnan().all() or primitive.name == "sign"


def test_the_table_and_the_oracle_have_the_same_names() -> None:
    assert list(ORACLE) == list(PRIMITIVES)
    assert all(name == primitive.name for name, primitive in PRIMITIVES.items())


def test_poles_that_repeat() -> None:
    domain = Domain(pole=math.pi / 2, period=math.pi)
    assert domain.contains(-1.5, 1.5) and domain.contains(1.6, 4.7) and domain.contains(101.0, 102.0)
    assert not domain.contains(1.5, 1.6) and not domain.contains(-1.6, 0.0) and not domain.contains(100, 104)


def test_power_is_not_defined_for_negative_numbers() -> None:
    power = PRIMITIVES["power"]
    u = torch.tensor([-2.0, 2.0], requires_grad=True)
    value = power(u, torch.tensor([2.0, 2.0]))
    assert value[0].isnan() and value[1] == 4
    assert torch.autograd.grad(value[1], u)[0][1] == 4
