"""One contract for every primitive: the SymPy side computes what the torch side computes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
import torch

from kanlib.primitives import PRIMITIVES
from kanlib.symbolic.library import LIBRARY, search_names
from kanlib.symbolic.tape import Tape

U, P = sympy.symbols("u p", real=True)


def domain_samples(name: str) -> np.ndarray:
    """Points of [-3, 3] inside the domain, away from its ends and poles, where both sides lose digits."""
    domain = PRIMITIVES[name].domain
    points = np.linspace(-3.0, 3.0, 301) + 0.00123
    inside = [
        u
        for u in points
        if domain.contains(u - 0.01, u + 0.01)
        and (name != "abs" or abs(u) > 0.01)
        and (name != "sign" or abs(u) > 0.01)
    ]
    return np.array(inside)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_values_and_slopes_agree_with_torch(name: str) -> None:
    points = domain_samples(name)
    assert len(points) > 50
    exponent = 1.7
    u = torch.tensor(points, requires_grad=True)
    expected = PRIMITIVES[name](u, torch.tensor(exponent, dtype=torch.float64))
    (slope,) = torch.autograd.grad(expected.sum(), u)
    expr = LIBRARY[name](U, P)
    # SymPy's own road to numbers, not ours
    for expression, reference in ((expr, expected.detach()), (sympy.diff(expr, U), slope)):
        expression = expression.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)  # sign jumps only at 0
        function = sympy.lambdify((U, P), expression, modules=["scipy", "numpy"])
        values = np.broadcast_to(function(points, exponent), points.shape)
        np.testing.assert_allclose(values, reference.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_tape_agrees_with_torch(name: str) -> None:
    points = domain_samples(name)
    expected = PRIMITIVES[name](torch.tensor(points), torch.tensor(1.7, dtype=torch.float64)).numpy()
    tape = Tape(LIBRARY[name](U, P), (U,), (P,)).bind(points[:, None])
    np.testing.assert_allclose(tape.value(np.array([1.7])), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_outside_the_domain_is_never_a_number_that_looks_right(name: str) -> None:
    domain = PRIMITIVES[name].domain
    outside = [end + step for end, step in ((domain.low, -0.5), (domain.high, 0.5)) if math.isfinite(end)]
    if outside:
        values = Tape(LIBRARY[name](U, P), (U,), (P,)).bind(np.array(outside)[:, None]).value(np.array([1.7]))
        assert not np.isfinite(values).any()


def test_the_table() -> None:
    assert list(LIBRARY) and set(LIBRARY) == set(PRIMITIVES)
    assert all(entry.name == name and entry.complexity > 0 for name, entry in LIBRARY.items())
    assert LIBRARY["identity"].complexity == 1 == min(entry.complexity for entry in LIBRARY.values())
    assert len(search_names()) >= 25


# name -> (twin, a, b, c, d) with name(u) = c*twin(a*u + b) + d
TWINS = {
    "cos": ("sin", 1, sympy.pi / 2, 1, 0),
    "arccos": ("arcsin", 1, 0, -1, sympy.pi / 2),
    "sigmoid": ("tanh", sympy.Rational(1, 2), 0, sympy.Rational(1, 2), sympy.Rational(1, 2)),
    "saturation": ("reciprocal", 1, 1, -1, 1),
}


@pytest.mark.parametrize("name", [name for name in LIBRARY if not LIBRARY[name].search])
def test_what_the_search_leaves_out_is_a_twin_of_what_it_has(name: str) -> None:
    twin, a, b, c, d = TWINS[name]
    assert LIBRARY[twin].search and LIBRARY[twin].complexity <= LIBRARY[name].complexity
    points = domain_samples(name)
    left = sympy.lambdify(U, LIBRARY[name](U), "numpy")(points)
    right = sympy.lambdify(U, c * LIBRARY[twin](a * U + b) + d, "numpy")(points)
    np.testing.assert_allclose(left, right, atol=1e-12)
