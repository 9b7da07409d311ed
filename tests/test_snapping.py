"""Exact constants are recognised where the data single them out, and only there."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from kanlib.symbolic.description import candidates, constants_cost, description_length, exact_cost, fitted_cost
from kanlib.symbolic.dropping import drop_constants
from kanlib.symbolic.formula import Formula
from kanlib.symbolic.snapping import fitted, formula_length, snap

a, b, c, d, e, x, y = sympy.symbols("a b c d e x y", real=True)

CONCENTRATION = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)[:, None]
RATE = np.array([76.0, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200])


def line(slope: float, noise: float, rows: int = 100, seed: int = 0) -> tuple[Formula, np.ndarray, np.ndarray]:
    X = np.linspace(0.5, 2, rows)[:, None]
    target = slope * X[:, 0] + noise * np.random.default_rng(seed).normal(size=rows)
    return Formula(a * x, {a: slope * 1.01}, (x,)), X, target


EXACT = [
    sympy.Integer(2),
    sympy.Integer(-7),
    sympy.Integer(1000),
    sympy.Rational(1, 2),
    sympy.Rational(-3, 4),
    sympy.Rational(5, 12),
    sympy.pi,
    2 * sympy.pi,
    sympy.pi / 4,
    sympy.pi**2,
    1 / sympy.pi,
    sympy.E,
    sympy.sqrt(2),
    sympy.sqrt(2) / 2,
    1 / sympy.sqrt(2 * sympy.pi),
]


@pytest.mark.parametrize("exact", EXACT, ids=str)
@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_exact_numbers_are_recognised(exact: sympy.Expr, noise: float) -> None:
    formula, X, target = line(float(exact), noise * abs(float(exact)))
    assert snap(formula, X, target).values == {a: exact}


@pytest.mark.parametrize("value", [0.0641213, 212.6837, 3.1415, 0.70716, 1.4999, math.exp(0.37)])
def test_other_numbers_stay(value: float) -> None:
    formula, X, target = line(value, 0.0)
    (constant,) = snap(formula, X, target).constants
    assert constant.exact is None and constant.value == pytest.approx(value, rel=1e-14)


def test_noisy_constants_of_puromycin_stay() -> None:
    found = snap(Formula(a * x / (b + x), {a: 200.0, b: 0.1}, (x,)), CONCENTRATION, RATE)
    assert [constant.exact for constant in found.constants] == [None, None]
    np.testing.assert_allclose([constant.value for constant in found.constants], [212.7, 0.06412], rtol=2e-4)
    np.testing.assert_allclose([constant.standard_error for constant in found.constants], [6.947, 0.008281], rtol=2e-4)
    assert found.dof == 10 and found.residual_std == pytest.approx(10.93, rel=1e-3)


@pytest.mark.parametrize("noise", [0.003, 0.03, 0.3])
def test_noise_hardly_ever_makes_a_fancy_number(noise: float) -> None:
    """Random slopes, far from any simple number or not: what is snapped is rare, and short."""
    rng = np.random.default_rng(1)
    fancy = 0
    for trial in range(100):
        formula, X, target = line(rng.uniform(0.1, 5), noise, 60, trial)
        for constant in snap(formula, X, target).constants:  # none where the factor became 1
            fancy += constant.exact not in {None, "2", "3", "4", "5", "1/2", "3/2", "5/2", "7/2", "9/2"}
    assert fancy <= 3


@pytest.mark.parametrize("slope", [1, 2, 0.5])
def test_simple_numbers_survive_noise(slope: float) -> None:
    found = [snap(*line(slope, 0.02, 200, seed)).expr for seed in range(30)]
    assert sum(expr == sympy.nsimplify(slope) * x for expr in found) >= 25


def test_the_law_of_the_benchmark() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (500, 2))
    formula = Formula(
        e + sympy.exp(a * sympy.sin(b * x + c) + d * y**2),
        dict(zip((a, b, c, d, e), (0.9, 3.0, 0.1, 0.9, 0.1))),
        (x, y),
    )
    target = np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)
    for noise in (0.0, 1e-12, 1e-6, 0.01):
        data = target + noise * rng.normal(size=500)
        found = snap(drop_constants(formula, X, data), X, data)
        assert found.expr == sympy.exp(sympy.sin(sympy.pi * x) + y**2)


def test_dropping_prefers_michaelis_menten() -> None:
    formula = Formula((a * x + c) / (b + x), {a: 200.0, b: 0.1, c: 0.1}, (x,))
    assert drop_constants(formula, CONCENTRATION, RATE).structure == a * x / (b + x)


def test_needed_constants_are_not_dropped() -> None:
    rng = np.random.default_rng(0)
    X = np.linspace(0, 1, 50)[:, None]
    target = 1.3 * X[:, 0] ** 2 + 0.3 + 0.01 * rng.normal(size=50)
    formula = Formula(a * x**2 + b + c * x, {a: 1.0, b: 0.1, c: 0.2}, (x,))
    assert drop_constants(formula, X, target).structure == a * x**2 + b


def test_exact_constants_are_left_alone() -> None:
    X = np.linspace(0.1, 1, 30)[:, None]
    formula = Formula(a * sympy.sin(b * x), {a: 1.7, b: sympy.pi}, (x,))
    target = 2 * np.sin(np.pi * X[:, 0])
    assert snap(formula, X, target).values == {a: sympy.Integer(2), b: sympy.pi}


def test_weights_decide() -> None:
    """The rows that disagree with 2 have next to no weight."""
    formula, X, target = line(2.0, 1e-4)
    target[-1] += 3.0
    weight = np.ones(100)
    weight[-1] = 1e-12
    assert snap(formula, X, target, weight).values == {a: sympy.Integer(2)}
    weight[-1] = 0.0
    assert snap(formula, X, target, weight).values == {a: sympy.Integer(2)}


def test_keplers_exponent() -> None:
    """Periods scatter by their own size: 1/T^2 is the weight, and then 3/2 is inside the interval."""
    semi_major = np.array(
        [0.38709893, 0.72333199, 1.00000011, 1.52366231, 5.20336301, 9.53707032, 19.19126393, 30.06896348]
    )
    period = np.array([0.240846, 0.615198, 1.000016, 1.880849, 11.86198, 29.45714, 84.0120, 164.7885])
    formula = Formula(a * x**b, {a: 1.1, b: 1.4}, (x,))
    table, weight = semi_major[:, None], 1 / period**2
    found = snap(drop_constants(formula, table, period, weight), table, period, weight)
    assert found.expr == x ** sympy.Rational(3, 2)


def test_a_formula_without_fitted_constants_passes_through() -> None:
    X = np.linspace(0, 1, 10)[:, None]
    formula = Formula(x**2, {}, (x,))
    for step in (drop_constants, snap, fitted):
        assert step(formula, X, X[:, 0] ** 2) == formula


def test_a_fit_that_fails_keeps_the_formula() -> None:
    X = np.linspace(-1, 1, 10)[:, None]
    formula = Formula(a * sympy.log(x), {a: 1.0}, (x,))
    assert snap(drop_constants(formula, X, X[:, 0]), X, X[:, 0]).values == {a: 1.0}


@given(st.integers(-1000, 1000), st.integers(1, 24))
def test_candidates_hold_what_lies_inside(p: int, q: int) -> None:
    fraction = Fraction(p, q)
    found = list(candidates(float(fraction), 1e-9))
    assert (sympy.Rational(p, q), exact_cost(fraction)) in found
    assert all(abs(float(exact) - float(fraction)) <= 1.0001e-9 for exact, _ in found)


def test_costs_grow_with_height_precision_and_number() -> None:
    costs = [exact_cost(Fraction(*f)) for f in ((1, 1), (2, 1), (1, 2), (3, 2), (7, 11), (101, 23))]
    assert costs == sorted(costs)
    assert fitted_cost(1.0, 1e-3) < fitted_cost(1.0, 1e-6) < fitted_cost(1e3, 1e-6)
    assert constants_cost(1, 10) < constants_cost(2, 10) < constants_cost(3, 10) and constants_cost(0, 3) == 0
    assert constants_cost(2, 5) < constants_cost(3, 5) < constants_cost(4, 5) < math.inf
    assert description_length(0.0, 10, 1, np.ones(10)) == description_length(1e-40, 10, 1, np.ones(10))


def test_the_shorter_formula_has_the_shorter_description() -> None:
    formula, X, target = line(2.0, 0.1)
    longer = Formula(a * x + b * x**3, {a: 2.0, b: 0.0}, (x,))
    assert formula_length(formula, X, target) < formula_length(longer, X, target)
