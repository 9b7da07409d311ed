"""Power laws: exponents, signs and offsets come back."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sympy import Expr, Float, Rational

from kanlib.symbolic.rational.monomials import monomial_forms
from kanlib.symbolic.tape import evaluate

Array = NDArray[np.float64]
SYMBOLS = a, b, c, d = sympy.symbols("a b c d", real=True)


def best(Z: Array, y: Array, weight: Array | None = None) -> tuple[Expr, Expr, float]:
    """(structure, expression with numbers, rss) of the form with the smallest rss; the first of equals."""
    symbols = SYMBOLS[: Z.shape[1]]
    found = []
    w = np.ones(len(y)) if weight is None else weight
    for structure, values in monomial_forms(Z, y, w, symbols):
        expr = structure.xreplace({symbol: Float(value) for symbol, value in values.items()})
        found.append((structure, expr, float(np.sum(w * (evaluate(expr, symbols, Z) - y) ** 2))))
    smallest = min(rss for _, _, rss in found)
    return next(each for each in found if each[2] <= 1.02 * smallest + 1e-18 * float(y @ y))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from([-3, -2, -1, 0, 1, 2, 3, 0.5, -0.5, 1.5, 1 / 3, -2 / 3]), min_size=3, max_size=3),
    st.integers(0, 2**32 - 1),
)
def test_exponents_come_back_exactly(exponents: list[float], seed: int) -> None:
    if not any(exponents):
        return
    rng = np.random.default_rng(seed)
    Z = rng.uniform(0.5, 4, (60, 3))
    y = -2.5 * np.prod(Z**exponents, axis=1)
    _, expr, rss = best(Z, y)
    assert rss < 1e-20 * float(y @ y)
    law = sympy.prod(s ** Rational(e).limit_denominator(6) for s, e in zip((a, b, c), exponents, strict=True))
    assert sympy.simplify(expr / law).is_number


def test_heavy_tails_and_signs() -> None:
    Z = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    y = Z[:, 0] ** 5 / Z[:, 1] ** 3
    _, expr, _ = best(Z, y)
    assert expr / (a**5 / b**3) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("odd", "law"),
    [(False, sympy.Abs(a) ** Rational(3, 2) * b), (True, sympy.sign(a) * sympy.Abs(a) ** Rational(3, 2) * b)],
)
def test_roots_of_columns_that_change_sign(odd: bool, law: Expr) -> None:
    Z = np.random.default_rng(1).uniform(-2, 2, (300, 2))
    y = np.abs(Z[:, 0]) ** 1.5 * (np.sign(Z[:, 0]) if odd else 1.0) * Z[:, 1]
    _, expr, rss = best(Z, y)
    assert rss < 1e-20 * float(y @ y) and sympy.simplify(expr / law).is_number


@pytest.mark.parametrize("exponent", [1, 2, 3, 0.5])
def test_negative_columns(exponent: float) -> None:
    Z = np.random.default_rng(1).uniform(-3, -1, (100, 2))
    y = 4 * np.abs(Z[:, 0]) ** exponent / Z[:, 1]
    _, expr, rss = best(Z, y)
    assert rss < 1e-20 * float(y @ y)
    assert len(expr.atoms(Float)) == 1


def test_a_constant_in_front_is_found() -> None:
    Z = np.random.default_rng(2).uniform(1, 5, (200, 3))
    y = 2.5 * Z[:, 0] ** 1.5 / np.sqrt(Z[:, 1]) + 4
    _, expr, rss = best(Z, y)
    assert rss < 1e-18 * float(y @ y)
    law = 2.5 * a ** Rational(3, 2) / sympy.sqrt(b) + 4
    assert float((expr - law).subs({a: 2.0, b: 3.0})) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_noise_does_not_hide_the_exponents(noise: float) -> None:
    rng = np.random.default_rng(3)
    Z = rng.uniform(1, 5, (800, 4))
    y = Z[:, 0] * Z[:, 1] ** 2 / (Z[:, 2] * np.sqrt(Z[:, 3]))
    structure, _, _ = best(Z, y + noise * np.std(y) * rng.normal(size=800))
    assert (structure / (a * b**2 / (c * sympy.sqrt(d)))).is_Symbol


def test_weights_decide() -> None:
    rng = np.random.default_rng(4)
    Z = rng.uniform(1, 3, (100, 1))
    y = 3 * Z[:, 0] ** 2
    weight = np.ones(100)
    y[:10], weight[:10] = 50.0, 1e-12
    _, expr, _ = best(Z, y, weight)
    assert float((expr / a**2).evalf()) == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize("Z", [np.zeros((20, 2)), np.ones((20, 2)), np.ones((2, 2)), np.empty((0, 2))])
def test_nothing_comes_from_columns_without_logarithms_or_spread(Z: Array) -> None:
    assert list(monomial_forms(Z, np.ones(len(Z)), np.ones(len(Z)), (a, b))) == []
